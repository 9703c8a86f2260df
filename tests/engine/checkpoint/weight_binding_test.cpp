// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/weight_binding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "engine/checkpoint/checkpoint.h"
#include "tests/engine/checkpoint/test_folder.h"

namespace gatescope {
namespace {

using test::bytesOf;
using test::errorOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// Tensors given by the test, at an address that is `shift` modulo 16.
class MemorySource final : public WeightSource {
  public:
    void add(const std::string& name, const std::string& dtype, std::vector<std::int64_t> shape,
             const std::string& bytes, std::size_t shift = 0) {
        auto& memory = m_memory.emplace_back(bytes.size() + 32);
        const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
        std::byte* start = memory.data() + (16 - address % 16) % 16 + shift;
        std::memcpy(start, bytes.data(), bytes.size());
        m_tensors[name] = {
            name, dtype, std::move(shape), {start, bytes.size()}, "part.safetensors"};
    }
    const ModelConfig& config() const override { return m_config; }
    const TensorView* find(std::string_view name) const override {
        const auto place = m_tensors.find(name);
        return place == m_tensors.end() ? nullptr : &place->second;
    }
    std::string describe() const override { return "model.safetensors"; }

    ModelConfig m_config;

  private:
    std::deque<std::vector<std::byte>> m_memory;
    std::map<std::string, TensorView, std::less<>> m_tensors;
};

constexpr float infinity = std::numeric_limits<float>::infinity();
const float nan = std::nanf("");

std::string halves(const std::vector<std::uint16_t>& values) {
    return bytesOf(values);
}
std::string floats(const std::vector<float>& values) {
    return bytesOf(values);
}

class Binding : public testing::Test {
  protected:
    std::string matrixRefusal(const std::string& name, std::int64_t rows, std::int64_t cols) {
        return errorOf([&] { WeightBinder(m_source).matrix(name, rows, cols); });
    }
    std::string vectorRefusal(const std::string& name, std::int64_t length) {
        return errorOf([&] { WeightBinder(m_source).vector(name, length); });
    }
    /// An FP8 matrix of ones [3, 5] in blocks of 2 x 2 with the given 2 x 3 scales.
    void addQuantized(const std::vector<float>& scales, std::size_t scaleShift = 0) {
        m_source.m_config.fp8 = true;
        m_source.m_config.fp8BlockRows = 2;
        m_source.m_config.fp8BlockCols = 2;
        m_source.add("w", "F8_E4M3", {3, 5}, std::string(15, '\x38'));
        m_source.add("w_scale_inv", "F32", {2, 3}, floats(scales), scaleShift);
    }

    MemorySource m_source;
};

TEST_F(Binding, matricesPointIntoTheSourceAtAnyAlignment) {
    for (std::size_t shift = 0; shift < 4; ++shift) {
        m_source.add("b", "BF16", {2, 3}, halves({1, 2, 3, 4, 5, 6}), shift);
        m_source.add("h", "F16", {3, 1}, halves({1, 2, 3}), shift);
        m_source.add("f", "F32", {1, 2}, floats({1, 2}), shift);
        WeightBinder binder(m_source);
        const Weight b = binder.matrix("b", 2, 3);
        EXPECT_EQ(b.dtype, DType::BF16);
        EXPECT_EQ(b.rows, 2);
        EXPECT_EQ(b.cols, 3);
        EXPECT_EQ(b.data, m_source.find("b")->bytes.data());
        EXPECT_EQ(b.scales, nullptr);
        EXPECT_EQ(binder.matrix("h", 3, 1).dtype, DType::F16);
        EXPECT_EQ(binder.matrix("f", 1, 2).dtype, DType::F32);
    }
}

TEST_F(Binding, vectorsBecomeFloat) {
    for (std::size_t shift = 0; shift < 4; ++shift) {
        m_source.add("b", "BF16", {2}, halves({0x3F80, 0xC000}), shift);
        m_source.add("h", "F16", {2}, halves({0x3C00, 0x0001}), shift);
        m_source.add("f", "F32", {2}, floats({1.5, -0.0F}), shift);
        const WeightBinder binder(m_source);
        EXPECT_THAT(binder.vector("b", 2), ElementsAre(1.0F, -2.0F));
        EXPECT_THAT(binder.vector("h", 2), ElementsAre(1.0F, std::ldexp(1.0F, -24)));
        EXPECT_THAT(binder.vector("f", 2), ElementsAre(1.5F, -0.0F));
    }
}

TEST_F(Binding, namesFileTensorExpectedAndFound) {
    m_source.add("w", "BF16", {2, 3}, std::string(12, '\0'));
    m_source.add("i", "I16", {2, 3}, std::string(12, '\0'));
    m_source.add("v", "F8_E4M3", {2}, std::string(2, '\0'));
    EXPECT_EQ(matrixRefusal("absent", 2, 3), "model.safetensors: absent: missing");
    EXPECT_EQ(vectorRefusal("absent", 2), "model.safetensors: absent: missing");
    EXPECT_EQ(matrixRefusal("w", 3, 2), "part.safetensors: w: shape [2, 3] found, [3, 2] expected");
    EXPECT_EQ(matrixRefusal("v", 1, 2), "part.safetensors: v: shape [2] found, [1, 2] expected");
    EXPECT_EQ(vectorRefusal("w", 6), "part.safetensors: w: shape [2, 3] found, [6] expected");
    EXPECT_EQ(matrixRefusal("i", 2, 3),
              "part.safetensors: i: dtype I16 found, BF16, F16, F32 or F8_E4M3 expected");
    EXPECT_EQ(vectorRefusal("v", 2),
              "part.safetensors: v: dtype F8_E4M3 found, BF16, F16 or F32 expected");
}

TEST_F(Binding, fp8ComesWithItsScales) {
    addQuantized({1, 2, 3, 4, 5, 6});
    WeightBinder binder(m_source);
    const Weight weight = binder.matrix("w", 3, 5);
    EXPECT_EQ(weight.dtype, DType::F8E4M3);
    EXPECT_EQ(weight.blockRows, 2);
    EXPECT_EQ(weight.scaleCols(), 3);
    EXPECT_EQ(static_cast<const void*>(weight.scales), m_source.find("w_scale_inv")->bytes.data());
    EXPECT_EQ(weight.scales[5], 6);
}

TEST_F(Binding, misalignedScalesAreCopiedAndStay) {
    addQuantized({1, 2, 3, 4, 5, 6}, 1);
    WeightBinder binder(m_source);
    const Weight first = binder.matrix("w", 3, 5);
    std::vector<Weight> more;
    for (int i = 0; i < 100; ++i) more.push_back(binder.matrix("w", 3, 5));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first.scales) % alignof(float), 0U);
    EXPECT_EQ(std::vector<float>(first.scales, first.scales + 6),
              (std::vector<float>{1, 2, 3, 4, 5, 6}));
    EXPECT_NE(first.scales, more.back().scales);
}

TEST_F(Binding, refusesBadScales) {
    addQuantized({1, 2, 3, 4, 5, 6});
    m_source.m_config.fp8BlockCols = 3;
    EXPECT_EQ(matrixRefusal("w", 3, 5),
              "part.safetensors: w_scale_inv: shape [2, 3] found, [2, 2] expected");
    addQuantized({1, nan, 3, 4, 5, 6}, 1);
    EXPECT_EQ(matrixRefusal("w", 3, 5), "part.safetensors: w_scale_inv: NaN at row 0, column 1");
    addQuantized({1, 2, 3, 4, -infinity, 6});
    EXPECT_EQ(matrixRefusal("w", 3, 5),
              "part.safetensors: w_scale_inv: infinity at row 1, column 1");
    addQuantized({1, 2, 3, 4, 1e36F, 6});
    EXPECT_THAT(matrixRefusal("w", 3, 5), HasSubstr("too large"));
    m_source.add("w_scale_inv", "BF16", {2, 3}, std::string(12, '\0'));
    EXPECT_THAT(matrixRefusal("w", 3, 5), HasSubstr("w_scale_inv: dtype BF16 found, F32 expected"));
    m_source.m_config.fp8 = false;
    EXPECT_THAT(matrixRefusal("w", 3, 5), HasSubstr("no quantization_config"));
}

TEST_F(Binding, refusesNonFiniteElementsWhereverTheyAre) {
    // 10007 elements: several scan blocks and a rest.
    constexpr std::int64_t cols = 10007;
    for (const std::int64_t at : {0, 1, 1023, 1024, 2047, 2048, 4095, 4096, 9999, 10006}) {
        const auto index = static_cast<std::size_t>(at);
        const std::string where = " at row 0, column " + std::to_string(at);
        std::vector<float> wide(cols, 1);
        wide[index] = nan;
        m_source.add("w", "F32", {1, cols}, bytesOf(wide), 1);
        EXPECT_EQ(matrixRefusal("w", 1, cols), "part.safetensors: w: NaN" + where);
        wide[index] = -infinity;
        m_source.add("w", "F32", {1, cols}, bytesOf(wide));
        EXPECT_EQ(matrixRefusal("w", 1, cols), "part.safetensors: w: infinity" + where);
        m_source.add("w", "F32", {cols}, bytesOf(wide));
        EXPECT_EQ(vectorRefusal("w", cols),
                  "part.safetensors: w: infinity at element " + std::to_string(at));

        std::vector<std::uint16_t> half(cols, 0x7F7F);  // the largest finite bf16
        half[index] = 0xFF80;
        m_source.add("w", "BF16", {1, cols}, bytesOf(half), 1);
        EXPECT_EQ(matrixRefusal("w", 1, cols), "part.safetensors: w: infinity" + where);
        half.assign(cols, 0x7BFF);  // the largest finite f16
        half[index] = 0xFC01;
        m_source.add("w", "F16", {1, cols}, bytesOf(half));
        EXPECT_EQ(matrixRefusal("w", 1, cols), "part.safetensors: w: NaN" + where);

        m_source.m_config.fp8 = true;
        std::string quarter(cols, '\x7E');  // 448
        quarter[index] = '\xFF';
        m_source.add("w", "F8_E4M3", {1, cols}, quarter, 1);
        m_source.add("w_scale_inv", "F32", {1, 79}, floats(std::vector<float>(79, 1)));
        EXPECT_EQ(matrixRefusal("w", 1, cols), "part.safetensors: w: NaN" + where);
    }
}

TEST_F(Binding, largeMatricesAreScannedOnRequestOnly) {
    constexpr std::int64_t rows = 1025;
    constexpr std::int64_t cols = 2048;  // 4 MiB of bf16 and a row more
    std::vector<std::uint16_t> values(rows * cols, 0x3F80);
    values[1024 * cols + 7] = 0x7FC0;
    m_source.add("w", "BF16", {rows, cols}, bytesOf(values));
    WeightBinder binder(m_source);
    EXPECT_EQ(findNonFinite(binder.matrix("w", rows, cols)), "NaN at row 1024, column 7");
    m_source.add("w", "BF16", {rows - 1, cols}, bytesOf(values).substr(0, 4 << 20));
    EXPECT_EQ(findNonFinite(binder.matrix("w", rows - 1, cols)), std::nullopt);
    EXPECT_EQ(findNonFinite(Weight{}), std::nullopt);
}

TEST(FindNonFinite, namesTheTensorOfAWholeModel) {
    const auto sentence = [](const char* dir) {
        return findNonFinite(Checkpoint(test::badDir() / dir)).value_or("");
    };
    EXPECT_THAT(sentence("nan-weight"),
                HasSubstr("model.safetensors: model.layers.1.mlp.gate.weight: NaN at row"));
    EXPECT_THAT(sentence("fp8-nan"), HasSubstr("mlp.up_proj.weight: NaN at row"));
    EXPECT_EQ(sentence("ok-nano"), "");
}

/// A model folder that a test writes from the tensors of ok-nano-fp8.
class QuantizedFolder : public testing::Test {
  protected:
    void SetUp() override {
        std::filesystem::copy(m_golden / "config.json", m_folder / "config.json");
    }
    /// Both sources give the same numbers for every matrix.
    static void expectSameWeights(const WeightSource& a, const WeightSource& b) {
        WeightBinder binderA(a);
        WeightBinder binderB(b);
        forEachTensor(a.config(), [&](const TensorSpec& spec) {
            if (spec.rank == TensorRank::One) {
                EXPECT_EQ(binderA.vector(spec), binderB.vector(spec)) << spec.name;
                return true;
            }
            const Weight x = binderA.matrix(spec);
            const Weight y = binderB.matrix(spec);
            const auto bytes = static_cast<std::size_t>(x.rows * x.cols) * elementSize(x.dtype);
            EXPECT_EQ(x.dtype, y.dtype);
            EXPECT_EQ(std::memcmp(x.data, y.data, bytes), 0) << spec.name;
            EXPECT_EQ(x.scales ? x.scales[0] : 0, y.scales ? y.scales[0] : 0) << spec.name;
            return true;
        });
    }

    std::filesystem::path m_golden = test::badDir() / "ok-nano-fp8";
    test::TestFolder m_folder;
};

TEST_F(QuantizedFolder, dataMayBeginAtAnyByte) {
    const Checkpoint golden(m_golden);
    const auto tensors = test::rawTensors(m_golden / "model.safetensors");
    for (std::size_t shift = 0; shift < 8; ++shift) {
        test::writeFile(m_folder / "model.safetensors", test::safetensorsText(tensors, shift));
        const Checkpoint shifted(m_folder.path());
        validateWeights(shifted);
        expectSameWeights(golden, shifted);
    }
}

TEST_F(QuantizedFolder, scalesMayBeInAnotherShard) {
    test::writeShards(m_folder.path(), test::rawTensors(m_golden / "model.safetensors"),
                      [](const std::string& name) { return name.ends_with("_scale_inv"); });
    const Checkpoint sharded(m_folder.path());
    validateWeights(sharded);
    expectSameWeights(Checkpoint(m_golden), sharded);
}

TEST(WeightBinding, partialBlocksOfAModel) {
    const Checkpoint checkpoint(test::goldenDir() / "ckpt" / "v3-fp8");
    WeightBinder binder(checkpoint);
    const Weight down = binder.matrix(denseMlpTensors(checkpoint.config(), 0).down);
    EXPECT_EQ(down.rows, 160);  // 1 1/4 blocks
    EXPECT_EQ(down.scaleCols(), 3);
    const Weight up = binder.matrix(expertTensors(checkpoint.config(), 1, 7).up);
    EXPECT_EQ(up.rows, 136);
    EXPECT_EQ(up.scaleCols(), 2);
}

TEST(WeightBinding, mtpDuplicatesMayBeAbsentButNotWrong) {
    const auto golden = test::goldenDir() / "ckpt" / "v3-mini";
    const test::TestFolder folder;
    std::filesystem::copy(golden / "config.json", folder / "config.json");
    auto tensors = test::rawTensors(golden / "model.safetensors");
    const auto duplicate = [](const test::RawTensor& tensor) {
        return tensor.name == "model.layers.4.embed_tokens.weight" ||
               tensor.name == "model.layers.4.shared_head.head.weight";
    };
    auto wrong = tensors;
    for (auto& tensor : wrong) {
        if (duplicate(tensor)) std::swap(tensor.shape[0], tensor.shape[1]);
    }
    test::writeFile(folder / "model.safetensors", test::safetensorsText(wrong));
    EXPECT_THAT(errorOf([&] { validateWeights(Checkpoint(folder.path())); }),
                HasSubstr("model.layers.4.embed_tokens.weight: shape"));

    ASSERT_EQ(std::erase_if(tensors, duplicate), 2U);
    test::writeFile(folder / "model.safetensors", test::safetensorsText(tensors));
    const Checkpoint checkpoint(folder.path());
    EXPECT_NO_THROW(validateWeights(checkpoint));
    EXPECT_FALSE(WeightBinder(checkpoint).has(mtpTensors(checkpoint.config(), 4).embedding));

    std::erase_if(tensors,
                  [](const auto& t) { return t.name == "model.layers.4.shared_head.norm.weight"; });
    test::writeFile(folder / "model.safetensors", test::safetensorsText(tensors));
    EXPECT_THAT(errorOf([&] { validateWeights(Checkpoint(folder.path())); }),
                HasSubstr("model.layers.4.shared_head.norm.weight: missing"));
}

TEST(WeightBinding, tiedModelsNeedNoHead) {
    const auto golden = test::badDir() / "ok-nano";
    const test::TestFolder folder;
    auto config = test::fileJson(golden / "config.json");
    config["tie_word_embeddings"] = true;
    test::writeFile(folder / "config.json", config.dump());
    auto tensors = test::rawTensors(golden / "model.safetensors");
    std::erase_if(tensors, [](const auto& tensor) { return tensor.name == "lm_head.weight"; });
    test::writeFile(folder / "model.safetensors", test::safetensorsText(tensors));
    EXPECT_NO_THROW(validateWeights(Checkpoint(folder.path())));
}

}  // namespace
}  // namespace gatescope
