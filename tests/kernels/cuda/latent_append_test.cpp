// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <limits>

#include "tests/kernels/cuda/attention_problem.h"

namespace gatescope::test {
namespace {

struct Case {
    std::int64_t latentDim = 0;
    std::int64_t ropeDim = 0;
    std::int64_t first = 0;
    std::int64_t tokens = 1;
    std::int64_t gap = 0;  ///< values between the rows of kv
};

constexpr int kBlockPositions = 8;
constexpr float kEps = 1e-6f;

/// New rows for a cache of three blocks whose bytes are all 0xFF.
class Append {
  public:
    explicit Append(const Case& c)
        : m_case(c),
          m_shape{.ropeDim = c.ropeDim, .latentDim = c.latentDim},
          m_kv(randomFloats(static_cast<std::size_t>(c.tokens * stride()), 1)),
          m_norm(randomFloats(static_cast<std::size_t>(c.latentDim), 2)),
          m_cosSin(randomFloats(static_cast<std::size_t>(c.tokens * c.ropeDim), 3)) {}

    float& input(std::int64_t t, std::int64_t i) {
        return m_kv[static_cast<std::size_t>(t * stride() + i)];
    }
    void setNorm(float value) { std::fill(m_norm.begin(), m_norm.end(), value); }

    /// All rows of the cache.
    std::vector<std::byte> onCuda(CacheType type) const {
        cuda::CudaDevice device(0, Precision::Exact);
        const LatentLayout layout{type, m_case.latentDim, m_case.ropeDim};
        std::vector<std::unique_ptr<OnDevice<std::byte>>> blocks;
        std::vector<std::byte*> table;
        for (int b = 0; b < 3; ++b) {
            blocks.push_back(std::make_unique<OnDevice<std::byte>>(device, emptyBlock(layout)));
            table.push_back(blocks.back()->data());
        }
        const OnDevice<std::byte*> pointers(device, table);
        const OnDevice<float> kv(device, m_kv), norm(device, m_norm), cosSin(device, m_cosSin);
        const OnDevice<std::int64_t> first(device, {m_case.first});
        // What the host knows of the position may be out of date.
        device.latentAppend({pointers.data(), kBlockPositions, layout},
                            {-77, first.data(), 3 * kBlockPositions}, in(kv.data()), m_shape,
                            norm.data(), kEps, cosSin.data());
        std::vector<std::byte> bytes;
        for (const auto& block : blocks) {
            const auto part = block->host();
            bytes.insert(bytes.end(), part.begin(), part.end());
        }
        return bytes;
    }

    std::vector<float> onCpu() const {
        CpuDevice device(1);
        const LatentLayout layout{CacheType::F32, m_case.latentDim, m_case.ropeDim};
        auto first = emptyBlock(layout);
        const auto blockBytes = static_cast<std::int64_t>(first.size());
        std::vector<std::byte> all;
        for (int b = 0; b < 3; ++b) all.insert(all.end(), first.begin(), first.end());
        std::vector<std::byte*> table;
        for (int b = 0; b < 3; ++b) table.push_back(all.data() + b * blockBytes);
        device.latentAppend({table.data(), kBlockPositions, layout}, {m_case.first, nullptr, 0},
                            in(m_kv.data()), m_shape, m_norm.data(), kEps, m_cosSin.data());
        std::vector<float> values(all.size() / sizeof(float));
        std::memcpy(values.data(), all.data(), all.size());
        return values;
    }

  private:
    std::int64_t stride() const { return m_case.latentDim + m_case.ropeDim + m_case.gap; }
    ConstMatrix in(const float* kv) const {
        return {kv, m_case.tokens, m_case.latentDim + m_case.ropeDim, stride()};
    }
    static std::vector<std::byte> emptyBlock(const LatentLayout& layout) {
        return std::vector<std::byte>(static_cast<std::size_t>(kBlockPositions * layout.rowBytes()),
                                      std::byte{0xFF});
    }

    Case m_case;
    AttentionShape m_shape;
    std::vector<float> m_kv;
    std::vector<float> m_norm;
    std::vector<float> m_cosSin;
};

template <typename T>
T at(const std::vector<std::byte>& bytes, std::int64_t offset) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

/// What the bytes of all rows are worth.
std::vector<float> decoded(const std::vector<std::byte>& bytes, const LatentLayout& layout) {
    std::vector<float> values;
    for (std::int64_t row = 0; row < static_cast<std::int64_t>(bytes.size());
         row += layout.rowBytes()) {
        for (std::int64_t i = 0; i < layout.width(); ++i) {
            const bool rope = i >= layout.latentDim;
            const auto offset = row + layout.ropeOffset() + 2 * (i - layout.latentDim);
            if (layout.type == CacheType::F32) {
                values.push_back(at<float>(bytes, row + 4 * i));
            } else if (rope || layout.type == CacheType::BF16) {
                values.push_back(
                    bf16ToFloat(at<std::uint16_t>(bytes, rope ? offset : row + 2 * i)));
            } else {
                const auto scale = at<float>(
                    bytes, row + layout.scaleOffset() + i / LatentLayout::kScaleBlock * 4);
                values.push_back(f8e4m3ToFloat(at<std::uint8_t>(bytes, row + i)) * scale);
            }
        }
    }
    return values;
}

class LatentAppendOnCuda : public testing::Test {
  protected:
    void SetUp() override { GATESCOPE_NEEDS_GPU(); }

    static void check(const Case& c) {
        SCOPED_TRACE(testing::Message() << c.latentDim << "+" << c.ropeDim << " at " << c.first);
        const Append append(c);
        const auto expected = append.onCpu();
        for (const auto type : kCacheTypes) {
            SCOPED_TRACE(name(type));
            const LatentLayout layout{type, c.latentDim, c.ropeDim};
            compare(expected, decoded(append.onCuda(type), layout), layout, c);
        }
    }

    static void compare(const std::vector<float>& expected, const std::vector<float>& actual,
                        const LatentLayout& layout, const Case& c) {
        ASSERT_EQ(expected.size(), actual.size());
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const auto position = static_cast<std::int64_t>(i) / layout.width();
            if (position < c.first || position >= c.first + c.tokens) {
                EXPECT_TRUE(std::isnan(actual[i])) << "position " << position << " was written";
                continue;
            }
            const auto column = static_cast<std::int64_t>(i) % layout.width();
            const bool scaled = layout.type == CacheType::F8 && column < layout.latentDim;
            // Half a unit in the last place, which for e4m3 is never less than that of the scale's
            // smallest numbers.
            const double relative = layout.type == CacheType::F32 ? 4e-6
                                    : scaled                      ? 1.0 / 16
                                                                  : 1.0 / 256;
            ASSERT_NEAR(expected[i], actual[i],
                        relative * std::abs(expected[i]) + (scaled ? 6e-5 : 2e-6))
                << "position " << position << ", column " << column;
        }
    }
};

TEST_F(LatentAppendOnCuda, StoresTheNormedLatentAndTheRotatedKeyInEveryType) {
    forEachLaneOrder([] {
        for (const auto& [latent, rope] : std::vector<std::pair<int, int>>{
                 {1, 2}, {19, 4}, {40, 8}, {127, 2}, {128, 16}, {129, 6}, {512, 64}, {1100, 64}})
            check({.latentDim = latent, .ropeDim = rope, .first = 5, .tokens = 4});
    });
}

TEST_F(LatentAppendOnCuda, RowsOfAPassCrossBlocks) {
    check({.latentDim = 24, .ropeDim = 6, .first = 0, .tokens = 24, .gap = 1});
    check({.latentDim = 24, .ropeDim = 6, .first = 7, .tokens = 2, .gap = 3});
    check({.latentDim = 24, .ropeDim = 6, .first = 23, .tokens = 1});
}

TEST_F(LatentAppendOnCuda, ARowDoesNotDependOnThePass) {
    const Case all{.latentDim = 200, .ropeDim = 10, .first = 3, .tokens = 5};
    Append together(all);
    for (const auto type : kCacheTypes) {
        const LatentLayout layout{type, all.latentDim, all.ropeDim};
        const auto rowBytes = layout.rowBytes();
        Append first({.latentDim = 200, .ropeDim = 10, .first = 3, .tokens = 1});
        const auto a = together.onCuda(type);
        const auto b = first.onCuda(type);
        EXPECT_EQ(std::memcmp(a.data() + 3 * rowBytes, b.data() + 3 * rowBytes,
                              static_cast<std::size_t>(rowBytes)),
                  0);
    }
}

// The largest value of a scale block is stored as 448, the others to the nearest e4m3.
TEST_F(LatentAppendOnCuda, ScalesOfF8Blocks) {
    const Case c{.latentDim = 300, .ropeDim = 2};
    Append append(c);
    for (std::int64_t i = 128; i < 256; ++i) append.input(0, i) = 0;  // a block of zeros
    append.setNorm(1);
    const LatentLayout f8{CacheType::F8, c.latentDim, c.ropeDim};
    const auto bytes = append.onCuda(CacheType::F8);
    const LatentLayout f32{CacheType::F32, c.latentDim, c.ropeDim};
    const auto values = decoded(append.onCuda(CacheType::F32), f32);
    for (std::int64_t b = 0; b < f8.scales(); ++b) {
        const auto begin = b * 128;
        const auto end = std::min<std::int64_t>(begin + 128, c.latentDim);
        float largest = 0;
        for (auto i = begin; i < end; ++i)
            largest = std::max(largest, std::abs(values[static_cast<std::size_t>(i)]));
        const float scale = largest > 0 ? largest / 448 : 1;
        EXPECT_EQ(at<float>(bytes, f8.scaleOffset() + 4 * b), scale);
        for (auto i = begin; i < end; ++i)
            ASSERT_EQ(at<std::uint8_t>(bytes, i),
                      nearestF8(values[static_cast<std::size_t>(i)] / scale))
                << i;
    }
}

TEST_F(LatentAppendOnCuda, TinyValuesDoNotMakeTheScaleZero) {
    Append append({.latentDim = 16, .ropeDim = 2});
    append.setNorm(1e-44f);
    const LatentLayout layout{CacheType::F8, 16, 2};
    const auto bytes = append.onCuda(CacheType::F8);
    EXPECT_EQ(at<float>(bytes, layout.scaleOffset()), 1);
    for (std::int64_t i = 0; i < 16; ++i) EXPECT_EQ(at<std::uint8_t>(bytes, i) & 0x7F, 0);
}

// Squares that overflow must not end as a row of zeros.
TEST_F(LatentAppendOnCuda, OverflowAndNanStayVisible) {
    for (const float bad : {1e30f, std::numeric_limits<float>::quiet_NaN()})
        for (const auto type : kCacheTypes) {
            Append append({.latentDim = 40, .ropeDim = 2});
            append.input(0, 3) = bad;
            const LatentLayout layout{type, 40, 2};
            const auto values = decoded(append.onCuda(type), layout);
            for (std::size_t i = 0; i < 40; ++i) EXPECT_TRUE(std::isnan(values[i])) << i;
            EXPECT_TRUE(std::isfinite(values[40]));
        }
}

}  // namespace
}  // namespace gatescope::test
