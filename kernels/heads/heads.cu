// Heads in squares: a block of 128 threads reads one face's vector, gathers the second moments of its points, and one of
// them finds the pose in double precision, as `align` does. Given what the package's contract describes, checked.
//
// Sums over points have one thread each, in the order of the points, so that the bits are the same on every run and the
// sums are those of the processor's kernel. Needs no header.

#define THREADS 128
#define MOST_POINTS 128        // as in the contract, and the next
#define MOST_COEFFICIENTS 128
#define LEAST_STD 0.003        // as in `align`, and the next two
#define LEAST_SPREAD 0.01
#define STEPS 3
#define POLAR_ROUNDS 8
#define LOG_SCALE_LIMIT 1.5    // as in `lift`, and the next two
#define LOG_STD_LOW -7.0
#define LOG_STD_HIGH 1.0
#define LARGEST 3.402823466e38f  // finite number

struct Matrix {
    double v[3][3];
};

__device__ static double held(double value, double low, double high) { return fmin(fmax(value, low), high); }

// The inverse, and its determinant.
__device__ static Matrix inverse(const Matrix& m, double* determinant) {
    Matrix out;
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j) {
            const int a = (i + 1) % 3, b = (i + 2) % 3, c = (j + 1) % 3, d = (j + 2) % 3;
            out.v[j][i] = m.v[a][c] * m.v[b][d] - m.v[a][d] * m.v[b][c];
        }
    *determinant = m.v[0][0] * out.v[0][0] + m.v[0][1] * out.v[1][0] + m.v[0][2] * out.v[2][0];
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j)
            out.v[i][j] /= *determinant;
    return out;
}

__device__ static Matrix product(const Matrix& a, const Matrix& b) {
    Matrix out;
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j)
            out.v[i][j] = a.v[i][0] * b.v[0][j] + a.v[i][1] * b.v[1][j] + a.v[i][2] * b.v[2][j];
    return out;
}

// The nearest rotation (Newton's iteration, scaled; Higham 1986).
__device__ static Matrix polar(Matrix m) {
    for (int round = 0; round < POLAR_ROUNDS; ++round) {
        double determinant;
        const Matrix back = inverse(m, &determinant);
        const double gamma = 1.0 / cbrt(fabs(determinant));
        for (int i = 0; i < 3; ++i)
            for (int j = 0; j < 3; ++j)
                m.v[i][j] = 0.5 * gamma * m.v[i][j] + 0.5 / gamma * back.v[j][i];
    }
    return m;
}

// exp(omega) r, by Rodrigues' formula.
__device__ static Matrix turned(const Matrix& r, double x, double y, double z) {
    const double angle = sqrt(x * x + y * y + z * z);
    const double first = angle < 1e-9 ? 1.0 : sin(angle) / angle;
    const double second = angle < 1e-9 ? 0.5 : (1.0 - cos(angle)) / (angle * angle);
    Matrix out;
    for (int j = 0; j < 3; ++j) {
        const double u = r.v[0][j], v = r.v[1][j], w = r.v[2][j];
        const double a = y * w - z * v, b = z * u - x * w, c = x * v - y * u;
        out.v[0][j] = u + first * a + second * (y * c - z * b);
        out.v[1][j] = v + first * b + second * (z * a - x * c);
        out.v[2][j] = w + first * c + second * (x * b - y * a);
    }
    return out;
}

// b becomes the solution of a x = b, a symmetric and positive, by Cholesky's factorization; false where it is not.
__device__ static bool solve(double (&a)[4][4], double (&b)[4]) {
    bool good = true;
    for (int j = 0; j < 4; ++j) {
        for (int k = 0; k < j; ++k)
            a[j][j] -= a[j][k] * a[j][k];
        good = good && a[j][j] > 0.0;
        a[j][j] = sqrt(a[j][j]);
        for (int i = j + 1; i < 4; ++i) {
            for (int k = 0; k < j; ++k)
                a[i][j] -= a[i][k] * a[j][k];
            a[i][j] /= a[j][j];
        }
    }
    for (int i = 0; i < 4; ++i) {
        for (int k = 0; k < i; ++k)
            b[i] -= a[i][k] * b[k];
        b[i] /= a[i][i];
    }
    for (int i = 3; i >= 0; --i) {
        for (int k = i + 1; k < 4; ++k)
            b[i] -= a[k][i] * b[k];
        b[i] /= a[i][i];
    }
    return good;
}

// One Gauss-Newton step on the turn and the logarithm of the scale; false where there is none.
__device__ static bool improve(const Matrix& spread, const Matrix& cross, double d, Matrix* r, double* scale) {
    Matrix half, transposed;
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j)
            half.v[j][i] = transposed.v[i][j] = *scale * r->v[i][j];
    // t: moments of the turned points; e: of what is left of the distance with the turned points.
    const Matrix t = product(transposed, product(spread, half));
    Matrix e = product(cross, half);
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j)
            e.v[i][j] = t.v[i][j] - e.v[i][j];
    double a[4][4], b[4];
    a[0][0] = t.v[2][2] + d * t.v[1][1];
    a[1][0] = -d * t.v[0][1];
    a[1][1] = t.v[2][2] + d * t.v[0][0];
    a[2][0] = -t.v[0][2];
    a[2][1] = -t.v[1][2];
    a[2][2] = t.v[0][0] + t.v[1][1];
    a[3][0] = (d - 1.0) * t.v[1][2];
    a[3][1] = (1.0 - d) * t.v[0][2];
    a[3][2] = 0.0;
    a[3][3] = t.v[0][0] + t.v[1][1] + d * t.v[2][2];
    b[0] = e.v[1][2] - d * e.v[2][1];
    b[1] = d * e.v[2][0] - e.v[0][2];
    b[2] = e.v[0][1] - e.v[1][0];
    b[3] = -(e.v[0][0] + e.v[1][1] + d * e.v[2][2]);
    if (!solve(a, b))
        return false;
    *r = turned(*r, b[0], b[1], b[2]);
    *scale *= exp(b[3]);
    return true;
}

// The similarity of `align` from the moments (spread, then cross) and the means; false, with nothing changed, where there
// is none.
__device__ static bool similarity(
    const double* moments, const double* means, double depth_share, Matrix* rotation, double* shift, double* size) {
    if (!(means[6] > 0.0 && means[6] < 1e300))
        return false;
    Matrix spread, cross;
    double determinant, largest = 0.0, scale = 0.0, share = 0.0;
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j) {
            spread.v[i][j] = moments[3 * i + j];
            cross.v[i][j] = moments[9 + 3 * i + j];
        }
    const double extent = spread.v[0][0] + spread.v[1][1] + spread.v[2][2];
    const Matrix back = inverse(spread, &determinant);
    if (!(determinant > 1e-4 * extent * extent * extent / 4.0))
        return false;
    const Matrix affine = product(cross, back);
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j)
            largest = fmax(largest, fabs(affine.v[i][j]));
    inverse(affine, &determinant);
    if (!(determinant > 1e-12 * largest * largest * largest && largest < 1e300))
        return false;
    Matrix r = polar(affine);
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j)
            scale += r.v[i][j] * affine.v[i][j] / 3.0;
    if (!(scale * sqrt(extent) > LEAST_SPREAD))
        return false;
    for (int step = 0; step < STEPS; ++step)
        if (!improve(spread, cross, depth_share, &r, &scale))
            return false;
    if (!(scale > 0.0 && scale < 1e300))
        return false;
    for (int i = 0; i < 2; ++i) {
        share = means[3 + i];
        for (int j = 0; j < 3; ++j)
            share -= scale * r.v[i][j] * means[j];
        shift[i] = share;
    }
    *rotation = r;
    *size = scale;
    return true;
}

// The pose that the network regresses, Gram-Schmidt on six numbers (Zhou et al. 2019).
__device__ static void regressed(
    const float* six, const float* offset, double log_scale, const double* numbers, Matrix* r, double* shift,
    double* size) {
    double a = six[0], b = six[1], h = six[2], d = six[3], e = six[4], f = six[5];
    double length = fmax(sqrt(a * a + b * b + h * h), 1e-9);
    a /= length, b /= length, h /= length;
    const double along = a * d + b * e + h * f;
    d -= along * a, e -= along * b, f -= along * h;
    length = fmax(sqrt(d * d + e * e + f * f), 1e-9);
    d /= length, e /= length, f /= length;
    *r = {{{a, d, b * f - h * e}, {b, e, h * d - a * f}, {h, f, a * e - b * d}}};
    *size = exp(held(log_scale, -LOG_SCALE_LIMIT, LOG_SCALE_LIMIT)) / numbers[0];
    for (int i = 0; i < 2; ++i) {
        const double arm = r->v[i][0] * numbers[1] + r->v[i][1] * numbers[2] + r->v[i][2] * numbers[3];
        shift[i] = 0.5 + offset[i] - *size * arm;
    }
}

// Where the anchor lies and how large a side is, against what they should be.
__device__ static bool is_plausible(const Matrix& r, const double* shift, double size, const double* numbers) {
    double away[2];
    for (int i = 0; i < 2; ++i)
        away[i] = shift[i] - 0.5 +
            size * (r.v[i][0] * numbers[1] + r.v[i][1] * numbers[2] + r.v[i][2] * numbers[3]);
    return sqrt(away[0] * away[0] + away[1] * away[1]) < numbers[6] && fabs(log(fmax(size * numbers[0], 1e-9))) < numbers[7];
}

extern "C" __global__ void __launch_bounds__(THREADS) heads(
    const float* __restrict__ vectors,     // [B, W]
    const float* __restrict__ mean,        // [K, 3]
    const float* __restrict__ basis,       // [C, K, 3]
    const float* __restrict__ rest,        // [K, 3]
    const int* __restrict__ starts,        // [9]
    const double* __restrict__ numbers,    // [8]
    int width, int points, int moving, int coefficients, int deviations, int trusts,
    float* __restrict__ out_coefficients,  // [B, C]
    float* __restrict__ out_std,           // [B, S]
    float* __restrict__ out_trust,         // [B, R]
    double* __restrict__ out_pose,         // [B, 12]
    double* __restrict__ out_presence,     // [B]
    unsigned char* __restrict__ out_plausible)  // [B]
{
    __shared__ double place[3 * MOST_POINTS], target[3 * MOST_POINTS], weight[MOST_POINTS], means[7], moments[18];
    __shared__ float coefficient[MOST_COEFFICIENTS];
    __shared__ int finite;
    const int thread = threadIdx.x, face = blockIdx.x;
    const float* vector = vectors + (long long)face * width;
    const double presence = 1.0 / (1.0 + exp(-held(vector[starts[5]], -30.0, 30.0)));

    if (thread == 0)
        finite = 1;
    __syncthreads();
    for (int n = thread; n < width; n += THREADS)
        if (!(fabsf(vector[n]) <= LARGEST))
            finite = 0;  // whoever writes writes the same
    if (thread < coefficients) {
        float value = thread < moving ? vector[starts[0] + thread] : vector[starts[1] + thread - moving];
        if (thread < moving) {  // in this order, so that what is no number becomes 0, as on the processor
            value = value > 0.0f ? value : 0.0f;
            value = value < 1.0f ? value : 1.0f;
        }
        coefficient[thread] = value;
        out_coefficients[(long long)face * coefficients + thread] = value;
    }
    for (int n = thread; n < deviations; n += THREADS) {
        const float value = (float)exp(held(vector[starts[6] + n], LOG_STD_LOW, LOG_STD_HIGH));
        out_std[(long long)face * deviations + n] = value;
        const int region = n - (deviations - trusts);
        if (region >= 0) {
            const double share = (double)value / numbers[4];
            out_trust[(long long)face * trusts + region] = (float)(presence / (1.0 + share * share));
        }
    }
    if (thread < points)
        weight[thread] = 1.0 / fmax(exp((double)vector[starts[8] + thread]), LEAST_STD);
    __syncthreads();
    for (int n = thread; n < 3 * points; n += THREADS) {
        double sum = mean[n];
        for (int k = 0; k < coefficients; ++k)
            sum += (double)coefficient[k] * (double)basis[(long long)k * 3 * points + n];
        place[n] = sum;
        target[n] = (double)rest[n] + (double)vector[starts[7] + n];
    }
    __syncthreads();
    if (thread < 7) {  // means of the points and of what was seen, times the total weight; then that
        double sum = 0.0;
        for (int k = 0; k < points; ++k)
            sum += weight[k] * (thread < 3 ? place[3 * k + thread] : thread < 6 ? target[3 * k + thread - 3] : 1.0);
        means[thread] = sum;
    }
    __syncthreads();
    const double total = means[6];
    __syncthreads();
    if (thread < 6)
        means[thread] /= total;
    __syncthreads();
    if (thread < 18) {  // of points with points, and of what was seen with points
        const int i = thread % 9 / 3, j = thread % 3;
        const double* left = thread < 9 ? place : target;
        const double center = means[thread < 9 ? i : 3 + i];
        double sum = 0.0;
        for (int k = 0; k < points; ++k)
            sum += weight[k] / total * (place[3 * k + j] - means[j]) * (left[3 * k + i] - center);
        moments[thread] = sum;
    }
    __syncthreads();
    if (thread > 0)
        return;
    Matrix r;
    double shift[2], size;
    if (!similarity(moments, means, numbers[5], &r, shift, &size))
        regressed(vector + starts[2], vector + starts[3], vector[starts[4]], numbers, &r, shift, &size);
    double* pose = out_pose + (long long)face * 12;
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j)
            pose[3 * i + j] = r.v[i][j];
    pose[9] = shift[0];
    pose[10] = shift[1];
    pose[11] = size;
    out_presence[face] = presence;
    out_plausible[face] = finite && is_plausible(r, shift, size, numbers);
}
