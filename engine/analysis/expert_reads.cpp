// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/expert_reads.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

#include "engine/analysis/routing_check.h"
#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kWordBits = 64;

double rate(std::int64_t hits, std::int64_t reads) {
    return reads > 0 ? static_cast<double>(hits) / static_cast<double>(reads) : kNaN;
}

std::int64_t hitsAt(const std::vector<std::int64_t>& hits, int cacheExperts) {
    const auto size = static_cast<std::size_t>(std::max(cacheExperts, 0));
    return hits[std::min(size, hits.size() - 1)];
}

/// Running sums with a leading 0: [E] by depth becomes [E + 1] by cache size.
std::vector<std::int64_t> sumsBySize(const std::vector<std::int64_t>& byDepth) {
    std::vector<std::int64_t> sums(byDepth.size() + 1, 0);
    std::partial_sum(byDepth.begin(), byDepth.end(), sums.begin() + 1);
    return sums;
}

}  // namespace

double PinnedForecast::hitRate(int cacheExperts) const {
    return n > 0 ? rate(hitsAt(hits, cacheExperts), n) : kNaN;
}

double ExpertReadsValue::lruHitRate(int cacheExperts) const {
    return rate(hitsAt(lruHits, cacheExperts), n);
}

double ExpertReadsValue::lfuHitRate(int cacheExperts) const {
    return rate(hitsAt(lfuHits, cacheExperts), n);
}

double ExpertReadsValue::pinnedHitRate(int cacheExperts) const {
    return rate(hitsAt(pinnedHits, cacheExperts), n);
}

double ExpertReadsValue::medianReuseDistance() const {
    const std::int64_t reuses = n - coldReads;
    if (reuses <= 0) {
        return kNaN;
    }
    // lruHits[d + 1] counts the distances up to d.
    const auto distanceOf = [this](std::int64_t rank) {
        const auto found = std::lower_bound(lruHits.begin(), lruHits.end(), rank + 1);
        return static_cast<double>(found - lruHits.begin() - 1);
    };
    return (distanceOf((reuses - 1) / 2) + distanceOf(reuses / 2)) / 2;
}

double ExpertReadsTotal::lruHitRate() const {
    return rate(lruHits, n);
}

double ExpertReadsTotal::lfuHitRate() const {
    return rate(lfuHits, n);
}

double ExpertReadsTotal::pinnedHitRate() const {
    return rate(pinnedHits, n);
}

double ExpertReadsTotal::forecastHitRate() const {
    return rate(forecastHits, forecastN);
}

ExpertReads::ExpertReads(RoutingShape shape) : m_shape(std::move(shape)) {
    checkPairShape(m_shape);
    const auto experts = static_cast<std::size_t>(std::max(m_shape.experts, 0));
    m_rows.resize(m_shape.layers.size() + (m_shape.mtpLayer >= 0 ? 1 : 0));
    for (Row& row : m_rows) {
        row.counts.assign(experts, 0);
        row.reuse.assign(experts, 0);
        row.lfuDepth.assign(experts, 0);
        row.recent.reserve(experts);
        row.frequent.reserve(experts);
    }
    m_needed.assign((experts + kWordBits - 1) / kWordBits, 0);
}

void ExpertReads::check(const std::vector<RoutedToken>& tokens, bool mtp) const {
    for (const RoutedToken& token : tokens) {
        if (token.routing.rows() == 0) {
            continue;
        }
        if (mtp && m_shape.mtpLayer < 0) {
            throw Error("routing: an MTP position in a model without an MTP layer");
        }
        checkChoices(m_shape, token.routing, mtp ? 1 : m_shape.layers.size());
    }
}

void ExpertReads::add(const StepTrace& step) {
    check(step.tokens, false);
    check(step.mtp, true);
    for (std::size_t row = 0; row < m_shape.layers.size(); ++row) {
        addRow(m_rows[row], step.tokens, row * static_cast<std::size_t>(m_shape.topK));
    }
    if (m_shape.mtpLayer >= 0) {
        addRow(m_rows.back(), step.mtp, 0);
    }
}

void ExpertReads::addRow(Row& row, const std::vector<RoutedToken>& tokens, std::size_t firstSlot) {
    bool any = false;
    for (const RoutedToken& token : tokens) {
        if (token.routing.rows() == 0) {
            continue;
        }
        for (int slot = 0; slot < m_shape.topK; ++slot) {
            const std::uint16_t expert =
                token.routing.experts[firstSlot + static_cast<std::size_t>(slot)];
            if (expert != kNoExpert) {
                m_needed[expert / kWordBits] |= std::uint64_t{1} << expert % kWordBits;
                any = true;
            }
        }
    }
    if (!any) {
        return;
    }
    ++row.steps;
    for (std::size_t word = 0; word < m_needed.size(); ++word) {
        for (std::uint64_t bits = std::exchange(m_needed[word], 0); bits != 0; bits &= bits - 1) {
            const auto bit = static_cast<std::size_t>(std::countr_zero(bits));
            read(row, static_cast<std::uint16_t>(word * kWordBits + bit));
        }
    }
    mark(row);
}

void ExpertReads::read(Row& row, std::uint16_t expert) {
    const auto found = std::find(row.recent.begin(), row.recent.end(), expert);
    if (found == row.recent.end()) {
        ++row.cold;
        row.recent.insert(row.recent.begin(), expert);
    } else {
        ++row.reuse[static_cast<std::size_t>(found - row.recent.begin())];
        std::move_backward(row.recent.begin(), found, found + 1);
        row.recent.front() = expert;
    }
    ++row.counts[expert];
    readFrequent(row, expert);
}

void ExpertReads::readFrequent(Row& row, std::uint16_t expert) {
    // The expert read goes to the top, since even a cache of one must hold it. Whoever was on top
    // moves down: at each depth the higher rank stays and the lower one goes on, until the gap that
    // the expert left (or the end) takes the last.
    const auto reads = static_cast<std::uint64_t>(row.counts[expert]);
    Ranked moving{reads << 32U | ++row.clock, expert};
    std::size_t depth = 0;
    for (; depth < row.frequent.size(); ++depth) {
        Ranked& here = row.frequent[depth];
        if (here.expert == expert) {
            here = moving;
            ++row.lfuDepth[depth];
            return;
        }
        if (depth == 0 || here.rank < moving.rank) {
            std::swap(here, moving);
        }
    }
    row.frequent.push_back(moving);
}

void ExpertReads::mark(Row& row) {
    if (row.steps % row.markEvery == 0) {
        row.marks.push_back({row.steps, {row.counts.begin(), row.counts.end()}});
    }
    // The middle only moves on: marks before the last one in the first half are never needed again.
    while (row.marks.size() > 1 && row.marks[1].steps <= row.steps / 2) {
        row.marks.erase(row.marks.begin());
    }
    if (row.marks.size() > kReadMarks) {
        row.markEvery *= 2;
        const auto thinned = [&row](const Mark& mark) { return mark.steps % row.markEvery != 0; };
        row.marks.erase(std::remove_if(row.marks.begin() + 1, row.marks.end(), thinned),
                        row.marks.end());
    }
}

PinnedForecast ExpertReads::forecast(const Row& row) {
    PinnedForecast out;
    if (row.marks.empty() || row.marks.front().steps > row.steps / 2) {
        return out;
    }
    const Mark& middle = row.marks.front();
    std::vector<std::size_t> order(row.counts.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&middle](std::size_t a, std::size_t b) {
        return middle.counts[a] > middle.counts[b];
    });
    std::vector<std::int64_t> later(order.size());
    std::transform(order.begin(), order.end(), later.begin(), [&](std::size_t expert) {
        return row.counts[expert] - std::int64_t{middle.counts[expert]};
    });
    out.stepsLearned = middle.steps;
    out.readsLearned = std::accumulate(middle.counts.begin(), middle.counts.end(), std::int64_t{0});
    out.stepsScored = row.steps - middle.steps;
    out.hits = sumsBySize(later);
    out.n = out.hits.back();
    return out;
}

ExpertReadsValue ExpertReads::value(int row) const {
    assert(row >= 0 && row < rows());
    const Row& from = m_rows[static_cast<std::size_t>(row)];
    ExpertReadsValue out;
    out.row = row;
    const auto main = m_shape.layers.size();
    out.layer = static_cast<std::size_t>(row) < main ? m_shape.layers[static_cast<std::size_t>(row)]
                                                     : m_shape.mtpLayer;
    out.n = std::accumulate(from.counts.begin(), from.counts.end(), std::int64_t{0});
    out.steps = from.steps;
    out.counts = from.counts;
    out.reuse = from.reuse;
    out.coldReads = from.cold;
    out.lfuDepth = from.lfuDepth;
    out.lruHits = sumsBySize(from.reuse);
    out.lfuHits = sumsBySize(from.lfuDepth);
    std::vector<std::int64_t> mostRead = from.counts;
    std::sort(mostRead.begin(), mostRead.end(), std::greater<>());
    out.pinnedHits = sumsBySize(mostRead);
    out.forecast = forecast(from);
    return out;
}

std::vector<ExpertReadsTotal> ExpertReads::totals() const {
    std::vector<ExpertReadsTotal> out(static_cast<std::size_t>(std::max(m_shape.experts, 0)) + 1);
    for (std::size_t row = 0; row < m_shape.layers.size(); ++row) {
        const ExpertReadsValue layer = value(static_cast<int>(row));
        for (std::size_t size = 0; size < out.size(); ++size) {
            out[size].n += layer.n;
            out[size].lruHits += layer.lruHits[size];
            out[size].lfuHits += layer.lfuHits[size];
            out[size].pinnedHits += layer.pinnedHits[size];
            out[size].forecastN += layer.forecast.n;
            out[size].forecastHits += layer.forecast.n > 0 ? layer.forecast.hits[size] : 0;
        }
    }
    for (std::size_t size = 0; size < out.size(); ++size) {
        out[size].cacheExpertsPerLayer = static_cast<int>(size);
    }
    return out;
}

ExpertReadsTotal ExpertReads::total(int cacheExpertsPerLayer) const {
    const auto all = totals();
    const auto size = static_cast<std::size_t>(std::max(cacheExpertsPerLayer, 0));
    return all[std::min(size, all.size() - 1)];
}

}  // namespace gatescope
