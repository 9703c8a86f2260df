// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernels/cuda/absorbed_projections.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/latent_attention.h"

// Absorbed attention (DeepSeek-V2 report, 2.1.2): with kv_b viewed as WK_h [dn, r] and WV_h [dv,
// r], q_h . k_h(s) = (WK_h^T q_h) . c(s) and o_h = WV_h (sum_s p_s c(s)), so the latent rows serve
// as keys and values of every head and nothing is expanded.

namespace gatescope::cuda {

namespace {

// Partial results of all queries that are computed together take at most this much memory.
constexpr std::int64_t kPartialBytes = std::int64_t{128} << 20;
// Shorter parts of the context cost more to combine than they save.
constexpr int kShortestPart = 128;
// With Precision::Exact a query's parts depend on its context alone.
constexpr int kExactParts = 64;
// blockIdx.z counts queries.
constexpr std::int64_t kMostQueries = 65535;

constexpr int latentPitch(std::int64_t latentDim) {
    return static_cast<int>((latentDim + 7) / 8 * 8);
}

// How the queries of a call are computed: `tokens` of them at a time, in tiles of the tensor cores
// (or, if rowTiles is 0, in float32).
struct Plan {
    ContextParts parts;
    int rowTiles = 0;
    std::int64_t tokens = 0;
};

// As many parts as fill the multiprocessors with blocks that hold `rows` rows each.
int partsThatFill(int multiprocessors, int rowTiles, std::int64_t rows) {
    const std::int64_t blocks = rowTiles == 1 ? 2 * multiprocessors : multiprocessors;
    const std::int64_t groups = (rows + 16 * rowTiles - 1) / (16 * rowTiles);
    return static_cast<int>(std::max<std::int64_t>(1, blocks / groups));
}

Plan makePlan(int rowTiles, int multiprocessors, std::int64_t tokens, const StepPosition& position,
              const AttentionShape& s) {
    Plan plan;
    plan.rowTiles = rowTiles;
    auto& p = plan.parts;
    p.first = position.onDevice;
    p.heads = s.heads;
    p.ofQuery = rowTiles == 0;
    p.most = rowTiles ? partsThatFill(multiprocessors, rowTiles, tokens * s.heads) : kExactParts;
    p.shortest = kShortestPart;
    const std::int64_t capacity = std::max<std::int64_t>(position.capacity, 1);
    const std::int64_t parts = (capacity + p.shortest - 1) / p.shortest;
    p.room = static_cast<int>(std::min<std::int64_t>(p.most, parts));
    const std::int64_t rowBytes = (latentPitch(s.latentDim) + 2) * std::int64_t{4};
    const std::int64_t queryBytes = s.heads * p.room * rowBytes;
    plan.tokens =
        std::clamp<std::int64_t>(kPartialBytes / queryBytes, 1, std::min(tokens, kMostQueries));
    return plan;
}

}  // namespace

void CudaDevice::absorbedAttention(Matrix out, ConstMatrix q, const Weight& kvB,
                                   LatentCacheView cache, const StepPosition& position,
                                   const AttentionShape& shape) {
    if (q.rows == 0) return;
    const int rowTiles =
        isFast() ? tensorRowTiles(shape, cache.layout, q.rows * shape.heads, m_sharedBytesPerBlock)
                 : 0;
    const Plan plan = makePlan(rowTiles, multiprocessors(), q.rows, position, shape);
    const int pitch = latentPitch(shape.latentDim);
    const std::int64_t planRows = plan.tokens * shape.heads;
    const std::int64_t results = planRows * plan.parts.room;
    // Rows of latents and sums begin at multiples of 16 bytes, so the pairs come last.
    float* latent =
        scratch<float>(Scratch::AttentionSplit, planRows * pitch + results * pitch + 2 * results);
    PartialAttention partial{.parts = plan.parts, .pitch = pitch};
    partial.sums = latent + planRows * pitch;
    partial.stats = reinterpret_cast<float2*>(partial.sums + results * pitch);
    // Room for float32, used as BF16 by the tensor cores.
    auto* queries =
        scratch<float>(Scratch::AbsorbedQuery, planRows * (shape.latentDim + shape.ropeDim));

    for (std::int64_t t = 0; t < q.rows; t += plan.tokens) {
        const std::int64_t count = std::min(plan.tokens, q.rows - t);
        partial.parts.skipped = t;
        partial.parts.tokens = count;
        if (plan.rowTiles) {
            auto* halves = reinterpret_cast<std::uint16_t*>(queries);
            absorbQueries(halves, q.slice(t, count), kvB, shape, m_stream);
            tensorLatentAttention(partial, halves, cache, shape, plan.rowTiles, m_stream);
        } else {
            absorbQueries(queries, q.slice(t, count), kvB, shape, m_stream);
            floatLatentAttention(partial, queries, cache, shape, m_stream);
        }
        combineParts(latent, partial, shape, m_stream);
        projectValues(out.slice(t, count), latent, pitch, kvB, shape, m_stream);
    }
}

}  // namespace gatescope::cuda
