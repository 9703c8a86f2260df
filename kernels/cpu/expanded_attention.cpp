// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cpu/cpu_device.h"
#include "kernels/cpu/dot_rows.h"
#include "kernels/cpu/simd.h"

// Expanded attention for prefill: per head, keys [k_nope ; k_pe] and values are expanded from the
// latent rows one cache block at a time and consumed at once by all queries with a running softmax
// (Milakov & Gimelshein 2018), so neither the expanded cache nor a T x T matrix exists. Cache
// blocks begin at fixed positions, so a query's result does not depend on the chunk it is computed
// in.

namespace gatescope {

namespace {

// All queries of one chunk in one head.
class Head {
  public:
    Head(ConstMatrix q, const Weight& kvB, const LatentCacheView& cache, std::int64_t first,
         const AttentionShape& shape, int head)
        : m_q(q), m_kvB(kvB), m_cache(cache), m_first(first), m_shape(shape), m_head(head) {
        const auto block = static_cast<std::size_t>(cache.blockPositions);
        const auto queries = static_cast<std::size_t>(q.rows);
        m_keys.resize(block * static_cast<std::size_t>(shape.queryDim()));
        m_values.resize(block * static_cast<std::size_t>(shape.valueDim));
        m_scores.resize(block * queries);
        m_sums.assign(queries * static_cast<std::size_t>(shape.valueDim), 0);
        m_max.assign(queries, -std::numeric_limits<float>::infinity());
        m_total.assign(queries, 0);
        m_queries.resize(queries);
        for (std::int64_t t = 0; t < q.rows; ++t)
            m_queries[static_cast<std::size_t>(t)] = q.row(t) + head * shape.queryDim();
    }

    void run(Matrix out) {
        const auto context = m_first + m_q.rows;
        for (std::int64_t p = 0; p < context; p += m_cache.blockPositions) {
            const auto count = std::min<std::int64_t>(m_cache.blockPositions, context - p);
            expand(p, count);
            consume(p, count);
        }
        for (std::int64_t t = 0; t < m_q.rows; ++t) {
            float* to = out.row(t) + m_head * m_shape.valueDim;
            std::copy_n(sums(t), m_shape.valueDim, to);
            simd::scale(to, 1.0f / m_total[static_cast<std::size_t>(t)], m_shape.valueDim);
        }
    }

  private:
    float* sums(std::int64_t t) { return m_sums.data() + t * m_shape.valueDim; }

    // Keys [count, dn + dr] and values [count, dv] of the cache rows [p, p + count).
    void expand(std::int64_t p, std::int64_t count) {
        std::vector<const float*> rows(static_cast<std::size_t>(count));
        for (std::int64_t j = 0; j < count; ++j) {
            rows[static_cast<std::size_t>(j)] = m_cache.floatRow(p + j);
            std::copy_n(m_cache.floatRow(p + j) + m_shape.latentDim, m_shape.ropeDim,
                        m_keys.data() + j * m_shape.queryDim() + m_shape.nopeDim);
        }
        const auto firstRow = m_head * (m_shape.nopeDim + m_shape.valueDim);
        dotRows(m_kvB, firstRow, m_shape.nopeDim, rows.data(), count, m_keys.data(),
                m_shape.queryDim());
        dotRows(m_kvB, firstRow + m_shape.nopeDim, m_shape.valueDim, rows.data(), count,
                m_values.data(), m_shape.valueDim);
    }

    // Adds the block's part to every query that may see it.
    void consume(std::int64_t p, std::int64_t count) {
        const auto firstQuery = std::max<std::int64_t>(0, p - m_first);
        const Weight keys{
            .dtype = DType::F32, .rows = count, .cols = m_shape.queryDim(), .data = m_keys.data()};
        dotRows(keys, 0, count, m_queries.data() + firstQuery, m_q.rows - firstQuery,
                m_scores.data() + firstQuery * m_cache.blockPositions, m_cache.blockPositions);
        for (auto t = firstQuery; t < m_q.rows; ++t) {
            const auto visible = std::min(count, m_first + t - p + 1);
            addBlock(t, m_scores.data() + t * m_cache.blockPositions, visible);
        }
    }

    void addBlock(std::int64_t t, float* scores, std::int64_t count) {
        auto& largest = m_max[static_cast<std::size_t>(t)];
        auto& total = m_total[static_cast<std::size_t>(t)];
        simd::scale(scores, m_shape.scale, count);
        const float newLargest = std::max(largest, simd::max(scores, count));
        const float shrink = std::exp(largest - newLargest);
        largest = newLargest;
        total = total * shrink + simd::expSum(scores, newLargest, count);
        float* acc = sums(t);
        simd::scale(acc, shrink, m_shape.valueDim);
        simd::weightedSum(&acc, &scores, 1, m_values.data(), m_shape.valueDim, count,
                          m_shape.valueDim);
    }

    ConstMatrix m_q;
    const Weight& m_kvB;
    const LatentCacheView& m_cache;
    std::int64_t m_first;
    const AttentionShape& m_shape;
    int m_head;
    std::vector<float> m_keys, m_values, m_scores, m_sums, m_max, m_total;
    std::vector<const float*> m_queries;
};

}  // namespace

void CpuDevice::expandedAttention(Matrix out, ConstMatrix q, const Weight& kvB,
                                  LatentCacheView cache, const StepPosition& position,
                                  const AttentionShape& shape) {
    m_pool.parallelFor(shape.heads, 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto head = begin; head < end; ++head)
            Head(q, kvB, cache, position.first, shape, static_cast<int>(head)).run(out);
    });
}

}  // namespace gatescope
