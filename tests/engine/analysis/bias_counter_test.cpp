// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/bias_counter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "engine/analysis/choice.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/error.h"

namespace gatescope {
namespace {

using Floats = std::vector<float>;
using Biases = std::vector<Floats>;

RoutingShape smallShape() {
    RoutingShape shape;
    shape.layers = {1, 2, 3};
    shape.mtpLayer = 4;
    shape.totalLayers = 4;
    shape.experts = 16;
    shape.topK = 4;
    shape.groups = 4;
    shape.topkGroups = 2;
    shape.hasBias = true;
    return shape;
}

/// A token with these affinities [rows * E]; what was recorded besides does not matter.
RoutedToken scoredToken(const RoutingShape& shape, Floats scores, Phase phase = Phase::Decode) {
    RoutedToken token;
    token.phase = phase;
    const std::size_t rows = scores.size() / static_cast<std::size_t>(shape.experts);
    const std::size_t choices = rows * static_cast<std::size_t>(shape.topK);
    token.routing.experts.assign(choices, 0);
    token.routing.weights.assign(choices, 0.0F);
    token.routing.margins.assign(rows, 0.0F);
    token.routing.biasDecided.assign(rows, 0);
    token.routing.scores = std::make_shared<const Floats>(std::move(scores));
    return token;
}

/// Multiples of 2^-12 below `scale`: sums of a few are exact.
Floats exactValues(std::mt19937& random, std::size_t n, float scale = 1) {
    Floats out;
    for (std::size_t i = 0; i < n; ++i) {
        out.push_back(scale * static_cast<float>(random() % 4096) / 4096.0F);
    }
    return out;
}

Biases exactBiases(std::mt19937& random, const RoutingShape& shape) {
    Biases out(shape.layers.size() + 1);
    for (Floats& row : out) {
        row = exactValues(random, static_cast<std::size_t>(shape.experts), 0.25F);
    }
    return out;
}

class GoldenScores {
  public:
    GoldenScores() : m_arrays(GATESCOPE_GOLDEN_DIR "/golden/v3-mini/golden.safetensors") {}

    Floats array(const std::string& key) const {
        const TensorView* view = m_arrays.find(key);
        EXPECT_NE(view, nullptr) << key;
        Floats values(view->bytes.size() / sizeof(float));
        std::memcpy(values.data(), view->bytes.data(), view->bytes.size());
        return values;
    }
    Biases biases(const RoutingShape& shape) const {
        Biases out;
        for (const int layer : shape.layers) {
            out.push_back(array("moe." + std::to_string(layer) + ".bias"));
        }
        out.push_back(array("moe.4.bias"));
        return out;
    }
    /// [tokens][rows * E]
    std::vector<Floats> tokens(const RoutingShape& shape, const std::string& prompt) const {
        const auto experts = static_cast<std::size_t>(shape.experts);
        std::vector<Floats> out;
        for (const int layer : shape.layers) {
            const Floats scores = array(prompt + ".moe." + std::to_string(layer) + ".scores");
            out.resize(scores.size() / experts);
            for (std::size_t t = 0; t < out.size(); ++t) {
                const auto at = scores.begin() + static_cast<std::ptrdiff_t>(t * experts);
                out[t].insert(out[t].end(), at, at + shape.experts);
            }
        }
        return out;
    }

  private:
    SafetensorsFile m_arrays;
};

TEST(BiasCounter, GoldenBiasDecided) {
    const RoutingShape shape = smallShape();
    const GoldenScores golden;
    std::ifstream file(GATESCOPE_GOLDEN_DIR "/routing.json");
    const auto expected = nlohmann::json::parse(file).at("bias_decided");
    int checked = 0;
    for (const auto& [prompt, layers] : expected.items()) {
        SCOPED_TRACE(prompt);
        BiasCounter counter(shape, golden.biases(shape));
        for (const Floats& scores : golden.tokens(shape, prompt)) {
            counter.add(scoredToken(shape, scores, Phase::Prefill), false);
        }
        const BiasDiagnostics value = counter.value();
        for (std::size_t row = 0; row < shape.layers.size(); ++row) {
            const auto& item = layers.at(std::to_string(shape.layers[row]));
            const double of = item.at("of").get<double>();
            EXPECT_EQ(static_cast<double>(value.rows[row].tokens) * shape.topK, of);
            EXPECT_DOUBLE_EQ(value.rows[row].biasDecided * of, item.at("selections").get<double>());
            ++checked;
        }
        EXPECT_EQ(value.rows.back().tokens, 0);
        EXPECT_TRUE(std::isnan(value.rows.back().biasDecided));
    }
    EXPECT_EQ(checked, 12);
}

/// Everything again with the ranking of all experts, one token at a time, no shortcut.
struct Naive {
    explicit Naive(const RoutingShape& s) : shape(s), with(experts()), without(experts()) {}
    std::size_t experts() const { return static_cast<std::size_t>(shape.experts); }

    std::set<int> choose(const Floats& u) const {
        const ChoiceRanking ranking = rankChoices(shape, u, {});
        return {ranking.order.begin(), ranking.order.begin() + shape.topK};
    }
    static int missing(const std::set<int>& from, const std::set<int>& in) {
        return static_cast<int>(
            std::count_if(from.begin(), from.end(), [&](int e) { return !in.contains(e); }));
    }
    void add(const Floats& s, const Floats& b) {
        const ChoiceRanking ranking = rankChoices(shape, s, b);
        const std::set<int> sb(ranking.order.begin(), ranking.order.begin() + shape.topK);
        const std::set<int> s0 = choose(s);
        Floats kept(s.size(), -1.0F);  // below every affinity
        for (const int group : ranking.keptGroups) {
            const int size = shape.experts / shape.groups;
            for (int e = group * size; e < (group + 1) * size; ++e) {
                kept[static_cast<std::size_t>(e)] = s[static_cast<std::size_t>(e)];
            }
        }
        ++n;
        decided += missing(sb, s0);
        within += missing(sb, choose(kept));
        double sumB = 0;
        double sum0 = 0;
        for (const int e : sb) {
            sumB += static_cast<double>(s[static_cast<std::size_t>(e)]);
            ++with[static_cast<std::size_t>(e)];
        }
        for (const int e : s0) {
            sum0 += static_cast<double>(s[static_cast<std::size_t>(e)]);
            ++without[static_cast<std::size_t>(e)];
        }
        cost += (sum0 - sumB) / sum0;
        margins.push_back(ranking.margin);
        Floats groups = ranking.groupScores;
        std::sort(groups.rbegin(), groups.rend());
        const auto k = static_cast<std::size_t>(shape.topkGroups);
        groupMargins.push_back(groups[k - 1] - groups[k]);
        for (std::size_t p = 0; p < kBiasPrecisions; ++p) {
            const auto precision = static_cast<BiasPrecision>(p);
            Floats u(s.size());
            for (std::size_t e = 0; e < s.size(); ++e) {
                u[e] = s[e] + rounded(b[e], precision);
                u[e] = roundsChoice(precision) ? rounded(u[e], precision) : u[e];
            }
            const int changed = missing(sb, choose(u));
            changedTokens[p] += changed > 0;
            changedChoices[p] += changed;
        }
    }
    static double maxVio(const std::vector<int>& c) {
        double sum = 0;
        for (const int x : c) {
            sum += x;
        }
        return *std::max_element(c.begin(), c.end()) * static_cast<double>(c.size()) / sum - 1;
    }

    RoutingShape shape;
    int n = 0, decided = 0, within = 0;
    double cost = 0;
    std::vector<int> with, without;
    Floats margins, groupMargins;
    int changedTokens[kBiasPrecisions]{}, changedChoices[kBiasPrecisions]{};
};

void expectSame(const BiasRowDiagnostics& row, const Naive& naive) {
    const double choices = naive.n * naive.shape.topK;
    EXPECT_EQ(row.tokens, naive.n);
    EXPECT_EQ(row.scored, naive.n);
    EXPECT_DOUBLE_EQ(row.biasDecided, naive.decided / choices);
    EXPECT_DOUBLE_EQ(row.withinGroups, naive.within / choices);
    EXPECT_NEAR(row.groupFlips, (naive.decided - naive.within) / choices, 1e-15);
    EXPECT_NEAR(row.affinityCost, naive.cost / naive.n, 1e-12);
    EXPECT_DOUBLE_EQ(row.maxVioWith, Naive::maxVio(naive.with));
    EXPECT_DOUBLE_EQ(row.maxVioWithout, Naive::maxVio(naive.without));
    EXPECT_DOUBLE_EQ(row.balanceGain, Naive::maxVio(naive.without) - Naive::maxVio(naive.with));
    for (const auto& [summary, all] :
         {std::pair(row.margin, naive.margins), std::pair(row.groupMargin, naive.groupMargins)}) {
        Floats sorted = all;
        std::sort(sorted.begin(), sorted.end());
        EXPECT_EQ(summary.n, naive.n);
        EXPECT_EQ(static_cast<float>(summary.minimum), sorted.front());
        const auto median = static_cast<double>(sorted[sorted.size() / 2]);
        EXPECT_NEAR(summary.median, median, 0.15 * median + 1e-9);
    }
    EXPECT_EQ(row.ties, std::count(naive.margins.begin(), naive.margins.end(), 0.0F));
    for (std::size_t p = 0; p < kBiasPrecisions; ++p) {
        EXPECT_DOUBLE_EQ(row.precision[p].changedTokens,
                         static_cast<double>(naive.changedTokens[p]) / naive.n);
        EXPECT_DOUBLE_EQ(row.precision[p].changedChoices, naive.changedChoices[p] / choices);
    }
}

TEST(BiasCounter, SameAsANaiveImplementationOnGoldenScores) {
    const RoutingShape shape = smallShape();
    const GoldenScores golden;
    const Biases biases = golden.biases(shape);
    BiasCounter counter(shape, biases);
    std::vector<Naive> naive(shape.layers.size(), Naive(shape));
    for (const Floats& scores : golden.tokens(shape, "p150")) {
        counter.add(scoredToken(shape, scores), false);
        for (std::size_t row = 0; row < naive.size(); ++row) {
            const auto first = scores.begin() + static_cast<std::ptrdiff_t>(16 * row);
            naive[row].add(Floats(first, first + 16), biases[row]);
        }
    }
    const BiasDiagnostics value = counter.value();
    for (std::size_t row = 0; row < naive.size(); ++row) {
        SCOPED_TRACE(row);
        expectSame(value.rows[row], naive[row]);
    }
}

TEST(BiasCounter, SameAsANaiveImplementationAtFullSizeWhereRoundingMatters) {
    RoutingShape shape;
    shape.layers = {3};
    shape.totalLayers = 4;
    shape.experts = 256;
    shape.topK = 8;
    shape.groups = 8;
    shape.topkGroups = 4;
    shape.hasBias = true;
    std::mt19937 random(11);
    std::normal_distribution<float> logit(0, 1);
    std::uniform_real_distribution<float> around(-0.1F, 0.1F);
    for (const float level : {0.0F, 11.2F}) {  // both are found in published models
        SCOPED_TRACE(level);
        Biases biases(1);
        for (int e = 0; e < shape.experts; ++e) {
            biases[0].push_back(level + around(random));
        }
        BiasCounter counter(shape, biases);
        Naive naive(shape);
        for (int t = 0; t < 300; ++t) {
            Floats scores;
            for (int e = 0; e < shape.experts; ++e) {
                scores.push_back(1.0F / (1.0F + std::exp(-logit(random))));
            }
            naive.add(scores, biases[0]);
            counter.add(scoredToken(shape, std::move(scores)), false);
        }
        const BiasRowDiagnostics row = counter.value().rows.at(0);
        expectSame(row, naive);
        EXPECT_GT(row.precision[1].changedTokens, level > 1 ? 0.5 : 0.01);
        EXPECT_LT(row.precision[2].changedTokens, row.precision[0].changedTokens);
    }
}

TEST(BiasCounter, HandMadeToken) {
    RoutingShape shape = smallShape();
    shape.layers = {0};
    shape.mtpLayer = -1;
    shape.experts = 4;
    shape.topK = 1;
    shape.groups = 2;
    shape.topkGroups = 1;
    // Without bias group 0 (0.5 + 0.25) and expert 0; with it group 1 (0.5 + 0.5), and there the
    // tie goes to expert 2, which has the larger affinity anyway.
    BiasCounter counter(shape, {{0, 0, 0.25F, 0.5F}});
    counter.add(scoredToken(shape, {0.5F, 0.25F, 0.25F, 0.0F}), false);
    const BiasRowDiagnostics row = counter.value().rows.at(0);
    EXPECT_EQ(row.biasDecided, 1);
    EXPECT_EQ(row.withinGroups, 0);
    EXPECT_EQ(row.groupFlips, 1);
    EXPECT_EQ(row.affinityCost, 0.5);  // (0.5 - 0.25) / 0.5
    EXPECT_EQ(row.ties, 1);
}

TEST(BiasCounter, AffinityCostCanBeNegativeWithGroups) {
    RoutingShape shape = smallShape();
    shape.layers = {0};
    shape.mtpLayer = -1;
    shape.experts = 4;
    shape.topK = 1;
    shape.groups = 2;
    shape.topkGroups = 1;
    // Group 0 has the better pair, group 1 the best expert: the bias turns to group 1.
    BiasCounter counter(shape, {{0, 0, 0.125F, 0.125F}});
    counter.add(scoredToken(shape, {0.5F, 0.5F, 0.75F, 0.125F}), false);
    EXPECT_EQ(counter.value().rows.at(0).affinityCost, -0.5);
}

TEST(BiasCounter, AConstantInAllBiasesChangesNothing) {
    const RoutingShape shape = smallShape();
    std::mt19937 random(5);
    const Biases biases = exactBiases(random, shape);
    std::vector<RoutedToken> tokens;
    for (int t = 0; t < 200; ++t) {
        tokens.push_back(scoredToken(shape, exactValues(random, 3 * 16)));
    }
    BiasCounter plain(shape, biases);
    for (const RoutedToken& token : tokens) {
        plain.add(token, false);
    }
    const BiasDiagnostics expected = plain.value();
    for (const float constant : {0.5F, -0.25F, 8.0F}) {
        Biases shifted = biases;
        for (Floats& row : shifted) {
            for (float& b : row) {
                b += constant;
            }
        }
        BiasCounter counter(shape, shifted);
        for (const RoutedToken& token : tokens) {
            counter.add(token, false);
            for (std::size_t row = 0; row < 3; ++row) {
                const std::span<const float> s =
                    std::span(*token.routing.scores).subspan(16 * row, 16);
                EXPECT_EQ(rankChoices(shape, s, biases[row]).order,
                          rankChoices(shape, s, shifted[row]).order);
            }
        }
        const BiasDiagnostics value = counter.value();
        for (std::size_t row = 0; row < 3; ++row) {
            const BiasRowDiagnostics& a = value.rows[row];
            const BiasRowDiagnostics& b = expected.rows[row];
            EXPECT_EQ(a.biasDecided, b.biasDecided);
            EXPECT_EQ(a.withinGroups, b.withinGroups);
            EXPECT_EQ(a.affinityCost, b.affinityCost);
            EXPECT_EQ(a.balanceGain, b.balanceGain);
            EXPECT_EQ(a.margin.mean, b.margin.mean);
            EXPECT_EQ(a.margin.median, b.margin.median);
            EXPECT_EQ(a.groupMargin.mean, b.groupMargin.mean);
            EXPECT_EQ(a.ties, b.ties);
            EXPECT_NEAR(a.dominance, b.dominance, 1e-9);
        }
        // What it does change is how much rounding hurts.
        if (constant > 1) {
            EXPECT_GT(value.rows[0].precision[0].changedTokens,
                      expected.rows[0].precision[0].changedTokens);
        }
    }
}

TEST(BiasCounter, ZeroBiasDecidesNothing) {
    const RoutingShape shape = smallShape();
    std::mt19937 random(6);
    BiasCounter counter(shape, Biases(4, Floats(16, 0.0F)));
    for (int t = 0; t < 20; ++t) {
        counter.add(scoredToken(shape, exactValues(random, 3 * 16)), false);
    }
    const BiasRowDiagnostics row = counter.value().rows.at(0);
    EXPECT_EQ(row.biasDecided, 0);
    EXPECT_EQ(row.affinityCost, 0);
    EXPECT_EQ(row.balanceGain, 0);
    EXPECT_EQ(row.dominance, 0);
    EXPECT_EQ(row.precision[0].changedTokens, 0);
}

TEST(BiasCounter, TokensWithoutAffinitiesCountByTheirMarks) {
    const RoutingShape shape = smallShape();
    BiasCounter counter(shape, Biases(4, Floats(16, 0.0F)));
    RoutedToken token = scoredToken(shape, Floats(3 * 16, 0.5F));
    counter.add(token, false);
    token.routing.scores = nullptr;
    token.routing.biasDecided = {0b0101, 0, 0b1110001};  // bits beyond k do not exist
    counter.add(token, false);
    const BiasDiagnostics value = counter.value();
    EXPECT_EQ(value.rows[0].tokens, 2);
    EXPECT_EQ(value.rows[0].scored, 1);
    EXPECT_EQ(value.rows[0].biasDecided, 2.0 / 8);
    EXPECT_EQ(value.rows[0].biasDecidedScored, 0);
    EXPECT_EQ(value.rows[2].biasDecided, 1.0 / 8);
    EXPECT_EQ(value.rows[0].margin.n, 1);
}

TEST(BiasCounter, PhasesAndSpecialTokensApartAndMtpInItsOwnRow) {
    const RoutingShape shape = smallShape();
    BiasCounter counter(shape, Biases(4, Floats(16, 0.0F)));
    const auto tokensIn = [&](unsigned mask, std::size_t row) {
        return counter.value(mask).rows.at(row).tokens;
    };
    RoutedToken token = scoredToken(shape, Floats(3 * 16, 0.5F), Phase::Decode);
    counter.add(token, false);
    token.phase = Phase::Rejected;
    counter.add(token, false);
    token.phase = Phase::Prefill;
    token.special = true;
    counter.add(token, false);
    StepTrace step;
    step.mtp.push_back(scoredToken(shape, Floats(16, 0.5F), Phase::Draft));
    counter.add(step);
    EXPECT_EQ(tokensIn(kDefaultPhases, 0), 1);
    EXPECT_EQ(tokensIn(kDefaultPhases | kSpecialTokens, 0), 2);
    EXPECT_EQ(tokensIn(kAllTokens, 0), 3);
    EXPECT_EQ(tokensIn(kAllTokens, 3), 1);
    EXPECT_EQ(tokensIn(1U << static_cast<unsigned>(Phase::Prefill), 0), 0);
    const BiasDiagnostics value = counter.value();
    EXPECT_EQ(value.rows[3].layer, 4);
    EXPECT_TRUE(value.rows[3].mtp);

    BiasCounter copy = counter;
    copy.setBias(Biases(4, Floats(16, 0.5F)));
    EXPECT_EQ(copy.value(kAllTokens).rows[0].tokens, 0);
    EXPECT_EQ(tokensIn(kAllTokens, 0), 3);
}

TEST(BiasCounter, AModelWithoutBiasCountsNothing) {
    RoutingShape shape = smallShape();
    shape.hasBias = false;
    BiasCounter counter(shape, {});
    counter.add(scoredToken(shape, Floats(3 * 16, 0.5F)), false);
    EXPECT_TRUE(counter.value().rows.empty());
}

TEST(BiasCounter, WhatDoesNotFitIsAnError) {
    const RoutingShape shape = smallShape();
    EXPECT_THROW(BiasCounter(shape, Biases(3, Floats(16, 0.0F))), Error);
    EXPECT_THROW(BiasCounter(shape, Biases(4, Floats(15, 0.0F))), Error);
    EXPECT_THROW(BiasCounter(shape, Biases(4, Floats(16, std::nanf("")))), Error);
    BiasCounter counter(shape, Biases(4, Floats(16, 0.0F)));
    EXPECT_THROW(counter.add(scoredToken(shape, Floats(2 * 16, 0.5F)), false), Error);
    EXPECT_THROW(counter.add(scoredToken(shape, Floats(3 * 16, 0.5F)), true), Error);
    RoutedToken token = scoredToken(shape, Floats(3 * 16, 0.5F));
    token.routing.scores = std::make_shared<const Floats>(3 * 15, 0.5F);
    EXPECT_THROW(counter.add(token, false), Error);
    token = scoredToken(shape, Floats(3 * 16, 0.5F));
    token.routing.biasDecided.pop_back();
    EXPECT_THROW(counter.add(token, false), Error);
    EXPECT_EQ(counter.value(kAllTokens).rows[0].tokens, 0);
    RoutingShape noMtp = shape;
    noMtp.mtpLayer = -1;
    BiasCounter other(noMtp, Biases(3, Floats(16, 0.0F)));
    EXPECT_THROW(other.add(scoredToken(noMtp, Floats(16, 0.5F)), true), Error);
}

}  // namespace
}  // namespace gatescope
