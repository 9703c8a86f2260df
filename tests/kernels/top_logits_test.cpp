// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/cpu_device.h"
#include "tests/kernels/top_logits_cases.h"

namespace gatescope::test {
namespace {

TEST(TopLogits, MatchTheDefinition) {
    for (const int threads : {1, 3}) {
        CpuDevice device(threads);
        testTopLogits(device);
        testTopLogitsTies(device);
    }
}

TEST(TopLogits, OfInfiniteOrUndefinedRowsAreValidIds) {
    CpuDevice device(2);
    testTopLogitsExtremes(device);
}

TEST(TopLogits, SumIsAccurateForALargeVocabulary) {
    CpuDevice device(2);
    testTopLogitsOfALargeVocabulary(device);
}

TEST(TopLogits, DoNotDependOnTheOtherRows) {
    CpuDevice device(2);
    testTopLogitsRowByRow(device);
}

TEST(TopLogits, DoNotDependOnTheNumberOfThreads) {
    CpuDevice one(1), three(3);
    const std::int64_t cols = 30000;
    const auto logits = randomFloats(static_cast<std::size_t>(cols), 11);
    const auto a = topLogits(one, logits, cols, 8, cols);
    const auto b = topLogits(three, logits, cols, 8, cols);
    EXPECT_EQ(a.ids, b.ids);
    EXPECT_EQ(a.logSum, b.logSum);
}

}  // namespace
}  // namespace gatescope::test
