// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/dot_rows.h"
#include "kernels/cuda/expert_ffn_mma.h"
#include "kernels/cuda/expert_groups.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/half_rows.h"
#include "kernels/cuda/kernel_arguments.h"
#include "kernels/cuda/swiglu.h"

// The routed experts, grouped: each expert's weights are read once for all tokens that chose it.
// What the experts give is kept for every (token, choice) pair and added up at the end, in
// ascending order of expert.

namespace gatescope::cuda {

namespace {

constexpr int kBlockRows = kDotWarps * kDotRows;

/// The pairs of one expert, in blocks of a grid [row tiles, maxGroups].
struct GroupPlace {
    GPU_FUNCTION explicit GroupPlace(const ExpertGroups& groups) {
        const int group = static_cast<int>(blockIdx.y);
        used = group < groups.count[0];
        if (!used) return;
        expert = groups.experts[group];
        begin = groups.starts[group];
        end = groups.starts[group + 1];
    }
    bool used;
    std::int32_t expert = 0;
    std::int32_t begin = 0;
    std::int32_t end = 0;
};

GPU_FUNCTION std::int64_t firstRowOfWarp() {
    return static_cast<std::int64_t>(blockIdx.x) * kBlockRows +
           static_cast<std::int64_t>(threadIdx.x / kWarp) * kDotRows;
}

/// body.template operator()<Tokens>(first) for pairs [first, first + Tokens) until all of the group
/// are done; the last call may reach beyond its end.
template <int MostTokens, typename Body>
GPU_FUNCTION void forEachChunk(const GroupPlace& place, const Body& body) {
    for (std::int32_t first = place.begin; first < place.end;) {
        const auto left = place.end - first;
        if (MostTokens >= 4 && left > 2) {
            body.template operator()<4>(first);
            first += 4;
        } else if (MostTokens >= 2 && left == 2) {
            body.template operator()<2>(first);
            first += 2;
        } else {
            body.template operator()<1>(first);
            first += 1;
        }
    }
}

/// Rows of `in` that belong to a chunk of pairs, rowOf(pair) each.
template <int Tokens, typename RowOf>
GPU_FUNCTION DotInput<Tokens> chunkInput(const ConstMatrix& in, const ExpertGroups& groups,
                                         const GroupPlace& place, std::int32_t first,
                                         const RowOf& rowOf) {
    DotInput<Tokens> input;
#pragma unroll
    for (int t = 0; t < Tokens; ++t)
        input.rows[t] = in.row(rowOf(groups.pairs[min(first + t, place.end - 1)]));
    input.aligned = isAligned(in);
    return input;
}

/// hidden [P, Im], a row for each pair.
template <int MostTokens>
__global__ void __launch_bounds__(kDotThreads, 2)
    expertHiddenKernel(Matrix hidden, ConstMatrix in, int topK, const Weight* table, int experts,
                       ExpertGroups groups) {
    const GroupPlace place(groups);
    const auto firstRow = firstRowOfWarp();
    if (!place.used || firstRow >= hidden.cols) return;
    const Weight& gate = table[place.expert];
    const Weight& up = table[experts + place.expert];
    forEachChunk<MostTokens>(place, [&]<int Tokens>(std::int32_t first) {
        const auto input = chunkInput<Tokens>(in, groups, place, first,
                                              [&](std::int32_t pair) { return pair / topK; });
        const float g = dotRowsOfAnyType<Tokens>(gate, firstRow, input, 0, 1);
        const float u = dotRowsOfAnyType<Tokens>(up, firstRow, input, 0, 1);
        const DotLane<Tokens> lane;
        const auto row = firstRow + lane.row;
        if (lane.first && row < hidden.cols && first + lane.token < place.end)
            hidden.row(groups.pairs[first + lane.token])[row] = swiglu(g, u);
    });
}

/// outputs [P, h], likewise.
template <int MostTokens>
__global__ void __launch_bounds__(kDotThreads, 2)
    expertDownKernel(Matrix outputs, ConstMatrix hidden, const Weight* table, int experts,
                     ExpertGroups groups) {
    const GroupPlace place(groups);
    const auto firstRow = firstRowOfWarp();
    if (!place.used || firstRow >= outputs.cols) return;
    const Weight& down = table[2 * experts + place.expert];
    forEachChunk<MostTokens>(place, [&]<int Tokens>(std::int32_t first) {
        const auto input = chunkInput<Tokens>(hidden, groups, place, first,
                                              [](std::int32_t pair) { return pair; });
        const float sum = dotRowsOfAnyType<Tokens>(down, firstRow, input, 0, 1);
        const DotLane<Tokens> lane;
        const auto row = firstRow + lane.row;
        if (lane.first && row < outputs.cols && first + lane.token < place.end)
            outputs.row(groups.pairs[first + lane.token])[row] = sum;
    });
}

/// out[t] += sum_j weights[t][j] outputs[t k + j], in ascending order of expert. Blocks
/// [columns, tokens].
__global__ void combineKernel(Matrix out, ConstMatrix outputs, Routing routing) {
    GPU_DYN_SHARED(std::int32_t, order);  // [k] choices by expert
    const auto k = routing.topK;
    const auto token = static_cast<std::int64_t>(blockIdx.y);
    const std::int32_t* ids = routing.ids + token * k;
    for (int j = static_cast<int>(threadIdx.x); j < k; j += static_cast<int>(blockDim.x)) {
        int rank = 0;
        for (int i = 0; i < k; ++i) rank += ids[i] < ids[j] || (ids[i] == ids[j] && i < j) ? 1 : 0;
        order[rank] = j;
    }
    __syncthreads();
    const auto column = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (column >= out.cols) return;
    float sum = out.row(token)[column];
    for (int rank = 0; rank < k; ++rank) {
        const auto pair = token * k + order[rank];
        sum = fmaf(routing.weights[pair], outputs.row(pair)[column], sum);
    }
    out.row(token)[column] = sum;
}

void combine(Matrix out, ConstMatrix outputs, const Routing& routing, cudaStream_t stream) {
    constexpr int kThreads = 256;
    constexpr std::int64_t kMostTokens = 65535;  // in one grid
    for (std::int64_t first = 0; first < out.rows; first += kMostTokens) {
        const auto tokens = std::min(kMostTokens, out.rows - first);
        Routing part = routing;
        part.ids += first * routing.topK;
        part.weights += first * routing.topK;
        const dim3 blocks(blocksFor(out.cols, kThreads), static_cast<unsigned>(tokens));
        launch("sum over experts", combineKernel,
               Grid{blocks, kThreads, static_cast<std::size_t>(routing.topK) * 4}, stream,
               out.slice(first, tokens), outputs.slice(first * routing.topK, tokens * routing.topK),
               part);
    }
}

template <int MostTokens>
void dotExperts(Matrix outputs, Matrix hidden, ConstMatrix in, const Routing& routing,
                const ExpertWeights& weights, const ExpertGroups& groups, cudaStream_t stream) {
    const auto experts = static_cast<int>(weights.gate.size());
    const auto grid = [&](std::int64_t rows) {
        return Grid{dim3(blocksFor(rows, kBlockRows), static_cast<unsigned>(groups.maxGroups)),
                    kDotThreads};
    };
    launch("experts, gate and up", expertHiddenKernel<MostTokens>, grid(hidden.cols), stream,
           hidden, in, routing.topK, weights.table, experts, groups);
    launch("experts, down", expertDownKernel<MostTokens>, grid(outputs.cols), stream, outputs,
           hidden, weights.table, experts, groups);
}

/// Enough tokens for each expert to make reading the weights the smaller part of the work.
bool paysExpertTensorCores(std::int64_t pairs, std::int64_t experts) {
    return pairs > 64 && pairs >= 4 * experts;
}

}  // namespace

void CudaDevice::expertFfn(Matrix out, ConstMatrix in, const Routing& routing,
                           const ExpertWeights& experts) {
    const auto pairs = routing.tokens * routing.topK;
    if (pairs == 0) return;
    const auto count = static_cast<int>(experts.gate.size());
    const bool mma = isFast() && paysExpertTensorCores(pairs, count);
    const int tileRows = mma ? kExpertTileRows : 0;
    void* memory = scratchBytes(Scratch::ExpertGroups, expertGroupBytes(pairs, count, tileRows));
    const auto groups = groupByExpert(memory, routing, count, tileRows, m_stream);
    const Matrix outputs(scratch<float>(Scratch::ExpertOut, pairs * out.cols), pairs, out.cols);
    const auto inner = experts.gate[0].rows;
    if (mma) {
        const auto half =
            toHalfRows(scratch<std::uint16_t>(Scratch::HalfInput, in.rows * halfStride(in.cols)),
                       in, m_stream);
        const auto stride = halfStride(inner);
        const HalfHidden hidden{scratch<std::uint16_t>(Scratch::HalfHidden, pairs * stride), pairs,
                                inner, stride};
        mmaExperts(outputs, hidden, half, routing.topK, {experts.table, count}, groups, m_stream);
    } else {
        // Rows begin at multiples of 16 bytes.
        const auto stride = (inner + 3) / 4 * 4;
        const Matrix hidden(scratch<float>(Scratch::ExpertHidden, pairs * stride), pairs, inner,
                            stride);
        const auto run = routing.tokens == 1 ? dotExperts<1> : dotExperts<4>;
        run(outputs, hidden, in, routing, experts, groups, m_stream);
    }
    combine(out, outputs, routing, m_stream);
}

}  // namespace gatescope::cuda
