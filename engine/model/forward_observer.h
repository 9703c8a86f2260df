// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/matrix.h"

namespace gatescope {

/// Routing of all tokens of one forward pass in one MoE layer, in host memory; valid during the
/// call.
struct LayerRouting {
    int layer = 0;  ///< absolute index; the MTP layer is num_hidden_layers
    std::int64_t tokens = 0;
    int experts = 0;
    int topK = 0;
    const float* scores = nullptr;      ///< [tokens, experts] affinities, no bias
    const std::int32_t* ids = nullptr;  ///< [tokens, topK] largest choice score first
    const float* weights = nullptr;     ///< [tokens, topK] gate weights
};

/// Looks at a forward pass without changing it. Values are in host memory and valid only during the
/// call. Routing arrives after the pass, all layers in order; hidden states while it runs.
class ForwardObserver {
  public:
    virtual ~ForwardObserver() = default;
    virtual bool wantsRouting() const { return false; }
    virtual bool wantsHidden() const { return false; }
    virtual void onRouting(const LayerRouting& /*routing*/) {}
    /// Residual stream [T, h]: index 0 is the embedding, i + 1 the output of layer i; for the MTP
    /// layer, its block's output with index num_hidden_layers + 1.
    virtual void onHidden(int /*index*/, ConstMatrix /*hidden*/) {}
    /// After the final norm, [T, h].
    virtual void onNormed(ConstMatrix /*normed*/) {}
};

}  // namespace gatescope
