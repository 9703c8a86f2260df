// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/checkpoint/checkpoint.h"

namespace gatescope {

/// Parameters of one kind. Scales of quantised weights count as bytes, not as parameters.
struct ParameterGroup {
    std::string name;
    std::int64_t total = 0;
    /// Taking part in one token's pass: k of E routed experts, one row of the embedding table,
    /// everything else in full.
    std::int64_t active = 0;
    std::uint64_t bytes = 0;  ///< as stored, scales included
};

/// Latent cache of one position and what the same layers would hold as expanded keys and values.
struct CachePerToken {
    std::int64_t latentValues = 0;    ///< main layers: L (kv_lora_rank + qk_rope_head_dim)
    std::int64_t mtpValues = 0;       ///< MTP layer; 0 without one
    std::int64_t expandedValues = 0;  ///< main layers: L H (dn + dr + dv)
};

/// What there is to say about a checkpoint before running it.
struct ModelCard {
    std::vector<ParameterGroup> main;  ///< groups of the main model that occur
    std::vector<ParameterGroup> mtp;   ///< the MTP module; the copies of embedding and head apart
    std::vector<std::pair<std::string, std::uint64_t>> dtypes;  ///< stored bytes by element type
    CachePerToken cache;
    std::uint64_t bytes = 0;         ///< all tensors in the files
    std::size_t tensors = 0;         ///< in the files
    std::size_t ignoredTensors = 0;  ///< in the files, but no part of the model
    std::uint64_t ignoredBytes = 0;

    static ParameterGroup sum(const std::vector<ParameterGroup>& groups);
};

ModelCard modelCard(const Checkpoint& checkpoint);

}  // namespace gatescope
