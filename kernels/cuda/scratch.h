// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace gatescope::cuda {

/// Intermediate results of the operations, one growing buffer each; two slots never overlap.
enum class Scratch {
    HalfInput,       ///< activations in BF16 [T, K], input of tensor-core products
    HalfHidden,      ///< BF16 inner activations of an MLP or of the routed experts
    Gate,            ///< gate half of an MLP before SwiGLU
    Up,              ///< up half
    ExpertGroups,    ///< (token, choice) pairs sorted by expert, and the groups
    ExpertHidden,    ///< [T k, Im] inner activations of the routed experts
    ExpertOut,       ///< [T k, h] their outputs before the weighted sum
    AbsorbedQuery,   ///< [T, H, latentDim + dr] queries in latent space
    AttentionSplit,  ///< partial sums of attention over parts of the context
    ExpandedKv,      ///< keys and values of a stretch of the context, per head
    AttentionState,  ///< running softmax of prefill attention between stretches
    TopLogits,       ///< candidates of parts of the vocabulary
    Blas,            ///< cuBLAS workspace
    Count,
};

}  // namespace gatescope::cuda
