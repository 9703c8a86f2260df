// SPDX-License-Identifier: Apache-2.0
#include "engine/model/expert_placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/checkpoint/checkpoint.h"
#include "engine/error.h"
#include "engine/model/random_weights.h"

namespace gatescope {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

ModelBytes threeLayers() {
    return {.rest = 4 * kGiB, .experts = {10 * kGiB, 10 * kGiB, 10 * kGiB}};
}

int choose(std::uint64_t freeGiB, std::optional<int> wanted = {}) {
    return chooseHostLayers(threeLayers(), {freeGiB * kGiB, 80 * kGiB}, kGiB, wanted, "cuda:0");
}

std::string problem(std::uint64_t freeGiB, std::optional<int> wanted = {}) {
    try {
        choose(freeGiB, wanted);
    } catch (const Error& error) {
        return error.what();
    }
    return {};
}

TEST(ExpertPlacement, AsFewLayersAsPossibleStayOnTheHost) {
    EXPECT_EQ(choose(80), 0);
    EXPECT_EQ(choose(35), 0);  // 4 + 30 + 1 reserved
    EXPECT_EQ(choose(34), 1);
    EXPECT_EQ(choose(15), 2);
    EXPECT_EQ(choose(5), 3);
}

TEST(ExpertPlacement, TheUsersChoiceIsKeptWhereItFits) {
    EXPECT_EQ(choose(80, 2), 2);
    EXPECT_EQ(choose(25, 1), 1);
}

TEST(ExpertPlacement, WhatDoesNotFitSaysHowMuchIsNeededAndWhatWouldFit) {
    EXPECT_THAT(problem(24, 0), AllOf(HasSubstr("35.0 GiB needed"), HasSubstr("24.0 GiB free"),
                                      HasSubstr("--experts-on-cpu 2")));
    EXPECT_THAT(problem(4), AllOf(HasSubstr("5.0 GiB needed with all routed experts on the cpu"),
                                  HasSubstr("4.0 GiB free")));
    EXPECT_THAT(problem(80, 4), HasSubstr("3 MoE layers"));
}

TEST(ExpertPlacement, TheMtpLayerGoesFirstThenTheLastLayers) {
    const auto config = namedShape("deepseek-v3", 6);  // layers 3 to 5 and the MTP layer 6
    const auto host = [&](int layers) {
        std::vector<int> kept;
        for (int layer = 0; layer <= 6; ++layer)
            if (ExpertPlacement{layers, nullptr}.keepsOnHost(config, layer)) kept.push_back(layer);
        return kept;
    };
    EXPECT_EQ(host(0), std::vector<int>{});
    EXPECT_EQ(host(1), std::vector<int>{6});
    EXPECT_EQ(host(2), (std::vector<int>{5, 6}));
    EXPECT_EQ(host(4), (std::vector<int>{3, 4, 5, 6}));
}

// A V3 expert: three matrices of 7168 x 2048 bytes and a float for each of their 56 x 16 blocks.
TEST(ExpertPlacement, BytesOfTheV3ShapeAreThoseOfItsTensors) {
    const RandomWeights weights(namedShape("deepseek-v3", 4), DType::F8E4M3);
    const auto bytes = modelBytes(weights);
    const std::uint64_t expert = 3 * (7168 * 2048 + 56 * 16 * 4);
    EXPECT_EQ(bytes.experts, (std::vector<std::uint64_t>{256 * expert, 256 * expert}));
    EXPECT_EQ(bytes.total(), weights.weightBytes());
}

TEST(ExpertPlacement, BytesOfACheckpointAreThoseOfItsMatrices) {
    const Checkpoint checkpoint(GATESCOPE_GOLDEN_DIR "/ckpt/v3-fp8");
    const auto bytes = modelBytes(checkpoint);
    EXPECT_LE(bytes.total(), checkpoint.weightBytes());
    // Norms and biases are all that is missing.
    EXPECT_GT(bytes.total(), checkpoint.weightBytes() * 95 / 100);
}

}  // namespace
}  // namespace gatescope
