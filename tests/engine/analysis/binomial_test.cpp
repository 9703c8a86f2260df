// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/binomial.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/error.h"

namespace gatescope {
namespace {

/// P(X = x) for x = 0 .. n by Pascal's recurrence over the trials: sums of products, nothing else.
std::vector<long double> masses(int n, long double p) {
    std::vector<long double> mass{1};
    for (int trial = 0; trial < n; ++trial) {
        mass.push_back(0);
        for (std::size_t x = mass.size() - 1; x > 0; --x) {
            mass[x] = mass[x] * (1 - p) + mass[x - 1] * p;
        }
        mass[0] *= 1 - p;
    }
    return mass;
}

TEST(BinomialTails, AgreesWithNaiveSummation) {
    for (const auto& [n, p] : {std::pair{1, 0.25},
                               {7, 0.5},
                               {128, 8.0 / 256},
                               {270, 8.0 / 256},
                               {1000, 0.25},
                               {300, 0.97},
                               {2000, 1.0 / 512}}) {
        const BinomialTails tails(n, p);
        const std::vector<long double> mass = masses(n, p);
        for (int count = 0; count <= n; ++count) {
            long double lower = 0;
            long double upper = 0;
            for (int x = 0; x <= count; ++x) {
                lower += mass[static_cast<std::size_t>(x)];
            }
            for (int x = n; x >= count; --x) {
                upper += mass[static_cast<std::size_t>(x)];
            }
            // Relative, down to tails of 10^-250: a small tail is no difference from 1.
            if (lower > 1e-250L) {
                EXPECT_NEAR(tails.lower(count) / static_cast<double>(lower), 1, 1e-11)
                    << n << " " << p << " " << count;
            }
            if (upper > 1e-250L) {
                EXPECT_NEAR(tails.upper(count) / static_cast<double>(upper), 1, 1e-11)
                    << n << " " << p << " " << count;
            }
        }
    }
}

TEST(BinomialTails, ByHand) {
    const BinomialTails tails(4, 0.5);  // 1 4 6 4 1 of 16
    EXPECT_DOUBLE_EQ(tails.lower(0), 1.0 / 16);
    EXPECT_DOUBLE_EQ(tails.lower(1), 5.0 / 16);
    EXPECT_DOUBLE_EQ(tails.upper(3), 5.0 / 16);
    EXPECT_DOUBLE_EQ(tails.twoSided(3), 10.0 / 16);
    EXPECT_DOUBLE_EQ(tails.twoSided(2), 1);
    EXPECT_DOUBLE_EQ(tails.twoSided(4), 2.0 / 16);
    // The textbook's sign test: 10 of 10.
    EXPECT_DOUBLE_EQ(BinomialTails(10, 0.5).twoSided(10), 2.0 / 1024);
}

TEST(BinomialTails, EdgesAndFarOut) {
    const BinomialTails tails(1000, 0.25);
    EXPECT_EQ(tails.lower(-1), 0);
    EXPECT_EQ(tails.lower(1000), 1);
    EXPECT_EQ(tails.upper(0), 1);
    EXPECT_EQ(tails.upper(1001), 0);
    EXPECT_EQ(BinomialTails(0, 0.5).twoSided(0), 1);
    EXPECT_EQ(BinomialTails(5, 0).lower(0), 1);
    EXPECT_EQ(BinomialTails(5, 0).upper(1), 0);
    EXPECT_EQ(BinomialTails(5, 1).upper(5), 1);
    EXPECT_EQ(BinomialTails(5, 1).lower(4), 0);
    EXPECT_EQ(BinomialTails(100'000'000, 0.001).upper(1'000'000), 0) << "below any double";
    EXPECT_THROW(BinomialTails(-1, 0.5), Error);
    EXPECT_THROW(BinomialTails(5, 1.5), Error);
    EXPECT_THROW(BinomialTails(5, std::nan("")), Error);
}

TEST(BinomialTails, TailsMeet) {
    for (const std::int64_t n : {50L, 5000L, 3'000'000L, 399'000'000L, 10'000'000'000L}) {
        const BinomialTails tails(n, 0.5);
        for (const double z : {-3.0, -0.5, 0.0, 1.0, 4.0}) {
            const auto count = static_cast<std::int64_t>(static_cast<double>(n) / 2 +
                                                         z * std::sqrt(static_cast<double>(n)) / 2);
            EXPECT_NEAR(tails.lower(count) + tails.upper(count + 1), 1, 1e-9) << n;
            // The normal limit, closer the larger n is.
            const double normal = 0.5 * std::erfc(-z / std::sqrt(2.0));
            EXPECT_NEAR(tails.lower(count), normal, 0.7 / std::sqrt(static_cast<double>(n))) << n;
        }
    }
}

}  // namespace
}  // namespace gatescope
