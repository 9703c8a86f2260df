// SPDX-License-Identifier: Apache-2.0
// What is counted while a model runs, against the model itself.
#include "engine/analysis/traffic_analysis.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/analysis/choice.h"
#include "engine/decode/generator.h"
#include "engine/model/router.h"
#include "tests/engine/model/golden.h"

namespace gatescope::test {
namespace {

struct Counted final : GenerationSink {
    explicit Counted(const Decoder& decoder)
        : analysis(decoder.routingShape(), routerBiasByRow(decoder),
                   {.gamma = 0.01, .batchTokens = 8}) {}
    void onStep(const StepTrace& step) override {
        analysis.add(step);
        steps.push_back(step);
    }
    TrafficAnalysis analysis;
    std::vector<StepTrace> steps;
};

GenerationParams sampled() {
    GenerationParams params;
    params.maxNewTokens = 40;
    params.sampling = {.temperature = 1.0f, .seed = 3};
    params.keepScores = true;
    params.speculate = Speculate::Mtp;
    return params;
}

class TrafficOfMini : public testing::Test {
  protected:
    GoldenModel model{"v3-mini"};
};

TEST_F(TrafficOfMini, CountingAndTheShadowChangeNoToken) {
    Counted counted(model.decoder);
    const auto with = generate(model.decoder, nullptr, model.tokens("p40"), sampled(), counted);
    EXPECT_GT(counted.analysis.shadow().value().rows.front().batches, 0);
    model.decoder.truncate(0);
    GenerationSink ignored;
    GenerationParams params = sampled();
    params.record = false;
    params.keepScores = false;
    const auto without = generate(model.decoder, nullptr, model.tokens("p40"), params, ignored);
    EXPECT_EQ(with.ids, without.ids);
}

TEST_F(TrafficOfMini, CountsSumToTokensTimesK) {
    Counted counted(model.decoder);
    generate(model.decoder, nullptr, model.tokens("p40"), sampled(), counted);
    const RoutingLoad& load = counted.analysis.load().load();
    for (int row = 0; row < load.rows(); ++row) {
        for (const unsigned mask : {kDefaultPhases, kAllTokens}) {
            std::int64_t sum = 0;
            for (int expert = 0; expert < load.shape.experts; ++expert) {
                sum += load.count(row, expert, mask);
            }
            EXPECT_GT(sum, 0);
            EXPECT_EQ(sum, load.tokens(row, mask) * load.shape.topK) << "row " << row;
        }
    }
}

/// No choice outside the kept groups, and gate weights in the proportions of s, not of s + b.
TEST_F(TrafficOfMini, ChoicesFollowThePublishedRules) {
    Counted counted(model.decoder);
    generate(model.decoder, nullptr, model.tokens("p40"), sampled(), counted);
    const RoutingShape& shape = model.decoder.routingShape();
    const auto bias = routerBiasByRow(model.decoder);
    const auto k = static_cast<std::size_t>(shape.topK);
    const auto experts = static_cast<std::size_t>(shape.experts);
    for (const StepTrace& step : counted.steps) {
        for (const RoutedToken& token : step.tokens) {
            for (std::size_t row = 0; row < shape.layers.size(); ++row) {
                const std::span<const float> scores =
                    std::span(*token.routing.scores).subspan(row * experts, experts);
                const ChoiceRanking ranking = rankChoices(shape, scores, bias[row]);
                const double scale = static_cast<double>(token.routing.weights[row * k]) /
                                     static_cast<double>(scores[token.routing.experts[row * k]]);
                for (std::size_t j = 0; j < k; ++j) {
                    const std::size_t expert = token.routing.experts[row * k + j];
                    EXPECT_TRUE(ranking.experts[expert].kept);
                    EXPECT_NEAR(token.routing.weights[row * k + j],
                                scale * static_cast<double>(scores[expert]), 1e-6);
                }
            }
        }
    }
}

TEST_F(TrafficOfMini, WithoutABiasNothingIsSaidOfOne) {
    TrafficAnalysis analysis(model.decoder.routingShape(), {});
    EXPECT_FALSE(analysis.knowsBias());
    EXPECT_TRUE(analysis.bias().value().rows.empty());
}

TEST(TrafficAnalysis, AModelWithoutExpertsCountsNothing) {
    TrafficAnalysis analysis(RoutingShape{}, {});
    EXPECT_EQ(analysis.relations(), nullptr);
    analysis.add(StepTrace{});
    EXPECT_EQ(analysis.load().load().rows(), 0);
}

}  // namespace
}  // namespace gatescope::test
