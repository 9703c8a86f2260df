// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cpu/cpu_device.h"
#include "kernels/cpu/simd.h"

// A row is worked on in parts of one size, so the result does not depend on the number of threads.

namespace gatescope {

namespace {

constexpr std::int64_t kPart = 8192;

// What one part of a row contributes.
struct Part {
    float largest = -std::numeric_limits<float>::infinity();
    double sum = 0;  ///< of exp(logit - largest)
    bool finite = true;
    std::vector<std::int32_t> ids;  ///< of its largest logits, largest first
};

// NaN comes last, so that the ids are valid whatever the logits.
bool larger(float a, float b) {
    return a > b || (std::isnan(b) && !std::isnan(a));
}

// Puts `id` into the list of the at most `count` largest; ids come in ascending order.
void insert(std::vector<std::int32_t>& ids, std::size_t count, const float* row, std::int32_t id) {
    if (ids.size() == count) {
        if (!larger(row[id], row[ids.back()])) return;
        ids.pop_back();
    }
    auto at = ids.end();
    while (at != ids.begin() && larger(row[id], row[*(at - 1)])) --at;
    ids.insert(at, id);
}

// Float32 sums of few terms, added up in float64: right to 1e-7 for any vocabulary.
double expSum(const float* logits, std::int64_t count, float largest) {
    constexpr std::int64_t kPiece = 256;
    float piece[kPiece];
    double sum = 0;
    for (std::int64_t i = 0; i < count; i += kPiece) {
        const auto n = std::min(kPiece, count - i);
        std::copy_n(logits + i, n, piece);
        sum += simd::expSum(piece, largest, n);
    }
    return sum;
}

Part summarise(const float* row, std::int64_t begin, std::int64_t end, std::int64_t limit, int k) {
    Part part;
    for (auto i = begin; i < end; ++i) {
        part.largest = std::max(part.largest, row[i]);
        part.finite &= std::isfinite(row[i]);
    }
    if (part.finite) part.sum = expSum(row + begin, end - begin, part.largest);
    for (auto i = begin; i < std::min(end, limit); ++i)
        insert(part.ids, static_cast<std::size_t>(k), row, static_cast<std::int32_t>(i));
    return part;
}

void writeRow(const TopLogits& top, std::int64_t t, const float* row, const Part* parts,
              std::int64_t count) {
    Part all;
    for (std::int64_t p = 0; p < count; ++p) {
        all.largest = std::max(all.largest, parts[p].largest);
        all.finite &= parts[p].finite;
        for (const auto id : parts[p].ids)
            insert(all.ids, static_cast<std::size_t>(top.k), row, id);
    }
    for (std::int64_t p = 0; p < count; ++p)
        all.sum += parts[p].sum * std::exp(static_cast<double>(parts[p].largest) - all.largest);
    all.ids.resize(static_cast<std::size_t>(top.k));  // only ids below the limit exist
    for (int j = 0; j < top.k; ++j) {
        const auto id = all.ids[static_cast<std::size_t>(j)];
        top.ids[t * top.k + j] = id;
        top.values[t * top.k + j] = row[id];
    }
    top.finite[t] = all.finite;
    top.logSum[t] = all.finite ? static_cast<float>(all.largest + std::log(all.sum))
                               : std::numeric_limits<float>::quiet_NaN();
}

}  // namespace

void CpuDevice::topLogits(TopLogits top, ConstMatrix logits) {
    const auto perRow = (logits.cols + kPart - 1) / kPart;
    std::vector<Part> parts(static_cast<std::size_t>(logits.rows * perRow));
    m_pool.parallelFor(logits.rows * perRow, 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto i = begin; i < end; ++i) {
            const auto first = i % perRow * kPart;
            parts[static_cast<std::size_t>(i)] =
                summarise(logits.row(i / perRow), first, std::min(first + kPart, logits.cols),
                          top.limit, top.k);
        }
    });
    for (std::int64_t t = 0; t < logits.rows; ++t)
        writeRow(top, t, logits.row(t), parts.data() + t * perRow, perRow);
}

}  // namespace gatescope
