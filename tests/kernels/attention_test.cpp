// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/cpu/cpu_device.h"
#include "tests/kernels/reference.h"

namespace gatescope::test {
namespace {

/// A random cache of `context` rows in blocks, and its queries.
struct Problem {
    Problem(AttentionShape s, std::int64_t context, std::int64_t queries, int block, DType dtype)
        : shape(s),
          first(context - queries),
          count(queries),
          kvB(randomWeight(dtype, s.heads * (s.nopeDim + s.valueDim), s.latentDim, 5, 1)),
          q(randomFloats(static_cast<std::size_t>(queries * s.heads * s.queryDim()), 6)),
          rows(randomFloats(static_cast<std::size_t>((context + block) * s.latentWidth()), 7)) {
        for (std::int64_t p = 0; p < context; p += block)
            pointers.push_back(reinterpret_cast<std::byte*>(rows.data() + p * s.latentWidth()));
        cache = {pointers.data(), block, {CacheType::F32, s.latentDim, s.ropeDim}};
    }

    const float* row(std::int64_t p) const { return rows.data() + p * shape.latentWidth(); }
    /// Attention by its definition, in float64, of head h of query t.
    std::vector<double> reference(std::int64_t t, int h) const {
        const auto& s = shape;
        const auto w = [&](std::int64_t row, std::int64_t col) {
            return kvB.values[static_cast<std::size_t>(
                (h * (s.nopeDim + s.valueDim) + row) * s.latentDim + col)];
        };
        const float* query = q.data() + (t * s.heads + h) * s.queryDim();
        std::vector<double> scores;
        for (std::int64_t p = 0; p <= first + t; ++p) {
            double score = 0;
            for (std::int64_t d = 0; d < s.nopeDim; ++d)
                for (std::int64_t c = 0; c < s.latentDim; ++c)
                    score += query[d] * w(d, c) * row(p)[c];
            for (std::int64_t d = 0; d < s.ropeDim; ++d)
                score += query[s.nopeDim + d] * row(p)[s.latentDim + d];
            scores.push_back(score * s.scale);
        }
        const double largest = *std::max_element(scores.begin(), scores.end());
        double sum = 0;
        for (auto& v : scores) sum += v = std::exp(v - largest);
        std::vector<double> out(static_cast<std::size_t>(s.valueDim));
        for (std::size_t p = 0; p < scores.size(); ++p)
            for (std::int64_t v = 0; v < s.valueDim; ++v)
                for (std::int64_t c = 0; c < s.latentDim; ++c)
                    out[static_cast<std::size_t>(v)] += scores[p] / sum * w(s.nopeDim + v, c) *
                                                        row(static_cast<std::int64_t>(p))[c];
        return out;
    }

    AttentionShape shape;
    std::int64_t first;
    std::int64_t count;
    ReferenceWeight kvB;
    std::vector<float> q;
    std::vector<float> rows;
    std::vector<std::byte*> pointers;
    LatentCacheView cache;
};

const AttentionShape kOdd{
    .heads = 5, .nopeDim = 6, .ropeDim = 4, .valueDim = 7, .latentDim = 19, .scale = 0.2f};
const AttentionShape kEven{
    .heads = 4, .nopeDim = 16, .ropeDim = 8, .valueDim = 16, .latentDim = 32, .scale = 0.1f};

void check(const Problem& problem, bool absorbed) {
    CpuDevice device(3);
    const auto& s = problem.shape;
    std::vector<float> out(static_cast<std::size_t>(problem.count * s.heads * s.valueDim));
    const Matrix result(out.data(), problem.count, s.heads * s.valueDim);
    const ConstMatrix q(problem.q.data(), problem.count, s.heads * s.queryDim());
    if (absorbed) {
        device.absorbedAttention(result, q, problem.kvB.weight, problem.cache,
                                 {.first = problem.first}, s);
    } else {
        device.expandedAttention(result, q, problem.kvB.weight, problem.cache,
                                 {.first = problem.first}, s);
    }
    for (std::int64_t t = 0; t < problem.count; ++t)
        for (int h = 0; h < s.heads; ++h) {
            const auto expected = problem.reference(t, h);
            for (std::size_t v = 0; v < expected.size(); ++v)
                ASSERT_NEAR(result.row(t)[static_cast<std::size_t>(h * s.valueDim) + v],
                            expected[v], 2e-4)
                    << "query " << t << ", head " << h;
        }
}

TEST(Attention, BothFormsMatchTheDefinition) {
    for (const auto& shape : {kOdd, kEven})
        for (const auto dtype : {DType::BF16, DType::F8E4M3, DType::F32})
            for (const auto& [context, queries] :
                 std::vector<std::pair<int, int>>{{1, 1}, {9, 9}, {20, 3}, {33, 1}, {40, 17}})
                for (const bool absorbed : {false, true})
                    check(Problem(shape, context, queries, 8, dtype), absorbed);
}

TEST(Attention, RotaryTurnsAdjacentPairsOfTheLastDimensionsOnly) {
    CpuDevice device(1);
    std::vector<float> q{1, 2, 3, 4, 5, 6};        // one head: dn = 2, dr = 4
    const std::vector<float> cosSin{0, 1, -1, 0};  // a quarter turn, half a turn
    const AttentionShape shape{.heads = 1, .nopeDim = 2, .ropeDim = 4};
    device.rotary({q.data(), 1, 6}, shape, cosSin.data());
    EXPECT_EQ(q, (std::vector<float>{1, 2, -4, 3, -5, -6}));
}

TEST(Attention, LatentAppendStoresTheNormedLatentAndTheRotatedKey) {
    CpuDevice device(1);
    const AttentionShape shape{.heads = 1, .ropeDim = 2, .latentDim = 4};
    std::vector<float> a(12), b(12);
    std::vector<std::byte*> blocks{reinterpret_cast<std::byte*>(a.data()),
                                   reinterpret_cast<std::byte*>(b.data())};
    const std::vector<float> kv{1, 1, 1, 1, 3, 4}, norm{1, 2, 3, 4}, cosSin{0, 1};
    device.latentAppend({blocks.data(), 2, {CacheType::F32, 4, 2}}, {.first = 3}, {kv.data(), 1, 6},
                        shape, norm.data(), 0, cosSin.data());
    EXPECT_EQ((std::vector<float>(b.begin() + 6, b.end())),
              (std::vector<float>{1, 2, 3, 4, -4, 3}));
    EXPECT_EQ(a, std::vector<float>(12));
}

}  // namespace
}  // namespace gatescope::test
