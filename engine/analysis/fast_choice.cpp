// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/fast_choice.h"

#include <algorithm>
#include <array>
#include <limits>

#include "engine/error.h"

namespace gatescope {

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// The largest value, or the sum of the two largest. Lanes side by side, so that the loop becomes
/// minima and maxima of vectors.
float groupScore(const float* values, int size, bool topTwo) {
    constexpr int kLanes = 8;
    std::array<float, kLanes> first;
    std::array<float, kLanes> second;
    first.fill(kMinusInfinity);
    second.fill(kMinusInfinity);
    int i = 0;
    for (; i + kLanes <= size; i += kLanes) {
        for (int lane = 0; lane < kLanes; ++lane) {
            const auto at = static_cast<std::size_t>(lane);
            const float value = values[i + lane];
            const float smaller = value < first[at] ? value : first[at];
            first[at] = value > first[at] ? value : first[at];
            second[at] = smaller > second[at] ? smaller : second[at];
        }
    }
    float best = kMinusInfinity;
    float next = kMinusInfinity;
    const auto take = [&](float value) {
        next = std::max(next, std::min(best, value));
        best = std::max(best, value);
    };
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        take(first[lane]);
        take(second[lane]);
    }
    for (; i < size; ++i) {
        take(values[i]);
    }
    return topTwo && size > 1 ? best + next : best;
}

void check(const RoutingShape& shape) {
    const bool grouped =
        shape.groups >= 1 && shape.experts >= 1 && shape.experts % shape.groups == 0;
    if (!grouped || shape.topkGroups < 1 || shape.topkGroups > shape.groups || shape.topK < 1 ||
        shape.topK > shape.topkGroups * (shape.experts / shape.groups)) {
        throw Error(fmt::format("routing: cannot choose {} of {} experts in {} of {} groups",
                                shape.topK, shape.experts, shape.topkGroups, shape.groups));
    }
}

}  // namespace

FastChoice::FastChoice(const RoutingShape& shape)
    : m_experts((check(shape), shape.experts)),
      m_topK(shape.topK),
      m_groups(shape.groups),
      m_keep(shape.topkGroups),
      m_groupSize(shape.experts / shape.groups),
      m_topTwo(shape.hasBias),
      m_groupScores(static_cast<std::size_t>(m_groups)),
      m_kept(static_cast<std::size_t>(m_groups), 1),
      m_values(static_cast<std::size_t>(m_topK) + 1),
      m_ids(static_cast<std::size_t>(m_topK) + 1),
      m_candidates(static_cast<std::size_t>(m_experts) + 1) {}

void FastChoice::choose(const float* scores, const FastChoice* like) {
    keepGroups(scores);
    best(scores, like);
}

void FastChoice::chooseInGroupsOf(const FastChoice& groups, const float* scores) {
    m_kept = groups.m_kept;
    m_groupMargin = kNaN;
    best(scores, &groups);
}

void FastChoice::keepGroups(const float* scores) {
    m_groupMargin = kNaN;
    if (m_keep == m_groups) {
        return;
    }
    for (int g = 0; g < m_groups; ++g) {
        m_groupScores[static_cast<std::size_t>(g)] =
            groupScore(scores + g * m_groupSize, m_groupSize, m_topTwo);
    }
    std::fill(m_kept.begin(), m_kept.end(), std::uint8_t{0});
    float last = 0;
    for (int n = 0; n <= m_keep; ++n) {  // one more: the best that is dropped
        std::size_t best = m_kept.size();
        for (std::size_t g = 0; g < m_kept.size(); ++g) {
            if (m_kept[g] == 0 &&
                (best == m_kept.size() || m_groupScores[g] > m_groupScores[best])) {
                best = g;
            }
        }
        if (n == m_keep) {
            m_groupMargin = last - m_groupScores[best];
        } else {
            m_kept[best] = 1;
            last = m_groupScores[best];
        }
    }
}

// The k + 1 experts of another choice are k + 1 values here too: what lies below the least of them
// cannot be among the k + 1 best.
float FastChoice::lowerBound(const float* scores, const FastChoice& like) const {
    float least = std::numeric_limits<float>::infinity();
    for (const std::int32_t expert : like.m_ids) {
        if (m_kept[static_cast<std::size_t>(expert / m_groupSize)] == 0) {
            return kMinusInfinity;
        }
        least = scores[expert] < least ? scores[expert] : least;
    }
    return like.m_full ? least : kMinusInfinity;
}

// Without a branch for each expert: which one passes cannot be predicted.
std::size_t FastChoice::collect(const float* scores, float bound) {
    std::int32_t* const out = m_candidates.data();
    const int size = m_groupSize;
    std::size_t found = 0;
    for (int g = 0; g < m_groups; ++g) {
        if (m_kept[static_cast<std::size_t>(g)] == 0) {
            continue;
        }
        const int end = (g + 1) * size;
        for (int e = g * size; e < end; ++e) {
            out[found] = e;
            found += static_cast<std::size_t>(!(scores[e] < bound));
        }
    }
    return found;
}

void FastChoice::best(const float* scores, const FastChoice* like) {
    const std::size_t count = m_ids.size();
    const std::size_t found =
        collect(scores, like != nullptr ? lowerBound(scores, *like) : kMinusInfinity);
    std::size_t filled = 0;
    float least = kMinusInfinity;  // of a full list
    for (std::size_t i = 0; i < found; ++i) {
        const std::int32_t expert = m_candidates[i];
        const float value = scores[expert];
        if (filled == count && !(value > least)) {
            continue;
        }
        std::size_t at = filled < count ? filled++ : count - 1;
        for (; at > 0 && value > m_values[at - 1]; --at) {
            m_values[at] = m_values[at - 1];
            m_ids[at] = m_ids[at - 1];
        }
        m_values[at] = value;
        m_ids[at] = expert;
        least = m_values[count - 1];
    }
    m_full = filled == count;
    m_margin = m_full ? m_values[count - 2] - m_values[count - 1] : kNaN;
}

std::span<const std::int32_t> FastChoice::chosen() const {
    return {m_ids.data(), static_cast<std::size_t>(m_topK)};
}

bool FastChoice::contains(std::int32_t expert) const {
    const auto ids = chosen();
    return std::find(ids.begin(), ids.end(), expert) != ids.end();
}

int FastChoice::missing(std::span<const std::int32_t> experts) const {
    int out = 0;
    for (const std::int32_t expert : experts) {
        out += contains(expert) ? 0 : 1;
    }
    return out;
}

}  // namespace gatescope
