// SPDX-License-Identifier: Apache-2.0
#include "engine/model/interventions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "engine/error.h"

namespace gatescope::test {
namespace {

// 4 groups of 4 experts, 2 kept, 4 chosen.
RoutingShape grouped() {
    RoutingShape shape;
    shape.layers = {1, 2, 3, 4};
    shape.mtpLayer = 5;
    shape.totalLayers = 5;
    shape.experts = 16;
    shape.topK = 4;
    shape.groups = 4;
    shape.topkGroups = 2;
    shape.hasBias = true;
    return shape;
}

RoutingShape plain() {
    auto shape = grouped();
    shape.groups = shape.topkGroups = 1;
    shape.hasBias = false;
    return shape;
}

std::string refusal(const RoutingShape& shape, const LayerIntervention& layer) {
    try {
        checkInterventions({{}, {layer}}, shape);
    } catch (const Error& error) {
        return error.what();
    }
    return "accepted";
}

TEST(Interventions, AreDescribedInOneLine) {
    Interventions all{"shadow, gamma 0.001", {}};
    EXPECT_EQ(describe(all), "");
    for (const int layer : {3, 4, 5, 8}) {
        LayerIntervention l{.layer = layer};
        l.biasOff = true;
        if (layer == 4) l.off = {17, 3, 4, 5};
        if (layer == 8) l.forced = {2};
        if (layer > 4) l.topK = 6;
        if (layer == 5) l.topkGroups = 1;
        all.layers.push_back(l);
    }
    EXPECT_EQ(describe(all),
              "bias off in layers 3-5, 8; top-k 6 in layers 5, 8; 1 group kept in layer 5; "
              "experts 3-5, 17 off in layer 4; expert 2 forced in layer 8");
}

TEST(Interventions, DescriptionNamesWhereABiasComesFromAndAllLayers) {
    const auto shape = grouped();
    Interventions all{"shadow, gamma 0.001", {}};
    for (const int layer : shape.layers) {
        LayerIntervention l{.layer = layer};
        l.bias.assign(16, 0.5f);
        all.layers.push_back(l);
    }
    EXPECT_EQ(describe(all, &shape), "bias replaced (shadow, gamma 0.001) in all MoE layers");
    all.layers.push_back({.layer = 5, .topkGroups = 3});
    EXPECT_THAT(describe(all, &shape), testing::EndsWith("; 3 groups kept in layer 5"));
}

TEST(Interventions, EmptyMeansThatNothingIsChanged) {
    EXPECT_TRUE(Interventions{}.empty());
    EXPECT_TRUE((Interventions{"label", {{.layer = 3}}}.empty()));
    EXPECT_FALSE((Interventions{{}, {{.layer = 3, .topK = 4}}}.empty()));
}

TEST(Interventions, WhatDoesNotFitTheModelIsRefusedWithLayerItemAndCause) {
    const auto shape = grouped();
    using L = LayerIntervention;
    EXPECT_EQ(refusal(shape, L{.layer = 0}), "layer 0: the model has no router there");
    EXPECT_EQ(refusal(shape, L{.layer = 6, .off = {1}}), "layer 6: the model has no router there");
    EXPECT_EQ(refusal(shape, L{.layer = 1, .off = {16}}),
              "layer 1: there is no expert 16, only 0 to 15");
    EXPECT_EQ(refusal(shape, L{.layer = 1, .forced = {-1}}),
              "layer 1: there is no expert -1, only 0 to 15");
    EXPECT_EQ(refusal(shape, L{.layer = 1, .off = {2, 2}}), "layer 1: expert 2 is named twice");
    EXPECT_EQ(refusal(shape, L{.layer = 1, .off = {2}, .forced = {2}}),
              "layer 1: expert 2 cannot be both off and forced");
    EXPECT_EQ(refusal(shape, L{.layer = 1, .forced = {0, 1, 2, 3, 4}}),
              "layer 1: 5 experts are forced, but only 4 chosen");
    EXPECT_EQ(refusal(shape, L{.layer = 1, .forced = {0, 4, 8}}),
              "layer 1: the forced experts lie in 3 groups, but only 2 are kept");
    EXPECT_EQ(refusal(shape, L{.layer = 1, .topK = 17}),
              "layer 1: cannot choose 17 experts, only 1 to 16");
    EXPECT_EQ(refusal(shape, L{.layer = 1, .topK = 0}),
              "layer 1: cannot choose 0 experts, only 1 to 16");
    EXPECT_EQ(refusal(shape, L{.layer = 1, .topK = 9}),
              "layer 1: 9 experts are more than the 8 in the kept groups");
    EXPECT_EQ(refusal(shape, L{.layer = 1, .topkGroups = 5}),
              "layer 1: cannot keep 5 groups, only 1 to 4");
    EXPECT_EQ(refusal(shape, L{.layer = 1, .bias = {1, 2}}),
              "layer 1: 2 bias values for 16 experts");
    EXPECT_EQ(refusal(plain(), L{.layer = 1, .biasOff = true}),
              "layer 1: the model has no correction bias to switch off");
    L both{.layer = 1, .biasOff = true};
    both.bias.assign(16, 0.0f);
    EXPECT_EQ(refusal(shape, both), "layer 1: the bias cannot be both off and replaced");
    both.biasOff = false;
    both.bias[3] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(refusal(shape, both),
              "layer 1: the bias of expert 3 is nan, not a number from -1000000 to 1000000");
    EXPECT_THROW(checkInterventions({{}, {{.layer = 1}, {.layer = 1}}}, shape), Error);
}

TEST(Interventions, MoreThan32ChoicesDoNotFitATrace) {
    auto shape = plain();
    shape.experts = 64;
    EXPECT_EQ(refusal(shape, {.layer = 1, .topK = 33}),
              "layer 1: cannot choose 33 experts, only 1 to 32");
    EXPECT_EQ(refusal(shape, {.layer = 1, .topK = 32}), "accepted");
}

TEST(Interventions, EnoughExpertsMustBeLeftInTheGroupsATokenMayKeep) {
    const auto shape = grouped();
    using L = LayerIntervention;
    // Groups 0 and 1 may be the kept ones, with 4 and 1 experts left on: enough is 4.
    EXPECT_EQ(refusal(shape, L{.layer = 1, .off = {1, 2, 3, 5}}), "accepted");
    EXPECT_EQ(refusal(shape, L{.layer = 1, .off = {2, 3, 6, 7}}), "accepted");
    EXPECT_EQ(refusal(shape, L{.layer = 1, .off = {2, 3, 5, 6, 7}}), "accepted")
        << "a group with one expert left on is not kept while three others have two";
    EXPECT_EQ(refusal(shape, L{.layer = 1, .off = {2, 3, 6, 7}, .topK = 5}),
              "layer 1: a token may find only 4 experts left on, fewer than the 5 to choose");
    // A whole group off is never among the kept.
    EXPECT_EQ(refusal(shape, L{.layer = 1, .off = {0, 1, 2, 3}}), "accepted");
    // Three groups off: one of them is kept all the same.
    EXPECT_EQ(refusal(shape, L{.layer = 1, .off = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}),
              "layer 1: a token may find only 3 experts left on, fewer than the 4 to choose");
    // Without groups only the number counts.
    EXPECT_EQ(refusal(plain(), L{.layer = 1, .off = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}}),
              "accepted");
    EXPECT_EQ(refusal(plain(), L{.layer = 1, .off = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}),
              "layer 1: a token may find only 3 experts left on, fewer than the 4 to choose");
}

TEST(Interventions, AForcedExpertAloneInItsGroupTakesThePlaceOfAnOrdinaryGroup) {
    EXPECT_EQ(refusal(grouped(), {.layer = 1, .off = {1, 2, 3}, .forced = {0}, .topkGroups = 1}),
              "layer 1: a token may find only 1 expert left on, fewer than the 4 to choose");
}

TEST(Interventions, TheRunsShapeHasTheLargestKAndAnAgreedNumberOfGroups) {
    const auto shape = grouped();
    Interventions one{{}, {{.layer = 2, .topK = 6, .topkGroups = 3}}};
    EXPECT_EQ(runShape(shape, one).topK, 6);
    EXPECT_EQ(runShape(shape, one).topkGroups, 2);
    one.layers[0].topK = 2;
    EXPECT_EQ(runShape(shape, one).topK, 4);
    Interventions all;
    for (const int layer : {1, 2, 3, 4, 5})
        all.layers.push_back({.layer = layer, .topK = 2, .topkGroups = 1});
    EXPECT_EQ(runShape(shape, all).topK, 2);
    EXPECT_EQ(runShape(shape, all).topkGroups, 1);
    all.layers.pop_back();  // the MTP layer goes on choosing 4
    EXPECT_EQ(runShape(shape, all).topK, 4);
    EXPECT_EQ(runShape(shape, {}).topK, 4);
}

}  // namespace
}  // namespace gatescope::test
