// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "engine/session/saved_queries.h"

namespace gatescope {

namespace {

// Written for the views of console_views.h. What a position's token reads as is known where it was
// generated; tokens of a prompt have only their id.

constexpr const char* kBiasDecided = R"sql(SELECT c.turn, c.position, c.token_id, t.text, c.phase,
       c.layer, c.rank, c.expert, c.weight, c.margin
FROM choices c
LEFT JOIN token_texts t ON t.session = c.session AND t.turn = c.turn AND t.position = c.position
WHERE c.session = :session AND c.bias_decided = 1
  AND c.mtp = 0 AND c.phase IN ('prefill', 'decode')
ORDER BY c.turn, c.position, c.layer, c.rank)sql";

constexpr const char* kLoadByLayer = R"sql(WITH load AS (
    SELECT layer, expert, sum(choices) AS n, sum(bias_decided) AS by_bias
    FROM layer_load
    WHERE session = :session AND mtp = 0 AND special = 0 AND phase IN ('prefill', 'decode')
    GROUP BY layer, expert)
SELECT layer, sum(n) AS choices, count(*) AS experts_used, expert AS busiest_expert,
       max(n) AS busiest_choices, 1.0 * max(n) / sum(n) AS busiest_share,
       sum(by_bias) AS bias_decided
FROM load GROUP BY layer ORDER BY layer)sql";

constexpr const char* kSlowestSteps = R"sql(SELECT turn, seq, step, total_ms, forward_ms, draft_ms,
       sample_ms, recorder_ms, positions, drafted, accepted
FROM step_times WHERE session = :session
ORDER BY total_ms DESC, turn, seq LIMIT 50)sql";

constexpr const char* kRejectedDrafts = R"sql(SELECT d.source, d.id,
       (SELECT token_text(k.bytes) FROM tokens k WHERE k.session = :session AND k.id = d.id LIMIT 1)
           AS text,
       count(*) AS judged, sum(d.accepted) AS accepted, count(*) - sum(d.accepted) AS rejected
FROM draft_outcomes d WHERE d.session = :session AND d.judged
GROUP BY d.source, d.id HAVING rejected > 0
ORDER BY rejected DESC, d.source, d.id)sql";

constexpr const char* kUncertainTokens = R"sql(SELECT turn, seq, position, id, text,
       raw_probability, probability, draft
FROM token_texts WHERE session = :session AND raw_probability IS NOT NULL
ORDER BY raw_probability, turn, seq LIMIT 100)sql";

constexpr const char* kFavouriteTokens = R"sql(SELECT c.token_id,
       (SELECT token_text(k.bytes) FROM tokens k WHERE k.session = :session AND k.id = c.token_id
           LIMIT 1) AS text,
       count(*) AS chosen, avg(c.weight) AS mean_weight, sum(c.bias_decided) AS bias_decided
FROM choices c
WHERE c.session = :session AND c.layer = :layer AND c.expert = :expert
  AND c.special = 0 AND c.phase IN ('prefill', 'decode')
GROUP BY c.token_id ORDER BY chosen DESC, mean_weight DESC, c.token_id)sql";

constexpr const char* kAcceptance = R"sql(SELECT source, place, count(*) AS drafted,
       sum(judged) AS judged, sum(accepted) AS accepted,
       1.0 * sum(accepted) / sum(judged) AS accepted_if_reached,
       1.0 * sum(accepted) / count(*) AS accepted_of_drafted
FROM draft_outcomes WHERE session = :session
GROUP BY source, place ORDER BY source, place)sql";

constexpr const char* kByModel = R"sql(SELECT model_name, model_fingerprint, count(*) AS sessions,
       sum(answers) AS answers, sum(tokens) AS tokens, max(updated) AS last_used
FROM session_figures WHERE deleted_ms IS NULL GROUP BY model_name, model_fingerprint
ORDER BY last_used DESC, model_name, model_fingerprint)sql";

}  // namespace

std::span<const SavedQuery> builtInQueries() {
    static const std::vector<SavedQuery> queries = {
        {"Chosen only because of the bias",
         "Tokens where an expert would not have been chosen without its correction bias.",
         kBiasDecided, true},
        {"Load by layer", "How many choices each layer made and which expert got most of them.",
         kLoadByLayer, true},
        {"Slowest steps", "The 50 forward passes that took longest.", kSlowestSteps, true},
        {"Rejected drafts by token", "Which drafted tokens the main model refused most often.",
         kRejectedDrafts, true},
        {"Most uncertain tokens", "The 100 generated tokens the model thought least probable.",
         kUncertainTokens, true},
        {"Favourite tokens of an expert", "Which tokens one expert of one layer was chosen for.",
         kFavouriteTokens, true},
        {"Acceptance by position", "How often drafts were accepted by their place in the step.",
         kAcceptance, true},
        {"Sessions by model", "How many sessions, answers and tokens each checkpoint has.",
         kByModel, true}};
    return queries;
}

}  // namespace gatescope
