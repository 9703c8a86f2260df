// SPDX-License-Identifier: Apache-2.0
#include "engine/session/console_views.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <array>
#include <string>

#include "engine/session/choices_table.h"
#include "engine/text/utf8_stream.h"

namespace gatescope {

namespace {

// A view begins with the key of what it shows, so that `session = ...` and `turn = ...` are
// answered by the primary keys below it.

constexpr const char* kMessages = R"sql(
CREATE TEMP VIEW messages AS
SELECT t.session, t.turn, t.role, t.text, t.created_ms, t.replaced, a.session IS NOT NULL AS answer,
    CASE WHEN a.session IS NULL THEN NULL ELSE coalesce(a.finish, 'interrupted') END AS finish
FROM main.turns t LEFT JOIN main.answers a ON a.session = t.session AND a.turn = t.turn
)sql";

/// Depends on the version: what was drafted.
constexpr const char* kAnswerFigures = R"sql(
CREATE TEMP VIEW answer_figures AS
SELECT a.session, a.turn, s.model_name, s.device, s.precision, a.started_ms, a.ended_ms,
    coalesce(a.finish, 'interrupted') AS finish, t.replaced, a.temperature, a.seed, a.speculate,
    json_type(a.settings_json, '$.interventions') IS NOT NULL AS interventions,
    length(a.prompt_ids) / 4 AS prompt_tokens,
    (SELECT coalesce(max(k.seq) + 1, 0) FROM main.tokens k
        WHERE k.session = a.session AND k.turn = a.turn) AS tokens,
    (SELECT count(*) FROM main.steps p WHERE p.session = a.session AND p.turn = a.turn) AS steps,
    json_extract(a.result_json, '$.timing.prefill_s') AS prefill_s,
    json_extract(a.result_json, '$.timing.decode_s') AS decode_s,
    json_extract(a.result_json, '$.timing.decode_tokens') /
        nullif(json_extract(a.result_json, '$.timing.decode_s'), 0.0) AS tokens_per_s,
    (SELECT count(*) FROM {verify} v
        WHERE v.session = a.session AND v.turn = a.turn) AS verify_steps,
    (SELECT sum(v.drafted) FROM {verify} v
        WHERE v.session = a.session AND v.turn = a.turn) AS drafted,
    (SELECT sum(v.accepted) FROM {verify} v
        WHERE v.session = a.session AND v.turn = a.turn) AS accepted
FROM main.answers a JOIN main.turns t ON t.session = a.session AND t.turn = a.turn
    JOIN main.sessions s ON s.id = a.session
)sql";

constexpr const char* kTokenTexts = R"sql(
CREATE TEMP VIEW token_texts AS
SELECT session, turn, seq, position, id, token_text(bytes) AS text, bytes, probability,
    raw_probability, draft, nullif(rejected_draft_id, -1) AS rejected_draft_id, step
FROM main.tokens
)sql";

constexpr const char* kStepTimes = R"sql(
CREATE TEMP VIEW step_times AS
SELECT p.session, p.turn, p.seq, p.step,
    (p.forward_ns + p.draft_ns + p.sample_ns + p.recorder_ns) / 1e6 AS total_ms,
    p.forward_ns / 1e6 AS forward_ms, p.draft_ns / 1e6 AS draft_ms, p.sample_ns / 1e6 AS sample_ms,
    p.recorder_ns / 1e6 AS recorder_ms,
    (SELECT count(*) FROM main.routing r WHERE r.session = p.session AND r.turn = p.turn
        AND r.seq = p.seq AND r.mtp = 0) AS positions,
    v.source, v.drafted, v.accepted, v.distinct_experts, v.wasted_experts,
    p.cache_positions, p.cache_used
FROM main.steps p
    LEFT JOIN {verify} v ON v.session = p.session AND v.turn = p.turn AND v.seq = p.seq
)sql";

constexpr const char* kDraftOutcomes = R"sql(
CREATE TEMP VIEW draft_outcomes AS
SELECT d.session, d.turn, d.seq, d.idx + 1 AS place, v.source, d.id, d.accepted,
    d.idx <= v.accepted AS judged, d.draft_probability, d.target_probability
FROM {drafts} d JOIN {verify} v ON v.session = d.session AND v.turn = d.turn AND v.seq = d.seq
)sql";

constexpr const char* kRoutedPositions = R"sql(
CREATE TEMP VIEW routed_positions AS
SELECT session, turn, seq, mtp, idx, position, token_id, phase, special, length(routing) AS bytes
FROM main.routing
)sql";

constexpr const char* kLayerLoad = R"sql(
CREATE TEMP VIEW layer_load AS
SELECT session, turn, mtp, phase, special, layer, expert, count(*) AS choices,
    sum(weight) AS weight, sum(bias_decided) AS bias_decided
FROM choices GROUP BY session, turn, mtp, phase, special, layer, expert
)sql";

constexpr const char* kSessionFigures = R"sql(
CREATE TEMP VIEW session_figures AS
SELECT s.id AS session, s.title, s.model_name, s.model_fingerprint, s.device, s.precision,
    datetime(s.created_ms / 1000, 'unixepoch') AS created,
    datetime(s.updated_ms / 1000, 'unixepoch') AS updated,
    (SELECT count(*) FROM main.turns t WHERE t.session = s.id AND t.replaced = 0) AS turns,
    (SELECT count(*) FROM main.answers a WHERE a.session = s.id) AS answers,
    (SELECT coalesce(sum((SELECT max(k.seq) + 1 FROM main.tokens k
        WHERE k.session = a.session AND k.turn = a.turn)), 0)
        FROM main.answers a WHERE a.session = s.id) AS tokens,
    {browsing}
FROM main.sessions s
)sql";

constexpr std::array<const char*, 8> kViews = {kSessionFigures,  kMessages,  kAnswerFigures,
                                               kTokenTexts,      kStepTimes, kDraftOutcomes,
                                               kRoutedPositions, kLayerLoad};

// Version 1 had a row in `drafts` for each verify step.
constexpr const char* kVerify = "main.verify_steps";
constexpr const char* kVerifyV1 =
    "(SELECT session, turn, seq, 'mtp' AS source, 1 AS drafted, accepted, nullif(distinct_experts, "
    "0) AS distinct_experts, NULL AS wasted_experts FROM main.drafts)";
// Version 3 brought what the list of sessions shows.
constexpr const char* kBrowsing =
    "(SELECT group_concat(tag, ', ') FROM main.session_tags g WHERE g.session = s.id) AS tags, "
    "s.pinned, s.deleted_ms, s.branched_from_session";
constexpr const char* kNoBrowsing =
    "NULL AS tags, 0 AS pinned, NULL AS deleted_ms, NULL AS branched_from_session";
constexpr const char* kDrafts = "main.drafts";
constexpr const char* kDraftsV1 =
    "(SELECT session, turn, seq, 0 AS idx, draft_id AS id, accepted, draft_probability, "
    "target_probability FROM main.drafts)";

/// token_text(bytes): what they read as, U+FFFD for what is no character.
void tokenText(sqlite3_context* context, int /*count*/, sqlite3_value** values) {
    if (sqlite3_value_type(values[0]) == SQLITE_NULL) {
        return;
    }
    const void* bytes = sqlite3_value_blob(values[0]);
    const int size = sqlite3_value_bytes(values[0]);
    const std::string text =
        size > 0 ? toValidUtf8({static_cast<const char*>(bytes), static_cast<std::size_t>(size)})
                 : std::string();
    sqlite3_result_text(context, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

std::string filledIn(std::string text, const std::string& hole, const std::string& with) {
    for (std::size_t at = text.find(hole); at != std::string::npos;
         at = text.find(hole, at + with.size())) {
        text.replace(at, hole.size(), with);
    }
    return text;
}

const std::vector<ConsoleColumn> kKey = {{"session", "number of the session"},
                                         {"turn", "number of the message in it"}};

/// The key's columns, then these.
std::vector<ConsoleColumn> keyed(std::vector<ConsoleColumn> columns) {
    columns.insert(columns.begin(), kKey.begin(), kKey.end());
    return columns;
}

ConsoleView sessionFigures() {
    return {"session_figures",
            "one row for each session",
            {{"session", "its number"},
             {"title", "for people"},
             {"model_name", "of the model"},
             {"model_fingerprint", "identifies the checkpoint"},
             {"device", "where it was computed"},
             {"precision", "how it was computed"},
             {"created", "UTC"},
             {"updated", "UTC, last thing that happened"},
             {"turns", "messages, without replaced ones"},
             {"answers", "of the model, replaced ones too"},
             {"tokens", "generated, those of replaced answers too"},
             {"tags", "with commas between them"},
             {"pinned", "1: kept on top of the list"},
             {"deleted_ms", "Unix time of a deletion that can be undone, NULL for none"},
             {"branched_from_session", "number of the session it is a branch of"}}};
}

ConsoleView messages() {
    return {"messages", "one row for each message",
            keyed({{"role", "system, user or assistant"},
                   {"text", "the message"},
                   {"created_ms", "Unix time"},
                   {"replaced", "1: taken back by \"regenerate\""},
                   {"answer", "1: a model wrote it"},
                   {"finish", "how an answer ended, interrupted if it never did"}})};
}

ConsoleView answerFigures() {
    return {"answer_figures", "one row for each answer of a model",
            keyed({{"model_name", "of the session"},
                   {"device", "of the session"},
                   {"precision", "of the session"},
                   {"started_ms", "Unix time"},
                   {"ended_ms", "Unix time, NULL if it never ended"},
                   {"finish", "how it ended, interrupted if it never did"},
                   {"replaced", "1: taken back by \"regenerate\""},
                   {"temperature", "0: greedy"},
                   {"seed", "as a signed number"},
                   {"speculate", "who drafted"},
                   {"interventions", "1: experts were not chosen as the model does"},
                   {"prompt_tokens", "of the prompt"},
                   {"tokens", "generated"},
                   {"steps", "forward passes"},
                   {"prefill_s", "seconds"},
                   {"decode_s", "seconds"},
                   {"tokens_per_s", "decoded tokens by decode_s"},
                   {"verify_steps", "steps that verified drafts"},
                   {"drafted", "drafts verified, NULL without a verify step"},
                   {"accepted", "of them"}})};
}

ConsoleView tokenTexts() {
    return {"token_texts", "one row for each generated token",
            keyed({{"seq", "its number in the answer"},
                   {"position", "in the model's context"},
                   {"id", "token id"},
                   {"text", "what it reads as, U+FFFD for parts of characters"},
                   {"bytes", "what it stands for"},
                   {"probability", "after penalty, temperature and filters"},
                   {"raw_probability", "in the softmax of the untouched logits"},
                   {"draft", "none, accepted, rejected or bonus"},
                   {"rejected_draft_id", "token id of the draft it replaced, NULL for none"},
                   {"step", "number of the step whose logits gave it"}})};
}

ConsoleView stepTimes() {
    return {"step_times", "one row for each forward pass",
            keyed({{"seq", "its number in the answer"},
                   {"step", "the engine's number of it"},
                   {"total_ms", "all four below"},
                   {"forward_ms", "in the main model"},
                   {"draft_ms", "for drafts and the MTP layer"},
                   {"sample_ms", "for choosing tokens"},
                   {"recorder_ms", "what recording cost"},
                   {"positions", "through the main layers"},
                   {"source", "who drafted, NULL in a plain step"},
                   {"drafted", "drafts verified"},
                   {"accepted", "of them"},
                   {"distinct_experts", "read, summed over the MoE layers"},
                   {"wasted_experts", "of them only for rejected positions"},
                   {"cache_positions", "in the latent cache"},
                   {"cache_used", "bytes"}})};
}

ConsoleView draftOutcomes() {
    return {"draft_outcomes", "one row for each draft",
            keyed({{"seq", "number of the step in the answer"},
                   {"place", "among the step's drafts, from 1"},
                   {"source", "mtp or lookup"},
                   {"id", "token id"},
                   {"accepted", "1: accepted"},
                   {"judged", "1: accepted or the first that was not"},
                   {"draft_probability", "where it came from"},
                   {"target_probability", "in the main model, NULL if nobody looked"}})};
}

std::vector<ConsoleColumn> positionColumns() {
    return keyed({{"seq", "number of the step in the answer"},
                  {"mtp", "1: through the MTP layer"},
                  {"idx", "order within the step"},
                  {"position", "in the model's context"},
                  {"token_id", "the token that was its input"},
                  {"phase", "prefill, decode, draft or rejected"},
                  {"special", "1: BOS, role marker, end token"}});
}

ConsoleView routedPositions() {
    std::vector<ConsoleColumn> columns = positionColumns();
    columns.push_back({"bytes", "of the routing blob"});
    return {"routed_positions", "one row for each position in a step", columns};
}

ConsoleView choices() {
    std::vector<ConsoleColumn> columns = positionColumns();
    columns.insert(columns.end(), {{"layer", "absolute index of the MoE layer"},
                                   {"rank", "0: the largest choice score"},
                                   {"expert", "its number in the layer"},
                                   {"weight", "gate weight, factor included"},
                                   {"margin", "choice margin of the layer"},
                                   {"bias_decided", "1: not chosen without the bias"}});
    return {"choices", "one row for each position, layer and chosen expert", columns};
}

ConsoleView layerLoad() {
    return {"layer_load", "choices by expert",
            keyed({{"mtp", "1: the MTP layer"},
                   {"phase", "prefill, decode, draft or rejected"},
                   {"special", "1: of special tokens"},
                   {"layer", "absolute index of the MoE layer"},
                   {"expert", "its number in the layer"},
                   {"choices", "positions that chose it"},
                   {"weight", "sum of its gate weights"},
                   {"bias_decided", "choices the bias decided"}})};
}

}  // namespace

std::span<const ConsoleView> consoleViews() {
    static const std::vector<ConsoleView> views = {sessionFigures(),  messages(),  answerFigures(),
                                                   tokenTexts(),      stepTimes(), draftOutcomes(),
                                                   routedPositions(), choices(),   layerLoad()};
    return views;
}

void makeConsoleViews(SQLite::Database& database, int version) {
    sqlite3* connection = database.getHandle();
    const int outcome = sqlite3_create_function_v2(
        connection, "token_text", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, nullptr,
        tokenText, nullptr, nullptr, nullptr);
    if (outcome != SQLITE_OK) {
        throw SQLite::Exception(connection, outcome);
    }
    addChoicesTable(database);
    for (const ConsoleView& view : consoleViews()) {
        if (view.name == "choices") {
            continue;  // no view
        }
        database.exec(fmt::format("DROP VIEW IF EXISTS temp.{}", view.name));
    }
    for (const char* view : kViews) {
        std::string sql = filledIn(view, "{verify}", version == 1 ? kVerifyV1 : kVerify);
        sql = filledIn(sql, "{drafts}", version == 1 ? kDraftsV1 : kDrafts);
        database.exec(filledIn(sql, "{browsing}", version < 3 ? kNoBrowsing : kBrowsing));
    }
}

}  // namespace gatescope
