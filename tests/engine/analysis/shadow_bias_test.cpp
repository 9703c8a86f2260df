// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/shadow_bias.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/error.h"

namespace gatescope {
namespace {

using Biases = std::vector<std::vector<float>>;

RoutingShape shapeWith(int experts, int topK) {
    RoutingShape shape;
    shape.layers = {1, 2, 3};
    shape.mtpLayer = 4;
    shape.totalLayers = 4;
    shape.experts = experts;
    shape.topK = topK;
    shape.hasBias = true;
    return shape;
}

/// A position that chose the same experts in every row.
RoutedToken chose(std::vector<std::uint16_t> experts, std::size_t rows,
                  Phase phase = Phase::Decode) {
    RoutedToken token;
    token.phase = phase;
    for (std::size_t row = 0; row < rows; ++row) {
        token.routing.experts.insert(token.routing.experts.end(), experts.begin(), experts.end());
    }
    token.routing.weights.assign(token.routing.experts.size(), 0.25F);
    token.routing.margins.assign(rows, 0.0F);
    token.routing.biasDecided.assign(rows, 0);
    return token;
}

/// Choices of one batch, in any order: `load[e]` times expert e.
std::vector<std::uint16_t> choicesOf(const nlohmann::json& load) {
    std::vector<std::uint16_t> out;
    for (std::size_t e = 0; e < load.size(); ++e) {
        out.insert(out.end(), load[e].get<std::size_t>(), static_cast<std::uint16_t>(e));
    }
    return out;
}

TEST(ShadowBias, GoldenOpenLoop) {
    std::ifstream file(GATESCOPE_GOLDEN_DIR "/routing.json");
    const auto golden = nlohmann::json::parse(file);
    const RoutingShape shape = shapeWith(16, 4);
    const auto& loop = golden.at("open_loop");
    Biases biases;
    for (const int layer : shape.layers) {
        biases.push_back(loop.at(std::to_string(layer)).at("bias_start").get<std::vector<float>>());
    }
    biases.push_back(biases[0]);
    ShadowBias shadow(shape, biases,
                      {golden.at("gamma").get<double>(), golden.at("batch_tokens").get<int>()});
    const auto batch = [&](std::size_t row, std::size_t b) -> const nlohmann::json& {
        return loop.at(std::to_string(shape.layers[row])).at("batches")[b];
    };
    const std::size_t batches = loop.at("1").at("batches").size();
    for (std::size_t b = 0; b < batches; ++b) {
        std::vector<std::vector<std::uint16_t>> choices;
        for (std::size_t row = 0; row < 3; ++row) {
            choices.push_back(choicesOf(batch(row, b).at("load")));
            ASSERT_EQ(choices.back().size(), 40U);
        }
        for (std::size_t t = 0; t < 10; ++t) {
            RoutedToken token = chose({0, 0, 0, 0}, 3);
            for (std::size_t i = 0; i < 12; ++i) {
                token.routing.experts[i] = choices[i / 4][t * 4 + i % 4];
            }
            shadow.add(token, false);
        }
    }
    const ShadowValue value = shadow.value();
    for (std::size_t row = 0; row < 3; ++row) {
        const ShadowRow& out = value.rows[row];
        ASSERT_EQ(out.history.size(), batches + 1);  // the start, then every batch
        EXPECT_EQ(out.tokens, 150);
        for (std::size_t b = 0; b < batches; ++b) {
            const ShadowPoint& point = out.history[b + 1];
            EXPECT_EQ(point.batches, static_cast<std::int64_t>(b) + 1);
            EXPECT_NEAR(point.maxVio, batch(row, b).at("max_vio").get<double>(), 1e-9);
            for (std::size_t e = 0; e < 16; ++e) {
                EXPECT_NEAR(static_cast<double>((*point.bias)[e]),
                            batch(row, b).at("bias_after")[e].get<double>(), 1e-6);
            }
        }
        EXPECT_LT(out.loadCorrelation, -0.5);  // it pushes against the load
        EXPECT_EQ(shadow.bias()[row], out.bias);
    }
    EXPECT_EQ(value.rows[3].batches, 0);
    EXPECT_TRUE(std::isnan(value.rows[3].maxVio));
    EXPECT_TRUE(std::isnan(value.rows[3].loadCorrelation));
}

TEST(ShadowBias, DirectionByHand) {
    const RoutingShape shape = shapeWith(4, 2);
    ShadowBias shadow(shape, Biases(4, {0.5F, 0.5F, 0.5F, 0.5F}), {0.25, 2});
    shadow.add(chose({0, 1}, 3), false);
    EXPECT_EQ(shadow.value().rows[0].pending, 1);
    EXPECT_EQ(shadow.value().rows[0].batches, 0);
    EXPECT_EQ(shadow.value().rows[0].largest, 0);
    shadow.add(chose({0, 2}, 3), false);  // loads 2 1 1 0, mean 1
    const ShadowRow row = shadow.value().rows[0];
    EXPECT_EQ(row.delta, (std::vector<double>{-0.25, 0, 0, 0.25}));
    EXPECT_EQ(row.raised, 1);
    EXPECT_EQ(row.lowered, 1);
    EXPECT_EQ(row.largest, 0.25);
    EXPECT_EQ(row.maxVio, 1);
    EXPECT_EQ(row.meanBatchMaxVio, 1);
    EXPECT_EQ(row.loadCorrelation, -1);
    EXPECT_EQ(row.pending, 0);
}

TEST(ShadowBias, MeanCentredLeavesTheMean) {
    const RoutingShape shape = shapeWith(4, 1);
    const Biases start(4, {1.0F, 0.0F, 0.0F, 0.0F});
    ShadowBias raw(shape, start, {0.5, 1, false});
    ShadowBias centred(shape, start, {0.5, 1, true});
    for (ShadowBias* shadow : {&raw, &centred}) {
        shadow->add(chose({2}, 3), false);
    }
    const auto a = raw.bias()[0];
    const auto b = centred.bias()[0];
    EXPECT_EQ(b, (std::vector<float>{1.25F, 0.25F, -0.75F, 0.25F}));
    for (std::size_t e = 0; e < 4; ++e) {
        EXPECT_EQ(a[e] - b[e], 0.25F);
    }
}

TEST(ShadowBias, WhatTrainingNeverSeesDoesNotCount) {
    const RoutingShape shape = shapeWith(4, 1);
    ShadowBias shadow(shape, Biases(4, std::vector<float>(4, 0.0F)), {0.5, 1});
    RoutedToken token = chose({1}, 3, Phase::Prefill);
    token.special = true;
    shadow.add(token, false);
    shadow.add(chose({1}, 3, Phase::Rejected), false);
    EXPECT_EQ(shadow.value().rows[0].batches, 0);
    StepTrace step;
    step.tokens.push_back(chose({1}, 3, Phase::Prefill));
    step.tokens.push_back(chose({1}, 3, Phase::Decode));
    step.mtp.push_back(chose({1}, 1, Phase::Draft));
    shadow.add(step);
    EXPECT_EQ(shadow.value().rows[0].batches, 2);
    EXPECT_EQ(shadow.value().rows[3].batches, 1);
    EXPECT_TRUE(shadow.value().rows[3].mtp);
    EXPECT_EQ(shadow.value().rows[3].layer, 4);
}

TEST(ShadowBias, TheHistoryStaysBoundedAndEndsWithNow) {
    const RoutingShape shape = shapeWith(4, 1);
    ShadowBias shadow(shape, Biases(4, std::vector<float>(4, 0.0F)), {0.001, 1});
    for (int t = 1; t <= 1000; ++t) {
        shadow.add(chose({static_cast<std::uint16_t>(t % 3)}, 3), false);
        const auto history = shadow.value().rows[1].history;
        ASSERT_LE(history.size(), kShadowPoints);
        ASSERT_EQ(history.front().batches, 0);
        ASSERT_EQ(history.back().batches, t);
        for (std::size_t i = 1; i < history.size(); ++i) {
            ASSERT_LT(history[i - 1].batches, history[i].batches);
        }
    }
    EXPECT_GT(shadow.value().rows[1].history.size(), kShadowPoints / 3);
}

TEST(ShadowBias, WithoutBiasOrWithBadInput) {
    RoutingShape shape = shapeWith(4, 1);
    const Biases biases(4, std::vector<float>(4, 0.0F));
    EXPECT_THROW(ShadowBias(shape, biases, {-1, 1}), Error);
    EXPECT_THROW(ShadowBias(shape, biases, {std::nan(""), 1}), Error);
    EXPECT_THROW(ShadowBias(shape, biases, {0.001, 0}), Error);
    EXPECT_THROW(ShadowBias(shape, {}, {}), Error);
    ShadowBias shadow(shape, biases, {});
    EXPECT_THROW(shadow.add(chose({4}, 3), false), Error);
    EXPECT_THROW(shadow.add(chose({1}, 2), false), Error);
    shape.hasBias = false;
    ShadowBias none(shape, {}, {});
    none.add(chose({1}, 3), false);
    EXPECT_TRUE(none.value().rows.empty());
}

}  // namespace
}  // namespace gatescope
