// Runs a CUDA C kernel's own source on this processor, one block after another, for tests: every thread of a block is a
// fiber that runs until it waits (for the block or for its warp), in an order that the caller chooses. Results that
// depend on the order, on shared memory before it is written, or on a barrier that not every thread reaches, show.
//
// Given a source that needs no header and the few built-ins below, `CUDA_ON_CPU(kernel)` exports
// `launch(sizes, arguments, order)` and `parameters(bytes)`; it does not model time, memory latency or the GPU's own rounding of `1 / x`
// (which is the correct one there too, unless it is compiled otherwise).
#pragma once
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __shared__ static __attribute__((section("shared_memory")))

using std::max;
using std::min;
struct float4 {
    float x, y, z, w;
};
struct dim3 {
    unsigned x, y, z;
};
static dim3 threadIdx, blockIdx, blockDim, gridDim;

[[maybe_unused]] static unsigned short half_bits(float value) {
    const _Float16 half = (_Float16)value;
    unsigned short bits;
    memcpy(&bits, &half, sizeof bits);
    return bits;
}

namespace on_cpu {
const size_t STACK = 128 << 10;
enum State { READY, AT_BLOCK, AT_WARP, DONE };
struct Fiber {
    ucontext_t context;
    std::vector<char> stack;
    State state;
    dim3 thread;
    int lane_wanted;
    float given, taken;
};
static std::vector<Fiber> fibers;
static ucontext_t scheduler;
static Fiber* running;
static std::function<void()> body;

static void enter() {
    body();
    running->state = DONE;
    swapcontext(&running->context, &scheduler);
}

static void wait(State state) {
    Fiber* self = running;
    self->state = state;
    swapcontext(&self->context, &scheduler);
}

static float exchange(float value, int lane) {
    Fiber* self = running;
    self->given = value;
    self->lane_wanted = lane;
    wait(AT_WARP);
    return self->taken;
}

static void resume(Fiber& fiber) {
    running = &fiber;
    threadIdx = fiber.thread;
    swapcontext(&scheduler, &fiber.context);
}

// Lets the warps whose 32 lanes all wait go on; true if there was one.
static bool release_warps() {
    bool any = false;
    for (size_t first = 0; first + 32 <= fibers.size(); first += 32) {
        Fiber* warp = &fibers[first];
        if (!std::all_of(warp, warp + 32, [](const Fiber& f) { return f.state == AT_WARP; }))
            continue;
        for (int lane = 0; lane < 32; ++lane)
            warp[lane].taken = warp[warp[lane].lane_wanted & 31].given;
        for (int lane = 0; lane < 32; ++lane)
            warp[lane].state = READY;
        any = true;
    }
    return any;
}

// Runs one block; false when its threads wait for each other for ever.
static bool run_block(const std::vector<int>& order) {
    for (size_t n = 0; n < fibers.size(); ++n) {
        Fiber& fiber = fibers[n];
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.data();
        fiber.context.uc_stack.ss_size = STACK;
        fiber.context.uc_link = nullptr;
        fiber.state = READY;
        fiber.thread = {unsigned(n % blockDim.x), unsigned(n / blockDim.x % blockDim.y), 0};
        makecontext(&fiber.context, enter, 0);
    }
    for (;;) {
        for (int n : order)
            if (fibers[n].state == READY)
                resume(fibers[n]);
        const auto in = [](State state) { return [state](const Fiber& f) { return f.state == state; }; };
        if (std::all_of(fibers.begin(), fibers.end(), in(DONE)))
            return true;
        if (release_warps())
            continue;
        if (!std::all_of(fibers.begin(), fibers.end(), in(AT_BLOCK)))
            return false;
        for (Fiber& fiber : fibers)
            fiber.state = READY;
    }
}
}  // namespace on_cpu

extern char __start_shared_memory[], __stop_shared_memory[];
static void __syncthreads() { on_cpu::wait(on_cpu::AT_BLOCK); }
[[maybe_unused]] static float __shfl_sync(unsigned, float value, int lane) { return on_cpu::exchange(value, lane); }
[[maybe_unused]] static float __shfl_xor_sync(unsigned, float value, int mask) {
    return on_cpu::exchange(value, int(threadIdx.x % 32) ^ mask);
}

namespace on_cpu {
template <class... A, size_t... N>
static void call(void (*kernel)(A...), void** arguments, std::index_sequence<N...>) {
    kernel(*static_cast<A*>(arguments[N])...);
}

// `sizes`: grid x y z, block x y. `order`: 0 forwards, 1 backwards, else a shuffle by that seed.
template <class... A>
static int launch(void (*kernel)(A...), const unsigned* sizes, void** arguments, unsigned order) {
    gridDim = {sizes[0], sizes[1], sizes[2]};
    blockDim = {sizes[3], sizes[4], 1};
    fibers.resize(size_t(blockDim.x) * blockDim.y);
    std::vector<int> turns(fibers.size());
    for (size_t n = 0; n < turns.size(); ++n) {
        turns[n] = int(order == 1 ? turns.size() - 1 - n : n);
        fibers[n].stack.resize(STACK);
    }
    if (order > 1)
        std::shuffle(turns.begin(), turns.end(), std::mt19937(order));
    body = [=] { call(kernel, arguments, std::index_sequence_for<A...>{}); };
    for (blockIdx.z = 0; blockIdx.z < gridDim.z; ++blockIdx.z)
        for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y)
            for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x) {
                // Shared memory holds nothing to rely on: every float in it is NaN.
                memset(__start_shared_memory, 0xff, size_t(__stop_shared_memory - __start_shared_memory));
                if (!run_block(turns))
                    return 1;
            }
    return 0;
}

// How many parameters the kernel takes; their sizes in bytes go to `bytes`.
template <class... A>
static int parameters(void (*)(A...), int* bytes) {
    const int sizes[] = {int(sizeof(A))...};
    std::copy(std::begin(sizes), std::end(sizes), bytes);
    return int(sizeof...(A));
}
}  // namespace on_cpu

#define CUDA_ON_CPU(kernel)                                                                 \
    extern "C" int parameters(int* bytes) { return on_cpu::parameters(kernel, bytes); }     \
    extern "C" int launch(const unsigned* sizes, void** arguments, unsigned order) {        \
        return on_cpu::launch(kernel, sizes, arguments, order);                             \
    }
