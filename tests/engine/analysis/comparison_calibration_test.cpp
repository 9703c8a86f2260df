// SPDX-License-Identifier: Apache-2.0
// What the tests of a comparison promise, counted over many seeded pairs of synthetic runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/analysis/permutation_test.h"
#include "tests/engine/analysis/comparison_traffic.h"

namespace gatescope {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kPairs = 60;
#else
constexpr int kPairs = 500;
#endif
constexpr std::uint32_t kTokenPairs = 50;  // of them with single tokens as units
constexpr std::int64_t kPermutations = 199;

PermutationTest testPair(const ComparedRun& a, const ComparedRun& b, PermutedUnit unit,
                         int blockTokens, bool experts = false) {
    ComparisonOptions options;
    const ComparisonUnits units =
        comparisonUnits(comparedTokens(a, b, options), false, unit, blockTokens);
    const UnitLabels labels(units.sides.size(), units.labelGroups(), 11, kPermutations);
    PermutationOptions how;
    how.experts = experts;
    how.threads = 1;
    return permutationTest(units, labels, how);
}

/// Largest distance between the distribution of the p-values and the uniform one.
double kolmogorovSmirnov(std::vector<double> p) {
    std::sort(p.begin(), p.end());
    double largest = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
        const auto n = static_cast<double>(p.size());
        largest = std::max(
            {largest, static_cast<double>(i + 1) / n - p[i], p[i] - static_cast<double>(i) / n});
    }
    return largest;
}

double shareBelow(const std::vector<double>& p, double level) {
    return static_cast<double>(
               std::count_if(p.begin(), p.end(), [level](double x) { return x <= level; })) /
           static_cast<double>(p.size());
}

// 5 % and 0.1 % points of the statistic for large n: 1.358 and 1.95 / sqrt(n).
const double kUniform = 1.358 / std::sqrt(kPairs);
const double kNotUniform = 1.95 / std::sqrt(kTokenPairs);

TEST(ComparisonCalibration, BlocksOfOneDistributionGiveUniformPValues) {
    const RoutingShape shape = relationShape(2, 16, 2);
    std::vector<double> blocks;
    std::vector<double> tokens;
    double wrong = 0;
    for (std::uint32_t pair = 0; pair < kPairs; ++pair) {
        const ComparedRun a = stickyRun(shape, 2 * pair + 1, 1, 200, 440);
        const ComparedRun b = stickyRun(shape, 2 * pair + 2, 1, 160, 480);
        const PermutationTest test = testPair(a, b, PermutedUnit::Block, 32, true);
        blocks.push_back(test.pValue[0]);
        wrong += *std::min_element(test.adjusted.begin(), test.adjusted.end()) <= 0.05 ? 1 : 0;
        if (pair < kTokenPairs) tokens.push_back(testPair(a, b, PermutedUnit::Block, 1).pValue[0]);
    }
    EXPECT_LT(kolmogorovSmirnov(blocks), kUniform);
    EXPECT_NEAR(shareBelow(blocks, 0.05), 0.05, 3 * std::sqrt(0.05 * 0.95 / kPairs));
    // Neighbours are alike, so that single tokens are far fewer observations than they seem.
    EXPECT_GT(kolmogorovSmirnov(tokens), kNotUniform);
    EXPECT_GT(shareBelow(tokens, 0.05), 0.3);
    // Any expert of any layer called shifted: family-wise.
    EXPECT_NEAR(wrong / kPairs, 0.05, 3 * std::sqrt(0.05 * 0.95 / kPairs));
}

TEST(ComparisonCalibration, AnswersOfOneDistributionGiveUniformPValues) {
    const RoutingShape shape = relationShape(1, 16, 2);
    std::vector<double> p;
    for (std::uint32_t pair = 0; pair < kPairs; ++pair) {
        // Every answer sticks to what it began with: blocks of it are not independent at all.
        const ComparedRun a = stickyRun(shape, 5000 + 2 * pair, 8, 12, 18, 0.97);
        const ComparedRun b = stickyRun(shape, 5001 + 2 * pair, 9, 12, 18, 0.97);
        p.push_back(testPair(a, b, PermutedUnit::Answer, 32).pValue[0]);
    }
    EXPECT_LT(kolmogorovSmirnov(p), kUniform);
}

TEST(ComparisonCalibration, APlantedShiftIsFoundAndOthersAreNot) {
    const RoutingShape shape = relationShape(3, 16, 2);
    constexpr int kSeeds = 100;
    int found = 0;
    int foundLayer = 0;
    int wrong = 0;
    for (std::uint32_t seed = 0; seed < kSeeds; ++seed) {
        StickyTraffic traffic(shape, 9000 + seed);
        traffic.prefer(1, 13, 0.3);
        ComparedRun b;
        b.shape = shape;
        b.answers.push_back(stickyAnswer(traffic, shape, 200, 600));
        const ComparedRun a = stickyRun(shape, 8000 + seed, 1, 200, 600);
        const PermutationTest test = testPair(a, b, PermutedUnit::Block, 32, true);
        const std::size_t planted = 1 * 16 + 13;
        found += test.adjusted[planted] <= 0.05 && test.scores[planted] < 0 ? 1 : 0;
        foundLayer += test.pValue[1] * 3 <= 0.05 ? 1 : 0;
        bool other = false;  // in the layers that were left alone
        for (std::size_t i = 0; i < test.adjusted.size(); ++i) {
            other = other || (i / 16 != 1 && test.adjusted[i] <= 0.05);
        }
        wrong += other ? 1 : 0;
    }
    EXPECT_GE(found, 98);
    EXPECT_GE(foundLayer, 80);
    EXPECT_LE(wrong, 10);
}

}  // namespace
}  // namespace gatescope
