// Crops of many faces out of one decoded NV12 picture: a block of 16 x 16 threads per tile of one face's crop.
//
// Given what the package's contract describes, already checked. The block first reduces the blocks of samples that its
// tile touches into shared memory, so that every sample is read about once however many pixels look at it, then each
// thread samples its pixel bilinearly, luma and chroma apart, mixes the colours and writes what was asked for. Places
// are computed in double precision (twelve operations a pixel); values in single. Every rounding is written out
// (compiled without contraction), so that another processor which follows the same steps should get the same bits, but
// for numbers below 1e-38, which CuPy has flushed to zero. Needs no header.

#define TILE 16             // pixels a side, and threads
#define LARGEST_BLOCK 64.0  // as in the contract of crop_roi
#define ROOM 1444           // block means of one channel in shared memory: 38 x 38, enough for any rotated square

typedef unsigned char byte;

#ifdef __CUDACC__
// The bits of the nearest half-precision number.
__device__ static unsigned short half_bits(float value) {
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}
#endif

// A plane of interleaved channels, cut into blocks of step x step samples, and the map from crop pixels to blocks.
struct Plane {
    const byte* samples;
    long long pitch;
    int wide, high, step, black;
    float scale;
    double x[3], y[3];
};

// Where a crop's pixel centre lies, in blocks from the middle of the first; kept near the plane.
__device__ static double place(const double* map, double j, double i, int samples, int step) {
    const double at = fma(map[0], j, fma(map[1], i, map[2]));
    return fmin(fmax(at, -2.0), (double)((samples + step - 1) / step) + 1.0);
}

// One axis of the map: from the picture's pixels to the plane's blocks.
__device__ static void to_blocks(const double* px_from_crop, double per_px, int step, double* map) {
    const double unit = per_px / step;
    map[0] = px_from_crop[0] * unit;
    map[1] = px_from_crop[1] * unit;
    map[2] = fma(px_from_crop[2], unit, -0.5);
}

__device__ static void plan(
    const byte* samples, long long pitch, int wide, int high, int black, const double* px_from_crop, double per_px,
    Plane* plane) {
    const double cross = px_from_crop[1] * px_from_crop[3];
    const double scale = per_px * sqrt(fabs(fma(px_from_crop[0], px_from_crop[4], -cross)));
    plane->samples = samples;
    plane->pitch = pitch;
    plane->wide = wide;
    plane->high = high;
    plane->black = black;
    plane->step = (int)fmin(fmax(floor(scale + (0.5 + 1e-6)), 1.0), LARGEST_BLOCK);
    plane->scale = 1.0f / (float)(plane->step * plane->step);
    to_blocks(px_from_crop, per_px, plane->step, plane->x);
    to_blocks(px_from_crop + 3, per_px, plane->step, plane->y);
}

// Mean of one block less black, per channel; what lies outside the plane is black.
template <int CHANNELS>
__device__ static void block_mean(const Plane& plane, int column, int row, float* mean) {
    const int left = max(column * plane.step, 0), right = min(column * plane.step + plane.step, plane.wide);
    const int top = max(row * plane.step, 0), bottom = min(row * plane.step + plane.step, plane.high);
    const int count = max(right - left, 0) * max(bottom - top, 0);
    int sums[CHANNELS];
    for (int c = 0; c < CHANNELS; ++c)
        sums[c] = -plane.black * count;
    for (int y = top; y < bottom; ++y) {
        const byte* samples = plane.samples + y * plane.pitch;
        for (int x = left; x < right; ++x)
            for (int c = 0; c < CHANNELS; ++c)
                sums[c] += samples[x * CHANNELS + c];
    }
    for (int c = 0; c < CHANNELS; ++c)
        mean[c] = (float)sums[c] * plane.scale;
}

// The blocks that a tile's pixels look at, as far as there are any.
struct Window {
    int left, top, wide, high;
};

__device__ static void axis(
    const double* map, double j, double i, int samples, int step, int* first, int* count) {
    double low = 1e300, most = -1e300;
    for (int corner = 0; corner < 4; ++corner) {
        const double at = place(map, j + corner % 2 * (TILE - 1), i + corner / 2 * (TILE - 1), samples, step);
        low = fmin(low, at);
        most = fmax(most, at);
    }
    *first = max((int)floor(low), 0);
    *count = max(min((int)floor(most) + 1, (samples + step - 1) / step - 1) - *first + 1, 0);
}

// Reduce the window's blocks, all threads together; nothing where it has no room (no rotated square needs more).
template <int CHANNELS>
__device__ static void reduce(const Plane& plane, const Window& window, int thread, float (*means)[ROOM]) {
    const int blocks = window.wide * window.high;
    if (blocks > ROOM)
        return;
    for (int n = thread; n < blocks; n += TILE * TILE) {
        float mean[CHANNELS];
        block_mean<CHANNELS>(plane, window.left + n % window.wide, window.top + n / window.wide, mean);
        for (int c = 0; c < CHANNELS; ++c)
            means[c][n] = mean[c];
    }
}

// One block's means: kept ones from the window, zeros outside it.
template <int CHANNELS>
__device__ static void tap(
    const Plane& plane, const Window& window, const float (*means)[ROOM], int column, int row, float* value) {
    if (window.wide * window.high > ROOM) {
        block_mean<CHANNELS>(plane, column, row, value);
        return;
    }
    const int x = column - window.left, y = row - window.top;
    const bool inside = x >= 0 && y >= 0 && x < window.wide && y < window.high;
    for (int c = 0; c < CHANNELS; ++c)
        value[c] = inside ? means[c][y * window.wide + x] : 0.0f;
}

template <int CHANNELS>
__device__ static void bilinear(
    const Plane& plane, const Window& window, const float (*means)[ROOM], double j, double i, float* value) {
    const double u = place(plane.x, j, i, plane.wide, plane.step), v = place(plane.y, j, i, plane.high, plane.step);
    const int column = (int)floor(u), row = (int)floor(v);
    const float right = (float)(u - column), down = (float)(v - row);
    float a[CHANNELS], b[CHANNELS], c[CHANNELS], d[CHANNELS];
    tap<CHANNELS>(plane, window, means, column, row, a);
    tap<CHANNELS>(plane, window, means, column + 1, row, b);
    tap<CHANNELS>(plane, window, means, column, row + 1, c);
    tap<CHANNELS>(plane, window, means, column + 1, row + 1, d);
    for (int n = 0; n < CHANNELS; ++n) {
        const float upper = fmaf(right, b[n] - a[n], a[n]), lower = fmaf(right, d[n] - c[n], c[n]);
        value[n] = fmaf(down, lower - upper, upper);
    }
}

extern "C" __global__ void __launch_bounds__(TILE* TILE) crop_nv12(
    const byte* __restrict__ luma,         // [H, W], rows `luma_pitch` bytes apart
    const byte* __restrict__ chroma,       // [ceil(H / 2), ceil(W / 2), 2], rows `chroma_pitch` bytes apart
    long long luma_pitch, long long chroma_pitch,
    int wide, int high,                    // of the picture
    int black,                             // the sample of black luma
    const double* __restrict__ px_from_crop,  // [B, 2, 3]
    const float* __restrict__ recipe,      // [15]: the 3 x 3 mix of Y, U, V; scale and shift of R, G, B for `tensor`
    int side,                              // S
    byte* __restrict__ rgb,                // [B, S, S, 3] or null
    unsigned short* __restrict__ tensor)   // half precision [B, 3, S, S] or null
{
    __shared__ float means[3][ROOM];
    __shared__ Plane planes[2];
    __shared__ Window windows[2];
    const int thread = threadIdx.y * TILE + threadIdx.x;
    const long long face = blockIdx.z;
    if (thread < 2) {
        const double* map = px_from_crop + 6 * face;
        const double j = blockIdx.x * TILE + 0.5, i = blockIdx.y * TILE + 0.5;
        Plane& plane = planes[thread];
        Window& window = windows[thread];
        if (thread == 0)
            plan(luma, luma_pitch, wide, high, black, map, 1.0, &plane);
        else
            plan(chroma, chroma_pitch, (wide + 1) / 2, (high + 1) / 2, 128, map, 0.5, &plane);
        axis(plane.x, j, i, plane.wide, plane.step, &window.left, &window.wide);
        axis(plane.y, j, i, plane.high, plane.step, &window.top, &window.high);
    }
    __syncthreads();
    reduce<1>(planes[0], windows[0], thread, means);
    reduce<2>(planes[1], windows[1], thread, means + 1);
    __syncthreads();

    const int column = blockIdx.x * TILE + threadIdx.x, row = blockIdx.y * TILE + threadIdx.y;
    if (column >= side || row >= side)
        return;
    float yuv[3];
    bilinear<1>(planes[0], windows[0], means, column + 0.5, row + 0.5, yuv);
    bilinear<2>(planes[1], windows[1], means + 1, column + 0.5, row + 0.5, yuv + 1);
    const long long pixel = ((long long)row * side) + column, pixels = (long long)side * side;
    for (int c = 0; c < 3; ++c) {
        const float mixed = fmaf(recipe[3 * c + 2], yuv[2], fmaf(recipe[3 * c + 1], yuv[1], recipe[3 * c] * yuv[0]));
        const float value = fminf(fmaxf(mixed, 0.0f), 255.0f);
        if (rgb)
            rgb[3 * (face * pixels + pixel) + c] = (byte)rintf(value);
        if (tensor)
            tensor[(3 * face + c) * pixels + pixel] = half_bits(fmaf(value, recipe[9 + c], recipe[12 + c]));
    }
}
