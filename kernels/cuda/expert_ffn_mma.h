// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/cuda/expert_groups.h"
#include "kernels/cuda/half_rows.h"
#include "kernels/matrix.h"
#include "kernels/weight.h"

// The routed experts on tensor cores, for Precision::Fast and many tokens: BF16 factors, float32
// sums.

namespace gatescope::cuda {

/// Pairs of one tile, as ExpertGroups has to be made.
inline constexpr int kExpertTileRows = 32;

/// BF16 inner activations [P, Im], a row for each place in ExpertGroups::pairs, laid out as
/// HalfRows.
struct HalfHidden {
    std::uint16_t* data = nullptr;
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    std::int64_t stride = 0;
};

template <typename Visit>
void forEachPointer(const HalfHidden& h, const Visit& visit) {
    visit(h.data);
}

/// ExpertWeights::table and the number of experts.
struct ExpertTable {
    const Weight* weights = nullptr;
    int experts = 0;
};

template <typename Visit>
void forEachPointer(const ExpertTable& t, const Visit& visit) {
    visit(t.weights);
}

/// outputs [P, h], row t * k + j = down(silu(gate(in[t])) * up(in[t])) of the token's choice j.
void mmaExperts(Matrix outputs, const HalfHidden& hidden, const HalfRows& in, int topK,
                const ExpertTable& table, const ExpertGroups& groups, cudaStream_t stream);

}  // namespace gatescope::cuda
