// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "engine/session/settings_json.h"

namespace gatescope {
namespace {

GenerationParams intervened() {
    auto all = std::make_shared<Interventions>();
    all->biasLabel = "shadow, gamma 0.001";
    LayerIntervention first{.layer = 3, .off = {17, 2}, .forced = {5}, .topK = 6};
    first.bias = {0.1f, -0.25f, 1e-7f, 3.4028e5f};
    all->layers.push_back(first);
    all->layers.push_back({.layer = 61, .topkGroups = 2, .biasOff = true});
    GenerationParams params;
    params.interventions = all;
    return params;
}

TEST(InterventionSettings, AreReadBackToTheBit) {
    const auto params = intervened();
    const auto back = settingsFromJson(settingsToJson(params));
    ASSERT_TRUE(back.interventions);
    EXPECT_EQ(*back.interventions, *params.interventions);
}

TEST(InterventionSettings, LabelTheRunForWhoeverReadsTheFile) {
    const auto json = nlohmann::json::parse(settingsToJson(intervened()));
    EXPECT_EQ(
        json["interventions"]["description"],
        "bias off in layer 61; bias replaced (shadow, gamma 0.001) in layer 3; top-k 6 in "
        "layer 3; 2 groups kept in layer 61; experts 2, 17 off in layer 3; expert 5 forced in "
        "layer 3");
    EXPECT_EQ(json["interventions"]["layers"][1]["topk_groups"], 2);
}

TEST(InterventionSettings, AreAbsentWithoutAny) {
    GenerationParams params;
    EXPECT_FALSE(nlohmann::json::parse(settingsToJson(params)).contains("interventions"));
    params.interventions = std::make_shared<const Interventions>();
    EXPECT_FALSE(nlohmann::json::parse(settingsToJson(params)).contains("interventions"));
    EXPECT_FALSE(settingsFromJson("{}").interventions);
}

TEST(InterventionSettings, WrongOnesAreRefused) {
    EXPECT_THROW(settingsFromJson(R"({"interventions": {"layers": [{"off": [1]}]}})"), Error);
    EXPECT_THROW(settingsFromJson(R"({"interventions": {"layers": [{"layer": "x"}]}})"), Error);
    EXPECT_THROW(settingsFromJson(R"({"interventions": 3})"), Error);
}

TEST(InterventionSettings, ALabelOfAnyBytesCanBeStored) {
    auto all = std::make_shared<Interventions>(*intervened().interventions);
    all->biasLabel = "caf\xE9";
    GenerationParams params;
    params.interventions = all;
    EXPECT_EQ(settingsFromJson(settingsToJson(params)).interventions->biasLabel, "caf\xEF\xBF\xBD");
}

}  // namespace
}  // namespace gatescope
