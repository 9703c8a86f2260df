// SPDX-License-Identifier: Apache-2.0
#include "engine/report/placement_formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "engine/error.h"

namespace gatescope::test {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

/// Every expert once, then copies of any, in any order.
Placement arbitrary(int layers, int experts, int slots, int gpus) {
    Placement placement;
    placement.layers = layers;
    placement.experts = experts;
    placement.slots = slots;
    placement.gpus = gpus;
    std::mt19937 random(7);
    for (int layer = 0; layer < layers; ++layer) {
        std::vector<std::int32_t> row;
        for (int slot = 0; slot < slots; ++slot) {
            row.push_back(slot < experts ? slot : static_cast<int>(random() % experts));
        }
        std::shuffle(row.begin(), row.end(), random);
        placement.physicalToLogical.insert(placement.physicalToLogical.end(), row.begin(),
                                           row.end());
    }
    return placement;
}

/// The main layers of DeepSeek-V3: 3 dense, 58 with experts.
PlacedLayers v3Layers() {
    PlacedLayers layers;
    layers.total = 61;
    for (int layer = 3; layer < 61; ++layer) layers.layers.push_back(layer);
    return layers;
}

std::vector<std::int32_t> rowOf(const Placement& placement, int row) {
    const auto experts = placement.row(row);
    return {experts.begin(), experts.end()};
}

class Formats : public testing::TestWithParam<PlacementTarget> {};
INSTANTIATE_TEST_SUITE_P(All, Formats,
                         testing::Values(PlacementTarget::Eplb, PlacementTarget::Sglang,
                                         PlacementTarget::TensorRtLlm, PlacementTarget::Vllm,
                                         PlacementTarget::VllmAscend));

TEST_P(Formats, AreReadAgainAsTheyWereWritten) {
    const Placement placement = arbitrary(58, 256, 288, 32);
    const std::string bytes = placementFile(GetParam(), placement, v3Layers());
    EXPECT_EQ(readPlacement(bytes, "p", v3Layers(), 256, 32, 1), placement);
}

TEST_P(Formats, NothingCutShortIsTaken) {
    const Placement placement = arbitrary(3, 8, 12, 4);
    const PlacedLayers layers{{1, 2, 3}, 4};
    const std::string bytes = placementFile(GetParam(), placement, layers);
    for (std::size_t size = 0; size + 3 < bytes.size(); ++size) {
        EXPECT_THROW(readPlacement(std::string_view(bytes).substr(0, size), "p", layers, 8, 4, 1),
                     Error)
            << size;
    }
}

TEST_P(Formats, OtherModelsAreRefused) {
    const PlacedLayers layers{{1, 2, 3}, 4};
    const std::string bytes = placementFile(GetParam(), arbitrary(3, 8, 12, 4), layers);
    EXPECT_THROW(readPlacement(bytes, "p", layers, 7, 4, 1), Error);  // an expert 7 of 7
    EXPECT_THROW(readPlacement(bytes, "p", layers, 9, 4, 1), Error);  // no expert 8
    EXPECT_THROW(readPlacement(bytes, "p", layers, 8, 5, 1), Error);  // 12 slots on 5 GPUs
    EXPECT_THROW(readPlacement(bytes, "p", {{1, 2, 3, 4}, 5}, 8, 4, 1), Error);
}

// What each engine calls a layer: a shift by the three dense ones would ruin a placement silently.
TEST(PlacementLayers, SglangHasAllLayersWithDenseOnesInPlace) {
    const Placement placement = arbitrary(58, 256, 288, 32);
    const Json json = Json::parse(placementFile(PlacementTarget::Sglang, placement, v3Layers()));
    ASSERT_EQ(json.size(), 1U);  // it becomes keyword arguments: one more is a TypeError there
    const Json& map = json.at("physical_to_logical_map");
    ASSERT_EQ(map.size(), 61U);
    for (int layer = 0; layer < 61; ++layer) {
        const auto row = map.at(static_cast<std::size_t>(layer)).get<std::vector<std::int32_t>>();
        ASSERT_EQ(row.size(), 288U);
        if (layer >= 3) {
            EXPECT_EQ(row, rowOf(placement, layer - 3));
            continue;
        }
        for (std::int32_t slot = 0; slot < 288; ++slot) {
            EXPECT_EQ(row[static_cast<std::size_t>(slot)], slot % 256);
        }
    }
}

TEST(PlacementLayers, TensorRtLlmCountsFromTheModelsFirstLayer) {
    const Placement placement = arbitrary(58, 256, 288, 32);
    const std::string text = placementFile(PlacementTarget::TensorRtLlm, placement, v3Layers());
    EXPECT_THAT(text, HasSubstr("num_slots: 288\n"));
    EXPECT_THAT(text, HasSubstr("layer_updates_per_iter: 0\n"));
    EXPECT_THAT(text, HasSubstr(fmt::format("\n  3: [{}, ", placement.row(0)[0])));
    EXPECT_THAT(text, HasSubstr(fmt::format("\n  60: [{}, ", placement.row(57)[0])));
    EXPECT_THAT(text, testing::Not(HasSubstr("\n  0:")));
}

TEST(PlacementLayers, VllmHasTheLayersWithExpertsOnly) {
    const Placement placement = arbitrary(58, 256, 288, 32);
    const Json json = Json::parse(placementFile(PlacementTarget::Vllm, placement, v3Layers()));
    ASSERT_EQ(json.size(), 58U);
    EXPECT_EQ(json[0].get<std::vector<std::int32_t>>(), rowOf(placement, 0));
    const Json ascend =
        Json::parse(placementFile(PlacementTarget::VllmAscend, placement, v3Layers()));
    EXPECT_EQ(ascend.at("moe_layer_count"), 58);
    EXPECT_EQ(ascend.at("layer_list").at(0).at("device_count"), 32);
    const Json& device = ascend.at("layer_list").at(57).at("device_list").at(31);
    EXPECT_EQ(device.at("device_id"), 31);
    const auto last = placement.gpuRow(57, 31);
    EXPECT_EQ(device.at("device_expert").get<std::vector<std::int32_t>>(),
              std::vector<std::int32_t>(last.begin(), last.end()));
}

TEST(PlacementLayers, EplbIsANumpyMatrixOfInt64) {
    const Placement placement = arbitrary(2, 4, 6, 2);
    const std::string bytes = placementFile(PlacementTarget::Eplb, placement, {{0, 1}, 2});
    EXPECT_EQ(bytes.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
    EXPECT_THAT(bytes, HasSubstr("{'descr': '<i8', 'fortran_order': False, 'shape': (2, 6), }"));
    const auto length =
        static_cast<unsigned char>(bytes[8]) + 256U * static_cast<unsigned char>(bytes[9]);
    EXPECT_EQ((10 + length) % 64, 0U);
    EXPECT_EQ(bytes[9 + length], '\n');
    ASSERT_EQ(bytes.size(), 10 + length + 2 * 6 * 8);
    for (std::size_t i = 0; i < 12; ++i) {
        EXPECT_EQ(bytes[10 + length + 8 * i], placement.physicalToLogical[i]);
        EXPECT_EQ(bytes.substr(11 + length + 8 * i, 7), std::string(7, '\0'));
    }
}

TEST(PlacementLayers, LayersThatCannotBeAreRefused) {
    const Placement placement = arbitrary(2, 4, 6, 2);
    for (const PlacedLayers& layers : {PlacedLayers{{0}, 2}, PlacedLayers{{1, 1}, 2},
                                       PlacedLayers{{1, 2}, 2}, PlacedLayers{{-1, 0}, 2}}) {
        EXPECT_THROW(placementFile(PlacementTarget::Sglang, placement, layers), Error);
    }
}

TEST(PlacementLayers, NamesAreThoseOfTheCommandLine) {
    for (const char* text : {"eplb", "sglang", "trtllm", "vllm", "vllm-ascend"}) {
        ASSERT_TRUE(placementTargetFromName(text));
        EXPECT_EQ(name(*placementTargetFromName(text)), text);
    }
    EXPECT_FALSE(placementTargetFromName("vLLM"));
}

}  // namespace
}  // namespace gatescope::test
