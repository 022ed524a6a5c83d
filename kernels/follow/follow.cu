// Bodies that move, smoothed and put before the camera: a block of 64 threads per body, one thread per channel of its
// filter, the last one for the turn. Given what the package's contract describes, checked. Everything in double
// precision, as the processor's kernels have it; a group's likelihoods are summed in the order of its channels. Needs
// no header.

#define THREADS 64
#define MOST_CHANNELS 64       // one thread each
#define MOST_GROUPS 16
#define MODES 3                // as in `imm`, and the next 32: the still mode is the first, the moving one the last
#define STARTED 0
#define QUATERNION 1
#define SAMPLE 5
#define TURN 9
#define PACE 12
#define REST 13
#define NOTES 4
#define WALK 0
#define DENSITY 1
#define MEMORY 3
#define SPEED 5
#define LATE 7
#define LEAST 0
#define MOST 1
#define UNIT 2
#define LEARN_SECONDS 3
#define LEAST_FACTOR 4
#define MOST_FACTOR 5
#define TRUST 0
#define FOLLOW 1
#define EASE 2
#define USUAL_SECONDS (1.0 / 30.0)
#define SLOWEST 1.3
#define FAR 1.0
#define TINY 1e-30
#define PACE_SECONDS 1.0
#define LONGEST_SECONDS 0.1
#define MEDIAN_OF_SQUARE 0.4549364
#define LEAST_SHARE 1e-6
#define STEEPEST 0.9           // as in `portray`, and the next seven
#define ROTATION 0
#define ROTATION_RAW 9
#define TRANSLATION 18
#define TRANSLATION_RAW 21
#define SPREAD 24
#define DIRECTIONS 27
#define AFTER_MESH 33

struct Four {
    double x, y, z, w;
};
struct Three {
    double x, y, z;
};
// One mode of one channel: value, speed, and the variances of value, of both together and of speed.
struct Mode {
    double value, speed, a, b, d;
};

__device__ static bool is_number(double value) { return fabs(value) <= 1.7976931348623157e308; }

__device__ static Four times(const Four& p, const Four& q) {
    return {p.w * q.x + p.x * q.w + p.y * q.z - p.z * q.y, p.w * q.y - p.x * q.z + p.y * q.w + p.z * q.x,
            p.w * q.z + p.x * q.y - p.y * q.x + p.z * q.w, p.w * q.w - p.x * q.x - p.y * q.y - p.z * q.z};
}

// Unit `xyzw` of a rotation matrix, by its largest component (Shepperd 1978); not finite where that is.
__device__ static Four quaternion(const double* r) {
    const double trace = r[0] + r[4] + r[8], largest = fmax(fmax(r[0], r[4]), fmax(r[8], trace));
    Four q;
    if (largest == trace)
        q = {r[7] - r[5], r[2] - r[6], r[3] - r[1], 1.0 + trace};
    else if (largest == r[0])
        q = {1.0 - trace + 2.0 * r[0], r[1] + r[3], r[2] + r[6], r[7] - r[5]};
    else if (largest == r[4])
        q = {r[1] + r[3], 1.0 - trace + 2.0 * r[4], r[5] + r[7], r[2] - r[6]};
    else
        q = {r[2] + r[6], r[5] + r[7], 1.0 - trace + 2.0 * r[8], r[3] - r[1]};
    const double length = sqrt(q.x * q.x + q.y * q.y + q.z * q.z + q.w * q.w);
    return {q.x / length, q.y / length, q.z / length, q.w / length};
}

// The turn from one to the other as a rotation vector in the axes of the first, at most pi long.
__device__ static Three between(const Four& start, const Four& end) {
    Four turn = times({-start.x, -start.y, -start.z, start.w}, end);
    if (turn.w < 0.0)
        turn = {-turn.x, -turn.y, -turn.z, -turn.w};
    const double length = sqrt(turn.x * turn.x + turn.y * turn.y + turn.z * turn.z);
    const double scale = length > 1e-12 ? 2.0 * atan2(length, turn.w) / length : 2.0;
    return {scale * turn.x, scale * turn.y, scale * turn.z};
}

// `value` turned by a rotation vector in its own axes, of unit length.
__device__ static Four turned(const Four& value, const double* turn) {
    const double angle = sqrt(turn[0] * turn[0] + turn[1] * turn[1] + turn[2] * turn[2]);
    const double scale = angle > 1e-12 ? sin(angle / 2.0) / angle : 0.5;
    const Four q = times(value, {scale * turn[0], scale * turn[1], scale * turn[2], cos(angle / 2.0)});
    const double length = sqrt(q.x * q.x + q.y * q.y + q.z * q.z + q.w * q.w);
    return {q.x / length, q.y / length, q.z / length, q.w / length};
}

__device__ static Four four_at(const double* at) { return {at[0], at[1], at[2], at[3]}; }
__device__ static void keep_four(const Four& q, double* at) { at[0] = q.x, at[1] = q.y, at[2] = q.z, at[3] = q.w; }
__device__ static void keep_three(const Three& v, double* at) { at[0] = v.x, at[1] = v.y, at[2] = v.z; }

// What all threads of a block know.
struct Body {
    double change[MODES * MODES];               // from, to: how likely a mode is left for another within the step
    double shares[MODES * MOST_GROUPS];         // by group
    double after[MODES * MOST_GROUPS];          // the shares as the step alone would leave them
    double likelihood[MODES * MOST_CHANNELS];   // by mode
    double estimate[4], sampled[4];             // quaternions
    double turn[3], since[3];                   // of the sample: from the estimate, from the last sample
    double mean[3], told[3];                    // of the filtered turn: by what it goes on, by what it is told
    double unit;                                // of the place
    double pace;                                // the mean step in seconds
};

// How the sample is turned; not finite where it is not, or where there is none.
__device__ static void see_turn(const double* last, const double* rotation, bool looked, Body& body) {
    Four estimate = four_at(last + QUATERNION), before = four_at(last + SAMPLE);
    if (estimate.x == 0.0 && estimate.y == 0.0 && estimate.z == 0.0 && estimate.w == 0.0)
        estimate.w = before.w = 1.0;
    const Four seen = quaternion(rotation);
    keep_four(estimate, body.estimate);
    if (looked && is_number(seen.x + seen.y + seen.z + seen.w)) {
        keep_three(between(estimate, seen), body.turn);
        keep_three(between(before, seen), body.since);
        keep_four(seen, body.sampled);
    } else {
        const double none = sqrt(-1.0);
        keep_three({none, none, none}, body.turn);
        keep_three({none, none, none}, body.since);
        keep_four(before, body.sampled);
    }
}

// All changes of a mode within a step counted once.
__device__ static void fill_change(const double* rates, int from, double dt, double* change) {
    double leaving = 0.0;
    for (int to = 0; to < MODES; ++to)
        if (to != from)
            leaving += rates[MODES * from + to];
    const double stay = exp(-leaving * dt);
    for (int to = 0; to < MODES; ++to)
        change[MODES * from + to] = to == from ? stay : rates[MODES * from + to] * (1.0 - stay) / leaving;
}

// One step of a running median of the squared second difference; returns the logarithm of the noise factor.
__device__ static double learned(
    double factor, double moved, double before, double variance, const double* limits, double dt) {
    const double off = moved - before, step = dt / limits[LEARN_SECONDS];
    const bool up = off * off / 6.0 > MEDIAN_OF_SQUARE * variance * exp(factor);
    return fmin(fmax(factor + (up ? step : -step), log(limits[LEAST_FACTOR])), log(limits[MOST_FACTOR]));
}

// What a mode begins a step with: what those it may come from say, in proportion. `start` is the variance of its speed
// on entering it from rest.
__device__ static Mode mixed(
    const Mode* old, const double* shares, const Body& body, int to, double after, double start) {
    double weight[MODES];
    Mode now = {0.0, 0.0, 0.0, 0.0, 0.0};
    for (int from = 0; from < MODES; ++from) {
        weight[from] = shares[from] * body.change[MODES * from + to] / after;
        now.value += weight[from] * old[from].value;
        now.speed += weight[from] * old[from].speed;
    }
    for (int from = 0; from < MODES; ++from) {
        const double off = old[from].value - now.value, faster = old[from].speed - now.speed;
        now.a += weight[from] * (old[from].a + off * off);
        now.b += weight[from] * (old[from].b + off * faster);
        now.d += weight[from] * ((from ? old[from].d : start) + faster * faster);
    }
    return now;
}

// How far a speed of 1 leads that is forgotten over `memory` seconds.
__device__ static double reach_of(double memory, double keep) { return memory * (1.0 - keep); }

__device__ static void predict(Mode& mode, double density, double memory, double dt) {
    const double keep = exp(-dt / memory), reach = reach_of(memory, keep);
    mode.value += reach * mode.speed;
    mode.speed *= keep;
    mode.a += 2.0 * reach * mode.b + reach * reach * mode.d + density * dt * dt * dt / 3.0;
    mode.b = keep * (mode.b + reach * mode.d) + density * dt * dt / 2.0;
    mode.d = keep * keep * mode.d + density * dt;
}

// What all modes of a channel say.
__device__ static double mean_of(const Mode* modes, const double* shares) {
    return shares[0] * modes[0].value + shares[1] * modes[1].value + shares[2] * modes[2].value;
}

// The mean step after another.
__device__ static double paced(double pace, double dt) {
    return pace + fmin(dt / PACE_SECONDS, 1.0) * (fmin(dt, LONGEST_SECONDS) - pace);
}

// What is left of the way of what is told to the estimate, whose variance is given, after a step.
__device__ static double left_of(
    double way, double late, double ease, double still, double variance, double pace, double dt) {
    const double slower = fmin(pace / USUAL_SECONDS, SLOWEST), square = still * still;
    ease *= square * square * slower * slower * slower;
    ease /= 1.0 + way * way / (FAR * FAR * variance + TINY);
    return (1.0 - 1.0 / (1.0 + late / dt + ease)) * way;
}

// Takes in a sample; returns how likely it was, as a logarithm.
__device__ static double correct(Mode& mode, double sample, double variance) {
    const double total = mode.a + variance, surprise = sample - mode.value;
    const double gain = mode.a / total, push = mode.b / total;
    mode.value += gain * surprise;
    mode.speed += push * surprise;
    mode.d -= push * mode.b;
    mode.b *= 1.0 - gain;
    mode.a *= 1.0 - gain;
    return -0.5 * (surprise * surprise / total + log(total));
}

// Value and deviation of the mixture, carried on by `ahead` seconds. `dynamics` is the channel's first, `rows` apart.
__device__ static double tell(
    const Mode* modes, const double* shares, const double* dynamics, int rows, double ahead, double scale, float& std) {
    double values[MODES], value = 0.0, variance = 0.0;
    for (int n = 0; n < MODES; ++n) {
        double spread = modes[n].a;
        values[n] = modes[n].value;
        if (ahead > 0.0 && n) {
            const double memory = dynamics[(MEMORY + n - 1) * rows], reach = reach_of(memory, exp(-ahead / memory));
            const double density = dynamics[(DENSITY + n - 1) * rows] * scale * scale;
            values[n] += reach * modes[n].speed;
            spread += 2.0 * reach * modes[n].b + reach * reach * modes[n].d + density * ahead * ahead * ahead / 3.0;
        } else if (ahead > 0.0)
            spread += dynamics[WALK * rows] * scale * scale * ahead;
        value += shares[n] * values[n];
        variance += shares[n] * spread;
    }
    for (int n = 0; n < MODES; ++n)
        variance += shares[n] * (values[n] - value) * (values[n] - value);
    std = (float)(sqrt(variance) / scale);
    return value;
}

__device__ static void fill_rotation(const Four& q, double* out) {
    const double x = q.x, y = q.y, z = q.z, w = q.w;
    out[0] = 1.0 - 2.0 * (y * y + z * z), out[4] = 1.0 - 2.0 * (x * x + z * z), out[8] = 1.0 - 2.0 * (x * x + y * y);
    out[1] = 2.0 * (x * y - z * w), out[3] = 2.0 * (x * y + z * w);
    out[2] = 2.0 * (x * z + y * w), out[6] = 2.0 * (x * z - y * w);
    out[5] = 2.0 * (y * z - x * w), out[7] = 2.0 * (y * z + x * w);
}

// A pose of the picture in camera axes.
__device__ static void before_camera(const double* pose, const double* camera, float* rotation, float* translation) {
    double x = (pose[9] - camera[2]) / camera[0], y = (pose[10] - camera[3]) / camera[1];
    const double depth = sqrt(camera[0] * camera[1]) / pose[11];
    translation[0] = (float)(x * depth), translation[1] = (float)(y * depth), translation[2] = (float)depth;
    const double length = sqrt(x * x + y * y + 1.0), z = 1.0 / length, k = 1.0 / (1.0 + z);
    x /= length, y /= length;
    for (int j = 0; j < 3; ++j) {
        const double a = pose[j], b = pose[3 + j], c = pose[6 + j];
        rotation[j] = (float)((1.0 - k * x * x) * a - k * x * y * b + x * c);
        rotation[3 + j] = (float)(-k * x * y * a + (1.0 - k * y * y) * b + y * c);
        rotation[6 + j] = (float)(-x * a - y * b + z * c);
    }
}

// A unit vector along -z, tilted by what the numbers say.
__device__ static void fill_direction(const float* numbers, int count, const float* tilts, float* out) {
    double x = 0.0, y = 0.0;
    for (int n = 0; n < count; ++n) {
        x += (double)numbers[n] * (double)tilts[4 * n];
        y += (double)numbers[n] * (double)tilts[4 * n + 1];
    }
    const double shrink = fmin(1.0, STEEPEST / fmax(sqrt(x * x + y * y), 1e-9));
    x *= shrink, y *= shrink;
    out[0] = (float)x, out[1] = (float)y, out[2] = (float)-sqrt(1.0 - x * x - y * y);
}

// A group's modes get their share by how well they had foreseen the sample.
__device__ static void share_out(double* shares) {
    const double best = fmax(shares[0], fmax(shares[1], shares[2]));
    double total = 0.0;
    for (int n = 0; n < MODES; ++n)
        total += shares[n] = exp(shares[n] - best) + LEAST_SHARE;
    for (int n = 0; n < MODES; ++n)
        shares[n] /= total;
}

extern "C" __global__ void __launch_bounds__(THREADS) follow(
    const double* __restrict__ dynamics,   // [8, C]
    const long long* __restrict__ groups,  // [C]
    const double* __restrict__ traits,     // [3, G]
    const double* __restrict__ rates,      // [3, 3]
    const double* __restrict__ limits,     // [6]
    const float* __restrict__ tilts,       // [N, 4]
    int count,                             // N
    int number,                            // G
    const float* __restrict__ numbers,     // [B, N]
    const double* __restrict__ poses,      // [B, 12]
    const double* __restrict__ variances,  // [B, C]
    const double* __restrict__ steps,      // [B]
    const double* __restrict__ aheads,     // [B]
    const double* __restrict__ cameras,    // [B, 4]
    const double* __restrict__ doubts,     // [B, 2]
    const double* last,                    // [B, 13 + 3 G + 19 C], may be `states`
    const unsigned char* __restrict__ saw, // [B]: 0 where there is no sample
    float* __restrict__ out_numbers,       // [B, N]
    double* __restrict__ out_poses,        // [B, 12]
    float* __restrict__ out_std,           // [B, C]
    float* __restrict__ out_before,        // [B, 33]
    double* states)                        // as `last`
{
    const int thread = threadIdx.x, channels = count + 6;
    const int start = REST + MODES * number, size = start + (NOTES + 5 * MODES) * channels;
    const bool mine = thread < channels, turns = mine && thread >= count + 3;
    const int axis = thread - count - 3;
    const double* pose = poses + 12 * blockIdx.x;
    const double dt = steps[blockIdx.x], ahead = aheads[blockIdx.x];
    last += (long long)blockIdx.x * size;
    double *state = states + (long long)blockIdx.x * size, *filtered = out_poses + 12 * blockIdx.x;
    float* std = out_std + (long long)blockIdx.x * channels;
    const double seen = last[STARTED];
    const bool started = seen > 0.0, moves = started && dt > 0.0, looked = saw[blockIdx.x] != 0;
    __shared__ Body body;

    for (int n = thread; n < MODES * number; n += THREADS)
        body.shares[n] = last[REST + n];
    if (thread < MODES)
        fill_change(rates, thread, dt, body.change);
    if (thread == THREADS - 1) {
        see_turn(last, pose, looked, body);
        body.pace = !started && looked ? USUAL_SECONDS : moves ? paced(last[PACE], dt) : last[PACE];
    }
    __syncthreads();

    // The channel's sample, and what is left of those before it.
    const double* given = last + start + thread;
    Mode modes[MODES] = {};
    double sample = 0.0, recent = 0.0, difference = 0.0, factor = 0.0, behind = 0.0;
    int group = 0;
    if (mine) {
        group = (int)groups[thread];
        sample = thread < count ? (double)numbers[(long long)blockIdx.x * count + thread]
            : thread == count ? (pose[11] > 0.0 ? log(pose[11]) : sqrt(-1.0))
            : turns ? body.turn[axis] : pose[9 + thread - count - 1];
        if (!looked)
            sample = sqrt(-1.0);
        if (thread < count && is_number(sample))
            sample = fmin(fmax(sample, limits[LEAST]), limits[MOST]);
        recent = turns && looked ? body.since[axis] : given[0];
        difference = given[channels], factor = given[2 * channels], behind = given[3 * channels];
        for (int n = 0; n < MODES; ++n) {
            const double* at = given + (NOTES + 5 * n) * channels;
            modes[n] = {at[0], at[channels], at[2 * channels], at[3 * channels], at[4 * channels]};
        }
    }
    const bool known = mine && is_number(sample);
    double* shares = body.shares + MODES * group;
    if (thread == count) {
        double log_size = sample;
        if (started)
            log_size = mean_of(modes, shares);
        body.unit = limits[UNIT] * exp(is_number(log_size) ? log_size : 0.0);
    }
    for (int n = thread; moves && n < MODES * number; n += THREADS) {
        const double* from = body.shares + n / MODES * MODES;
        body.after[n] = from[0] * body.change[n % MODES] + from[1] * body.change[MODES + n % MODES]
            + from[2] * body.change[2 * MODES + n % MODES];
    }
    __syncthreads();

    const double scale = mine && thread > count && !turns ? body.unit : 1.0;
    double variance = mine ? variances[(long long)blockIdx.x * channels + thread] * scale * scale : 0.0;
    if (turns)
        state[TURN + axis] = last[TURN + axis];
    if (mine && looked && !started) {
        recent = known && !turns ? sample : 0.0, difference = factor = behind = 0.0;
        for (int n = 0; n < MODES; ++n) {
            const double speed = n ? dynamics[(SPEED + n - 1) * channels + thread] * scale : 0.0;
            modes[n] = {recent, 0.0, variance, 0.0, speed * speed};
        }
        if (turns)
            state[TURN + axis] = 0.0;
    }
    if (mine && moves) {
        const double moved = turns ? recent : sample - recent;
        if (looked && is_number(moved)) {
            if (seen > 1.0)
                factor = learned(factor, moved, turns ? state[TURN + axis] : difference, variance, limits, dt);
            difference = moved;
            if (turns)
                state[TURN + axis] = moved;
        }
        if (known && !turns)
            recent = sample;
        variance *= exp(factor);
        behind += mean_of(modes, shares);  // from here on: what is told less the old estimate
        Mode now[MODES];
        for (int n = 0; n < MODES; ++n) {
            const double speed = n ? dynamics[(SPEED + n - 1) * channels + thread] * scale : 0.0;
            now[n] = mixed(modes, shares, body, n, body.after[MODES * group + n], speed * speed);
            if (n)
                predict(now[n], dynamics[(DENSITY + n - 1) * channels + thread] * scale * scale,
                        dynamics[(MEMORY + n - 1) * channels + thread], dt);
            else
                now[n] = {
                    now[n].value, 0.0, now[n].a + dynamics[WALK * channels + thread] * scale * scale * dt, 0.0, 0.0};
            const double follow = n == MODES - 1 ? traits[FOLLOW * number + group] : 1.0;
            body.likelihood[n * MOST_CHANNELS + thread] = known ? correct(now[n], sample, variance * follow) : 0.0;
        }
        for (int n = 0; n < MODES; ++n)
            modes[n] = now[n];
    }
    __syncthreads();
    for (int n = thread; moves && n < MODES * number; n += THREADS) {
        double total = 0.0;
        for (int c = 0; c < channels; ++c)
            if (groups[c] == n / MODES)
                total += body.likelihood[n % MODES * MOST_CHANNELS + c];
        body.shares[n] = traits[TRUST * number + n / MODES] * total + log(body.after[n]);
    }
    __syncthreads();
    if (thread < number) {
        double* its = body.shares + MODES * thread;
        if (moves)
            share_out(its);
        else if (looked && !started)
            its[0] = its[1] = its[2] = 1.0 / MODES;
        for (int n = 0; n < MODES; ++n)
            state[REST + MODES * thread + n] = its[n];
    }
    __syncthreads();

    // The estimate is turned by what the modes say, and they count on from there.
    if (mine) {
        const double mean = mean_of(modes, shares);
        if (moves) {
            const double late = dynamics[LATE * channels + thread], ease = traits[EASE * number + group];
            double variance = 0.0;
            for (int n = 0; n < MODES; ++n)
                variance += shares[n] * (modes[n].a + (modes[n].value - mean) * (modes[n].value - mean));
            behind = left_of(behind - mean, late, ease, shares[0], variance, body.pace, dt);
        }
        if (turns && moves) {
            body.mean[axis] = mean;
            for (int n = 0; n < MODES; ++n)
                modes[n].value -= mean;
        }
        const double value = behind + tell(modes, shares, dynamics + thread, channels, ahead, scale, std[thread]);
        if (thread < count)
            out_numbers[(long long)blockIdx.x * count + thread] = (float)fmin(fmax(value, limits[LEAST]), limits[MOST]);
        else if (thread == count)
            filtered[11] = exp(value);
        else if (turns)
            body.told[axis] = value;
        else
            filtered[9 + thread - count - 1] = value;
        double* kept = state + start + thread;
        kept[0] = recent, kept[channels] = difference, kept[2 * channels] = factor, kept[3 * channels] = behind;
        for (int n = 0; n < MODES; ++n) {
            double* at = kept + (NOTES + 5 * n) * channels;
            at[0] = modes[n].value, at[channels] = modes[n].speed, at[2 * channels] = modes[n].a;
            at[3 * channels] = modes[n].b, at[4 * channels] = modes[n].d;
        }
    }
    __syncthreads();

    const double* camera = cameras + 4 * blockIdx.x;
    float* before = out_before + AFTER_MESH * blockIdx.x;
    if (thread == 0) {
        state[STARTED] = moves && looked ? 2.0 : started || !looked ? seen : 1.0;
        state[PACE] = body.pace;
        const Four sampled = four_at(body.sampled), estimate = started || !looked ? four_at(body.estimate) : sampled;
        const Four now = moves ? turned(estimate, body.mean) : estimate;
        keep_four(now, state + QUATERNION);
        keep_four(sampled, state + SAMPLE);
        fill_rotation(turned(now, body.told), filtered);
        before_camera(filtered, camera, before + ROTATION, before + TRANSLATION);
        const double across = doubts[2 * blockIdx.x] / pose[11], away = doubts[2 * blockIdx.x + 1];
        const double place = limits[UNIT] * fmaxf(std[count + 1], std[count + 2]), larger = std[count];
        before[SPREAD] = before[SPREAD + 1] = (float)sqrt(across * across + place * place);
        before[SPREAD + 2] = (float)(sqrt(camera[0] * camera[1]) / filtered[11] * sqrt(away * away + larger * larger));
    }
    if (thread == 32)
        before_camera(pose, camera, before + ROTATION_RAW, before + TRANSLATION_RAW);
    if (thread == 33 || thread == 34)
        fill_direction(
            out_numbers + (long long)blockIdx.x * count, count, tilts + 2 * (thread - 33),
            before + DIRECTIONS + 3 * (thread - 33));
}
