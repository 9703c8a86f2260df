// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <vector>

#include "kernels/cpu/cpu_device.h"
#include "kernels/cpu/dot_rows.h"
#include "kernels/cpu/simd.h"

// Absorbed attention (DeepSeek-V2 report, 2.1.2): with kv_b viewed as WK_h [dn, r] and WV_h [dv,
// r], q_h . k_h(s) = (WK_h^T q_h) . c(s) and o_h = WV_h (sum_s p_s c(s)), so the latent rows serve
// as keys and values of every head and nothing is expanded.

namespace gatescope {

namespace {

// Heads that share one pass over the latent rows.
constexpr int kGroup = simd::kMaxTileTokens;

struct Task {
    const Weight& kvB;
    const LatentCacheView& cache;
    const AttentionShape& shape;
    std::int64_t context;  ///< cache rows the query may see
    int firstHead;
    int heads;  ///< at most kGroup
};

// [WK_h^T q_nope ; q_pe] per head, ready for a dot product with a whole cache row.
void absorbQueries(const Task& task, const float* q, float* absorbed) {
    const auto& s = task.shape;
    for (int g = 0; g < task.heads; ++g) {
        const int head = task.firstHead + g;
        const float* query = q + head * s.queryDim();
        float* row = absorbed + g * s.latentWidth();
        std::fill_n(row, s.latentDim, 0.0f);
        simd::transposedProduct(row, query, task.kvB, head * (s.nopeDim + s.valueDim), s.nopeDim);
        std::copy_n(query + s.nopeDim, s.ropeDim, row + s.latentDim);
    }
}

// Calls visit(firstPosition, rows, count) for each run of cache rows that lie together.
template <typename Visit>
void forEachBlock(const Task& task, const Visit& visit) {
    for (std::int64_t p = 0; p < task.context; p += task.cache.blockPositions) {
        const auto count = std::min<std::int64_t>(task.cache.blockPositions, task.context - p);
        visit(p, task.cache.floatRow(p), count);
    }
}

void attend(const Task& task, const float* q, float* out, std::vector<float>& scratch) {
    const auto& s = task.shape;
    const auto width = s.latentWidth();
    scratch.resize(static_cast<std::size_t>(kGroup * (width + s.latentDim + task.context)));
    float* absorbed = scratch.data();
    float* sums = absorbed + kGroup * width;
    float* probabilities = sums + kGroup * s.latentDim;
    std::array<const float*, kGroup> queries{};
    std::array<float*, kGroup> latent{};
    for (int g = 0; g < task.heads; ++g) {
        queries[static_cast<std::size_t>(g)] = absorbed + g * width;
        latent[static_cast<std::size_t>(g)] = sums + g * s.latentDim;
    }

    absorbQueries(task, q, absorbed);
    forEachBlock(task, [&](std::int64_t p, const float* rows, std::int64_t count) {
        const Weight keys{.dtype = DType::F32, .rows = count, .cols = width, .data = rows};
        dotRows(keys, 0, count, queries.data(), task.heads, probabilities + p, task.context);
    });
    std::array<float, kGroup> totals{};
    for (int g = 0; g < task.heads; ++g) {
        float* p = probabilities + g * task.context;
        simd::scale(p, s.scale, task.context);
        totals[static_cast<std::size_t>(g)] =
            simd::expSum(p, simd::max(p, task.context), task.context);
    }
    std::fill_n(sums, kGroup * s.latentDim, 0.0f);
    forEachBlock(task, [&](std::int64_t p, const float* rows, std::int64_t count) {
        std::array<const float*, kGroup> ps{};
        for (int g = 0; g < task.heads; ++g)
            ps[static_cast<std::size_t>(g)] = probabilities + g * task.context + p;
        simd::weightedSum(latent.data(), ps.data(), task.heads, rows, width, count, s.latentDim);
    });
    for (int g = 0; g < task.heads; ++g) {
        const int head = task.firstHead + g;
        simd::scale(latent[static_cast<std::size_t>(g)], 1.0f / totals[static_cast<std::size_t>(g)],
                    s.latentDim);
        const float* x = latent[static_cast<std::size_t>(g)];
        dotRows(task.kvB, head * (s.nopeDim + s.valueDim) + s.nopeDim, s.valueDim, &x, 1,
                out + head * s.valueDim, 0);
    }
}

}  // namespace

void CpuDevice::absorbedAttention(Matrix out, ConstMatrix q, const Weight& kvB,
                                  LatentCacheView cache, const StepPosition& position,
                                  const AttentionShape& shape) {
    const auto first = position.first;
    const std::int64_t groups = (shape.heads + kGroup - 1) / kGroup;
    m_pool.parallelFor(q.rows * groups, 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> scratch;
        for (auto item = begin; item < end; ++item) {
            const auto t = item / groups;
            const auto firstHead = static_cast<int>(item % groups) * kGroup;
            const Task task{kvB,           cache,     shape,
                            first + t + 1, firstHead, std::min(kGroup, shape.heads - firstHead)};
            attend(task, q.row(t), out.row(t), scratch);
        }
    });
}

}  // namespace gatescope
