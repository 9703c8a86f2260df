// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/choice.h"

#include <gtest/gtest.h>

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
