// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/choose_experts.h"

#include <algorithm>
#include <limits>

namespace gatescope {

namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

float groupScore(const float* choice, int size, bool topTwo) {
    float first = kMinusInfinity;
    float second = kMinusInfinity;
    for (int i = 0; i < size; ++i) {
        if (choice[i] > first) {
            second = first;
            first = choice[i];
        } else if (choice[i] > second) {
            second = choice[i];
        }
    }
    return topTwo && size > 1 ? first + second : first;
}

// Indices of the `count` largest values, largest first; ties to the lower index. An insertion into
// a list of at most `count`: most values fail the first comparison.
void largest(const float* values, int size, int count, std::int32_t* out) {
    int filled = 0;
    for (int i = 0; i < size; ++i) {
        if (filled == count && !(values[i] > values[out[count - 1]])) continue;
        int at = filled < count ? filled++ : count - 1;
        for (; at > 0 && values[i] > values[out[at - 1]]; --at) out[at] = out[at - 1];
        out[at] = i;
    }
}

}  // namespace

ExpertChooser::ExpertChooser(const RouteParams& params)
    : m_params(params),
      m_choice(static_cast<std::size_t>(params.experts)),
      m_groupScores(static_cast<std::size_t>(params.groups)),
      m_kept(static_cast<std::size_t>(params.topkGroups)) {}

int ExpertChooser::eligible() const {
    if (!m_params.limitGroups) return m_params.experts;
    return m_params.experts / m_params.groups * m_params.topkGroups;
}

void ExpertChooser::choose(const float* scores, const float* bias, int count, std::int32_t* ids) {
    for (std::size_t e = 0; e < m_choice.size(); ++e)
        m_choice[e] = bias ? scores[e] + bias[e] : scores[e];
    if (m_params.limitGroups && m_params.topkGroups < m_params.groups) limitToGroups();
    largest(m_choice.data(), m_params.experts, count, ids);
}

void ExpertChooser::limitToGroups() {
    const int size = m_params.experts / m_params.groups;
    for (int g = 0; g < m_params.groups; ++g)
        m_groupScores[static_cast<std::size_t>(g)] =
            groupScore(m_choice.data() + g * size, size, m_params.groupTopTwo);
    largest(m_groupScores.data(), m_params.groups, m_params.topkGroups, m_kept.data());
    for (int g = 0; g < m_params.groups; ++g)
        if (std::find(m_kept.begin(), m_kept.end(), g) == m_kept.end())
            std::fill_n(m_choice.begin() + g * size, size, kMinusInfinity);
}

}  // namespace gatescope
