// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "kernels/cpu/cpu_device.h"
#include "kernels/cpu/dot_rows.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/simd.h"

// The routed experts, grouped: each expert's weights are read once for all tokens that chose it.

namespace gatescope {

namespace {

// The tokens one expert works for: rows [begin, end) of the assignment list.
struct Group {
    std::int32_t expert;
    std::int64_t begin;
    std::int64_t end;
};

struct Assignments {
    std::vector<Group> groups;         ///< ascending by expert
    std::vector<std::int64_t> tokens;  ///< token of each assignment, grouped
    std::vector<float> weights;        ///< its gate weight
};

Assignments groupByExpert(const Routing& routing, std::size_t experts) {
    const auto count = static_cast<std::size_t>(routing.tokens * routing.topK);
    std::vector<std::int64_t> starts(experts + 1, 0);
    for (std::size_t i = 0; i < count; ++i) ++starts[static_cast<std::size_t>(routing.ids[i]) + 1];
    for (std::size_t e = 0; e < experts; ++e) starts[e + 1] += starts[e];

    Assignments result;
    for (std::size_t e = 0; e < experts; ++e)
        if (starts[e + 1] > starts[e])
            result.groups.push_back({static_cast<std::int32_t>(e), starts[e], starts[e + 1]});
    result.tokens.resize(count);
    result.weights.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
        const auto at =
            static_cast<std::size_t>(starts[static_cast<std::size_t>(routing.ids[i])]++);
        result.tokens[at] = static_cast<std::int64_t>(i) / routing.topK;
        result.weights[at] = routing.weights[i];
    }
    return result;
}

// Splits `rows` rows of every group into tasks and runs body(group, firstRow, rowCount).
template <typename Body>
void forEachGroupRows(ThreadPool& pool, const std::vector<Group>& groups, std::int64_t rows,
                      std::int64_t rowsPerTask, const Body& body) {
    const auto tasks = (rows + rowsPerTask - 1) / rowsPerTask;
    pool.parallelFor(static_cast<std::int64_t>(groups.size()) * tasks, 1,
                     [&](std::int64_t begin, std::int64_t end) {
                         for (auto i = begin; i < end; ++i) {
                             const auto first = i % tasks * rowsPerTask;
                             body(groups[static_cast<std::size_t>(i / tasks)], first,
                                  std::min(rowsPerTask, rows - first));
                         }
                     });
}

}  // namespace

void CpuDevice::expertFfn(Matrix out, ConstMatrix in, const Routing& routing,
                          const ExpertWeights& experts) {
    const auto a = groupByExpert(routing, experts.gate.size());
    const auto count = static_cast<std::int64_t>(a.tokens.size());
    const auto inner = experts.gate[0].rows;
    const auto perExpert = std::max<std::int64_t>(
        1, count / std::max<std::int64_t>(1, static_cast<std::int64_t>(a.groups.size())));

    std::vector<const float*> inputs(a.tokens.size());
    for (std::size_t i = 0; i < a.tokens.size(); ++i) inputs[i] = in.row(a.tokens[i]);
    std::vector<float> hidden(static_cast<std::size_t>(count * inner));
    std::vector<float> up(hidden.size());
    const auto hiddenGrain = taskGrain(2 * in.cols * perExpert, simd::kMaxTileRows);
    forEachGroupRows(
        m_pool, a.groups, inner, hiddenGrain,
        [&](const Group& g, std::int64_t first, std::int64_t rows) {
            const auto e = static_cast<std::size_t>(g.expert);
            const auto at = g.begin * inner + first;
            const float* const* xs = inputs.data() + g.begin;
            dotRows(experts.gate[e], first, rows, xs, g.end - g.begin, hidden.data() + at, inner);
            dotRows(experts.up[e], first, rows, xs, g.end - g.begin, up.data() + at, inner);
            for (auto i = g.begin; i < g.end; ++i) {
                float* h = hidden.data() + i * inner + first;
                simd::swiglu(h, h, up.data() + i * inner + first, rows);
            }
        });

    // Each task owns some output columns and visits the experts in ascending order, so every sum
    // has one order whatever the number of tokens or threads.
    std::vector<const float*> hiddenRows(a.tokens.size());
    for (std::size_t i = 0; i < a.tokens.size(); ++i)
        hiddenRows[i] = hidden.data() + static_cast<std::int64_t>(i) * inner;
    const auto columnGrain = taskGrain(inner * count, simd::kMaxTileRows);
    m_pool.parallelFor(out.cols, columnGrain, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> part;
        for (const auto& g : a.groups) {
            const auto tokens = g.end - g.begin;
            part.resize(static_cast<std::size_t>(tokens * (end - begin)));
            dotRows(experts.down[static_cast<std::size_t>(g.expert)], begin, end - begin,
                    hiddenRows.data() + g.begin, tokens, part.data(), end - begin);
            for (std::int64_t i = 0; i < tokens; ++i) {
                const auto at = static_cast<std::size_t>(g.begin + i);
                simd::addScaled(out.row(a.tokens[at]) + begin, a.weights[at],
                                part.data() + i * (end - begin), end - begin);
            }
        }
    });
}

}  // namespace gatescope
