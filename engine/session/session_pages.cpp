// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_pages.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "engine/error.h"
#include "engine/session/schema.h"
#include "engine/session/session_file.h"
#include "engine/session/sql.h"
#include "engine/session/stored_names.h"
#include "engine/session/stored_rows.h"
#include "engine/text/utf8_stream.h"

namespace gatescope {

namespace {

constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
constexpr int kMostBytesOfCharacter = 4;

// Primary keys are (session, turn, seq): every query here is one walk along an index.
std::string rangeQuery(const char* columns, const char* table, const char* order) {
    return fmt::format(
        "SELECT {} FROM {} WHERE session = ? AND turn = ? AND seq BETWEEN ? AND ? ORDER BY {}",
        columns, table, order);
}

std::string turnQuery(const char* columns, const char* which) {
    return fmt::format(
        "SELECT {} FROM turns t LEFT JOIN answers a ON a.session = t.session AND a.turn = t.turn "
        "WHERE t.session = ? {} ORDER BY t.turn",
        columns, which);
}

struct Queries {
    Queries(const SQLite::Database& database, int version)
        : schemaVersion(version),
          session(database, fmt::format("SELECT {} FROM sessions WHERE id = ?", kInfoColumns)),
          times(database, "SELECT created_ms, updated_ms FROM sessions WHERE id = ?"),
          // seq counts from 0 without gaps: the last one tells the number of tokens.
          index(database,
                turnQuery("t.turn, a.session, t.replaced, (SELECT max(k.seq) + 1 FROM tokens k "
                          "WHERE k.session = a.session AND k.turn = a.turn), "
                          "length(a.prompt_ids)",
                          "")),
          turns(database, turnQuery(version < 3 ? kTurnColumnsBefore3 : kTurnColumns,
                                    "AND t.turn BETWEEN ? AND ?")),
          messages(database, turnQuery("t.turn, t.role, t.text, t.replaced, "
                                       "a.session IS NOT NULL AND a.finish IS NULL",
                                       "")),
          tokens(database, rangeQuery(kTokenColumns, "tokens", "seq")),
          tokenIds(database, "SELECT id FROM tokens WHERE session = ? AND turn = ? ORDER BY seq"),
          tokenBytes(database, rangeQuery("bytes", "tokens", "seq")),
          bytesBefore(database,
                      "SELECT coalesce(sum(length(bytes)), 0) FROM tokens "
                      "WHERE session = ? AND turn = ? AND seq < ?"),
          tokenStep(database, rangeQuery("step", "tokens", "seq")),
          stepAt(database,
                 "SELECT step FROM steps WHERE session = ? AND turn = ? AND seq >= ? "
                 "ORDER BY seq LIMIT 1"),
          lastStep(database,
                   "SELECT coalesce(max(seq), -1) FROM steps WHERE session = ? AND turn = ?"),
          steps(database, rangeQuery(kStepColumns, "steps", "seq")),
          verifySteps(database, version == 1 ? rangeQuery(kVerifyColumnsV1, "drafts", "seq")
                                             : rangeQuery(kVerifyColumns, "verify_steps", "seq")),
          drafts(database, version == 1 ? rangeQuery(kDraftColumnsV1, "drafts", "seq")
                                        : rangeQuery(kDraftColumns, "drafts", "seq, idx")),
          routing(database,
                  rangeQuery(kRoutingColumns, "routing", "seq DESC, mtp DESC, idx DESC")) {}

    int schemaVersion;
    SQLite::Statement session, times, index, turns, messages, tokens, tokenIds, tokenBytes,
        bytesBefore, tokenStep, stepAt, lastStep, steps, verifySteps, drafts, routing;
};

/// Calls `use` for every row of a query with these parameters; stops when it returns false.
template <class Use, class... Values>
void forEach(SQLite::Statement& query, Use use, const Values&... values) {
    const QueryEnd end(query);
    bindAll(query, values...);
    while (query.executeStep()) {
        if constexpr (std::is_same_v<decltype(use(query)), bool>) {
            if (!use(query)) {
                return;
            }
        } else {
            use(query);
        }
    }
}

/// The first column of the first row; `none` without one.
template <class... Values>
std::int64_t number(SQLite::Statement& query, std::int64_t none, const Values&... values) {
    std::int64_t result = none;
    const auto take = [&result](SQLite::Statement& row) {
        result = row.getColumn(0).getInt64();
        return false;
    };
    forEach(query, take, values...);
    return result;
}

/// Rows of one answer by `seq`, both ends included.
struct Range {
    std::int64_t session = 0;
    int turn = 0;
    std::int64_t first = 0;
    std::int64_t last = kLast;
};

template <class Use>
void forRange(SQLite::Statement& query, const Range& range, Use use) {
    forEach(query, use, range.session, range.turn, range.first, range.last);
}

/// Reads the parts of one session, all in one transaction.
class PartReader {
  public:
    PartReader(Queries& queries, std::int64_t session) : m_queries(queries), m_session(session) {}

    SessionIndex index();
    StoredSession read(const PartRequest& request, const PartLimits& limits);

  private:
    void readSession(StoredSession& stored, const SessionIndex& index);
    void align(PartPlan& plan, const SessionIndex& index);
    std::int64_t wholeCharacter(int turn, std::int64_t token);
    void readAnswer(StoredTurn& turn, std::int64_t begin, std::int64_t end, std::int64_t all);
    void readTaken(StoredTurn& turn);
    void cutText(StoredTurn& turn, std::int64_t begin, bool toTheEnd);
    std::int64_t stepOfToken(int turn, std::int64_t token);
    std::int64_t seqOfStep(int turn, std::int64_t step);
    void readSteps(StoredTurn& turn, std::int64_t first, std::int64_t last);
    void readSpeculation(StoredTurn& turn, const Range& range);
    void readRouting(StoredTurn& turn, const Range& range);
    StepTrace& stepOfRow(SQLite::Statement& row, StoredTurn& turn);
    void readMessages(std::vector<StoredMessage>& messages);

    Queries& m_queries;
    std::int64_t m_session;
    std::size_t m_layers = 0;                         ///< MoE layers of the session's model
    std::map<std::int64_t, std::size_t> m_stepBySeq;  ///< of the answer at hand
    std::int64_t m_routingLeft = 0;                   ///< bytes that may still be read
    bool m_allRouting = true;
};

SessionIndex PartReader::index() {
    SessionIndex index;
    const auto add = [&index](SQLite::Statement& row) {
        IndexedTurn& turn = index.turns.emplace_back();
        turn.turn = row.getColumn(0).getInt();
        turn.answer = !row.getColumn(1).isNull();
        turn.replaced = row.getColumn(2).getInt() != 0;
        turn.tokens = std::max<std::int64_t>(row.getColumn(3).getInt64(), 0);
        turn.promptTokens = row.getColumn(4).getInt64() / 4;
    };
    forEach(m_queries.index, add, m_session);
    return index;
}

void PartReader::readSession(StoredSession& stored, const SessionIndex& index) {
    bool found = false;
    const auto take = [&](SQLite::Statement& row) {
        found = true;
        stored.info = infoOf(row);
    };
    forEach(m_queries.session, take, m_session);
    const auto takeTimes = [&stored](SQLite::Statement& row) {
        stored.summary.createdMs = row.getColumn(0).getInt64();
        stored.summary.updatedMs = row.getColumn(1).getInt64();
    };
    forEach(m_queries.times, takeTimes, m_session);
    if (!found) {
        throw Error(fmt::format("session {}: there is no such session", m_session));
    }
    stored.summary.id = m_session;
    stored.summary.title = stored.info.title;
    stored.summary.modelName = stored.info.modelName;
    for (const IndexedTurn& turn : index.turns) {
        stored.summary.turns += turn.replaced ? 0 : 1;
        stored.summary.tokens += turn.tokens;
    }
    m_layers = stored.info.shape.layers.size();
}

StoredSession PartReader::read(const PartRequest& request, const PartLimits& limits) {
    const SessionIndex index = this->index();
    StoredSession stored;
    readSession(stored, index);
    PartPlan plan = planPart(index, request, limits);
    align(plan, index);
    SessionExtent& extent = stored.extent;
    extent.firstToken = plan.firstToken;
    extent.tokens = plan.tokens;
    extent.sessionTokens = index.tokens();
    extent.cutBefore = plan.cutBefore;
    extent.cutAfter = plan.cutAfter;
    extent.begin = plan.firstTurn == 0 && plan.cutBefore == 0;
    extent.end = plan.endTurn == index.turns.size() && plan.cutAfter == 0;
    if (plan.firstTurn < plan.endTurn) {
        const auto take = [&stored](SQLite::Statement& row) {
            stored.turns.push_back(turnOf(row));
        };
        forEach(m_queries.turns, take, m_session, index.turns[plan.firstTurn].turn,
                index.turns[plan.endTurn - 1].turn);
    }
    m_routingLeft = limits.routingBytes;
    // The newest first: it is their routing that is kept if there is too much.
    for (std::size_t i = stored.turns.size(); i-- > 0;) {
        StoredTurn& turn = stored.turns[i];
        const IndexedTurn& sizes = index.turns.at(plan.firstTurn + i);
        if (turn.finish.empty()) {
            continue;
        }
        if (turn.replaced) {
            readTaken(turn);
            continue;
        }
        const std::int64_t begin = i == 0 ? plan.cutBefore : 0;
        const std::int64_t cut = i + 1 == stored.turns.size() ? plan.cutAfter : 0;
        readAnswer(turn, begin, sizes.tokens - cut, sizes.tokens);
        if (i + 1 == stored.turns.size() && (begin > 0 || cut > 0)) {
            const auto take = [&extent](SQLite::Statement& row) {
                extent.lastAnswerIds.push_back(row.getColumn(0).getInt());
            };
            forEach(m_queries.tokenIds, take, m_session, turn.turn);
        }
    }
    extent.allRouting = m_allRouting;
    if (!extent.whole()) {
        readMessages(extent.messages);
    }
    return stored;
}

/// A cut between the bytes of one character would show it as broken: it moves before the character.
void PartReader::align(PartPlan& plan, const SessionIndex& index) {
    if (plan.cutBefore > 0) {
        const std::int64_t begin = wholeCharacter(index.turns[plan.firstTurn].turn, plan.cutBefore);
        plan.firstToken -= plan.cutBefore - begin;
        plan.tokens += plan.cutBefore - begin;
        plan.cutBefore = begin;
    }
    if (plan.cutAfter > 0) {
        const IndexedTurn& last = index.turns[plan.endTurn - 1];
        const std::int64_t end = last.tokens - plan.cutAfter;
        const std::int64_t moved = end - wholeCharacter(last.turn, end);
        if (moved < plan.tokens) {
            plan.tokens -= moved;
            plan.cutAfter += moved;
        }
    }
}

std::int64_t PartReader::wholeCharacter(int turn, std::int64_t token) {
    const std::int64_t from = std::max<std::int64_t>(token - kMostBytesOfCharacter, 0);
    std::int64_t seq = from;
    std::int64_t begin = token;
    const auto look = [&](SQLite::Statement& row) {
        const std::string_view bytes = blobView(row.getColumn(0));
        const bool inside = !bytes.empty() && (static_cast<unsigned char>(bytes[0]) & 0xC0) == 0x80;
        begin = inside ? begin : seq;
        ++seq;
    };
    forRange(m_queries.tokenBytes, {m_session, turn, from, token}, look);
    return begin;
}

/// Tokens [begin, end) of `all` and what was recorded while they were made.
void PartReader::readAnswer(StoredTurn& turn, std::int64_t begin, std::int64_t end,
                            std::int64_t all) {
    if (begin < end) {
        forRange(m_queries.tokens, {m_session, turn.turn, begin, end - 1},
                 [&turn](SQLite::Statement& row) { turn.tokens.push_back(tokenOf(row)); });
    }
    if (begin > 0 || end < all || !turn.result) {
        cutText(turn, begin, end == all);
    }
    if (turn.tokens.empty()) {
        readSteps(turn, 0, kLast);
        return;
    }
    // A token is the input of the step behind the one that gave it.
    const std::int64_t first = begin > 0 ? seqOfStep(turn.turn, turn.tokens.front().step) : 0;
    const std::int64_t last =
        end < all ? seqOfStep(turn.turn, turn.tokens.back().step + 2) - 1 : kLast;
    readSteps(turn, first, last);
}

/// Of an answer that was taken back what it computed of the prompt stays true.
void PartReader::readTaken(StoredTurn& turn) {
    const std::int64_t step = stepOfToken(turn.turn, turn.givenTokens);
    readSteps(turn, 0, step < 0 ? kLast : seqOfStep(turn.turn, step));
}

/// The text that belongs to the tokens read. An end token has bytes but no text, so that what
/// reaches the end is taken as it is stored.
void PartReader::cutText(StoredTurn& turn, std::int64_t begin, bool toTheEnd) {
    std::string bytes;
    for (const TokenEvent& token : turn.tokens) {
        bytes += token.bytes;
    }
    if (!turn.result) {  // the text is written when an answer ends; this one did not
        turn.text = toValidUtf8(bytes);
        return;
    }
    const std::int64_t before = number(m_queries.bytesBefore, 0, m_session, turn.turn, begin);
    const auto skipped =
        std::min(static_cast<std::size_t>(std::max<std::int64_t>(before, 0)), turn.text.size());
    turn.text = turn.text.substr(skipped, toTheEnd ? std::string::npos : bytes.size());
}

std::int64_t PartReader::stepOfToken(int turn, std::int64_t token) {
    return number(m_queries.tokenStep, -1, m_session, turn, token, token);
}

/// `seq` of the answer's first step with this number or a later one; steps are in order.
std::int64_t PartReader::seqOfStep(int turn, std::int64_t step) {
    std::int64_t low = 0;
    std::int64_t high = number(m_queries.lastStep, -1, m_session, turn) + 1;
    while (low < high) {
        const std::int64_t middle = low + (high - low) / 2;
        if (number(m_queries.stepAt, kLast, m_session, turn, middle) < step) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void PartReader::readSteps(StoredTurn& turn, std::int64_t first, std::int64_t last) {
    const Range range{m_session, turn.turn, first, last};
    m_stepBySeq.clear();
    const auto take = [this, &turn](SQLite::Statement& row) {
        m_stepBySeq[row.getColumn(0).getInt64()] = turn.steps.size();
        turn.steps.push_back(stepOf(row));
    };
    forRange(m_queries.steps, range, take);
    readSpeculation(turn, range);
    readRouting(turn, range);
}

StepTrace& PartReader::stepOfRow(SQLite::Statement& row, StoredTurn& turn) {
    const auto found = m_stepBySeq.find(row.getColumn(0).getInt64());
    if (found == m_stepBySeq.end()) {
        throw Error(fmt::format("turn {}: a row without its step", turn.turn));
    }
    return turn.steps[found->second];
}

void PartReader::readSpeculation(StoredTurn& turn, const Range& range) {
    std::vector<std::pair<const StepTrace*, std::int64_t>> drafted;
    const auto takeStep = [&](SQLite::Statement& row) {
        StepTrace& step = stepOfRow(row, turn);
        VerifyRow verified = verifyRowOf(row, m_layers);
        step.speculation = std::move(verified.step);
        drafted.emplace_back(&step, verified.drafted);
    };
    forRange(m_queries.verifySteps, range, takeStep);
    const auto takeDraft = [&](SQLite::Statement& row) {
        StepTrace& step = stepOfRow(row, turn);
        if (!step.speculation) {
            throw Error(fmt::format("turn {}: a draft without its verify step", turn.turn));
        }
        addDraftOf(row, *step.speculation);
    };
    forRange(m_queries.drafts, range, takeDraft);
    for (const auto& [step, count] : drafted) {
        if (step->speculation->drafted() != count) {
            throw Error(fmt::format("turn {}: a verify step of {} drafts has {} of them", turn.turn,
                                    count, step->speculation->drafted()));
        }
    }
}

void PartReader::readRouting(StoredTurn& turn, const Range& range) {
    const auto take = [&](SQLite::Statement& row) {
        m_routingLeft -= row.getColumn(6).getBytes();
        if (m_routingLeft < 0) {
            m_allRouting = false;
            return false;
        }
        StepTrace& step = stepOfRow(row, turn);
        const bool mtp = row.getColumn(1).getInt() != 0;
        (mtp ? step.mtp : step.tokens).push_back(routedTokenOf(row));
        return true;
    };
    forRange(m_queries.routing, range, take);
    for (StepTrace& step : turn.steps) {
        std::reverse(step.tokens.begin(), step.tokens.end());
        std::reverse(step.mtp.begin(), step.mtp.end());
    }
}

void PartReader::readMessages(std::vector<StoredMessage>& messages) {
    std::vector<std::size_t> unfinished;
    const auto take = [&](SQLite::Statement& row) {
        StoredMessage& message = messages.emplace_back();
        message.turn = row.getColumn(0).getInt();
        message.role = roleFromName(row.getColumn(1).getString());
        message.text = row.getColumn(2).getString();
        message.replaced = row.getColumn(3).getInt() != 0;
        if (row.getColumn(4).getInt() != 0) {
            unfinished.push_back(messages.size() - 1);
        }
    };
    forEach(m_queries.messages, take, m_session);
    for (const std::size_t at : unfinished) {
        std::string bytes;
        forRange(m_queries.tokenBytes, {m_session, messages[at].turn, 0, kLast},
                 [&bytes](SQLite::Statement& row) { bytes += blobView(row.getColumn(0)); });
        messages[at].text = toValidUtf8(bytes);
    }
}

}  // namespace

struct SessionPages::Impl {
    explicit Impl(const std::filesystem::path& path)
        : file(path), database(openForReading(file)), queries(prepare(version())) {}

    int version() const {
        SQLite::Statement pragma(database, "PRAGMA user_version");
        pragma.executeStep();
        return pragma.getColumn(0).getInt();
    }

    std::unique_ptr<Queries> prepare(int version) const {
        try {
            return std::make_unique<Queries>(database, version);
        } catch (const SQLite::Exception& cause) {
            if (version > sessionSchemaVersion()) {
                throw fileError(file.string(), "",
                                fmt::format("session format {} cannot be read by this Gatescope, "
                                            "which knows {}",
                                            version, sessionSchemaVersion()));
            }
            throw sessionError(file, cause);
        }
    }

    /// Runs `read` in one read transaction: everything it sees is from the same moment.
    template <class Read>
    auto atOneMoment(std::int64_t session, Read read) {
        try {
            const SQLite::Transaction transaction(database);
            if (const int now = version(); now != queries->schemaVersion) {
                queries = prepare(now);  // a writer has migrated the file since
            }
            PartReader reader(*queries, session);
            return read(reader);
        } catch (const SQLite::Exception& cause) {
            throw sessionError(file, cause);
        } catch (const Error& cause) {
            throw fileError(file.string(), "", cause.what());
        }
    }

    std::filesystem::path file;
    SQLite::Database database;
    std::unique_ptr<Queries> queries;
};

SessionPages::SessionPages(const std::filesystem::path& file)
    : m_impl(std::make_unique<Impl>(plainPath(file))) {}

SessionPages::~SessionPages() = default;

SessionIndex SessionPages::index(std::int64_t session) const {
    return m_impl->atOneMoment(session, [](PartReader& reader) { return reader.index(); });
}

StoredSession SessionPages::load(std::int64_t session, const PartRequest& request,
                                 const PartLimits& limits) const {
    return m_impl->atOneMoment(session,
                               [&](PartReader& reader) { return reader.read(request, limits); });
}

}  // namespace gatescope
