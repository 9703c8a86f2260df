// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/cuda/attention_problem.h"

namespace gatescope::test {
namespace {

constexpr double kFloatError = 3e-6;
// Queries, expanded keys and values, and probabilities are rounded to 8 bits.
constexpr double kHalfError = 1e-2;

class ExpandedAttentionOnCuda : public testing::Test {
  protected:
    void SetUp() override {
        GATESCOPE_NEEDS_GPU();
        m_exact.emplace(0, Precision::Exact);
        m_fast.emplace(0, Precision::Fast);
    }

    void check(const AttentionCase& c) {
        SCOPED_TRACE(testing::PrintToString(c));
        AttentionProblem problem(c);
        const auto expected = problem.expected();
        EXPECT_LT(relativeRms(expected, problem.actual(*m_exact, false)), kFloatError);
        EXPECT_LT(relativeRms(expected, problem.actual(*m_fast, false)), kHalfError);
    }

    std::optional<cuda::CudaDevice> m_exact;
    std::optional<cuda::CudaDevice> m_fast;
};

TEST_F(ExpandedAttentionOnCuda, MatchesTheCpuAtEveryEdgeOfTilesAndBlocks) {
    for (const std::int64_t context : {1, 2, 16, 17, 63, 64, 65, 130})
        check({.shape = kTileShape,
               .context = context,
               .queries = std::min<std::int64_t>(context, 33),
               .blockPositions = 16,
               .outGap = context % 4});
    for (const std::int64_t context : {255, 256, 257, 600})
        check({.shape = kTileShape, .context = context, .queries = 3, .cache = CacheType::BF16});
}

TEST_F(ExpandedAttentionOnCuda, EveryQueryOfAPromptSeesItsOwnContext) {
    for (const std::int64_t queries : {64, 131, 150})
        check({.shape = kTileShape,
               .context = 150,
               .queries = queries,
               .cache = CacheType::BF16,
               .blockPositions = 64});
}

TEST_F(ExpandedAttentionOnCuda, ReadsEveryCacheTypeAndEveryWeightType) {
    forEachLaneOrder([&] {
        for (const auto cache : kCacheTypes)
            for (const auto dtype : kDTypes) {
                // Rows and weights are converted by different kernels.
                if (cache != CacheType::BF16 && dtype != DType::F8E4M3) continue;
                check({.shape = kTileShape,
                       .context = 70,
                       .queries = 18,
                       .cache = cache,
                       .dtype = dtype,
                       .scaleBlock = 20,
                       .blockPositions = 24});
            }
    });
}

TEST_F(ExpandedAttentionOnCuda, SizesThatFillNoTile) {
    for (const auto& shape : {kOddShape, kOctetShape})
        check({.shape = shape, .context = 40, .queries = 19, .cache = CacheType::F8});
}

TEST_F(ExpandedAttentionOnCuda, DeepSeekSizes) {
    AttentionCase c{.shape = kDeepSeekShape,
                    .context = 70,
                    .queries = 20,
                    .cache = CacheType::BF16,
                    .dtype = DType::F8E4M3};
    c.shape.heads = 2;
    check(c);
}

// With Precision::Exact prompts and single tokens give the same bits.
TEST_F(ExpandedAttentionOnCuda, ExactResultsAreThoseOfAbsorbedAttention) {
    for (const auto& shape : {kOddShape, kTileShape}) {
        AttentionProblem problem({.shape = shape,
                                  .context = 140,
                                  .queries = 20,
                                  .cache = CacheType::BF16,
                                  .capacity = 5000});
        const auto expanded = problem.actual(*m_exact, false);
        EXPECT_EQ(expanded, problem.actual(*m_exact, true));
        const auto last = problem.actual(*m_exact, true, 19, 1);
        EXPECT_TRUE(std::equal(last.rbegin(), last.rend(), expanded.rbegin()));
    }
}

// Expanded keys and values of a long context do not fit memory at once.
TEST_F(ExpandedAttentionOnCuda, StretchesOfTheContextAddUp) {
    for (const std::int64_t positions : {64, 100, 128, 150}) {
        for (const std::int64_t queries : {1, 150}) {
            AttentionProblem problem({.shape = kTileShape,
                                      .context = 150,
                                      .queries = queries,
                                      .cache = CacheType::F8,
                                      .dtype = DType::BF16,
                                      .outGap = 1});
            const auto expected = problem.expected();
            const auto actual = problem.inStretches(*m_fast, positions);
            EXPECT_LT(relativeRms(expected, actual), kHalfError)
                << positions << " positions, " << queries << " queries";
        }
    }
}

}  // namespace
}  // namespace gatescope::test
