// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "app/cli/options.h"
#include "engine/analysis/aligned_comparison.h"
#include "engine/analysis/compared_run.h"
#include "engine/progress.h"

namespace gatescope::cli {

/// Runs the tokens of one side through the model and the interventions of each side, on the device
/// of the command line. One model is in memory at a time.
class ForcedPairs {
  public:
    explicit ForcedPairs(const CommonOptions& options) : m_options(options) {}

    /// The tokens of A's answers through A and through B. Throws Error where a run does not say
    /// where its model is, or its answers changed routing in different ways.
    AlignedComparison compare(const ComparedRun& a, const ComparedRun& b, const Progress& progress,
                              const std::stop_token& stop);

  private:
    LoadedModel& modelOf(const ComparedRun& run, const std::stop_token& stop);

    const CommonOptions& m_options;
    std::string m_fingerprint;
    std::unique_ptr<LoadedModel> m_model;
};

}  // namespace gatescope::cli
