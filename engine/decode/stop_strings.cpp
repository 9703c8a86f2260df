// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/stop_strings.h"

#include <algorithm>
#include <utility>

namespace gatescope {

StopStrings::StopStrings(std::vector<std::string> strings) : m_strings(std::move(strings)) {
    std::erase(m_strings, std::string());
}

std::string StopStrings::push(std::string_view text) {
    if (m_met) return {};
    m_held += text;
    auto at = std::string::npos;
    for (const auto& s : m_strings) at = std::min(at, m_held.find(s));
    if (at != std::string::npos) {
        m_met = true;
        return std::exchange(m_held, {}).substr(0, at);
    }
    // The longest end of the text that a stop string begins with has to wait.
    std::size_t hold = 0;
    for (const auto& s : m_strings) {
        for (auto n = std::min(s.size() - 1, m_held.size()); n > hold; --n) {
            if (m_held.compare(m_held.size() - n, n, s, 0, n) == 0) hold = n;
        }
    }
    auto shown = m_held.substr(0, m_held.size() - hold);
    m_held.erase(0, shown.size());
    return shown;
}

std::string StopStrings::flush() {
    return std::exchange(m_held, {});
}

}  // namespace gatescope
