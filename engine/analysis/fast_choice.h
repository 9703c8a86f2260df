// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

/// The published choice of the gate for counters that make it many times per token: same result as
/// rankChoices, without the order of all experts and without allocating.
class FastChoice {
  public:
    /// Throws Error for a shape that cannot choose.
    explicit FastChoice(const RoutingShape& shape);

    /// Chooses by `scores` [E]. `like` is a choice of the same shape that may be near this one: it
    /// makes the search shorter, never the result another.
    void choose(const float* scores, const FastChoice* like = nullptr);
    /// Chooses by `scores` [E] among the groups that `groups` kept last.
    void chooseInGroupsOf(const FastChoice& groups, const float* scores);

    /// The k chosen experts, best first.
    std::span<const std::int32_t> chosen() const;
    bool contains(std::int32_t expert) const;
    /// How many of these are not chosen here.
    int missing(std::span<const std::int32_t> experts) const;
    bool keepsGroupsOf(const FastChoice& other) const { return m_kept == other.m_kept; }

    /// k-th minus (k+1)-th score in the kept groups; NaN when every eligible expert is chosen.
    float margin() const { return m_margin; }
    /// Last kept minus first dropped group score; NaN without a group limit. Only after choose().
    float groupMargin() const { return m_groupMargin; }

  private:
    void keepGroups(const float* scores);
    void best(const float* scores, const FastChoice* like);
    float lowerBound(const float* scores, const FastChoice& like) const;
    std::size_t collect(const float* scores, float bound);

    int m_experts;
    int m_topK;
    int m_groups;
    int m_keep;
    int m_groupSize;
    bool m_topTwo;
    std::vector<float> m_groupScores;
    std::vector<std::uint8_t> m_kept;        ///< [G] 1: the group takes part
    std::vector<float> m_values;             ///< [k + 1] scores of m_ids
    std::vector<std::int32_t> m_ids;         ///< [k + 1]
    std::vector<std::int32_t> m_candidates;  ///< [E + 1] scratch
    bool m_full = false;                     ///< there are k + 1 eligible experts
    float m_margin = 0;
    float m_groupMargin = 0;
};

}  // namespace gatescope
