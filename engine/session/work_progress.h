// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "engine/error.h"
#include "engine/progress.h"

namespace gatescope {

/// Counts what a long piece of work has done and asks now and then whether to go on.
class WorkProgress {
  public:
    WorkProgress(const Progress& progress, std::string_view what, std::uint64_t total)
        : m_progress(progress), m_what(what), m_total(total) {}

    /// Throws Cancelled.
    void add(std::int64_t amount) {
        m_done = std::min(m_total, m_done + static_cast<std::uint64_t>(amount));
        if (m_progress && !m_progress(m_what, m_done, m_total)) {
            throw Cancelled();
        }
    }

  private:
    const Progress& m_progress;
    std::string_view m_what;
    std::uint64_t m_done = 0;
    std::uint64_t m_total;
};

}  // namespace gatescope
