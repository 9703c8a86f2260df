// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/bias_history.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "engine/analysis/bias_drift.h"
#include "tests/engine/checkpoint/test_folder.h"

namespace gatescope {
namespace {

using test::bytesOf;
using test::errorOf;
using test::RawTensor;
using test::TestFolder;

/// Layer 0 dense, MoE layers 1 and 2, MTP layer 3; two experts.
RoutingShape smallShape() {
    RoutingShape shape;
    shape.layers = {1, 2};
    shape.mtpLayer = 3;
    shape.totalLayers = 3;
    shape.experts = 2;
    shape.topK = 1;
    shape.hasBias = true;
    return shape;
}

struct Content {
    std::vector<RawTensor> tensors;
    std::string format = "bias-history/1";

    RawTensor& operator[](const std::string& name) {
        for (RawTensor& tensor : tensors) {
            if (tensor.name == name) {
                return tensor;
            }
        }
        throw std::runtime_error(name);
    }
    /// Writes into the folder under the history's name.
    void write(const std::filesystem::path& folder) const {
        const std::string plain = test::safetensorsText(tensors);
        const std::size_t data = 8 + headerSize(plain);
        auto header = nlohmann::json::parse(plain.substr(8, data - 8));
        header["__metadata__"]["format"] = format;
        std::string text = header.dump();
        text.resize((text.size() + 7) / 8 * 8, ' ');
        test::writeFile(folder / "bias-history.safetensors",
                        test::littleEndian64(text.size()) + text + plain.substr(data));
    }
    static std::size_t headerSize(const std::string& text) {
        std::uint64_t size = 0;
        std::memcpy(&size, text.data(), sizeof size);
        return size;
    }
};

/// bias = 100 snapshot + 10 layer + expert; load = 1 and 3.
Content goodContent() {
    std::vector<float> bias;
    std::vector<float> load;
    for (int i = 0; i < 3 * 4 * 2; ++i) {
        bias.push_back(static_cast<float>(100 * (i / 8) + 10 * (i / 2 % 4) + i % 2));
        load.push_back(i % 2 == 0 ? 1.0F : 3.0F);
    }
    Content out;
    out.tensors = {{"step", "I32", {3}, bytesOf(std::vector<std::int32_t>{0, 5, 20})},
                   {"bias", "F32", {3, 4, 2}, bytesOf(bias)},
                   {"load", "F32", {3, 4, 2}, bytesOf(load)}};
    return out;
}

TEST(BiasHistory, RowsInsteadOfAbsoluteLayers) {
    const TestFolder folder;
    goodContent().write(folder.path());
    const auto history = readBiasHistory(folder.path(), smallShape());
    ASSERT_TRUE(history.has_value());
    EXPECT_EQ(history->steps, (std::vector<std::int32_t>{0, 5, 20}));
    ASSERT_EQ(history->snapshots(), 3U);
    for (std::size_t s = 0; s < 3; ++s) {
        for (int row = 0; row < 3; ++row) {
            const auto bias = history->biasAt(s, row);
            const float first =
                100.0F * static_cast<float>(s) + 10.0F * static_cast<float>(row + 1);
            EXPECT_EQ(bias[0], first);
            EXPECT_EQ(bias[1], first + 1);
            EXPECT_EQ(history->maxVio(s, row), 0.5);
        }
    }
    EXPECT_EQ(history->differenceFromModel(1, std::vector<float>{220, 221}), 0);
    EXPECT_EQ(history->differenceFromModel(1, std::vector<float>{220, 219}), 2);
    EXPECT_TRUE(std::isnan(history->differenceFromModel(1, std::vector<float>{220})));
}

TEST(BiasHistory, NothingWithoutTheFile) {
    const TestFolder folder;
    EXPECT_FALSE(readBiasHistory(folder.path(), smallShape()).has_value());
}

TEST(BiasHistory, LoadsOfZeroHaveNoViolation) {
    const TestFolder folder;
    Content content = goodContent();
    content["load"].bytes = bytesOf(std::vector<float>(24, 0.0F));
    content.write(folder.path());
    EXPECT_TRUE(std::isnan(readBiasHistory(folder.path(), smallShape())->maxVio(0, 0)));
}

TEST(BiasHistory, MalformedFilesAreNamedInOneSentence) {
    const TestFolder folder;
    const auto message = [&](const std::function<void(Content&)>& spoil) {
        Content content = goodContent();
        spoil(content);
        content.write(folder.path());
        const std::string text = errorOf([&] { readBiasHistory(folder.path(), smallShape()); });
        EXPECT_TRUE(text.starts_with("bias-history.safetensors: ")) << text;
        return text;
    };
    using testing::HasSubstr;
    EXPECT_THAT(message([](Content& c) { c.format = "bias-history/2"; }), HasSubstr("format"));
    EXPECT_THAT(message([](Content& c) { c.tensors.pop_back(); }), HasSubstr("load"));
    EXPECT_THAT(message([](Content& c) { c["step"].dtype = "F32"; }), HasSubstr("step"));
    EXPECT_THAT(message([](Content& c) { c["bias"].dtype = "I32"; }), HasSubstr("bias"));
    EXPECT_THAT(message([](Content& c) { c["bias"].shape = {3, 2, 4}; }), HasSubstr("[3, 2, 4]"));
    EXPECT_THAT(message([](Content& c) { c["load"].shape = {24}; }), HasSubstr("load"));
    EXPECT_THAT(message([](Content& c) {
                    c["step"].bytes = bytesOf(std::vector<std::int32_t>{0, 5, 5});
                }),
                HasSubstr("does not ascend"));
    EXPECT_THAT(message([](Content& c) {
                    c["step"].bytes = bytesOf(std::vector<std::int32_t>{-1, 5, 6});
                }),
                HasSubstr("does not ascend"));
    EXPECT_THAT(message([](Content& c) {
                    std::vector<float> bad(24, 0.0F);
                    bad[8 + 2] = std::numeric_limits<float>::infinity();
                    c["bias"].bytes = bytesOf(bad);
                }),
                HasSubstr("inf in snapshot 1"));
    EXPECT_THAT(
        message([](Content& c) { c["load"].bytes = bytesOf(std::vector<float>(24, -1.0F)); }),
        HasSubstr("-1"));
    EXPECT_THAT(message([](Content& c) {
                    c["step"].shape = {0};
                    c["step"].bytes.clear();
                }),
                HasSubstr("0 snapshots"));
    EXPECT_THAT(message([](Content& c) {
                    c["step"].shape = {5000};
                    c["step"].bytes = std::string(20000, '\0');
                }),
                HasSubstr("5000 snapshots"));
}

TEST(BiasHistory, OfTheDemoModelEndsWithTheModelsOwnBias) {
    const RouterBiases model = readRouterBiases(GATESCOPE_DEMO_MODEL_DIR);
    const auto history = readBiasHistory(GATESCOPE_DEMO_MODEL_DIR, model.shape);
    ASSERT_TRUE(history.has_value());
    EXPECT_EQ(history->snapshots(), 170U);
    ASSERT_EQ(history->rows(), static_cast<int>(model.byRow.size()));
    for (int row = 0; row < history->rows(); ++row) {
        EXPECT_EQ(history->differenceFromModel(row, model.byRow[static_cast<std::size_t>(row)]), 0);
        EXPECT_LT(history->maxVio(history->snapshots() - 1, row), history->maxVio(0, row));
    }
}

}  // namespace
}  // namespace gatescope
