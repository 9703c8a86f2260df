// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/checkpoint/weight_source.h"
#include "kernels/dtype.h"

namespace gatescope {

/// Shapes of published models by name, for measurements: "deepseek-v3", "kimi-k2", "moonlight",
/// "v2-lite", and "mini-2b", a model of 1.9 B parameters with DeepSeek-V3's attention and routing
/// (64 experts, top-8 within 4 of 8 groups, MTP). `layers` > 0 replaces the number of layers.
/// Throws Error naming the shapes there are.
ModelConfig namedShape(std::string_view name, int layers = 0);

/// Random weights of a model's true shapes, made in memory when they are asked for. Matrices are
/// stored as `dtype` (norms, router and bias as the published checkpoints store them), so a pass
/// reads as many bytes as with trained weights; the text it makes means nothing.
class RandomWeights final : public WeightSource {
  public:
    RandomWeights(ModelConfig config, DType dtype, std::uint64_t seed = 1);
    ~RandomWeights() override;

    const ModelConfig& config() const override { return m_config; }
    const TensorView* find(std::string_view name) const override;
    std::string describe() const override { return "random weights"; }

    std::uint64_t parameters() const;   ///< of all tensors, the MTP module's included
    std::uint64_t weightBytes() const;  ///< of the tensors made so far

  private:
    struct Entry;
    Entry make(const std::string& name, const std::vector<std::int64_t>& shape) const;

    ModelConfig m_config;
    DType m_dtype;
    std::uint64_t m_seed;
    std::map<std::string, std::vector<std::int64_t>, std::less<>> m_shapes;
    mutable std::map<std::string, Entry, std::less<>> m_made;
};

}  // namespace gatescope
