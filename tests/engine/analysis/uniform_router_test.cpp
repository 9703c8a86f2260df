// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/uniform_router.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine/analysis/load_statistics.h"

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
    for (const Case& c : {Case{256, 8, 150, 1000}, Case{16, 4, 129, 5000}, Case{8, 2, 140, 6000},
                          Case{8, 2, 1000, 3000}, Case{64, 6, 300, 1500}, Case{4, 3, 130, 6000},
                          Case{2, 1, 200, 12000}, Case{384, 8, 200, 800}, Case{512, 1, 400, 1000},
                          Case{64, 6, 100, 2000}, Case{8, 2, 20, 6000}}) {
        const double expected = simulate(c.experts, c.topK, c.tokens, c.trials);
        // Both sides are simulated; the maximum of very few experts scatters most.
        const double tolerance = c.experts <= 4 ? 0.035 : 0.02;
        EXPECT_NEAR(uniformMaxVio(c.experts, c.topK, c.tokens), expected, expected * tolerance)
            << c.experts << " experts, top " << c.topK << ", " << c.tokens << " tokens";
    }
}

TEST(UniformMaxVio, RangesMeetWithoutASeam) {
    for (const auto& [experts, topK] : {std::pair{256, 8}, {16, 4}, {8, 2}, {160, 6}}) {
        const double p = static_cast<double>(topK) / experts;
        const auto toNormal = static_cast<std::int64_t>(2e4 / (p * (1 - p)));
        for (const std::int64_t n : {std::int64_t{512}, toNormal}) {
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

/// One uniform router after `tokens` tokens.
std::vector<std::int64_t> uniformCounts(int experts, int topK, int tokens,
                                        std::mt19937_64& random) {
    std::vector<int> order(static_cast<std::size_t>(experts));
    std::iota(order.begin(), order.end(), 0);
    std::vector<std::int64_t> counts(order.size(), 0);
    for (int token = 0; token < tokens; ++token) {
        for (int j = 0; j < topK; ++j) {
            std::uniform_int_distribution<int> pick(j, experts - 1);
            std::swap(order[static_cast<std::size_t>(j)],
                      order[static_cast<std::size_t>(pick(random))]);
            ++counts[static_cast<std::size_t>(order[static_cast<std::size_t>(j)])];
        }
    }
    return counts;
}

struct Sample {
    std::vector<double> values;

    double mean() const {
        return std::accumulate(values.begin(), values.end(), 0.0) /
               static_cast<double>(values.size());
    }
    double deviation() const {
        double squares = 0;
        for (const double value : values) {
            squares += (value - mean()) * (value - mean());
        }
        return std::sqrt(squares / static_cast<double>(values.size()));
    }
    /// Share of the sample strictly beyond, and share at or beyond.
    double beyond(double limit, bool falls) const {
        return share([&](double v) { return falls ? v < limit - 1e-9 : v > limit + 1e-9; });
    }
    double atOrBeyond(double limit, bool falls) const {
        return share([&](double v) { return falls ? v <= limit + 1e-9 : v >= limit - 1e-9; });
    }

  private:
    template <typename Test>
    double share(Test&& test) const {
        return static_cast<double>(std::count_if(values.begin(), values.end(), test)) /
               static_cast<double>(values.size());
    }
};

void expectAgrees(const UniformStatistic& null, const Sample& sample, bool falls,
                  const std::string& what) {
    const double error = sample.deviation() / std::sqrt(static_cast<double>(sample.values.size()));
    EXPECT_NEAR(null.mean, sample.mean(), 4 * error + 0.006 * std::abs(sample.mean())) << what;
    EXPECT_NEAR(null.deviation, sample.deviation(), 0.12 * sample.deviation() + 1e-9) << what;
    // Of the sample 5 % lie beyond the 95 % point; a value that many share may straddle it.
    EXPECT_LT(sample.beyond(null.p95, falls), 0.075) << what;
    EXPECT_GT(sample.atOrBeyond(null.p95, falls), 0.03) << what;
}

TEST(UniformNull, AgreesWithDirectSimulation) {
    struct Case {
        int experts, topK, tokens, trials;
    };
    // On the grid, between its points (45, 77, 300) and beyond the simulation (700, 3000, 9000).
    for (const Case& c : {Case{256, 8, 2, 1500}, Case{256, 8, 45, 1200}, Case{256, 8, 300, 400},
                          Case{256, 8, 700, 400}, Case{32, 4, 7, 2500}, Case{32, 4, 77, 2000},
                          Case{32, 4, 3000, 500}, Case{16, 4, 600, 1500}, Case{8, 2, 9000, 500},
                          Case{4, 3, 300, 2000}}) {
        const UniformNull null = uniformNull(c.experts, c.topK, c.tokens);
        std::mt19937_64 random(99);
        Sample maxVio, minVio, avgVio, cv, gini, entropy, effective, distinct;
        for (int trial = 0; trial < c.trials; ++trial) {
            const LoadStatistics s =
                loadStatistics(uniformCounts(c.experts, c.topK, c.tokens, random));
            maxVio.values.push_back(s.maxVio);
            minVio.values.push_back(s.minVio);
            avgVio.values.push_back(s.avgVio);
            cv.values.push_back(s.cv);
            gini.values.push_back(s.gini);
            entropy.values.push_back(s.entropy);
            effective.values.push_back(s.effectiveExperts);
            distinct.values.push_back(s.distinct);
        }
        const std::string at = std::to_string(c.experts) + " experts, top " +
                               std::to_string(c.topK) + ", n " + std::to_string(c.tokens);
        expectAgrees(null.maxVio, maxVio, false, at + " MaxVio");
        expectAgrees(null.minVio, minVio, false, at + " MinVio");
        expectAgrees(null.avgVio, avgVio, false, at + " AvgVio");
        expectAgrees(null.gini, gini, false, at + " Gini");
        expectAgrees(null.entropy, entropy, true, at + " entropy");
        expectAgrees(null.effectiveExperts, effective, true, at + " effective experts");
        // The null of CV is the root mean square.
        const double rms = std::sqrt(cv.mean() * cv.mean() + cv.deviation() * cv.deviation());
        EXPECT_NEAR(null.cv.mean, rms, 0.02 * rms) << at;
        EXPECT_LT(cv.beyond(null.cv.p95, false), 0.075) << at;
        EXPECT_GT(cv.atOrBeyond(null.cv.p95, false), 0.03) << at;
        EXPECT_NEAR(null.distinct, distinct.mean(), 0.01 * distinct.mean()) << at;
    }
}

TEST(UniformNull, TableOfTheNullBaseline) {
    struct Line {
        int tokens;
        double cv, maxVio, entropy, gini;
        double digit;  // half a unit of the entropy's last one
    };
    for (const Line& line :
         {Line{1, 5.57, 31.0, 0.375, 0.969, 5e-4}, Line{8, 1.97, 8.46, 0.723, 0.797, 5e-4},
          Line{32, 0.98, 3.59, 0.899, 0.515, 5e-4}, Line{128, 0.49, 1.63, 0.977, 0.273, 5e-4},
          Line{512, 0.25, 0.79, 0.994, 0.138, 5e-4}, Line{2048, 0.12, 0.36, 0.9987, 0.068, 5e-5}}) {
        const UniformNull null = uniformNull(256, 8, line.tokens);
        EXPECT_NEAR(null.cv.mean, line.cv, 5e-3) << line.tokens;
        // The published means come from few trials: they scatter by some percent themselves.
        EXPECT_NEAR(null.entropy.mean, line.entropy, line.digit + 0.02 * (1 - line.entropy))
            << line.tokens;
        EXPECT_NEAR(null.gini.mean, line.gini, 5e-4 + 0.012 * line.gini) << line.tokens;
        EXPECT_NEAR(null.maxVio.mean, line.maxVio, 0.045 * line.maxVio) << line.tokens;
    }
}

TEST(UniformNull, OneTokenIsCertain) {
    const UniformNull null = uniformNull(16, 4, 1);
    EXPECT_DOUBLE_EQ(null.maxVio.mean, 3);
    EXPECT_EQ(null.maxVio.deviation, 0);
    EXPECT_DOUBLE_EQ(null.maxVio.p95, 3);
    EXPECT_DOUBLE_EQ(null.minVio.mean, 1);
    EXPECT_NEAR(null.avgVio.mean, (4 * 3.0 + 12 * 1.0) / 16, 1e-12);
    EXPECT_NEAR(null.cv.mean, std::sqrt(3.0), 1e-12);
    EXPECT_NEAR(null.gini.mean, 0.75, 1e-12);
    EXPECT_NEAR(null.entropy.mean, 0.5, 1e-12);
    EXPECT_NEAR(null.effectiveExperts.mean, 4, 1e-12);
    EXPECT_NEAR(null.distinct, 4, 1e-12);
    EXPECT_DOUBLE_EQ(null.notSeen, 0.75);
}

TEST(UniformNull, TwoTokensByHand) {
    // 1 of 2: with probability 1/2 both tokens take the same expert (2, 0), otherwise (1, 1).
    const UniformNull null = uniformNull(2, 1, 2);
    EXPECT_NEAR(null.maxVio.mean, 0.5, 0.04);
    EXPECT_NEAR(null.avgVio.mean, 0.5, 1e-12);
    EXPECT_NEAR(null.gini.mean, 0.25, 1e-12);
    EXPECT_NEAR(null.entropy.mean, 0.5, 1e-12);
    EXPECT_NEAR(null.cv.mean, std::sqrt(0.5), 1e-12);
    EXPECT_NEAR(null.cv.p95, 1, 1e-12);
    EXPECT_NEAR(null.effectiveExperts.mean, 1.5, 0.04);
}

TEST(UniformNull, RangesMeetWithoutASeam) {
    for (const auto& [experts, topK] : {std::pair{256, 8}, {16, 4}, {8, 2}, {384, 8}}) {
        const double p = static_cast<double>(topK) / experts;
        const auto toNormal = static_cast<std::int64_t>(2e4 / (p * (1 - p)));
        for (const std::int64_t n : {std::int64_t{512}, toNormal}) {
            const UniformNull a = uniformNull(experts, topK, n);
            const UniformNull b = uniformNull(experts, topK, n + 1);
            const auto expectNear = [&](double before, double after, double tolerance) {
                EXPECT_NEAR(after / before, 1.0, tolerance) << experts << " n " << n;
            };
            const double count = experts / (static_cast<double>(n) * topK);  // one choice, in q
            expectNear(a.maxVio.mean, b.maxVio.mean, 0.015);
            expectNear(a.minVio.mean, b.minVio.mean, 0.015);
            EXPECT_NEAR(a.maxVio.p95, b.maxVio.p95, 1.5 * count);
            EXPECT_NEAR(a.minVio.p95, b.minVio.p95, 1.5 * count);
            expectNear(a.avgVio.mean, b.avgVio.mean, 0.002);
            expectNear(a.gini.mean, b.gini.mean, 0.002);
            expectNear(1 - a.entropy.mean, 1 - b.entropy.mean, 0.004);
            expectNear(a.cv.p95, b.cv.p95, 0.002);
            expectNear(a.effectiveExperts.mean, b.effectiveExperts.mean, 1e-3);
        }
    }
}

TEST(UniformNull, ManyTokensAreEven) {
    const UniformNull null = uniformNull(256, 8, 1'000'000'000'000);
    for (const UniformStatistic* small :
         {&null.maxVio, &null.minVio, &null.avgVio, &null.cv, &null.gini}) {
        EXPECT_GT(small->mean, 0);
        EXPECT_LT(small->p95, 1e-4);
        EXPECT_GE(small->p95, small->mean);
    }
    EXPECT_NEAR(null.entropy.mean, 1, 1e-9);
    EXPECT_NEAR(null.effectiveExperts.p95, 256, 1e-6);
    EXPECT_EQ(null.distinct, 256);
}

TEST(UniformNull, SameFromManyThreads) {
    std::vector<std::thread> threads;
    std::array<double, 4> seen{};
    for (std::size_t i = 0; i < seen.size(); ++i) {
        threads.emplace_back([&seen, i] {
            for (int n = 1; n < 200; ++n) {
                seen[i] += uniformNull(48, 5, n).cv.p95;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(std::set<double>(seen.begin(), seen.end()).size(), 1U);
}

TEST(UniformNull, EdgesAndNonsense) {
    const UniformNull all = uniformNull(8, 8, 100);
    EXPECT_EQ(all.cv.p95, 0);
    EXPECT_EQ(all.entropy.mean, 1);
    EXPECT_EQ(all.effectiveExperts.p95, 8);
    EXPECT_EQ(all.distinct, 8);
    EXPECT_TRUE(std::isnan(uniformNull(8, 2, 0).gini.p95));
    EXPECT_TRUE(std::isnan(uniformNull(8, 2, -1).distinct));
    EXPECT_TRUE(std::isnan(uniformNull(2'000'000'000, 2, 5).cv.mean));
}

TEST(UniformStepMaxVio, MixtureAgreesWithSimulation) {
    const std::vector<StepSize> sizes{{1, 12}, {2, 6}, {40, 2}};
    const UniformStatistic null = uniformStepMaxVio(32, 4, sizes);
    std::mt19937_64 random(5);
    Sample sample;
    for (int trial = 0; trial < 3000; ++trial) {
        double sum = 0;
        for (const StepSize& size : sizes) {
            for (int step = 0; step < size.steps; ++step) {
                sum += loadStatistics(uniformCounts(32, 4, static_cast<int>(size.tokens), random))
                           .maxVio;
            }
        }
        sample.values.push_back(sum / 20);
    }
    expectAgrees(null, sample, false, "mixture");
}

TEST(UniformStepMaxVio, OneStepIsItsOwnNull) {
    const std::vector<StepSize> one{{50, 1}};
    const UniformStatistic null = uniformStepMaxVio(64, 6, one);
    const UniformStatistic own = uniformNull(64, 6, 50).maxVio;
    EXPECT_DOUBLE_EQ(null.mean, own.mean);
    EXPECT_NEAR(null.p95, own.p95, 1e-12);
    EXPECT_DOUBLE_EQ(null.deviation, own.deviation);
    EXPECT_TRUE(std::isnan(uniformStepMaxVio(64, 6, {}).mean));
    // One token at a time: certain, whatever the router does.
    const std::vector<StepSize> decode{{1, 500}};
    EXPECT_DOUBLE_EQ(uniformStepMaxVio(256, 8, decode).p95, 31);
}

TEST(TokensToCallDead, SmallestThatSuffices) {
    EXPECT_EQ(tokensToCallDead(256, 8), 270);
    for (const auto& [experts, topK] : {std::pair{256, 8}, {16, 4}, {384, 8}, {2, 1}}) {
        const auto n = static_cast<double>(tokensToCallDead(experts, topK));
        const double miss = 1 - static_cast<double>(topK) / experts;
        EXPECT_LE(std::pow(miss, n), 0.05 / experts);
        EXPECT_GT(std::pow(miss, n - 1), 0.05 / experts);
    }
    EXPECT_EQ(tokensToCallDead(8, 8), 0);
    EXPECT_EQ(tokensToCallDead(0, 0), 0);
}

}  // namespace
}  // namespace gatescope
