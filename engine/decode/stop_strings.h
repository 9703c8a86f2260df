// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gatescope {

/// Watches a text stream for stop strings. Text that could be the beginning of one is held back, so
/// nothing of a stop string is ever shown.
class StopStrings {
  public:
    explicit StopStrings(std::vector<std::string> strings);

    /// What may be shown after this text.
    std::string push(std::string_view text);
    /// A stop string was met; nothing follows.
    bool met() const { return m_met; }
    /// What was held back and turned out to be ordinary text.
    std::string flush();

  private:
    std::vector<std::string> m_strings;
    std::string m_held;
    bool m_met = false;
};

}  // namespace gatescope
