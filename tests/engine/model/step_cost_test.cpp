// SPDX-License-Identifier: Apache-2.0
#include "engine/model/step_cost.h"

#include <gtest/gtest.h>

#include "engine/model/random_weights.h"

namespace gatescope {
namespace {

// DeepSeek-V3: h 7168, 128 heads of 128 + 64 and 128, q_lora 1536, kv_lora 512, 256 experts of
// 2048, top-8 and one shared, 3 dense layers of 18432, 58 MoE layers, V 129280.
constexpr std::uint64_t kQueryA = 1536 * 7168;                 // 11,010,048
constexpr std::uint64_t kQueryB = 128 * 192 * 1536;            // 37,748,736
constexpr std::uint64_t kKvA = (512 + 64) * 7168;              // 4,128,768
constexpr std::uint64_t kKvB = 128 * (128 + 128) * 512;        // 16,777,216
constexpr std::uint64_t kOutput = 7168 * 128 * 128;            // 117,440,512
constexpr std::uint64_t kExpert = 3 * 2048 * 7168;             // 44,040,192
constexpr std::uint64_t kDense = 3 * 18432 * 7168;             // 396,361,728
constexpr std::uint64_t kRouter = 256 * 7168;                  // 1,835,008
constexpr std::uint64_t kHead = std::uint64_t{129280} * 7168;  // 926,679,040

TEST(StepCostTest, DecodeBytesOfDeepSeekV3InBf16) {
    const RandomWeights source(namedShape("deepseek-v3"), DType::BF16);
    const auto bytes = decodeBytes(source, CacheType::BF16, 1024);
    // Each layer: attention; then a dense MLP, or router, 8 routed experts and one shared.
    const std::uint64_t attention = kQueryA + kQueryB + kKvA + kKvB + kOutput;
    EXPECT_EQ(attention, 187105280u);
    const std::uint64_t parameters =
        61 * attention + 3 * kDense + 58 * (kRouter + 9 * kExpert) + kHead + 7168;
    EXPECT_EQ(parameters, 36624604160u);  // "37B activated"
    EXPECT_EQ(bytes.weights, 2 * parameters);
    EXPECT_EQ(bytes.cache, 61u * 1024 * (512 + 64) * 2);  // 71,958,528
    EXPECT_EQ(bytes.logits, 129280u * 4);
    EXPECT_EQ(bytes.total(), bytes.weights + bytes.cache + bytes.logits);
}

TEST(StepCostTest, DecodeBytesOfDeepSeekV3InFp8) {
    const RandomWeights source(namedShape("deepseek-v3"), DType::F8E4M3);
    const auto bytes = decodeBytes(source, CacheType::F8, 65536);
    // One byte a value and a float32 scale for each 128 x 128 block: 4 bytes for 16384 values, and
    // the 576 rows of kv_a_proj_with_mqa take 5 rows of blocks. Router, head and embedding: BF16.
    const std::uint64_t attention = (kQueryA + 12 * 56 * 4) + (kQueryB + 192 * 12 * 4) +
                                    (kKvA + 5 * 56 * 4) + (kKvB + 256 * 4 * 4) +
                                    (kOutput + 56 * 128 * 4);
    EXPECT_EQ(attention, 187151072u);
    const std::uint64_t expert = kExpert + 3 * 16 * 56 * 4;  // 44,050,944
    const std::uint64_t dense = kDense + 3 * 144 * 56 * 4;   // 396,458,496
    EXPECT_EQ(bytes.weights,
              61 * attention + 3 * dense + 58 * (2 * kRouter + 9 * expert) + 2 * kHead + 2 * 7168);
    EXPECT_EQ(bytes.weights, 37666416992u);
    // A row: 512 values of one byte, 64 of two, 4 scales.
    EXPECT_EQ(bytes.cache, std::uint64_t{61} * 65536 * (512 + 128 + 16));
    EXPECT_EQ(latentAttentionBytes(source, CacheType::F8, 65536),
              bytes.cache + 61 * (kKvB + 256 * 4 * 4));
}

TEST(StepCostTest, PrefillMultiplyAddsOfDeepSeekV3) {
    const auto config = namedShape("deepseek-v3", 4);  // 3 dense layers, one MoE layer
    // A query sees itself and everything before it: 4096 * 4097 / 2 pairs, each of 192 products for
    // its score and 128 for its value, in each of 128 heads.
    const std::uint64_t pairs = 8390656;
    const std::uint64_t attention =
        4096 * (kQueryA + kQueryB + kKvA + kKvB + kOutput) + pairs * 128 * (192 + 128);
    EXPECT_EQ(prefillMultiplyAdds(config, 4096, 0),
              4 * attention + 4096 * (3 * kDense + kRouter + 9 * kExpert) + kHead);
    // With 1000 positions before them: their keys and values, and 1000 more pairs for each query.
    EXPECT_EQ(prefillMultiplyAdds(config, 4096, 1000) - prefillMultiplyAdds(config, 4096, 0),
              4 * (1000 * kKvB + std::uint64_t{4096} * 1000 * 128 * (192 + 128)));
}

TEST(StepCostTest, QueriesWithoutCompressionAndTwoSharedExperts) {
    // Moonlight: h 2048, 16 heads, no q_lora, 64 experts of 1408, top-6 and two shared, one dense
    // layer of 11264.
    const auto config = namedShape("moonlight", 2);
    const std::uint64_t attention = 2048 * 16 * 192 + 576 * 2048 + 16 * 256 * 512 + 2048 * 16 * 128;
    const std::uint64_t mlps = 3 * 2048 * 11264 + 64 * 2048 + std::uint64_t{8} * 3 * 2048 * 1408;
    const std::uint64_t head = std::uint64_t{163840} * 2048;
    const RandomWeights source(config, DType::BF16);
    EXPECT_EQ(decodeBytes(source, CacheType::F32, 1).weights,
              2 * (2 * attention + mlps + head + 2048));
    EXPECT_EQ(prefillMultiplyAdds(config, 1, 0), 2 * (attention + 16 * 320) + mlps + head);
}

}  // namespace
}  // namespace gatescope
