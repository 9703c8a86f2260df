// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include "engine/session/session_store.h"

// One row of a session file's table as the value it was written from. Each names the columns it
// expects, in order. Throws Error for blobs and words that were never written by us.

namespace gatescope {

inline constexpr const char* kTokenColumns =
    "position, id, bytes, probability, raw_probability, alternatives, draft, rejected_draft_id, "
    "step";
TokenEvent tokenOf(SQLite::Statement& row);

inline constexpr const char* kStepColumns =
    "seq, step, forward_ns, draft_ns, sample_ns, recorder_ns, cache_positions, "
    "cache_bytes_per_position, cache_used, cache_reserved, cache_mtp_positions, cache_mtp_used, "
    "cache_mtp_reserved, cache_mtp_bytes_per_position, cache_expanded_bytes_per_position, "
    "cache_max_positions, cache_dtype";
StepTrace stepOf(SQLite::Statement& row);

/// Of `verify_steps`, and the same values from the one-draft rows of a version 1 file.
inline constexpr const char* kVerifyColumns =
    "seq, source, drafted, accepted, match_length, distinct_by_layer, wasted_by_layer";
inline constexpr const char* kVerifyColumnsV1 = "seq, 'mtp', 1, accepted, 0, NULL, NULL";
struct VerifyRow {
    SpeculativeStep step;  ///< without its drafts
    std::int64_t drafted = 0;
};
/// `layers`: MoE layers of the session's model; 0 where the session does not say.
VerifyRow verifyRowOf(SQLite::Statement& row, std::size_t layers);

/// Of `drafts`, and the same values from a version 1 file.
inline constexpr const char* kDraftColumns =
    "seq, idx, id, accepted, draft_probability, target_probability";
inline constexpr const char* kDraftColumnsV1 =
    "seq, 0, draft_id, accepted, draft_probability, target_probability";
/// Appends the row's draft to its step, where it must be the next and as accepted as the step says.
void addDraftOf(SQLite::Statement& row, SpeculativeStep& step);

inline constexpr const char* kRoutingColumns =
    "seq, mtp, position, token_id, phase, special, routing";
RoutedToken routedTokenOf(SQLite::Statement& row);

/// Columns of the turn and, NULL for a message that is no answer, of its answer.
inline constexpr const char* kTurnColumns =
    "t.turn, t.role, t.text, t.replaced, a.session, a.finish, a.settings_json, a.dropped_messages, "
    "a.prompt_ids, a.ids, a.result_json, a.given_tokens";
inline constexpr const char* kTurnColumnsBefore3 =
    "t.turn, t.role, t.text, t.replaced, a.session, a.finish, a.settings_json, a.dropped_messages, "
    "a.prompt_ids, a.ids, a.result_json, 0";
/// Without tokens and steps; `finish` is "interrupted" for an answer that has none.
StoredTurn turnOf(SQLite::Statement& row);

inline constexpr const char* kInfoColumns =
    "title, model_name, model_path, model_fingerprint, config_json, device, precision, shape_json";
SessionInfo infoOf(SQLite::Statement& row);

}  // namespace gatescope
