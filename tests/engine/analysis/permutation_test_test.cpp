// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/permutation_test.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/analysis/jensen_shannon.h"
#include "engine/error.h"
#include "tests/engine/analysis/comparison_traffic.h"

namespace gatescope {
namespace {

/// A second implementation, as simple as can be: counts of tokens, doubles, one loop for each sum.
class Naive {
  public:
    struct Block {
        int stratum = 0;
        int side = 0;
        std::vector<const RoutedToken*> tokens;
    };
    Naive(const ComparedRun& a, const ComparedRun& b, int blockTokens) : m_shape(a.shape) {
        for (int side = 0; side < 2; ++side) {
            for (int stratum = 0; stratum < 2; ++stratum) {
                for (const ComparedAnswer& answer : (side == 0 ? a : b).answers) {
                    cut(answer, side, stratum, blockTokens);
                }
            }
        }
    }
    std::size_t units() const { return m_blocks.size(); }

    double divergence(std::size_t row, const std::vector<std::uint8_t>& first) const {
        double sum = 0;
        double all = 0;
        for (int stratum = 0; stratum < 2; ++stratum) {
            const auto a = counts(stratum, row, first, 1);
            const auto b = counts(stratum, row, first, 0);
            double n = 0;
            for (std::size_t i = 0; i < a.size(); ++i) n += static_cast<double>(a[i] + b[i]);
            if (n == 0) continue;
            const double jsd = weightedJensenShannonDivergence(a, b);
            if (!std::isnan(jsd)) sum += n * jsd;
            all += n;
        }
        return sum / all;
    }
    /// sum over strata of (count on the first side - share * choices of the first side)
    double difference(std::size_t row, std::size_t expert,
                      const std::vector<std::uint8_t>& first) const {
        double out = 0;
        for (int stratum = 0; stratum < 2; ++stratum) {
            const auto a = counts(stratum, row, first, 1);
            const auto b = counts(stratum, row, first, 0);
            double choicesA = 0;
            double choices = 0;
            for (std::size_t i = 0; i < a.size(); ++i) {
                choicesA += static_cast<double>(a[i]);
                choices += static_cast<double>(a[i] + b[i]);
            }
            if (choices == 0) continue;
            out += static_cast<double>(a[expert]) -
                   static_cast<double>(a[expert] + b[expert]) / choices * choicesA;
        }
        return out;
    }

  private:
    void cut(const ComparedAnswer& answer, int side, int stratum, int blockTokens) {
        std::vector<const RoutedToken*> tokens;
        for (const StepTrace& step : answer.steps) {
            for (const RoutedToken& token : step.tokens) {
                if (static_cast<int>(token.phase) == stratum) tokens.push_back(&token);
            }
        }
        if (tokens.empty()) return;
        const std::size_t blocks =
            std::max<std::size_t>(1, tokens.size() / static_cast<std::size_t>(blockTokens));
        for (std::size_t block = 0; block < blocks; ++block) {
            const auto begin = static_cast<std::ptrdiff_t>(tokens.size() * block / blocks);
            const auto end = static_cast<std::ptrdiff_t>(tokens.size() * (block + 1) / blocks);
            m_blocks.push_back({stratum, side, {tokens.begin() + begin, tokens.begin() + end}});
        }
    }
    std::vector<std::int64_t> counts(int stratum, std::size_t row,
                                     const std::vector<std::uint8_t>& labels,
                                     std::uint8_t label) const {
        std::vector<std::int64_t> out(static_cast<std::size_t>(m_shape.experts), 0);
        const auto topK = static_cast<std::size_t>(m_shape.topK);
        for (std::size_t unit = 0; unit < m_blocks.size(); ++unit) {
            if (m_blocks[unit].stratum != stratum || labels[unit] != label) continue;
            for (const RoutedToken* token : m_blocks[unit].tokens) {
                for (std::size_t i = row * topK; i < (row + 1) * topK; ++i) {
                    ++out[token->routing.experts[i]];
                }
            }
        }
        return out;
    }

    RoutingShape m_shape;
    std::vector<Block> m_blocks;
};

struct Case {
    ComparedRun a;
    ComparedRun b;
    ComparisonUnits units;

    Case(ComparedRun first, ComparedRun second, int blockTokens)
        : a(std::move(first)), b(std::move(second)) {
        ComparisonOptions options;
        options.blockTokens = blockTokens;
        units =
            comparisonUnits(comparedTokens(a, b, options), false, PermutedUnit::Block, blockTokens);
    }
};

void expectNaive(const Case& runs, int blockTokens, std::int64_t permutations, bool exact) {
    const Naive naive(runs.a, runs.b, blockTokens);
    const ComparisonUnits& units = runs.units;
    ASSERT_EQ(naive.units(), units.sides.size());
    const UnitLabels labels(units.sides.size(), units.labelGroups(), 3, permutations);
    ASSERT_EQ(labels.exact(), exact);
    PermutationOptions options;
    options.experts = true;
    const PermutationTest test = permutationTest(units, labels, options);

    const auto rows = static_cast<std::size_t>(units.rows);
    const auto experts = static_cast<std::size_t>(units.experts);
    std::vector<std::uint8_t> observed(units.sides.size());
    labels.observed(observed);
    std::vector<double> reached(rows, 0);
    std::vector<double> sums(rows, 0);
    std::vector<double> squares(rows * experts, 0);
    std::vector<std::vector<double>> differences;
    std::vector<std::uint8_t> drawn(units.sides.size());
    for (std::int64_t i = 0; i < labels.count(); ++i) {
        labels.draw(i, drawn);
        differences.emplace_back(rows * experts);
        for (std::size_t row = 0; row < rows; ++row) {
            const double value = naive.divergence(row, drawn);
            sums[row] += value;
            reached[row] += value >= naive.divergence(row, observed) - 1e-9 ? 1 : 0;
            for (std::size_t expert = 0; expert < experts; ++expert) {
                const double difference = naive.difference(row, expert, drawn);
                differences.back()[row * experts + expert] = difference;
                squares[row * experts + expert] += difference * difference;
            }
        }
    }
    const auto count = static_cast<double>(labels.count());
    const double one = exact ? 0 : 1;
    for (std::size_t row = 0; row < rows; ++row) {
        EXPECT_NEAR(test.observed[row], naive.divergence(row, observed), 1e-8);
        EXPECT_NEAR(test.nullMean[row], sums[row] / count, 1e-8);
        EXPECT_DOUBLE_EQ(test.pValue[row], (reached[row] + one) / (count + one));
    }
    if (!exact) return;
    // Every assignment was seen: the deviation of a score is known exactly, and the largest too.
    std::vector<double> largest;
    for (const auto& difference : differences) {
        double most = 0;
        for (std::size_t i = 0; i < difference.size(); ++i) {
            if (squares[i] > 1e-9) {
                most = std::max(most, std::abs(difference[i]) / std::sqrt(squares[i] / count));
            }
        }
        largest.push_back(most);
    }
    for (std::size_t i = 0; i < rows * experts; ++i) {
        const double difference = naive.difference(i / experts, i % experts, observed);
        const double score = squares[i] > 1e-9 ? difference / std::sqrt(squares[i] / count) : 0.0;
        EXPECT_NEAR(test.scores[i], score, 1e-4);
        const auto atLeast = std::count_if(largest.begin(), largest.end(), [&](double most) {
            return most >= std::abs(score) * (1 - 1e-4);
        });
        EXPECT_DOUBLE_EQ(test.adjusted[i], static_cast<double>(atLeast) / count) << i;
    }
}

TEST(PermutationTest, AsTheNaiveImplementationForRandomAssignments) {
    const RoutingShape shape = relationShape(3, 11, 2);
    expectNaive({stickyRun(shape, 1, 2, 70, 150), stickyRun(shape, 2, 1, 40, 130), 16}, 16, 199,
                false);
}

TEST(PermutationTest, AsTheNaiveImplementationForAllAssignments) {
    const RoutingShape shape = relationShape(2, 9, 2);
    // 5 and 3 blocks of prompt, 3 and 2 of answer, of unequal lengths: 56 * 10 assignments.
    expectNaive({stickyRun(shape, 3, 1, 83, 55), stickyRun(shape, 4, 1, 50, 38), 16}, 16, 600,
                true);
}

TEST(PermutationTest, ManyExpertsAndLongUnits) {
    // Sums of whole vectors of experts and the rest, counts beyond 8 and 16 bits.
    const RoutingShape shape = relationShape(1, 150, 8);
    expectNaive({stickyRun(shape, 5, 2, 700, 0), stickyRun(shape, 6, 1, 900, 0), 300}, 300, 99,
                true);
    const RoutingShape few = relationShape(1, 3, 2);
    expectNaive({stickyRun(few, 7, 1, 0, 40000), stickyRun(few, 8, 1, 0, 40000), 20000}, 20000, 99,
                true);
}

TEST(PermutationTest, TheNumberOfThreadsChangesNothing) {
    const RoutingShape shape = relationShape(4, 20, 2);
    const Case runs(stickyRun(shape, 1, 1, 90, 300), stickyRun(shape, 2, 1, 40, 330), 16);
    const UnitLabels labels(runs.units.sides.size(), runs.units.labelGroups(), 1, 3000);
    PermutationOptions options;
    options.experts = true;
    options.threads = 1;
    const PermutationTest one = permutationTest(runs.units, labels, options);
    options.threads = 5;
    const PermutationTest five = permutationTest(runs.units, labels, options);
    EXPECT_EQ(one.observed, five.observed);
    EXPECT_EQ(one.nullMean, five.nullMean);
    EXPECT_EQ(one.nullP95, five.nullP95);
    EXPECT_EQ(one.pValue, five.pValue);
    EXPECT_EQ(one.scores, five.scores);
    EXPECT_EQ(one.adjusted, five.adjusted);
}

TEST(PermutationTest, CanBeCancelled) {
    const RoutingShape shape = relationShape(4, 20, 2);
    const Case runs(stickyRun(shape, 1, 1, 90, 300), stickyRun(shape, 2, 1, 40, 330), 16);
    const UnitLabels labels(runs.units.sides.size(), runs.units.labelGroups(), 1, 9999);
    PermutationOptions options;
    options.threads = 2;
    std::int64_t last = 0;
    options.progress = [&last](std::int64_t done) {
        EXPECT_GT(done, last);
        last = done;
        return false;
    };
    EXPECT_THROW(permutationTest(runs.units, labels, options), Cancelled);
    EXPECT_LT(last, 9999);
}

TEST(PermutationTest, WithoutUnitsThereIsNothing) {
    ComparisonUnits none;
    none.rows = 2;
    none.experts = 4;
    PermutationOptions options;
    options.experts = true;
    const PermutationTest test = permutationTest(none, UnitLabels(0, {}, 1, 99), options);
    ASSERT_EQ(test.pValue.size(), 2u);
    EXPECT_TRUE(std::isnan(test.pValue[0]));
    EXPECT_TRUE(std::isnan(test.observed[1]));
    ASSERT_EQ(test.adjusted.size(), 8u);
    EXPECT_TRUE(std::isnan(test.adjusted[0]));
}

}  // namespace
}  // namespace gatescope
