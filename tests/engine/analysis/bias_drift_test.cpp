// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/bias_drift.h"

#include <gmock/gmock.h>

#include <cmath>

#include "engine/checkpoint/safetensors.h"
#include "tests/engine/checkpoint/test_folder.h"

namespace gatescope {
namespace {

using Biases = std::vector<std::vector<float>>;
using test::errorOf;

RoutingShape smallShape() {
    RoutingShape shape;
    shape.layers = {3};
    shape.mtpLayer = 4;
    shape.totalLayers = 4;
    shape.experts = 4;
    shape.topK = 1;
    shape.hasBias = true;
    return shape;
}

TEST(BiasDrift, AConstantIsNoDrift) {
    const Biases reference{{0.5F, 0.25F, 0, 0.125F}, {1, 2, 3, 4}};
    Biases shifted = reference;
    for (float& b : shifted[0]) {
        b += 8;
    }
    const BiasDrift drift = biasDrift(smallShape(), shifted, reference);
    ASSERT_EQ(drift.rows.size(), 2U);
    EXPECT_EQ(drift.rows[0].difference, std::vector<double>(4, 0.0));
    EXPECT_EQ(drift.rows[0].shift, 8);
    EXPECT_EQ(drift.rows[0].largest, 0);
    EXPECT_EQ(drift.rows[0].rms, 0);
    EXPECT_EQ(drift.rows[0].rankCorrelation, 1);
    EXPECT_EQ(drift.rows[0].layer, 3);
    EXPECT_EQ(drift.rows[1].layer, 4);
    EXPECT_TRUE(drift.rows[1].mtp);
}

TEST(BiasDrift, ByHand) {
    const BiasDrift drift =
        biasDrift(smallShape(), {{4, 0, 0, 0}, {4, 3, 2, 1}}, {{0, 0, 0, 0}, {1, 2, 3, 4}});
    EXPECT_EQ(drift.rows[0].difference, (std::vector<double>{3, -1, -1, -1}));
    EXPECT_EQ(drift.rows[0].largest, 3);
    EXPECT_DOUBLE_EQ(drift.rows[0].rms, std::sqrt(3.0));
    EXPECT_TRUE(std::isnan(drift.rows[0].rankCorrelation));  // one side is constant
    EXPECT_EQ(drift.rows[1].rankCorrelation, -1);
    EXPECT_THROW(biasDrift(smallShape(), {{1, 2, 3, 4}}, {{1, 2, 3, 4}}), Error);
}

TEST(BiasDrift, RankCorrelationWithTies) {
    EXPECT_DOUBLE_EQ(rankCorrelation({1, 2, 3, 4, 5}, {5, 6, 7, 8, 7}), 0.8207826816681233);
    EXPECT_DOUBLE_EQ(rankCorrelation({1, 10, 100}, {-3, -2, -1}), 1);
    EXPECT_TRUE(std::isnan(rankCorrelation({1}, {1})));
    EXPECT_TRUE(std::isnan(rankCorrelation({1, 2}, {1, 2, 3})));
}

TEST(BiasDrift, ReadsTheBiasesOfAFolder) {
    const RouterBiases biases = readRouterBiases(test::goldenDir() / "ckpt" / "v3-mini");
    ASSERT_EQ(biases.byRow.size(), 4U);
    const SafetensorsFile golden(test::goldenDir() / "golden" / "v3-mini" / "golden.safetensors");
    for (std::size_t row = 0; row < 4; ++row) {
        const TensorView* view = golden.find("moe." + std::to_string(row + 1) + ".bias");
        ASSERT_NE(view, nullptr);
        EXPECT_EQ(
            test::bytesOf(biases.byRow[row]),
            std::string(reinterpret_cast<const char*>(view->bytes.data()), view->bytes.size()));
    }
    const BiasDrift same = checkpointDrift(biases.shape, biases.byRow, biases);
    for (const BiasDriftRow& row : same.rows) {
        EXPECT_EQ(row.largest, 0);
    }
}

TEST(BiasDrift, ModelsThatCannotBeComparedAreErrors) {
    using testing::HasSubstr;
    const RouterBiases mini = readRouterBiases(test::goldenDir() / "ckpt" / "v3-mini");
    const RouterBiases demo = readRouterBiases(GATESCOPE_DEMO_MODEL_DIR);
    EXPECT_THAT(errorOf([&] { checkpointDrift(demo.shape, demo.byRow, mini); }),
                HasSubstr("16 experts per layer, this model 32"));
    RouterBiases fewer = demo;
    fewer.shape.layers.pop_back();
    EXPECT_THAT(errorOf([&] { checkpointDrift(demo.shape, demo.byRow, fewer); }),
                HasSubstr("4 routers and an MTP router, this model 5"));
    EXPECT_THAT(errorOf([&] { readRouterBiases(test::goldenDir() / "ckpt" / "v2-lite"); }),
                HasSubstr("no correction bias"));
    EXPECT_THROW(readRouterBiases(test::goldenDir() / "no-such-folder"), Error);
}

}  // namespace
}  // namespace gatescope
