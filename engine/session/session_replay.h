// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/analysis/aligned_comparison.h"
#include "engine/analysis/compared_run.h"
#include "engine/progress.h"
#include "engine/session/session_store.h"

namespace gatescope {

class LoadedModel;

/// A stored session run again: every answer that was not taken back, from the prompt tokens the
/// model saw, under the settings and seed it was made with.
struct SessionReplay {
    ComparedRun stored;
    ComparedRun replayed;  ///< answers in the same order
    /// `stored` as A, `replayed` as B: tokens, and the routing of the tokens that both routed.
    AlignedComparison comparison;
    /// Why equal tokens are not to be expected ("it ran on cuda:0, now cpu"); empty: they are.
    std::vector<std::string> otherConditions;

    bool sameTokens() const { return comparison.texts.empty(); }
    bool sameRouting() const { return comparison.identicalTokens == comparison.n; }
};

/// An answer that was stopped or never ended is run as far as it came. The model's cache is used
/// and holds the last answer afterwards. Throws Error where the session is of another model or has
/// no answer, and what generate() throws; Cancelled.
SessionReplay replaySession(LoadedModel& model, const StoredSession& session,
                            const Progress& progress = {}, std::stop_token stop = {});

}  // namespace gatescope
