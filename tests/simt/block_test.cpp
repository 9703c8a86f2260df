// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "tests/simt/shim_test.h"

namespace simt::test {

namespace {

using testing::HasSubstr;

class SimtBlock : public ShimTest {};

struct Place {
    uint3 thread;
    uint3 block;
    unsigned visits;
};

__global__ void visit(Place* places) {
    const unsigned inBlock = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    Place& place = places[block * blockDim.x * blockDim.y * blockDim.z + inBlock];
    place = {threadIdx, blockIdx, place.visits + 1};
}

TEST_F(SimtBlock, EveryThreadRunsOnce) {
    const dim3 grid(3, 2, 2);
    const dim3 block(5, 4, 3);
    for (const unsigned seed : {0u, 7u}) {
        options().laneOrderSeed = seed;
        const DeviceArray<Place> places(std::vector<Place>(12 * 60));
        ASSERT_EQ(launch("visit", visit, grid, block, 0, nullptr, places.data()), cudaSuccess);
        const std::vector<Place> seen = places.host();
        EXPECT_TRUE(
            std::all_of(seen.begin(), seen.end(), [](const Place& p) { return p.visits == 1; }));
        EXPECT_EQ(seen.back().thread.x, 4u);
        EXPECT_EQ(seen.back().thread.y, 3u);
        EXPECT_EQ(seen.back().thread.z, 2u);
        EXPECT_EQ(seen.back().block.x, 2u);
        EXPECT_EQ(seen.back().block.y, 1u);
        EXPECT_EQ(seen.back().block.z, 1u);
    }
}

__global__ void reverse(int* values, bool withBarrier) {
    __shared__ int tile[256];
    tile[threadIdx.x] = values[threadIdx.x];
    if (withBarrier) __syncthreads();
    values[threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
}

std::vector<int> reversed(unsigned seed, bool withBarrier) {
    std::vector<int> values(256);
    std::iota(values.begin(), values.end(), 1000 * static_cast<int>(seed));
    const DeviceArray<int> onDevice(values);
    options().laneOrderSeed = seed;
    run(reverse, 256, onDevice.data(), withBarrier);
    values = onDevice.host();
    std::reverse(values.begin(), values.end());
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] -= static_cast<int>(i) + 1000 * static_cast<int>(seed);
    return values;
}

TEST_F(SimtBlock, BarriersMakeTheOrderOfTurnsInvisible) {
    for (const unsigned seed : {0u, 1u, 2u, 3u})
        EXPECT_EQ(reversed(seed, true), std::vector<int>(256, 0));
}

TEST_F(SimtBlock, AMissingBarrierShows) {
    for (const unsigned seed : {0u, 1u, 2u, 3u})
        EXPECT_NE(reversed(seed, false), std::vector<int>(256, 0));
}

__global__ void scanOfOneWarp(int* values) {
    __shared__ int tile[32];
    const unsigned lane = threadIdx.x;
    tile[lane] = values[lane];
    // The natural order of lanes hides that nobody waits here.
    if (lane > 0) values[lane] = tile[lane - 1];
}

TEST_F(SimtBlock, AMissingBarrierThatTheNaturalOrderHidesShowsInAnother) {
    std::vector<int> values(32);
    std::vector<int> expected(32);
    for (const bool natural : {true, false}) {
        std::iota(values.begin(), values.end(), natural ? 100 : 500);
        std::copy(values.begin(), values.end() - 1, expected.begin() + 1);
        expected[0] = values[0];
        const DeviceArray<int> onDevice(values);
        options().laneOrderSeed = natural ? 0 : 1;
        run(scanOfOneWarp, 32, onDevice.data());
        EXPECT_EQ(onDevice.host() == expected, natural);
    }
}

__global__ void order(int* turns, int* counter) {
    turns[atomicAdd(counter, 1)] = static_cast<int>(threadIdx.x + blockIdx.x * blockDim.x);
}

std::vector<int> turnsOf(unsigned seed) {
    options().laneOrderSeed = seed;
    const DeviceArray<int> turns(256);
    const DeviceArray<int> counter(std::vector<int>{0});
    EXPECT_EQ(launch("order", order, 4, 64, 0, nullptr, turns.data(), counter.data()), cudaSuccess);
    return turns.host();
}

TEST_F(SimtBlock, TheSeedAloneDecidesTheOrder) {
    std::vector<int> natural(256);
    std::iota(natural.begin(), natural.end(), 0);
    EXPECT_EQ(turnsOf(0), natural);
    EXPECT_EQ(turnsOf(1), turnsOf(1));
    EXPECT_NE(turnsOf(1), turnsOf(2));
    EXPECT_NE(turnsOf(1)[0] / 64, turnsOf(2)[0] / 64) << "blocks in the same order";
    std::vector<int> sorted = turnsOf(1);
    EXPECT_NE(sorted, natural);
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(sorted, natural);
}

__global__ void skipsTheBarrier(bool leaves) {
    if (threadIdx.x == 70) {
        if (leaves) return;
        __syncthreads();
        return;
    }
    __syncthreads();
}

TEST_F(SimtBlock, ABarrierHasToBeReachedByEveryThread) {
    EXPECT_THAT(failure(skipsTheBarrier, 96, true),
                HasSubstr("__syncthreads not reached by every thread: 95 wait at block_test.cpp"));
    EXPECT_THAT(failure(skipsTheBarrier, 96, false), HasSubstr("waits at block_test.cpp"));
    options().exitedThreadsSkipBarriers = true;
    EXPECT_EQ(failure(skipsTheBarrier, 96, true), "");
}

__global__ void dynamicShared(float* out, int* aligned) {
    auto* memory = static_cast<float*>(dynamicSharedMemory());
    out[blockIdx.x * 4 + threadIdx.x] = memory[threadIdx.x];
    memory[threadIdx.x] = 1;
    *aligned = reinterpret_cast<std::uintptr_t>(memory) % 16 == 0 ? 1 : 0;
}

TEST_F(SimtBlock, DynamicSharedMemoryIsNotANumberBeforeEveryBlock) {
    const DeviceArray<float> out(std::vector<float>(12));
    const DeviceArray<int> aligned(std::vector<int>{0});
    ASSERT_EQ(launch("shared", dynamicShared, 3, 4, 16, nullptr, out.data(), aligned.data()),
              cudaSuccess);
    const std::vector<float> values = out.host();
    EXPECT_TRUE(std::all_of(values.begin(), values.end(), [](float v) { return std::isnan(v); }));
    EXPECT_EQ(aligned.host()[0], 1);
}

#ifndef __SANITIZE_ADDRESS__
// AddressSanitizer stops the program at the first of these writes.
__global__ void writesTooFar(int offset) {
    static_cast<unsigned char*>(dynamicSharedMemory())[offset] = 1;
}

TEST_F(SimtBlock, WritesPastSharedMemoryAreAnError) {
    EXPECT_EQ(launch("writes", writesTooFar, 1, 1, 100, nullptr, 99), cudaSuccess);
    EXPECT_EQ(launch("writes", writesTooFar, 1, 1, 100, nullptr, 100), cudaErrorLaunchFailure);
    EXPECT_THAT(cudaGetErrorString(cudaErrorLaunchFailure),
                HasSubstr("past the end of its 100 bytes of dynamic shared memory"));
}

__global__ void readsNowhere(const float4* values, float4* out) {
    if (threadIdx.x == 1) *out = values[0];
}

__global__ void usesUpItsStack(char* out) {
    volatile char frame[std::size_t{80} << 10];
    frame[0] = 1;
    *out = frame[0];
}

TEST_F(SimtBlock, ACrashNamesTheKernel) {
    const DeviceArray<char> memory(64);
    auto* slanted = reinterpret_cast<float4*>(memory.data() + 4);
    const auto crash = [](auto kernel, auto... args) {
        return launch("crash", kernel, 1, 2, 0, nullptr, args...);
    };
    constexpr auto* kDescription = "simt: kernel 'crash', block \\(0,0,0\\), thread \\(1,0,0\\)";
    EXPECT_DEATH(crash(readsNowhere, static_cast<const float4*>(nullptr), slanted), kDescription);
    EXPECT_DEATH(crash(usesUpItsStack, memory.data()), "simt: kernel 'crash'.*stack used up");
}

__global__ void writesAt(int* values, int index) {
    values[index] = 1;
}

TEST_F(SimtBlock, WritesAroundDeviceMemoryAreAnError) {
    int* memory = nullptr;
    ASSERT_EQ(cudaMalloc(&memory, 40), cudaSuccess);
    EXPECT_EQ(failure(writesAt, 1, memory, 9), "");
    EXPECT_THAT(failure(writesAt, 1, memory, 10),
                HasSubstr("wrote past 40 bytes of allocated memory (argument 1)"));
    EXPECT_EQ(cudaFree(memory), cudaErrorIllegalAddress);
    ASSERT_EQ(cudaMalloc(&memory, 40), cudaSuccess);
    EXPECT_THAT(failure(writesAt, 1, memory, -1), HasSubstr("wrote before 40 bytes"));
    EXPECT_EQ(cudaFree(memory), cudaErrorIllegalAddress);
}
#endif

__global__ void traps() {
    if (threadIdx.x == 3 && blockIdx.x == 2) __trap();
    __syncthreads();
}

__global__ void throws() {
    if (threadIdx.x == 1) throw std::runtime_error("no such thing");
}

TEST_F(SimtBlock, ErrorsNameKernelBlockAndThread) {
    ASSERT_EQ(launch("my kernel", traps, 4, 32, 0, nullptr), cudaErrorLaunchFailure);
    EXPECT_STREQ(
        cudaGetErrorString(cudaErrorLaunchFailure),
        "unspecified launch failure: kernel 'my kernel', block (2,0,0), thread (3,0,0): __trap");
    EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
    EXPECT_THAT(failure(throws, 2), HasSubstr("thread (1,0,0): exception: no such thing"));
}

__global__ void nothing() {}
__global__ void barrierOnly() {
    __syncthreads();
}

TEST_F(SimtBlock, ThreadsThatNeverWaitShareAFiber) {
    const std::size_t before = statistics().fiberSwitches;
    ASSERT_EQ(launch("nothing", nothing, 100, 256, 0, nullptr), cudaSuccess);
    EXPECT_EQ(statistics().fiberSwitches - before, 2u);
    run(barrierOnly, 256);
    EXPECT_LE(statistics().fiberSwitches - before, 2u + 2 * 256 + 2);
}

TEST_F(SimtBlock, ImpossibleShapesAreRefused) {
    const auto shape = [](dim3 grid, dim3 block, std::size_t shared) {
        return launch("nothing", nothing, grid, block, shared, nullptr);
    };
    EXPECT_EQ(shape(1, 1024, std::size_t{227} << 10), cudaSuccess);
    EXPECT_EQ(shape(1, 1025, 0), cudaErrorInvalidConfiguration);
    EXPECT_EQ(shape(1, dim3(64, 32), 0), cudaErrorInvalidConfiguration);
    EXPECT_EQ(shape(1, dim3(1, 1, 65), 0), cudaErrorInvalidConfiguration);
    EXPECT_EQ(shape(1, 0, 0), cudaErrorInvalidConfiguration);
    EXPECT_EQ(shape(0, 1, 0), cudaErrorInvalidConfiguration);
    EXPECT_EQ(shape(dim3(1, 65536), 1, 0), cudaErrorInvalidConfiguration);
    EXPECT_EQ(shape(dim3(1, 1, 65536), 1, 0), cudaErrorInvalidConfiguration);
    EXPECT_EQ(shape(1, 1, (std::size_t{227} << 10) + 1), cudaErrorInvalidValue);
    options().sharedBytesPerBlock = 1000;
    EXPECT_EQ(shape(1, 1, 1001), cudaErrorInvalidValue);
}

}  // namespace

}  // namespace simt::test
