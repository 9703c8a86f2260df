// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/device.h"

namespace gatescope {

/// The choice of the gate for one token at a time; keeps its scratch memory. Experts outside the
/// kept groups count as minus infinity, ties go to the lower index.
class ExpertChooser {
  public:
    explicit ExpertChooser(const RouteParams& params);

    /// The `count` best experts by choice score s + b, best first; scores [E], bias [E] or null.
    /// count may exceed topK by one to learn the runner-up; ids [count].
    void choose(const float* scores, const float* bias, int count, std::int32_t* ids);

    /// Choice scores [E] of the last call, minus infinity outside the kept groups.
    const std::vector<float>& choiceScores() const { return m_choice; }
    /// Experts in the kept groups: at most this many can be chosen.
    int eligible() const;

  private:
    void limitToGroups();

    RouteParams m_params;
    std::vector<float> m_choice;
    std::vector<float> m_groupScores;
    std::vector<std::int32_t> m_kept;
};

}  // namespace gatescope
