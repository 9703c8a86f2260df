// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_store.h"

#include <sqlite3.h>

#include <functional>
#include <map>
#include <utility>

#include "engine/error.h"
#include "engine/session/schema.h"
#include "engine/session/session_file.h"
#include "engine/session/session_listing.h"
#include "engine/session/sql.h"
#include "engine/session/stored_rows.h"
#include "engine/text/utf8_stream.h"

namespace gatescope {

namespace {

std::string answerQuery(const char* columns, const char* table, const char* order) {
    return fmt::format("SELECT {} FROM {} WHERE session = ? AND turn = ? ORDER BY {}", columns,
                       table, order);
}

/// Every statement there is, prepared: a file whose schema lacks something shows at once. A file of
/// version 1 that nobody may migrate is read by queries of its own.
struct Queries {
    Queries(const SQLite::Database& database, int version)
        : schemaVersion(version),
          listing(database, version),
          info(database, fmt::format("SELECT {} FROM sessions WHERE id = ?", kInfoColumns)),
          turns(database,
                fmt::format("SELECT {} FROM turns t LEFT JOIN answers a ON a.session = t.session "
                            "AND a.turn = t.turn WHERE t.session = ? ORDER BY t.turn",
                            version < 3 ? kTurnColumnsBefore3 : kTurnColumns)),
          tokens(database, answerQuery(kTokenColumns, "tokens", "seq")),
          steps(database, answerQuery(kStepColumns, "steps", "seq")),
          verifySteps(database, version == 1 ? answerQuery(kVerifyColumnsV1, "drafts", "seq")
                                             : answerQuery(kVerifyColumns, "verify_steps", "seq")),
          drafts(database, version == 1 ? answerQuery(kDraftColumnsV1, "drafts", "seq")
                                        : answerQuery(kDraftColumns, "drafts", "seq, idx")),
          routing(database, answerQuery(kRoutingColumns, "routing", "seq, mtp, idx")) {}

    int schemaVersion;
    SessionListing listing;
    SQLite::Statement info, turns, tokens, steps, verifySteps, drafts, routing;
};

/// All rows of a query with these parameters, each turned into a value.
template <class Make, class... Values>
auto collect(SQLite::Statement& query, Make make, const Values&... values) {
    std::vector<decltype(make(query))> rows;
    const QueryEnd end(query);
    bindAll(query, values...);
    while (query.executeStep()) {
        rows.push_back(make(query));
    }
    return rows;
}

}  // namespace

struct SessionStore::Impl {
    explicit Impl(const std::filesystem::path& path)
        : file(path), database(openForReading(file)), queries(prepare(version())) {}

    int version() const;
    std::unique_ptr<Queries> prepare(int version) const;

    /// Runs `read` in one read transaction: everything it sees is from the same moment.
    template <class Read>
    auto atOneMoment(Read read) {
        try {
            const SQLite::Transaction transaction(database);
            if (const int now = version(); now != queries->schemaVersion) {
                queries = prepare(now);  // a writer has migrated the file since
            }
            return read();
        } catch (const SQLite::Exception& cause) {
            throw sessionError(file, cause);
        } catch (const Error& cause) {
            throw fileError(file.string(), "", cause.what());
        }
    }

    void addTokens(std::int64_t session, StoredTurn& turn);
    /// `layers`: MoE layers by the session's shape.
    void addSteps(std::int64_t session, StoredTurn& turn, std::size_t layers);
    using StepOfRow = std::function<StepTrace&(SQLite::Statement&)>;
    void addSpeculation(std::int64_t session, int turn, std::size_t layers, const StepOfRow& step);
    void addRouting(std::int64_t session, int turn, const StepOfRow& step);

    std::filesystem::path file;
    SQLite::Database database;
    std::unique_ptr<Queries> queries;
};

int SessionStore::Impl::version() const {
    SQLite::Statement pragma(database, "PRAGMA user_version");
    pragma.executeStep();
    return pragma.getColumn(0).getInt();
}

std::unique_ptr<Queries> SessionStore::Impl::prepare(int version) const {
    try {
        return std::make_unique<Queries>(database, version);
    } catch (const SQLite::Exception& cause) {
        if (version != sessionSchemaVersion()) {
            throw fileError(file.string(), "",
                            fmt::format("session format {} cannot be read by this Gatescope, which "
                                        "knows {}",
                                        version, sessionSchemaVersion()));
        }
        throw sessionError(file, cause);
    }
}

void SessionStore::Impl::addTokens(std::int64_t session, StoredTurn& turn) {
    turn.tokens = collect(queries->tokens, tokenOf, session, turn.turn);
    if (!turn.result) {  // the text is written when an answer ends; this one did not
        std::string bytes;
        for (const TokenEvent& token : turn.tokens) {
            bytes += token.bytes;
        }
        turn.text = toValidUtf8(bytes);
    }
}

void SessionStore::Impl::addSteps(std::int64_t session, StoredTurn& turn, std::size_t layers) {
    std::map<std::int64_t, std::size_t> indexOf;  // by seq
    const auto stepWithSeq = [](SQLite::Statement& row) {
        return std::pair(row.getColumn(0).getInt64(), stepOf(row));
    };
    for (auto& [seq, step] : collect(queries->steps, stepWithSeq, session, turn.turn)) {
        indexOf[seq] = turn.steps.size();
        turn.steps.push_back(std::move(step));
    }
    const auto stepOfRow = [&indexOf, &turn](SQLite::Statement& row) -> StepTrace& {
        const auto found = indexOf.find(row.getColumn(0).getInt64());
        if (found == indexOf.end()) {
            throw Error(fmt::format("turn {}: a row without its step", turn.turn));
        }
        return turn.steps[found->second];
    };
    addSpeculation(session, turn.turn, layers, stepOfRow);
    addRouting(session, turn.turn, stepOfRow);
}

void SessionStore::Impl::addSpeculation(std::int64_t session, int turn, std::size_t layers,
                                        const StepOfRow& stepOfRow) {
    std::vector<std::pair<const StepTrace*, std::int64_t>> drafted;
    const QueryEnd endSteps(queries->verifySteps);
    bindAll(queries->verifySteps, session, turn);
    while (queries->verifySteps.executeStep()) {
        StepTrace& step = stepOfRow(queries->verifySteps);
        VerifyRow row = verifyRowOf(queries->verifySteps, layers);
        step.speculation = std::move(row.step);
        drafted.emplace_back(&step, row.drafted);
    }
    const QueryEnd endDrafts(queries->drafts);
    bindAll(queries->drafts, session, turn);
    while (queries->drafts.executeStep()) {
        StepTrace& step = stepOfRow(queries->drafts);
        if (!step.speculation) {
            throw Error(fmt::format("turn {}: a draft without its verify step", turn));
        }
        addDraftOf(queries->drafts, *step.speculation);
    }
    for (const auto& [step, count] : drafted) {
        if (step->speculation->drafted() != count) {
            throw Error(fmt::format("turn {}: a verify step of {} drafts has {} of them", turn,
                                    count, step->speculation->drafted()));
        }
    }
}

void SessionStore::Impl::addRouting(std::int64_t session, int turn, const StepOfRow& stepOfRow) {
    const QueryEnd endRouting(queries->routing);
    bindAll(queries->routing, session, turn);
    while (queries->routing.executeStep()) {
        StepTrace& step = stepOfRow(queries->routing);
        const bool mtp = queries->routing.getColumn(1).getInt() != 0;
        (mtp ? step.mtp : step.tokens).push_back(routedTokenOf(queries->routing));
    }
}

SessionStore::SessionStore(const std::filesystem::path& file)
    : m_impl(std::make_unique<Impl>(plainPath(file))) {}

SessionStore::~SessionStore() = default;

std::vector<SessionSummary> SessionStore::list(const SessionQuery& query) const {
    return m_impl->atOneMoment([this, &query] { return m_impl->queries->listing.list(query); });
}

std::vector<SessionSummary> SessionStore::search(const std::string& text) const {
    SessionQuery query;
    query.text = text;
    return list(query);
}

SessionFacets SessionStore::facets() const {
    return m_impl->atOneMoment([this] { return m_impl->queries->listing.facets(); });
}

void SessionStore::interrupt() {
    sqlite3_interrupt(m_impl->database.getHandle());
}

StoredSession SessionStore::load(std::int64_t session) const {
    return m_impl->atOneMoment([this, session] {
        Queries& queries = *m_impl->queries;
        const auto summaries = queries.listing.one(session);
        const auto infos = collect(queries.info, infoOf, session);
        if (summaries.empty() || infos.empty()) {
            throw Error(fmt::format("session {}: there is no such session", session));
        }
        StoredSession stored;
        stored.summary = summaries.front();
        stored.info = infos.front();
        stored.turns = collect(queries.turns, turnOf, session);
        for (StoredTurn& turn : stored.turns) {
            if (!turn.finish.empty()) {
                m_impl->addTokens(session, turn);
                m_impl->addSteps(session, turn, stored.info.shape.layers.size());
            }
        }
        return stored;
    });
}

std::vector<TokenEvent> SessionStore::tokens(std::int64_t session, int turn) const {
    return m_impl->atOneMoment(
        [this, session, turn] { return collect(m_impl->queries->tokens, tokenOf, session, turn); });
}

}  // namespace gatescope
