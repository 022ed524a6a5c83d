// One damped Gauss-Newton step per face: a block of 256 threads assembles J^T W J, J^T W r and the energy of one face
// in one sweep over its residuals and solves the system in shared memory.
//
// Given what the package's contract describes, already checked. The residual is carried as one more column beside the
// Jacobian's P, so that the matrix of all products holds H, the gradient below it, and its elimination solves the
// forward half. Threads own 4 x 4 tiles of the lower triangle, in as many groups as the block has room for; each group
// takes every so-many-th row, and groups are added in order. Every sum has one fixed order: no atomics, the same bits
// on every run. Every rounding is written out (compiled without contraction), so that another processor which follows the
// same steps should get the same bits, but for numbers below 1e-38, which CuPy has flushed to zero. Needs no header.

#define THREADS 256
#define ROWS 32             // residuals in shared memory at a time: one warp weighs them
#define MOST 64             // parameters
#define SIDE (MOST + 4)     // columns: parameters, the residual, zeros up to a multiple of four
#define PER_ROW (THREADS / ROWS)
#define HELD (MOST / PER_ROW)
#define LEAST_PIVOT 1e-5f   // as in the contract, and the next
#define LARGEST 3e38f
#define ALL 0xffffffffu

// Sum over a warp, in the order of a butterfly: the same on every lane.
__device__ static float warp_sum(float value) {
    for (int apart = 16; apart > 0; apart /= 2)
        value += __shfl_xor_sync(ALL, value, apart);
    return value;
}

// This thread's part of one row of the Jacobian: every eighth column; zeros behind the last row and column.
__device__ static void fetch(const float* jacobian, int row, int residuals, int parameters, float* held) {
    const long long begin = (long long)row * parameters;
    for (int n = 0; n < HELD; ++n) {
        const int column = threadIdx.x % PER_ROW + n * PER_ROW;
        held[n] = row < residuals && column < parameters ? jacobian[begin + column] : 0.0f;
    }
}

// Root of the robust weight of this lane's row, and its product with the residual; adds to the lane's energy.
__device__ static void weigh(
    const float* residual, const float* weight, int row, int residuals, float inverse_square, float* energy,
    float* root, float* product) {
    *root = *product = 0.0f;
    if (row >= residuals)
        return;
    const float r = residual[row], w = weight[row], square = r * r;
    const float share = 1.0f / fmaf(square, inverse_square, 1.0f);
    *root = sqrtf(w) * share;
    *product = *root * r;
    *energy = fmaf(w * share, square, *energy);
}

// Add the products of one row's four columns with four others to a 4 x 4 tile.
__device__ static void outer(const float4 a, const float4 b, float* sums) {
    const float left[4] = {a.x, a.y, a.z, a.w}, right[4] = {b.x, b.y, b.z, b.w};
    for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j)
            sums[4 * i + j] = fmaf(left[i], right[j], sums[4 * i + j]);
}

// Column by column take what the column explains out of the columns to its right: the lower triangle of the
// square-root-free Cholesky factor (times its pivots) stays, the gradient's row becomes the forward solution.
__device__ static void eliminate(float (*h)[SIDE + 1], int parameters, const float* diagonal, bool* positive) {
    bool good = true;
    for (int j = 0; j < parameters; ++j) {
        const float pivot = h[j][j], inverse = 1.0f / pivot;
        good = good && pivot > LEAST_PIVOT * diagonal[j] && pivot < LARGEST;
        for (int i = j + 1 + threadIdx.x / 16; i <= parameters; i += THREADS / 16) {
            const float factor = h[i][j] * inverse;
            for (int k = j + 1 + threadIdx.x % 16; k <= i && k < parameters; k += 16)
                h[i][k] = fmaf(-factor, h[k][j], h[i][k]);
        }
        __syncthreads();
    }
    *positive = good;
}

extern "C" __global__ void __launch_bounds__(THREADS, 3) gauss_newton(
    const float* __restrict__ residual,    // [B, R]
    const float* __restrict__ jacobian,    // [B, R, P]
    const float* __restrict__ weight,      // [B, R]
    const float* __restrict__ prior,       // [B, P]
    const float* __restrict__ deviation,   // [B, P]
    const float* __restrict__ damping,     // [B]
    float inverse_square,                  // of the softness; 0 for plain least squares
    int residuals, int parameters,
    float* __restrict__ step,              // [B, P]
    float* __restrict__ energy,            // [B]
    float* __restrict__ decrease,          // [B]
    unsigned char* __restrict__ solved)    // [B]
{
    __shared__ __align__(16) float tile[ROWS][SIDE];
    // A column of h lies in as many banks as it has rows.
    __shared__ float h[SIDE][SIDE + 1], diagonal[MOST], roots[ROWS], products[ROWS];
    const int thread = threadIdx.x, face = blockIdx.x, warp = thread / 32, lane = thread % 32;
    const int own_row = thread / PER_ROW, own_column = thread % PER_ROW;
    residual += (long long)face * residuals;
    weight += (long long)face * residuals;
    jacobian += (long long)face * residuals * parameters;
    prior += (long long)face * parameters;
    deviation += (long long)face * parameters;

    // Which tile of the lower triangle this thread owns, and which group it belongs to.
    const int side = parameters / 4 + 1, tiles = side * (side + 1) / 2, groups = min(THREADS / tiles, ROWS);
    const int group = thread / tiles;
    int down = 0, right = thread % tiles;
    while (right > down)
        right -= ++down;

    float sums[16], held[HELD], own_energy = 0.0f, root, product;
    for (int n = 0; n < 16; ++n)
        sums[n] = 0.0f;
    for (int n = thread; n < ROWS * SIDE; n += THREADS)
        tile[n / SIDE][n % SIDE] = 0.0f;

    fetch(jacobian, own_row, residuals, parameters, held);
    for (int first = 0; first < residuals; first += ROWS) {
        if (warp == 0) {
            weigh(residual, weight, first + lane, residuals, inverse_square, &own_energy, &root, &product);
            roots[lane] = root;
            products[lane] = product;
        }
        __syncthreads();
        for (int n = 0; n < HELD; ++n)
            if (own_column + n * PER_ROW < parameters)
                tile[own_row][own_column + n * PER_ROW] = held[n] * roots[own_row];
        if (warp == 0)
            tile[lane][parameters] = products[lane];
        __syncthreads();
        // The next rows travel while these are multiplied.
        fetch(jacobian, first + ROWS + own_row, residuals, parameters, held);
        if (group < groups)
            for (int row = group; row < ROWS; row += groups)
                outer(*(const float4*)&tile[row][4 * down], *(const float4*)&tile[row][4 * right], sums);
    }

    for (int turn = 0; turn < groups; ++turn) {
        if (group == turn)
            for (int n = 0; n < 16; ++n) {
                float* at = &h[4 * down + n / 4][4 * right + n % 4];
                *at = turn ? *at + sums[n] : sums[n];
            }
        __syncthreads();
    }
    if (thread < parameters) {
        const float stiffness = prior[thread];
        h[parameters][thread] = fmaf(stiffness, deviation[thread], h[parameters][thread]);
        h[thread][thread] += stiffness + damping[face];
        diagonal[thread] = h[thread][thread];
    }
    __syncthreads();
    bool positive;
    eliminate(h, parameters, diagonal, &positive);

    // One warp solves backwards, two parameters a lane, and sums up.
    if (warp > 0)
        return;
    const int second = lane + 32;
    const bool has_first = lane < parameters, has_second = second < parameters;
    const float first_inverse = has_first ? 1.0f / h[lane][lane] : 0.0f;
    const float second_inverse = has_second ? 1.0f / h[second][second] : 0.0f;
    float a = has_first ? h[parameters][lane] * first_inverse : 0.0f;
    float b = has_second ? h[parameters][second] * second_inverse : 0.0f;
    float gain = 0.0f, quadratic = 0.0f;
    if (has_first) {
        gain = a * h[parameters][lane];
        quadratic = prior[lane] * deviation[lane] * deviation[lane];
    }
    if (has_second) {
        gain = fmaf(b, h[parameters][second], gain);
        quadratic = fmaf(prior[second] * deviation[second], deviation[second], quadratic);
    }
    for (int j = parameters - 1; j > 0; --j) {
        const float solution = __shfl_sync(ALL, j < 32 ? a : b, j % 32);
        if (lane < j)
            a = fmaf(-h[j][lane] * first_inverse, solution, a);
        if (second < j)
            b = fmaf(-h[j][second] * second_inverse, solution, b);
    }
    const float length = warp_sum(fmaf(b, b, a * a));
    gain = warp_sum(gain);
    const float before = 0.5f * warp_sum(own_energy + quadratic);
    const float less = 0.5f * fmaf(damping[face], length, gain);
    const bool good = positive && less < LARGEST && before < LARGEST;
    if (has_first)
        step[(long long)face * parameters + lane] = good ? -a : 0.0f;
    if (has_second)
        step[(long long)face * parameters + second] = good ? -b : 0.0f;
    if (lane == 0) {
        energy[face] = before;
        decrease[face] = good ? less : 0.0f;
        solved[face] = good;
    }
}
