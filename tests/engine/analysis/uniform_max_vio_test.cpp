// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "engine/analysis/routing_load.h"

namespace gatescope {
namespace {

/// The definition itself, slowly: counts of n uniform tokens, top-k without replacement.
double simulate(int experts, int topK, int tokens, int trials) {
    std::mt19937_64 random(12345);
    std::vector<int> order(static_cast<std::size_t>(experts));
    std::iota(order.begin(), order.end(), 0);
    double sum = 0;
    for (int trial = 0; trial < trials; ++trial) {
        std::vector<int> counts(order.size(), 0);
        for (int token = 0; token < tokens; ++token) {
            for (int j = 0; j < topK; ++j) {
                std::uniform_int_distribution<int> pick(j, experts - 1);
                std::swap(order[static_cast<std::size_t>(j)],
                          order[static_cast<std::size_t>(pick(random))]);
                ++counts[static_cast<std::size_t>(order[static_cast<std::size_t>(j)])];
            }
        }
        sum += *std::max_element(counts.begin(), counts.end());
    }
    return sum / trials * experts / (static_cast<double>(tokens) * topK) - 1;
}

TEST(UniformMaxVio, TableOfTheNullBaseline) {
    EXPECT_DOUBLE_EQ(uniformMaxVio(256, 8, 1), 31.0);
    // The published means come from few trials: they scatter by a few percent themselves.
    for (const auto& [tokens, expected] :
         {std::pair{8, 8.46}, {32, 3.59}, {128, 1.63}, {512, 0.79}, {2048, 0.36}}) {
        EXPECT_NEAR(uniformMaxVio(256, 8, tokens), expected, expected * 0.045) << tokens;
    }
}

TEST(UniformMaxVio, FormulaAgreesWithSimulation) {
    struct Case {
        int experts, topK, tokens, trials;
    };
    for (const Case& c : {Case{256, 8, 150, 2000}, Case{256, 8, 512, 900}, Case{256, 8, 32, 4000},
                          Case{16, 4, 129, 20000}, Case{8, 2, 140, 20000}, Case{8, 2, 1000, 8000},
                          Case{64, 6, 300, 4000}, Case{4, 3, 130, 20000}, Case{2, 1, 200, 20000},
                          Case{384, 8, 200, 1500}, Case{512, 1, 400, 2000}, Case{64, 6, 100, 4000},
                          Case{8, 2, 20, 20000}}) {
        const double expected = simulate(c.experts, c.topK, c.tokens, c.trials);
        EXPECT_NEAR(uniformMaxVio(c.experts, c.topK, c.tokens), expected, expected * 0.02)
            << c.experts << " experts, top " << c.topK << ", " << c.tokens << " tokens";
    }
}

TEST(UniformMaxVio, RangesMeetWithoutASeam) {
    for (const auto& [experts, topK] : {std::pair{256, 8}, {16, 4}, {8, 2}, {160, 6}}) {
        const double p = static_cast<double>(topK) / experts;
        const auto toNormal = static_cast<std::int64_t>(1e5 / (p * (1 - p)));
        for (const std::int64_t n : {std::int64_t{128}, toNormal}) {
            const double before = uniformMaxVio(experts, topK, n);
            const double after = uniformMaxVio(experts, topK, n + 1);
            EXPECT_NEAR(after / before, 1.0, 0.02) << experts << " " << n;
        }
    }
}

TEST(UniformMaxVio, FallsAsOneOverRootN) {
    double previous = uniformMaxVio(256, 8, 200);
    for (std::int64_t n = 220; n < 4'000'000'000; n += n / 10) {
        const double now = uniformMaxVio(256, 8, n);
        EXPECT_LT(now, previous) << n;
        previous = now;
    }
    EXPECT_NEAR(uniformMaxVio(256, 8, 4'000'000'000) / uniformMaxVio(256, 8, 1'000'000'000), 0.5,
                0.001);
}

TEST(UniformMaxVio, EdgesAndNonsense) {
    EXPECT_EQ(uniformMaxVio(8, 8, 100), 0.0);
    EXPECT_DOUBLE_EQ(uniformMaxVio(16, 4, 1), 3.0);
    EXPECT_TRUE(std::isnan(uniformMaxVio(8, 2, 0)));
    EXPECT_TRUE(std::isnan(uniformMaxVio(8, 9, 10)));
    EXPECT_TRUE(std::isnan(uniformMaxVio(0, 0, 10)));
    EXPECT_EQ(uniformMaxVio(64, 6, 77), uniformMaxVio(64, 6, 77));
}

}  // namespace
}  // namespace gatescope
