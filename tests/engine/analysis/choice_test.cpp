// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/choice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/error.h"

namespace gatescope {
namespace {

using Floats = std::vector<float>;

nlohmann::json goldenCases() {
    std::ifstream file(GATESCOPE_GOLDEN_DIR "/routing_cases.json");
    return nlohmann::json::parse(file).at("cases");
}

RoutingShape shapeOf(const nlohmann::json& config) {
    RoutingShape shape;
    shape.experts = config.at("n_routed_experts");
    shape.topK = config.at("num_experts_per_tok");
    shape.groups = config.at("n_group");
    shape.topkGroups = config.at("topk_group");
    shape.hasBias = config.at("topk_method") == "noaux_tc";
    return shape;
}

RoutingShape smallShape() {
    RoutingShape shape;
    shape.experts = 8;
    shape.topK = 2;
    shape.groups = 4;
    shape.topkGroups = 2;
    shape.hasBias = true;
    return shape;
}

std::vector<int> chosen(const ChoiceRanking& ranking, int k) {
    return {ranking.order.begin(), ranking.order.begin() + k};
}

TEST(Choice, GoldenIdsInOrder) {
    int rows = 0;
    for (const auto& item : goldenCases()) {
        SCOPED_TRACE(item.at("name").get<std::string>());
        const RoutingShape shape = shapeOf(item.at("config"));
        const Floats bias = item.at("bias").is_null() ? Floats{} : item.at("bias").get<Floats>();
        const auto scores = item.at("scores").get<std::vector<Floats>>();
        for (std::size_t t = 0; t < scores.size(); ++t) {
            SCOPED_TRACE(t);
            const ChoiceRanking ranking = rankChoices(shape, scores[t], bias);
            EXPECT_EQ(chosen(ranking, shape.topK), item.at("ids")[t].get<std::vector<int>>());
            ++rows;
        }
    }
    EXPECT_EQ(rows, 60);
}

TEST(Choice, BiasDecidedIsWhatZeroBiasWouldNotChoose) {
    for (const auto& item : goldenCases()) {
        SCOPED_TRACE(item.at("name").get<std::string>());
        const RoutingShape shape = shapeOf(item.at("config"));
        if (!shape.hasBias) {
            continue;
        }
        const auto bias = item.at("bias").get<Floats>();
        const Floats zero(bias.size(), 0.0F);
        for (const auto& row : item.at("scores")) {
            const auto scores = row.get<Floats>();
            const ChoiceRanking with = rankChoices(shape, scores, bias);
            const ChoiceRanking without = rankChoices(shape, scores, zero);
            int decided = 0;
            for (std::size_t e = 0; e < scores.size(); ++e) {
                EXPECT_EQ(with.experts[e].rankWithoutBias, without.experts[e].rank);
                const bool expected = with.experts[e].chosen && !without.experts[e].chosen;
                EXPECT_EQ(with.experts[e].biasDecided, expected);
                decided += expected ? 1 : 0;
            }
            EXPECT_EQ(with.biasDecided, decided);
            EXPECT_EQ(without.biasDecided, 0);
        }
    }
}

/// Affinities by definition, in double.
std::vector<double> affinities(const std::vector<double>& logits, bool sigmoid) {
    std::vector<double> out;
    double sum = 0;
    const double top = *std::max_element(logits.begin(), logits.end());
    for (const double x : logits) {
        out.push_back(sigmoid ? 1 / (1 + std::exp(-x)) : std::exp(x - top));
        sum += out.back();
    }
    for (double& x : out) {
        x /= sigmoid ? 1 : sum;
    }
    return out;
}

// The whole way of a golden case: logits -> affinities -> choice -> gate weights from s, not s + b.
TEST(Choice, GoldenCasesFromLogitsToWeights) {
    int cases = 0;
    int ties = 0;
    for (const auto& item : goldenCases()) {
        SCOPED_TRACE(item.at("name").get<std::string>());
        const auto& config = item.at("config");
        const RoutingShape shape = shapeOf(config);
        const Floats bias = item.at("bias").is_null() ? Floats{} : item.at("bias").get<Floats>();
        const bool sigmoid = config.at("scoring_func") == "sigmoid";
        const bool normalised = config.at("norm_topk_prob");
        for (std::size_t t = 0; t < item.at("logits").size(); ++t) {
            const auto s = affinities(item.at("logits")[t].get<std::vector<double>>(), sigmoid);
            const auto scores = item.at("scores")[t].get<Floats>();
            for (std::size_t e = 0; e < s.size(); ++e) {
                EXPECT_NEAR(scores[e], s[e], 2e-7);
            }
            const ChoiceRanking ranking = rankChoices(shape, scores, bias);
            ties += ranking.tie || ranking.groupTie ? 1 : 0;
            double sum = 0;
            std::vector<std::uint16_t> ids;
            for (const int e : chosen(ranking, shape.topK)) {
                EXPECT_TRUE(ranking.experts[static_cast<std::size_t>(e)].kept);
                sum += static_cast<double>(scores[static_cast<std::size_t>(e)]);
                ids.push_back(static_cast<std::uint16_t>(e));
            }
            // Softmax weights that are normalised are not scaled (the published V2 code).
            const double scale =
                sigmoid || !normalised ? config.at("routed_scaling_factor").get<double>() : 1.0;
            const double factor = normalised ? scale / (sum + 1e-20) : scale;
            const auto weights = item.at("weights")[t].get<Floats>();
            for (std::size_t j = 0; j < ids.size(); ++j) {
                const double expected = factor * static_cast<double>(scores[ids[j]]);
                EXPECT_NEAR(weights[j], expected, 1e-5 * std::max(1e-6, expected));
            }
            EXPECT_NEAR(weightPerAffinity(scores, ids, weights), factor, 1e-4 * factor);
        }
        // Where scores are exactly equal the case says so, and only there.
        EXPECT_EQ(ties > 0, item.value("ties", false));
        ties = 0;
        ++cases;
    }
    EXPECT_EQ(cases, 14);
}

TEST(Choice, WeightsTakenFromChoiceScoresAreFoundOut) {
    const Floats scores{0.8F, 0.1F, 0.4F, 0.2F};
    const std::vector<std::uint16_t> ids{0, 2};
    EXPECT_NEAR(weightPerAffinity(scores, ids, Floats{2.0F, 1.0F}), 2.5, 1e-6);
    EXPECT_TRUE(std::isnan(weightPerAffinity(scores, ids, Floats{1.8F, 1.2F})));
    EXPECT_TRUE(
        std::isnan(weightPerAffinity(scores, std::vector<std::uint16_t>{0, 9}, Floats{2, 1})));
}

// A second implementation: S_0 and S_0g by brute force over all experts.
std::vector<bool> naiveChoice(const Floats& scores, const std::vector<bool>& allowed, int k) {
    std::vector<bool> out(scores.size());
    for (std::size_t e = 0; e < scores.size(); ++e) {
        int better = 0;
        for (std::size_t f = 0; f < scores.size(); ++f) {
            const bool first = scores[f] > scores[e] || (scores[f] == scores[e] && f < e);
            better += allowed[f] && f != e && first ? 1 : 0;
        }
        out[e] = allowed[e] && better < k;
    }
    return out;
}

TEST(Choice, PartsOfTheBiasBySecondImplementation) {
    int flips = 0;
    int within = 0;
    for (const auto& item : goldenCases()) {
        SCOPED_TRACE(item.at("name").get<std::string>());
        const RoutingShape shape = shapeOf(item.at("config"));
        if (!shape.hasBias) {
            continue;
        }
        const auto bias = item.at("bias").get<Floats>();
        for (const auto& row : item.at("scores")) {
            const auto scores = row.get<Floats>();
            const ChoiceRanking with = rankChoices(shape, scores, bias);
            const ChoiceRanking zero = rankChoices(shape, scores, Floats(scores.size(), 0.0F));
            EXPECT_EQ(with.keptGroupsWithoutBias, zero.keptGroups);
            std::vector<bool> allowed;
            for (const ExpertRank& x : with.experts) {
                allowed.push_back(x.kept);
            }
            const auto fixed = naiveChoice(scores, allowed, shape.topK);
            int outside = 0;
            for (std::size_t e = 0; e < scores.size(); ++e) {
                const ExpertRank& x = with.experts[e];
                const int rank = x.rankWithoutBiasFixedGroups;
                EXPECT_EQ(rank > 0 && rank <= shape.topK, fixed[e]);
                EXPECT_EQ(rank > 0, x.kept);
                const BiasPart part = !x.biasDecided ? BiasPart::None
                                      : fixed[e]     ? BiasPart::GroupFlip
                                                     : BiasPart::InGroup;
                EXPECT_EQ(x.biasPart, part);
                flips += part == BiasPart::GroupFlip ? 1 : 0;
                within += part == BiasPart::InGroup ? 1 : 0;
                outside += x.chosen && !fixed[e] ? 1 : 0;
            }
            EXPECT_EQ(with.biasDecidedFixedGroups, outside);
        }
    }
    EXPECT_GT(flips, 0);
    EXPECT_GT(within, 0);
}

TEST(Choice, AConstantOnAllBiasesChangesNothing) {
    const auto item = goldenCases().at(0);
    const RoutingShape shape = shapeOf(item.at("config"));
    auto bias = item.at("bias").get<Floats>();
    for (const auto& row : item.at("scores")) {
        const auto scores = row.get<Floats>();
        auto moved = bias;
        for (float& b : moved) {
            b += 0.5F;
        }
        EXPECT_EQ(chosen(rankChoices(shape, scores, bias), shape.topK),
                  chosen(rankChoices(shape, scores, moved), shape.topK));
    }
}

// Groups 0..3 score 1.5, 1.3, 1.2 and 0.2 without bias.
TEST(Choice, GroupMarginAndHowTheBiasDecides) {
    const Floats scores{0.8F, 0.7F, 0.7F, 0.6F, 0.9F, 0.3F, 0.1F, 0.1F};
    RoutingShape shape = smallShape();
    const ChoiceRanking zero = rankChoices(shape, scores, Floats(8, 0.0F));
    EXPECT_EQ(zero.keptGroups, (std::vector<int>{0, 1}));
    EXPECT_NEAR(zero.groupMargin, 0.1F, 1e-6F);
    EXPECT_FALSE(zero.groupTie);

    // Group 2 in for group 1: expert 4 comes by the flip alone, 0 stays.
    const ChoiceRanking flip = rankChoices(shape, scores, Floats{0, 0, 0, 0, 0, 0.2F, 0, 0});
    EXPECT_EQ(flip.keptGroups, (std::vector<int>{0, 2}));
    EXPECT_EQ(flip.keptGroupsWithoutBias, (std::vector<int>{0, 1}));
    EXPECT_EQ(chosen(flip, 2), (std::vector<int>{4, 0}));
    EXPECT_EQ(flip.experts[4].biasPart, BiasPart::GroupFlip);
    EXPECT_EQ(flip.biasDecided, 1);
    EXPECT_EQ(flip.biasDecidedFixedGroups, 0);

    // Same groups, expert 3 lifted past 1 and 2: decided within its group.
    const ChoiceRanking inside = rankChoices(shape, scores, Floats{0, 0, 0, 0.15F, 0, 0, 0, 0});
    EXPECT_EQ(inside.experts[3].biasPart, BiasPart::InGroup);
    EXPECT_EQ(inside.experts[3].rankWithoutBiasFixedGroups, 4);
    EXPECT_EQ(inside.biasDecidedFixedGroups, 1);

    shape.topkGroups = 4;
    EXPECT_TRUE(std::isnan(rankChoices(shape, scores, {}).groupMargin));
    EXPECT_FALSE(rankChoices(shape, scores, {}).groupTie);
}

TEST(Choice, TiesAtTheCut) {
    RoutingShape shape = smallShape();
    shape.groups = 1;
    shape.topkGroups = 1;
    const Floats scores{0.5F, 0.9F, 0.5F, 0.1F, 0.2F, 0.3F, 0.1F, 0.0F};
    const ChoiceRanking ranking = rankChoices(shape, scores, {});
    EXPECT_TRUE(ranking.tie);
    EXPECT_EQ(ranking.margin, 0);
    EXPECT_EQ(chosen(ranking, 2), (std::vector<int>{1, 0}));
    Floats bias(8, 0.0F);
    bias[2] = 1e-6F;
    EXPECT_FALSE(rankChoices(shape, scores, bias).tie);
}

TEST(Choice, SumOfTopTwoOrMaximum) {
    // Group 0 has the best single expert, groups 1 and 2 the best pairs.
    const Floats scores{0.9F, 0.0F, 0.5F, 0.45F, 0.5F, 0.44F, 0.1F, 0.1F};
    RoutingShape shape = smallShape();
    ChoiceRanking ranking = rankChoices(shape, scores, Floats(8, 0.0F));
    EXPECT_EQ(ranking.keptGroups, (std::vector<int>{1, 2}));
    EXPECT_FLOAT_EQ(ranking.groupScores[1], 0.95F);
    EXPECT_FALSE(ranking.experts[0].kept);
    EXPECT_EQ(ranking.experts[0].rank, 0);

    shape.hasBias = false;
    ranking = rankChoices(shape, scores, {});
    EXPECT_EQ(ranking.keptGroups, (std::vector<int>{0, 1}));  // 1 and 2 tie: the lower wins
    EXPECT_EQ(chosen(ranking, 2), (std::vector<int>{0, 2}));
}

TEST(Choice, MarginIsLastChosenMinusFirstRunnerUp) {
    const Floats scores{0.1F, 0.2F, 0.7F, 0.6F, 0.5F, 0.1F, 0.0F, 0.0F};
    const ChoiceRanking ranking = rankChoices(smallShape(), scores, Floats(8, 0.0F));
    EXPECT_EQ(ranking.keptGroups, (std::vector<int>{1, 2}));
    EXPECT_FLOAT_EQ(ranking.margin, 0.6F - 0.5F);
    EXPECT_EQ(ranking.experts[4].rank, 3);
    EXPECT_FALSE(ranking.experts[4].chosen);
}

TEST(Choice, NoMarginWhenEveryEligibleExpertIsChosen) {
    RoutingShape shape = smallShape();
    shape.topK = 4;
    const Floats scores{0.1F, 0.2F, 0.7F, 0.6F, 0.5F, 0.1F, 0.0F, 0.0F};
    EXPECT_TRUE(std::isnan(rankChoices(shape, scores, Floats(8, 0.0F)).margin));
}

TEST(Choice, SizesThatDoNotFitAreErrors) {
    const Floats scores(8, 0.5F);
    EXPECT_THROW(rankChoices(smallShape(), Floats(7), {}), Error);
    EXPECT_THROW(rankChoices(smallShape(), scores, Floats(9)), Error);
    for (const auto change : std::initializer_list<void (*)(RoutingShape&)>{
             [](RoutingShape& s) { s.groups = 3; }, [](RoutingShape& s) { s.groups = 0; },
             [](RoutingShape& s) { s.topkGroups = 5; }, [](RoutingShape& s) { s.topkGroups = 0; },
             [](RoutingShape& s) { s.topK = 5; }, [](RoutingShape& s) { s.topK = 0; }}) {
        RoutingShape shape = smallShape();
        change(shape);
        EXPECT_THROW(rankChoices(shape, scores, {}), Error);
    }
}

}  // namespace
}  // namespace gatescope
