// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

#include "app/compare_run_spec.h"
#include "app/model_lender.h"
#include "engine/session/session_log.h"

namespace gatescope {

/// What became of one run: its sessions, or why there are none.
struct CompareRunOutcome {
    std::vector<std::int64_t> sessions;
    QString error;
};

/// How far the runs are; any thread.
struct CompareProgress {
    std::size_t run = 0;
    std::int64_t tokens = 0;  ///< of the answer
    std::int64_t most = 0;    ///< that it may have
};

/// Makes the runs of a comparison, one after the other, each a session in the log. On the engine's
/// thread.
class CompareRunner {
  public:
    CompareRunner(ModelLender& lender, SessionLog& log,
                  std::shared_ptr<const Interventions> interventions,
                  std::function<void(const CompareProgress&)> progress, std::stop_token stop);

    /// A run that fails leaves its sentence and the others go on. Throws Cancelled.
    std::vector<CompareRunOutcome> run(const std::vector<CompareRunSpec>& specs);

  private:
    std::int64_t answer(std::size_t index, const CompareRunSpec& spec);
    LoadedModel& modelOf(const CompareRunSpec& spec);

    ModelLender& m_lender;
    SessionLog& m_log;
    std::shared_ptr<const Interventions> m_interventions;
    std::function<void(const CompareProgress&)> m_progress;
    std::stop_token m_stop;
};

}  // namespace gatescope
