// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/checkpoint/tensor_schema.h"
#include "engine/checkpoint/weight_source.h"
#include "kernels/dtype.h"

namespace gatescope {

/// Shapes of published models by name, for measurements: "deepseek-v3", "kimi-k2", "moonlight",
/// "v2-lite", and "mini-2b", a model of 1.9 B parameters with DeepSeek-V3's attention and routing
/// (64 experts, top-8 within 4 of 8 groups, MTP). `layers` > 0 replaces the number of layers.
/// Throws Error naming the shapes there are.
ModelConfig namedShape(std::string_view name, int layers = 0);

/// Random weights of a model's true shapes. Vectors (norms, router bias) are made here, matrices by
/// the device that is to use them. Matrices are stored as `dtype` (norms, router and embeddings as
/// the published checkpoints store them), so a pass reads as many bytes as with trained weights;
/// the text it makes means nothing.
class RandomWeights final : public WeightSource {
  public:
    RandomWeights(ModelConfig config, DType dtype, std::uint64_t seed = 1);
    ~RandomWeights() override;

    const ModelConfig& config() const override { return m_config; }
    const TensorView* find(std::string_view name) const override;
    std::string describe() const override { return "random weights"; }
    std::optional<RandomFill> randomFill(const std::string& name, std::int64_t rows,
                                         std::int64_t cols) const override;

    std::uint64_t parameters() const { return m_parameters; }    ///< the MTP module's included
    std::uint64_t weightBytes() const { return m_weightBytes; }  ///< of all matrices

  private:
    struct Entry;
    std::unique_ptr<Entry> makeVector(const TensorSpec& spec) const;
    DType dtypeOf(std::string_view name) const;
    std::uint64_t storedBytes(const TensorSpec& spec) const;

    ModelConfig m_config;
    DType m_dtype;
    std::uint64_t m_seed;
    std::uint64_t m_parameters = 0;
    std::uint64_t m_weightBytes = 0;
    std::map<std::string, std::unique_ptr<Entry>, std::less<>> m_vectors;
};

}  // namespace gatescope
