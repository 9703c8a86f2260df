// SPDX-License-Identifier: Apache-2.0
#include "engine/report/recorded_loads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/report/load_files.h"

namespace gatescope {
namespace {

using test::bytesOf;
using test::npyHeader;
using test::npyText;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RecordedLoadsTest : public test::LoadsTest {
  protected:
    void statistics(const std::string& file, const std::vector<test::RawTensor>& tensors) {
        test::writeFile(m_folder / "meta_info.json",
                        R"({"num_experts": 2, "num_experts_per_token": 1})");
        test::writeFile(m_folder / file, test::safetensorsText(tensors));
    }
};

test::RawTensor counts(const std::string& name, const std::vector<std::int32_t>& values) {
    return {name, "I32", {static_cast<std::int64_t>(values.size())}, bytesOf(values)};
}

TEST_F(RecordedLoadsTest, bareJsonHasNoLayerNumbers) {
    const RecordedLoads loads = read("a.json", " \n[[0, 0, 0], [4, 5.5, 6e2]]");
    EXPECT_EQ(loads.format, "JSON array");
    EXPECT_THAT(loads.layers, IsEmpty());
    ASSERT_EQ(loads.blocks.size(), 1U);
    EXPECT_EQ(loads.layerCount(), 2);
    EXPECT_EQ(loads.experts(), 3);
    EXPECT_THAT(loads.blocks[0].values, ElementsAre(0, 0, 0, 4, 5.5, 600));
}

TEST_F(RecordedLoadsTest, totalAddsTheBlocksOfBareJson) {
    const RecordedLoads loads = read("a.json", "[[[1, 2]], [[10, 20]], [[0, 0]]]");
    EXPECT_EQ(loads.blocks.size(), 3U);
    EXPECT_THAT(loads.total().values, ElementsAre(11, 22));
    EXPECT_THAT(RecordedLoads{}.total().values, IsEmpty());
}

TEST_F(RecordedLoadsTest, sglangRowsKeepTheirNumberAndDenseOnesAreDropped) {
    std::string rows;
    for (int layer = 0; layer < 61; ++layer) {
        rows += (layer ? ",[" : "[") + std::to_string(layer < 3 ? 0 : layer) + ",0]";
    }
    const RecordedLoads loads = read("a.json", R"({"note": 1, "logical_count": [)" + rows + "]}");
    EXPECT_EQ(loads.format, "SGLang logical_count (JSON)");
    ASSERT_EQ(loads.layers.size(), 58U);
    EXPECT_EQ(loads.layers.front(), 3);
    EXPECT_EQ(loads.layers.back(), 60);
    EXPECT_EQ(loads.blocks[0].row(0)[0], 3);
    EXPECT_EQ(loads.blocks[0].row(57)[0], 60);
}

TEST_F(RecordedLoadsTest, sglangStepsThatAreZeroAreSkippedAndARowInTheMiddleStays) {
    const RecordedLoads loads = read("a.json", R"({"logical_count": [
        [[0,0],[0,0],[0,0],[0,1]], [[0,0],[0,0],[0,0],[0,0]], [[0,0],[2,0],[0,0],[0,3]]]})");
    EXPECT_THAT(loads.layers, ElementsAre(1, 2, 3));
    ASSERT_EQ(loads.blocks.size(), 2U);
    EXPECT_THAT(loads.blocks[0].values, ElementsAre(0, 0, 0, 0, 0, 1));
    EXPECT_THAT(loads.blocks[1].values, ElementsAre(2, 0, 0, 0, 0, 3));
}

TEST_F(RecordedLoadsTest, envelopeSaysItsLayers) {
    const RecordedLoads one = read(
        "a.json", R"({"format": "gatescope-loads/1", "layers": [3, 7], "counts": [[1,2],[3,4]]})");
    EXPECT_EQ(one.format, "Gatescope loads (JSON)");
    EXPECT_THAT(one.layers, ElementsAre(3, 7));
    EXPECT_THAT(one.blocks.at(0).values, ElementsAre(1, 2, 3, 4));
    const RecordedLoads blocks = read(
        "a.json", R"({"format": "gatescope-loads/1", "layers": [0], "blocks": [[[0,2]],[[3,4]]]})");
    EXPECT_THAT(blocks.layers, ElementsAre(0));
    EXPECT_EQ(blocks.blocks.size(), 2U);
    EXPECT_THAT(blocks.total().values, ElementsAre(3, 6));
    EXPECT_THAT(read("a.json", R"({"format": "gatescope-loads/1", "counts": [[1]]})").layers,
                IsEmpty());
}

TEST_F(RecordedLoadsTest, csvLayersAreAbsoluteAndColumnsInAnyOrder) {
    const RecordedLoads loads = read("a.csv",
                                     "\xEF\xBB\xBF\"count\",expert,layer\r\n"
                                     "4,1,5\r\n\"1\",0,3\r\n2.5,1,3\r\n3e1,0,5\r\n\r\n");
    EXPECT_EQ(loads.format, "CSV");
    EXPECT_THAT(loads.layers, ElementsAre(3, 5));
    ASSERT_EQ(loads.blocks.size(), 1U);
    EXPECT_THAT(loads.blocks[0].values, ElementsAre(1, 2.5, 30, 4));
}

TEST_F(RecordedLoadsTest, csvBlocksAreInTheOrderOfTheirNumbers) {
    const RecordedLoads loads = read("a.csv",
                                     "block,layer,expert,count\n"
                                     "9,3,0,5\n9,3,1,6\n2,3,0,1\n2,3,1,0");
    EXPECT_THAT(loads.layers, ElementsAre(3));
    ASSERT_EQ(loads.blocks.size(), 2U);
    EXPECT_THAT(loads.blocks[0].values, ElementsAre(1, 0));
    EXPECT_THAT(loads.blocks[1].values, ElementsAre(5, 6));
}

TEST_F(RecordedLoadsTest, npyOfEveryTypeHasNoLayerNumbers) {
    const std::pair<const char*, std::string> cases[] = {
        {"<i4", bytesOf<std::int32_t>({1, 2, 3, 4, 5, 6})},
        {"<i8", bytesOf<std::int64_t>({1, 2, 3, 4, 5, 6})},
        {"<u4", bytesOf<std::uint32_t>({1, 2, 3, 4, 5, 6})},
        {"<u8", bytesOf<std::uint64_t>({1, 2, 3, 4, 5, 6})},
        {"<f4", bytesOf<float>({1, 2, 3, 4, 5, 6})},
        {"<f8", bytesOf<double>({1, 2, 3, 4, 5, 6})}};
    for (const auto& [type, data] : cases) {
        for (const char version : {'\1', '\2', '\3'}) {
            const auto loads = read("a.npy", npyText(npyHeader(type, "(2, 3)"), data, version));
            EXPECT_EQ(loads.format, "NumPy array");
            EXPECT_THAT(loads.layers, IsEmpty());
            EXPECT_EQ(loads.layerCount(), 2);
            ASSERT_EQ(loads.blocks.size(), 1U);
            EXPECT_THAT(loads.blocks[0].values, ElementsAre(1, 2, 3, 4, 5, 6)) << type;
        }
    }
}

TEST_F(RecordedLoadsTest, npyInBothOrdersOfDimensions) {
    // numpy.save of arange(12, dtype=int32).reshape(2, 2, 3), and of asfortranarray() of it.
    const auto c =
        read("a.npy", npyText(npyHeader("<i4", "(2, 2, 3)"),
                              bytesOf<std::int32_t>({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})));
    const auto fortran =
        read("a.npy", npyText(npyHeader("<i4", "(2, 2, 3)", "True"),
                              bytesOf<std::int32_t>({0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11})));
    for (const RecordedLoads& loads : {c, fortran}) {
        ASSERT_EQ(loads.blocks.size(), 2U);
        EXPECT_THAT(loads.blocks[0].values, ElementsAre(0, 1, 2, 3, 4, 5));
        EXPECT_THAT(loads.blocks[1].values, ElementsAre(6, 7, 8, 9, 10, 11));
    }
}

TEST_F(RecordedLoadsTest, statisticsFolderAddsRanksAndHasAbsoluteLayers) {
    statistics("rank0.safetensors", {counts("9_3", {1, 2}), counts("9_10", {3, 4}),
                                     counts("10_3", {5, 6}), counts("10_10", {7, 8})});
    statistics("rank1.safetensors", {{"9_3", "I64", {2}, bytesOf<std::int64_t>({10, 20})},
                                     {"9_10", "F32", {2}, bytesOf<float>({0.5F, 0})}});
    statistics("rank0_raw.safetensors", {counts("9_3", {1, 2, 3})});
    for (const std::string end : {"", "/"}) {
        const RecordedLoads loads = readRecordedLoads(m_folder.path().native() + end);
        EXPECT_EQ(loads.format, "TensorRT-LLM statistics");
        EXPECT_THAT(loads.layers, ElementsAre(3, 10));
        ASSERT_EQ(loads.blocks.size(), 2U);
        EXPECT_THAT(loads.blocks[0].values, ElementsAre(11, 22, 3.5, 4));
        EXPECT_THAT(loads.blocks[1].values, ElementsAre(5, 6, 7, 8));
    }
}

TEST_F(RecordedLoadsTest, statisticsFolderWithAHoleIsRefused) {
    const auto refused = [&] { return test::errorOf([&] { readRecordedLoads(m_folder.path()); }); };
    EXPECT_THAT(refused(), HasSubstr("has no meta_info.json: not a statistics folder"));
    statistics("other.safetensors", {});
    EXPECT_THAT(refused(), HasSubstr("has no rank<r>.safetensors"));
    statistics("rank0.safetensors", {});
    EXPECT_THAT(refused(), HasSubstr("its files have no counts"));
    statistics("rank0.safetensors", {counts("4_3", {1, 2}), counts("6_3", {1, 2})});
    EXPECT_THAT(refused(), HasSubstr(": 5_3: no file has it"));
    statistics("rank0.safetensors",
               {counts("4_3", {1, 2}), counts("4_4", {1, 2}), counts("5_3", {1, 2})});
    EXPECT_THAT(refused(), HasSubstr(": 5_4: no file has it"));
    statistics("rank2.safetensors", {counts("4_3", {1, 2})});
    EXPECT_THAT(refused(), HasSubstr(": rank1.safetensors: is missing; there is one of rank 2"));
}

TEST_F(RecordedLoadsTest, statisticsFolderWithWrongTensorsIsRefused) {
    const auto refused = [&](const test::RawTensor& tensor) {
        statistics("rank0.safetensors", {tensor});
        return test::errorOf([&] { readRecordedLoads(m_folder.path()); });
    };
    EXPECT_EQ(refused(counts("4_3", {1, 2, 3})),
              "rank0.safetensors: 4_3: its shape is not that of 2 experts, which meta_info.json "
              "has");
    EXPECT_EQ(refused(counts("4_3", {1, -2})), "rank0.safetensors: 4_3[1]: -2 is no count");
    EXPECT_EQ(refused({"4_3", "F16", {2}, "abcd"}),
              "rank0.safetensors: 4_3: F16 is none of I32, I64 and F32");
    for (const char* name : {"3", "_3", "3_", "3_x", "-1_3", "1_-3", "01_3", "1_4096",
                             "9223372036854775807_3", "99999999999999999999_3"}) {
        EXPECT_EQ(refused(counts(name, {1, 2})), std::string("rank0.safetensors: ") + name +
                                                     ": is not called <iteration>_<layer>");
    }
}

}  // namespace
}  // namespace gatescope
