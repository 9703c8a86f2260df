// SPDX-License-Identifier: Apache-2.0
#include "engine/session/batch_writer.h"

#include <sqlite3.h>

#include <algorithm>
#include <new>
#include <numeric>
#include <optional>

#include "engine/error.h"
#include "engine/session/blobs.h"
#include "engine/session/settings_json.h"
#include "engine/session/sql.h"
#include "engine/session/stored_names.h"
#include "engine/trace/routing_codec.h"

namespace gatescope {

namespace {

/// True for what no waiting can change; full disks, locks and the like are worth another try.
bool refusedForEver(const SQLite::Exception& cause) {
    const int code = cause.getErrorCode();
    return code == SQLITE_CONSTRAINT || code == SQLITE_TOOBIG || code == SQLITE_MISMATCH;
}

/// Nothing where there are no counts: not recorded is not zero.
std::optional<std::int64_t> total(const std::vector<std::uint16_t>& counts) {
    return counts.empty()
               ? std::nullopt
               : std::optional(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
}

std::optional<Blob> blobOrNull(const std::vector<std::uint8_t>& bytes) {
    return bytes.empty() ? std::nullopt : std::optional<Blob>(bytes);
}

/// A change of what is said about a session; that is no use of it.
bool isEdit(const LogEntry& entry) {
    return std::holds_alternative<TitleEntry>(entry.what) ||
           std::holds_alternative<TagsEntry>(entry.what) ||
           std::holds_alternative<PinEntry>(entry.what) ||
           std::holds_alternative<DeleteEntry>(entry.what);
}

void expectSession(int changed) {
    if (changed == 0) {
        throw Error("there is no such session");
    }
}

std::string trimmed(const std::string& text) {
    constexpr const char* kBlank = " \t\r\n";
    const std::size_t begin = text.find_first_not_of(kBlank);
    return begin == std::string::npos
               ? std::string()
               : text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::string refusal(const LogEntry& entry, const std::string& cause) {
    if (isEdit(entry)) {
        return fmt::format("session {}: it could not be changed: {}", entry.session, cause);
    }
    return fmt::format("session {}, turn {}: an entry could not be kept: {}", entry.session,
                       entry.turn, cause);
}

}  // namespace

BatchWriter::BatchWriter(SQLite::Database& database)
    : m_database(database),
      m_setTitle(database, "UPDATE sessions SET title = ? WHERE id = ?"),
      m_setPinned(database, "UPDATE sessions SET pinned = ? WHERE id = ?"),
      m_setDeleted(database, "UPDATE sessions SET deleted_ms = ? WHERE id = ?"),
      m_addTag(database, "INSERT OR IGNORE INTO session_tags (session, tag) VALUES (?,?)"),
      m_removeTag(database, "DELETE FROM session_tags WHERE session = ? AND tag = ?"),
      m_removeTags(database, "DELETE FROM session_tags WHERE session = ?"),
      m_touch(database, "UPDATE sessions SET updated_ms = max(updated_ms, ?) WHERE id = ?"),
      m_freeTurn(database,
                 "SELECT CASE WHEN EXISTS (SELECT 1 FROM turns WHERE session = ?1 AND turn = ?2) "
                 "THEN (SELECT max(turn) + 1 FROM turns WHERE session = ?1) ELSE ?2 END"),
      m_insertTurn(database,
                   "INSERT INTO turns (session, turn, role, text, created_ms) VALUES (?,?,?,?,?)"),
      m_insertAnswer(database,
                     "INSERT INTO answers (session, turn, started_ms, settings_json, seed, "
                     "temperature, speculate, dropped_messages, given_tokens) "
                     "VALUES (?,?,?,?,?,?,?,?,?)"),
      m_setPrompt(database, "UPDATE answers SET prompt_ids = ? WHERE session = ? AND turn = ?"),
      m_insertToken(database, "INSERT INTO tokens VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"),
      m_insertStep(database, "INSERT INTO steps VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"),
      m_insertVerifyStep(database, "INSERT INTO verify_steps VALUES (?,?,?,?,?,?,?,?,?,?,?)"),
      m_insertDraft(database, "INSERT INTO drafts VALUES (?,?,?,?,?,?,?,?)"),
      m_insertRouting(database, "INSERT INTO routing VALUES (?,?,?,?,?,?,?,?,?,?)"),
      m_endAnswer(database,
                  "UPDATE answers SET ended_ms = ?, finish = ?, ids = ?, result_json = ? "
                  "WHERE session = ? AND turn = ?"),
      m_setText(database, "UPDATE turns SET text = ? WHERE session = ? AND turn = ?"),
      m_replace(database, "UPDATE turns SET replaced = 1 WHERE session = ? AND turn = ?"),
      m_nextToken(database,
                  "SELECT coalesce(max(seq) + 1, 0) FROM tokens WHERE session = ? AND turn = ?"),
      m_nextStep(database,
                 "SELECT coalesce(max(seq) + 1, 0) FROM steps WHERE session = ? AND turn = ?") {}

std::vector<std::string> BatchWriter::write(const std::vector<LogEntry>& entries) {
    std::vector<std::string> refused;
    std::map<std::int64_t, std::int64_t> touched;
    try {
        SQLite::Transaction transaction(m_database, SQLite::TransactionBehavior::IMMEDIATE);
        for (const LogEntry& entry : entries) {
            try {
                apply(entry);
                if (!isEdit(entry)) {
                    std::int64_t& updated = touched[entry.session];
                    updated = std::max(updated, entry.timeMs);
                }
            } catch (const SQLite::Exception& cause) {
                if (!refusedForEver(cause)) {
                    throw;
                }
                refused.push_back(refusal(entry, cause.what()));
            } catch (const std::bad_alloc&) {
                throw;
            } catch (const std::exception& cause) {
                refused.push_back(refusal(entry, cause.what()));
            }
        }
        for (const auto& [session, timeMs] : touched) {
            execute(m_touch, timeMs, session);
        }
        transaction.commit();
    } catch (...) {
        m_counters.clear();  // they ran ahead of the file; read again from it
        throw;
    }
    return refused;
}

void BatchWriter::apply(const LogEntry& entry) {
    std::visit([this, &entry](const auto& what) { add(entry, what); }, entry.what);
}

void BatchWriter::add(const LogEntry& entry, const TitleEntry& title) {
    expectSession(execute(m_setTitle, title.title, entry.session));
}

void BatchWriter::add(const LogEntry& entry, const TagsEntry& tags) {
    if (tags.removeOthers) {
        execute(m_removeTags, entry.session);
    }
    for (const std::string& tag : tags.remove) {
        execute(m_removeTag, entry.session, tag);
    }
    for (const std::string& tag : tags.add) {
        if (const std::string plain = trimmed(tag); !plain.empty()) {
            execute(m_addTag, entry.session, plain);
        }
    }
}

void BatchWriter::add(const LogEntry& entry, const PinEntry& pin) {
    expectSession(execute(m_setPinned, pin.pinned, entry.session));
}

void BatchWriter::add(const LogEntry& entry, const DeleteEntry& remove) {
    const auto when = remove.deleted ? std::optional(entry.timeMs) : std::nullopt;
    expectSession(execute(m_setDeleted, when, entry.session));
}

void BatchWriter::add(const LogEntry& entry, const UserTurnEntry& user) {
    insertTurn(entry, "user", user.text);
}

void BatchWriter::add(const LogEntry& entry, const AnswerEntry& answer) {
    insertTurn(entry, "assistant", "");
    const SamplingParams& sampling = answer.params.sampling;
    execute(m_insertAnswer, entry.session, storedTurn(entry), entry.timeMs,
            settingsToJson(answer.params), static_cast<std::int64_t>(sampling.seed),
            sampling.temperature, std::string(name(answer.params.speculate)),
            answer.droppedMessages, answer.givenTokens);
}

void BatchWriter::add(const LogEntry& entry, const PromptEntry& prompt) {
    execute(m_setPrompt, Blob(encodeIds(prompt.ids)), entry.session, storedTurn(entry));
}

void BatchWriter::add(const LogEntry& entry, const TokenEntry& what) {
    const TokenEvent& token = what.token;
    const std::vector<std::uint8_t> alternatives = encodeAlternatives(token.alternatives);
    std::int64_t& seq = counters(entry).tokens;
    execute(m_insertToken, entry.session, storedTurn(entry), seq, token.position, token.id,
            Blob(token.bytes), token.probability, token.rawProbability, Blob(alternatives),
            std::string(storedName(token.draft)), token.rejectedDraftId, token.step);
    ++seq;
}

void BatchWriter::add(const LogEntry& entry, const StepEntry& what) {
    const StepTrace& step = what.step;
    const CacheUse& cache = step.cache;
    const int turn = storedTurn(entry);
    const std::int64_t seq = counters(entry).steps;
    execute(m_insertStep, entry.session, turn, seq, step.step, step.timing.forwardNs,
            step.timing.draftNs, step.timing.sampleNs, step.timing.recorderNs, cache.positions,
            cache.bytesPerPosition, cache.used, cache.reserved, cache.mtpPositions, cache.mtpUsed,
            cache.mtpReserved, cache.mtpBytesPerPosition, cache.expandedBytesPerPosition,
            cache.maxPositions, cache.dtype);
    ++counters(entry).steps;
    if (step.speculation) {
        insertSpeculation(entry, seq, *step.speculation);
    }
    insertRouting(entry, seq, step.tokens, false);
    insertRouting(entry, seq, step.mtp, true);
}

void BatchWriter::add(const LogEntry& entry, const EndEntry& end) {
    const int turn = storedTurn(entry);
    execute(m_setText, end.result.text, entry.session, turn);
    execute(m_endAnswer, entry.timeMs, std::string(name(end.result.finish)),
            Blob(encodeIds(end.result.ids)), resultToJson(end.result), entry.session, turn);
    m_counters.erase({entry.session, entry.turn});
}

void BatchWriter::add(const LogEntry& entry, const ReplaceEntry& /*replace*/) {
    execute(m_replace, entry.session, storedTurn(entry));
}

void BatchWriter::insertTurn(const LogEntry& entry, const std::string& role,
                             const std::string& text) {
    // The number was given out without looking at the file. Should another program have continued
    // the same session meanwhile and taken it, this turn comes after its turns.
    bindAll(m_freeTurn, entry.session, entry.turn);
    m_freeTurn.executeStep();
    const int turn = m_freeTurn.getColumn(0).getInt();
    m_freeTurn.tryReset();
    execute(m_insertTurn, entry.session, turn, role, text, entry.timeMs);
    // Whoever goes on with a deleted session wants to keep it.
    execute(m_setDeleted, std::optional<std::int64_t>(), entry.session);
    if (turn != entry.turn) {
        m_renumbered[{entry.session, entry.turn}] = turn;
    } else {
        m_renumbered.erase({entry.session, entry.turn});
    }
}

void BatchWriter::insertSpeculation(const LogEntry& entry, std::int64_t seq,
                                    const SpeculativeStep& step) {
    const int turn = storedTurn(entry);
    const std::vector<std::uint8_t> distinct = encodeLayerCounts(step.distinctExperts);
    const std::vector<std::uint8_t> wasted = encodeLayerCounts(step.wastedExperts);
    execute(m_insertVerifyStep, entry.session, turn, seq, std::string(storedName(step.source)),
            step.drafted(), step.accepted, step.matchLength, total(step.distinctExperts),
            total(step.wastedExperts), blobOrNull(distinct), blobOrNull(wasted));
    int index = 0;
    for (const DraftedToken& draft : step.drafts) {
        execute(m_insertDraft, entry.session, turn, seq, index, draft.id, index < step.accepted,
                draft.draftProbability, draft.targetProbability);
        ++index;
    }
}

void BatchWriter::insertRouting(const LogEntry& entry, std::int64_t seq,
                                const std::vector<RoutedToken>& of, bool mtp) {
    std::int64_t index = 0;
    for (const RoutedToken& token : of) {
        const std::vector<std::uint8_t> blob = encodeRouting(token.routing);
        execute(m_insertRouting, entry.session, storedTurn(entry), seq, mtp, index++,
                token.position, token.tokenId, std::string(storedName(token.phase)), token.special,
                Blob(blob));
    }
}

int BatchWriter::storedTurn(const LogEntry& entry) const {
    const auto found = m_renumbered.find({entry.session, entry.turn});
    return found == m_renumbered.end() ? entry.turn : found->second;
}

BatchWriter::Counters& BatchWriter::counters(const LogEntry& entry) {
    const TurnKey key{entry.session, entry.turn};
    const auto found = m_counters.find(key);
    if (found != m_counters.end()) {
        return found->second;
    }
    return m_counters[key] = {nextSeq(m_nextToken, entry), nextSeq(m_nextStep, entry)};
}

std::int64_t BatchWriter::nextSeq(SQLite::Statement& statement, const LogEntry& entry) const {
    bindAll(statement, entry.session, storedTurn(entry));
    statement.executeStep();
    const std::int64_t next = statement.getColumn(0).getInt64();
    statement.tryReset();
    return next;
}

}  // namespace gatescope
