// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/cuda/attention_problem.h"

namespace gatescope::test {
namespace {

constexpr double kFloatError = 3e-6;
// Queries, rows and probabilities are rounded to 8 bits.
constexpr double kHalfError = 8e-3;

class AbsorbedAttentionOnCuda : public testing::Test {
  protected:
    void SetUp() override {
        GATESCOPE_NEEDS_GPU();
        m_exact.emplace(0, Precision::Exact);
        m_fast.emplace(0, Precision::Fast);
    }

    void check(const AttentionCase& c, bool fast = true) {
        SCOPED_TRACE(testing::PrintToString(c));
        AttentionProblem problem(c);
        const auto expected = problem.expected();
        EXPECT_LT(relativeRms(expected, problem.actual(*m_exact, true)), kFloatError);
        if (!fast) return;
        EXPECT_LT(relativeRms(expected, problem.actual(*m_fast, true)), kHalfError);
    }

    std::optional<cuda::CudaDevice> m_exact;
    std::optional<cuda::CudaDevice> m_fast;
};

TEST_F(AbsorbedAttentionOnCuda, MatchesTheCpuAtEveryEdgeOfTilesAndBlocks) {
    for (const std::int64_t context : {1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 128, 129})
        for (const auto& shape : {kOddShape, kOctetShape})
            check({.shape = shape, .context = context, .blockPositions = 16});
    for (const std::int64_t context : {255, 256, 257, 600})
        for (const auto& shape : {kOddShape, kOctetShape})
            check({.shape = shape, .context = context, .cache = CacheType::BF16});
}

TEST_F(AbsorbedAttentionOnCuda, ReadsEveryCacheTypeAndEveryWeightType) {
    forEachLaneOrder([&] {
        for (const auto& shape : {kOddShape, kOctetShape})
            for (const auto cache : kCacheTypes)
                for (const auto dtype : kDTypes)
                    check({.shape = shape,
                           .context = 70,
                           .queries = 2,
                           .cache = cache,
                           .dtype = dtype,
                           .scaleBlock = 12,
                           .blockPositions = 24});
    });
}

TEST_F(AbsorbedAttentionOnCuda, EachQuerySeesItsOwnContext) {
    for (const auto& shape : {kOddShape, kOctetShape})
        for (const std::int64_t queries : {2, 3, 4, 5, 16, 40})
            check({.shape = shape,
                   .context = 40 + queries % 3,
                   .queries = queries,
                   .cache = CacheType::BF16,
                   .blockPositions = 32,
                   .outGap = 3});
}

TEST_F(AbsorbedAttentionOnCuda, DeepSeekSizes) {
    for (const auto cache : kCacheTypes) {
        AttentionCase c{.shape = kDeepSeekShape,
                        .context = 65,
                        .cache = cache,
                        .dtype = DType::F8E4M3,
                        .blockPositions = 64};
        c.shape.nopeDim = 32;
        c.shape.valueDim = 24;
        for (const int heads : {16, 21, 37}) {
            c.shape.heads = heads;
            check(c);
        }
    }
}

TEST_F(AbsorbedAttentionOnCuda, LatentRowsOfAnyWidth) {
    AttentionShape wide{.heads = 3, .nopeDim = 9, .ropeDim = 8, .valueDim = 5, .latentDim = 568};
    for (const std::int64_t latent : {513, 568, 576, 1160}) {
        wide.latentDim = latent;
        check({.shape = wide, .context = 37, .queries = 2, .cache = CacheType::BF16});
    }
}

// With Precision::Exact a token's result may depend neither on the pass nor on the room left.
TEST_F(AbsorbedAttentionOnCuda, ExactResultsDoNotDependOnPassOrCapacity) {
    for (const auto& shape : {kOddShape, kOctetShape}) {
        AttentionCase c{
            .shape = shape, .context = 150, .queries = 6, .cache = CacheType::BF16, .capacity = 0};
        AttentionProblem problem(c);
        const auto together = problem.actual(*m_exact, true);
        std::vector<float> apart;
        for (std::int64_t t = 0; t < c.queries; ++t) {
            const auto one = problem.actual(*m_exact, true, t, 1);
            apart.insert(apart.end(), one.begin(), one.end());
        }
        EXPECT_EQ(together, apart);
        c.capacity = 20000;
        EXPECT_EQ(together, AttentionProblem(c).actual(*m_exact, true));
    }
}

// The parts of the context grow with it; the room for their results is that of the capacity.
TEST_F(AbsorbedAttentionOnCuda, RoomForTheWholeCapacity) {
    for (const std::int64_t context : {1, 300, 1100})
        check({.shape = kOctetShape,
               .context = context,
               .queries = 1,
               .cache = CacheType::F8,
               .capacity = 163840});
}

TEST_F(AbsorbedAttentionOnCuda, ManyQueriesAreTakenInSlices) {
    AttentionCase c{.shape = kDeepSeekShape,
                    .context = 70,
                    .queries = 70,
                    .cache = CacheType::BF16,
                    .capacity = 163840};
    c.shape.nopeDim = 8;
    c.shape.valueDim = 8;
    check(c, false);
}

// A step is recorded once and replayed at other positions.
TEST_F(AbsorbedAttentionOnCuda, AReplayedStepReadsThePositionItself) {
    for (auto* device : {&*m_exact, &*m_fast}) {
        AttentionProblem problem({.shape = kOctetShape,
                                  .context = 200,
                                  .queries = 1,
                                  .cache = CacheType::BF16,
                                  .capacity = 300});
        EXPECT_LT(relativeRms(problem.expected(), problem.replayed(*device)), kHalfError);
        EXPECT_GT(device->replays(), 0u);
    }
}

#ifdef GATESCOPE_SIMT
// Devices differ in shared memory: fewer heads share a tile, or the float32 kernel does the work.
TEST_F(AbsorbedAttentionOnCuda, LittleSharedMemory) {
    AttentionCase c{.shape = kDeepSeekShape, .context = 40, .cache = CacheType::BF16};
    c.shape.heads = 40;
    c.shape.nopeDim = 16;
    c.shape.valueDim = 8;
    for (const std::size_t kilobytes : {163, 99, 90}) {
        simt::options().sharedBytesPerBlock = kilobytes << 10;
        m_fast.emplace(0, Precision::Fast);
        for (const auto cache : kCacheTypes) {
            c.cache = cache;
            check(c);
        }
    }
    simt::options().sharedBytesPerBlock = simt::Options{}.sharedBytesPerBlock;
}
#endif

}  // namespace
}  // namespace gatescope::test
