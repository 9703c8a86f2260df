// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/token_overlap.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/error.h"

namespace gatescope {
namespace {

RoutingShape shape() {
    RoutingShape out;
    out.layers = {1, 3};
    out.mtpLayer = 4;
    out.totalLayers = 4;
    out.experts = 16;
    out.topK = 2;
    return out;
}

RoutedToken token(std::vector<std::uint16_t> experts, std::vector<float> weights) {
    RoutedToken out;
    out.routing.experts = std::move(experts);
    out.routing.weights = std::move(weights);
    out.routing.margins = {0, 0};
    out.routing.biasDecided = {0, 0};
    return out;
}

TEST(TokenOverlap, ByHand) {
    // Layer 1: expert 5 shared, 0.5 and 0.25 of it; layer 3: nothing shared.
    const auto a = token({5, 2, 0, 1}, {0.5F, 0.5F, 0.75F, 0.25F});
    const auto b = token({7, 5, 9, 8}, {0.75F, 0.25F, 0.5F, 0.5F});
    const TokenOverlap overlap = tokenOverlap(shape(), a, b);
    ASSERT_EQ(overlap.layers.size(), 2u);
    EXPECT_EQ(overlap.layers[0].layer, 1);
    EXPECT_EQ(overlap.layers[0].shared, 1);
    EXPECT_EQ(overlap.layers[0].share, 0.5);
    EXPECT_EQ(overlap.layers[0].massMoved, 0.75);  // (0.25 + 0.5 + 0.75) / 2
    EXPECT_EQ(overlap.layers[0].mass, 1);
    EXPECT_EQ(overlap.layers[1].layer, 3);
    EXPECT_EQ(overlap.layers[1].shared, 0);
    EXPECT_EQ(overlap.layers[1].massMoved, 1);
    EXPECT_EQ(overlap.meanShare, 0.25);
    EXPECT_EQ(overlap.meanMassMoved, 0.875);
    EXPECT_EQ(overlap.meanMass, 1);
    EXPECT_EQ(overlap.chance, 2.0 / 16);
}

TEST(TokenOverlap, ATokenWithItself) {
    const auto a = token({5, 2, 0, 1}, {0.5F, 0.25F, 0.75F, 0.25F});
    const TokenOverlap overlap = tokenOverlap(shape(), a, a);
    EXPECT_EQ(overlap.meanShare, 1);
    EXPECT_EQ(overlap.meanMassMoved, 0);
}

TEST(TokenOverlap, IsSymmetric) {
    const auto a = token({5, 2, 0, 1}, {0.5F, 0.5F, 0.75F, 0.25F});
    const auto b = token({7, 5, 1, 8}, {0.75F, 0.25F, 0.5F, 0.5F});
    const auto one = tokenOverlap(shape(), a, b);
    const auto other = tokenOverlap(shape(), b, a);
    EXPECT_EQ(one.meanShare, other.meanShare);
    EXPECT_EQ(one.meanMassMoved, other.meanMassMoved);
}

TEST(TokenOverlap, SlotsWithoutAnExpertAreNoChoice) {
    const auto a = token({5, 0xFFFF, 0, 1}, {1, 0, 0.75F, 0.25F});
    const auto b = token({5, 0xFFFF, 0, 0xFFFF}, {1, 0, 1, 0});
    const TokenOverlap overlap = tokenOverlap(shape(), a, b);
    EXPECT_EQ(overlap.layers[0].chosen, 1);
    EXPECT_EQ(overlap.layers[0].share, 1);
    EXPECT_EQ(overlap.layers[1].share, 0.5);
    EXPECT_EQ(overlap.layers[1].massMoved, 0.25);
}

TEST(TokenOverlap, WithoutLayersThereIsNoMean) {
    RoutingShape none = shape();
    none.layers.clear();
    EXPECT_TRUE(std::isnan(tokenOverlap(none, token({}, {}), token({}, {})).meanShare));
}

TEST(TokenOverlap, DamagedRoutingIsAnError) {
    const auto good = token({5, 2, 0, 1}, {1, 1, 1, 1});
    EXPECT_THROW(tokenOverlap(shape(), good, token({5, 2}, {1, 1})), Error);
    EXPECT_THROW(tokenOverlap(shape(), good, token({5, 2, 0, 1}, {1, 1, 1})), Error);
    EXPECT_THROW(tokenOverlap(shape(), token({5, 2, 0, 16}, {1, 1, 1, 1}), good), Error);
    EXPECT_THROW(tokenOverlap(shape(), good, token({5, 5, 0, 1}, {1, 1, 1, 1})), Error);
}

}  // namespace
}  // namespace gatescope
