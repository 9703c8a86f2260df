// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <array>
#include <bit>
#include <cmath>

#include "tests/simt/shim_test.h"

namespace simt::test {

namespace {

using testing::HasSubstr;

class SimtWarp : public ShimTest {};

constexpr unsigned kAll = 0xffffffffu;

__global__ void shuffles(int* index, int* up, int* down, int* exclusive, int width) {
    const int lane = static_cast<int>(threadIdx.x);
    index[lane] = __shfl_sync(kAll, lane, 5, width);
    up[lane] = __shfl_up_sync(kAll, lane, 3, width);
    down[lane] = __shfl_down_sync(kAll, lane, 3, width);
    exclusive[lane] = __shfl_xor_sync(kAll, lane, 12, width);
}

TEST_F(SimtWarp, ShufflesStayInTheirSegment) {
    const DeviceArray<int> index(32), up(32), down(32), exclusive(32);
    for (const int width : {4, 8, 32}) {
        run(shuffles, 32, index.data(), up.data(), down.data(), exclusive.data(), width);
        for (int lane = 0; lane < 32; ++lane) {
            const auto i = static_cast<std::size_t>(lane);
            const int begin = lane / width * width;
            const int last = begin + width - 1;
            EXPECT_EQ(index.host()[i], begin + 5 % width);
            EXPECT_EQ(up.host()[i], lane - 3 < begin ? lane : lane - 3);
            EXPECT_EQ(down.host()[i], lane + 3 > last ? lane : lane + 3);
            EXPECT_EQ(exclusive.host()[i], (lane ^ 12) > last ? lane : lane ^ 12);
        }
    }
}

template <typename T>
__global__ void rotate(T* out) {
    out[threadIdx.x] =
        __shfl_sync(kAll, static_cast<T>(threadIdx.x) + T(0.5), static_cast<int>(threadIdx.x) + 1);
}

TEST_F(SimtWarp, ShufflesMoveEveryNumber) {
    const DeviceArray<float> floats(32);
    const DeviceArray<double> doubles(32);
    const DeviceArray<long long> integers(32);
    run(rotate<float>, 32, floats.data());
    run(rotate<double>, 32, doubles.data());
    run(rotate<long long>, 32, integers.data());
    EXPECT_EQ(floats.host()[31], 0.5F);
    EXPECT_EQ(doubles.host()[7], 8.5);
    EXPECT_EQ(integers.host()[7], 8);
}

__global__ void votes(unsigned* ballot, int* any, int* all) {
    const bool odd = threadIdx.x % 2 == 1;
    ballot[threadIdx.x] = __ballot_sync(kAll, odd);
    any[threadIdx.x] = __any_sync(kAll, threadIdx.x == 9) + 10 * __any_sync(kAll, 0);
    all[threadIdx.x] = __all_sync(kAll, threadIdx.x != 9) + 10 * __all_sync(kAll, 1);
}

TEST_F(SimtWarp, VotesCountEveryLane) {
    const DeviceArray<unsigned> ballot(32);
    const DeviceArray<int> any(32), all(32);
    run(votes, 32, ballot.data(), any.data(), all.data());
    EXPECT_EQ(ballot.host(), std::vector<unsigned>(32, 0xaaaaaaaau));
    EXPECT_EQ(any.host(), std::vector<int>(32, 1));
    EXPECT_EQ(all.host(), std::vector<int>(32, 10));
}

__global__ void reductions(int* out) {
    const int lane = static_cast<int>(threadIdx.x);
    if (lane < 4) {
        out[lane] = __reduce_add_sync(0xfu, lane - 2);
    } else {
        out[lane] = __reduce_max_sync(~0xfu, -lane) * 100 + __reduce_min_sync(~0xfu, lane);
    }
    const unsigned equal = __match_any_sync(kAll, lane / 16);
    out[32 + lane] = std::popcount(equal) + (lane < 16 ? 100 : 0) +
                     static_cast<int>(__reduce_xor_sync(kAll, 1u << (lane % 31)) << 10 >> 10);
}

TEST_F(SimtWarp, ReductionsTakeTheLanesOfTheirMask) {
    const DeviceArray<int> out(64);
    run(reductions, 32, out.data());
    EXPECT_EQ(out.host()[2], -2);
    EXPECT_EQ(out.host()[31], -4 * 100 + 4);
    const int bits = 0x7ffffffe & 0x3fffff;  // bit 0 is there twice
    EXPECT_EQ(out.host()[32], 116 + bits);
    EXPECT_EQ(out.host()[63], 16 + bits);
}

__global__ void halves(int* out) {
    // Each half of the warp goes its own way through its own operations, several times.
    const int lane = static_cast<int>(threadIdx.x);
    const unsigned mask = lane < 16 ? 0xffffu : 0xffff0000u;
    int sum = lane;
    const int rounds = lane < 16 ? 1 : 4;
    for (int i = 0; i < rounds; ++i)
        for (int step = 8; step > 0; step /= 2) sum += __shfl_xor_sync(mask, sum, step);
    out[lane] = sum + __shfl_sync(kAll, lane, 31);
}

TEST_F(SimtWarp, HalfAWarpMayGoItsOwnWay) {
    const DeviceArray<int> out(32);
    for (const unsigned seed : {0u, 1u, 2u}) {
        options().laneOrderSeed = seed;
        run(halves, 32, out.data());
        EXPECT_EQ(out.host()[0], 120 + 31);
        EXPECT_EQ(out.host()[16], (16 * 16 + 120) * 16 * 16 * 16 + 31);
    }
}

struct Fragment {
    std::array<float, 16> values;
};

__global__ void gather(float* sums) {
    Fragment mine;
    for (int i = 0; i < 16; ++i)
        mine.values[static_cast<std::size_t>(i)] = static_cast<float>(threadIdx.x) + 1;
    const Fragment* all = warpGather(mine);
    // A value of an earlier gather may go straight into the next.
    const Fragment* again = warpGather(all[(threadIdx.x + 1) % 32]);
    float sum = 0;
    for (int lane = 0; lane < 32; ++lane) sum += again[lane].values[15] * static_cast<float>(lane);
    sums[threadIdx.x] = sum;
}

TEST_F(SimtWarp, EveryLaneSeesWhatAllGathered) {
    const DeviceArray<float> sums(64);
    options().laneOrderSeed = 3;
    run(gather, 64, sums.data());
    float expected[2] = {0, 0};
    for (int lane = 0; lane < 32; ++lane) {
        expected[0] += static_cast<float>(((lane + 1) % 32 + 1) * lane);
        expected[1] += static_cast<float>(((lane + 1) % 32 + 33) * lane);
    }
    EXPECT_EQ(sums.host()[0], expected[0]);
    EXPECT_EQ(sums.host()[31], expected[0]);
    EXPECT_EQ(sums.host()[32], expected[1]);
}

__global__ void readsOutsideTheMask(float* out) {
    if (threadIdx.x < 16) out[threadIdx.x] = __shfl_sync(0xffffu, 1.0F, 20);
}

TEST_F(SimtWarp, LanesOutsideTheMaskGiveNoValue) {
    const DeviceArray<float> out(16);
    run(readsOutsideTheMask, 32, out.data());
    EXPECT_TRUE(std::isnan(out.host()[0]));
}

__global__ void someLeft() {
    if (threadIdx.x >= 8) return;
    __syncwarp();
}

__global__ void someElsewhere(int* out) {
    if (threadIdx.x < 16)
        out[threadIdx.x] = __shfl_sync(kAll, 1, 0);
    else
        out[threadIdx.x] = __shfl_sync(kAll, 2, 0);
}

__global__ void someAtTheBarrier() {
    if (threadIdx.x < 16)
        __syncwarp();
    else
        __syncthreads();
}

__global__ void differentMasks() {
    __syncwarp(threadIdx.x == 3 ? 0xffu : kAll);
}

__global__ void notItself() {
    __syncwarp(~1u);
}

TEST_F(SimtWarp, DivergenceIsAnError) {
    const DeviceArray<int> out(32);
    EXPECT_THAT(failure(someLeft, 32),
                HasSubstr("divergent warp operation: waits at warp_test.cpp"));
    EXPECT_THAT(failure(someLeft, 32), HasSubstr("lane 8 has left the kernel"));
    EXPECT_THAT(failure(someElsewhere, 32, out.data()),
                HasSubstr("lane 16 waits at warp_test.cpp"));
    EXPECT_THAT(failure(someAtTheBarrier, 32), HasSubstr("lane 16 waits at __syncthreads"));
    EXPECT_THAT(failure(differentMasks, 32), HasSubstr("lane 3 waits at"));
    EXPECT_THAT(failure(notItself, 32), HasSubstr("does not name the thread's own lane"));
}

__global__ void wholeWarp() {
    __syncwarp();
}

TEST_F(SimtWarp, LanesThatDoNotExistAreAnError) {
    EXPECT_EQ(failure(wholeWarp, 64), "");
    EXPECT_THAT(failure(wholeWarp, 40), HasSubstr("lane 8 does not exist"));
    EXPECT_THAT(failure(wholeWarp, 40), HasSubstr("block (0,0,0), thread (32,0,0)"));
}

TEST_F(SimtWarp, KernelsRunAfterOneFailed) {
    const DeviceArray<float> sums(32);
    for (int i = 0; i < 3; ++i) {
        EXPECT_NE(failure(someLeft, 32), "");
        run(gather, 32, sums.data());
        EXPECT_GT(sums.host()[0], 0);
    }
}

}  // namespace

}  // namespace simt::test
