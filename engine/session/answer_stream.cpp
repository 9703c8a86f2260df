// SPDX-License-Identifier: Apache-2.0
#include "engine/session/answer_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "engine/error.h"
#include "engine/session/schema.h"
#include "engine/session/session_file.h"
#include "engine/session/sql.h"
#include "engine/session/stored_rows.h"

namespace gatescope {

namespace {

/// A walk over the rows of one answer by the number of their step.
class Cursor {
  public:
    Cursor(const SQLite::Database& database, const char* columns, const char* table,
           const char* order)
        : m_query(database, fmt::format("SELECT {} FROM {} WHERE session = ? AND turn = ? "
                                        "ORDER BY {}",
                                        columns, table, order)) {}

    void begin(std::int64_t session, int turn) {
        bindAll(m_query, session, turn);
        next();
    }
    void next() {
        m_more = m_query.executeStep();
        m_seq = m_more ? m_query.getColumn(0).getInt64() : std::numeric_limits<std::int64_t>::max();
    }
    void end() { m_query.tryReset(); }
    bool more() const { return m_more; }
    std::int64_t seq() const { return m_seq; }
    SQLite::Statement& row() { return m_query; }

  private:
    SQLite::Statement m_query;
    std::int64_t m_seq = 0;
    bool m_more = false;
};

std::string answersQuery(int version) {
    // The prompt is looked up by the primary key of turns' unique (session, turn).
    return fmt::format(
        "SELECT t.turn, t.replaced, a.settings_json, a.seed, coalesce(a.finish, 'interrupted'), "
        "coalesce(length(a.prompt_ids) / 4, 0), (SELECT coalesce(max(k.seq) + 1, 0) FROM tokens k "
        "WHERE k.session = a.session AND k.turn = a.turn){}, coalesce((SELECT u.text FROM turns u "
        "WHERE u.session = t.session AND u.turn < t.turn AND u.role = 'user' ORDER BY u.turn DESC "
        "LIMIT 1), '') FROM turns t JOIN answers a ON a.session = t.session AND a.turn = t.turn "
        "WHERE t.session = ? ORDER BY t.turn",
        version < 3 ? "" : " - a.given_tokens");
}

int versionOf(const SQLite::Database& database) {
    SQLite::Statement pragma(database, "PRAGMA user_version");
    pragma.executeStep();
    return pragma.getColumn(0).getInt();
}

}  // namespace

struct AnswerStream::Impl {
    explicit Impl(const std::filesystem::path& path)
        : file(path),
          database(openForReading(file)),
          transaction(database),
          version(versionOf(database)),
          answers(database, answersQuery(version)),
          steps(database, kStepColumns, "steps", "seq"),
          verifySteps(database, version == 1 ? kVerifyColumnsV1 : kVerifyColumns,
                      version == 1 ? "drafts" : "verify_steps", "seq"),
          drafts(database, version == 1 ? kDraftColumnsV1 : kDraftColumns, "drafts",
                 version == 1 ? "seq" : "seq, idx"),
          routing(database, kRoutingColumns, "routing", "seq, mtp, idx") {}

    void readStep(StepTrace& step, std::int64_t seq, std::size_t layers) {
        if (verifySteps.seq() == seq) readSpeculation(step, seq, layers);
        step.tokens.clear();
        step.mtp.clear();
        for (; routing.seq() == seq; routing.next()) {
            const bool mtp = routing.row().getColumn(1).getInt() != 0;
            (mtp ? step.mtp : step.tokens).push_back(routedTokenOf(routing.row()));
        }
        // Rows that come before the next step are of none.
        if (std::min({verifySteps.seq(), drafts.seq(), routing.seq()}) <= seq) {
            throw Error("a row without its step");
        }
    }

    void readSpeculation(StepTrace& step, std::int64_t seq, std::size_t layers) {
        VerifyRow verified = verifyRowOf(verifySteps.row(), layers);
        verifySteps.next();
        step.speculation = std::move(verified.step);
        for (; drafts.seq() == seq; drafts.next()) addDraftOf(drafts.row(), *step.speculation);
        if (step.speculation->drafted() != verified.drafted) {
            throw Error(fmt::format("a verify step of {} drafts has {} of them", verified.drafted,
                                    step.speculation->drafted()));
        }
    }

    void forEachStep(std::int64_t session, int turn, std::size_t layers,
                     const std::function<void(const StepTrace&)>& visit) {
        for (Cursor* cursor : {&steps, &verifySteps, &drafts, &routing}) {
            cursor->begin(session, turn);
        }
        for (; steps.more(); steps.next()) {
            const std::int64_t seq = steps.seq();
            try {
                StepTrace step = stepOf(steps.row());
                readStep(step, seq, layers);
                visit(step);
            } catch (const Error& cause) {
                throw Error(fmt::format("session {}, turn {}, step {}: {}", session, turn, seq,
                                        cause.what()));
            }
        }
        if (routing.more() || drafts.more() || verifySteps.more()) {
            throw Error(fmt::format("session {}, turn {}: a row without its step", session, turn));
        }
    }

    /// Runs `read`; what SQLite throws becomes a sentence for people.
    template <class Read>
    auto guarded(Read read) {
        try {
            return read();
        } catch (const SQLite::Exception& cause) {
            throw sessionError(file, cause);
        } catch (const Cancelled&) {
            throw;
        } catch (const Error& cause) {
            throw fileError(file.string(), "", cause.what());
        }
    }

    std::filesystem::path file;
    SQLite::Database database;
    SQLite::Transaction transaction;
    int version;
    SQLite::Statement answers;
    Cursor steps, verifySteps, drafts, routing;
};

AnswerStream::AnswerStream(const std::filesystem::path& file) {
    const std::filesystem::path path = plainPath(file);
    try {
        m_impl = std::make_unique<Impl>(path);
    } catch (const SQLite::Exception& cause) {
        throw sessionError(path, cause);
    }
}

AnswerStream::~AnswerStream() = default;

std::vector<std::int64_t> AnswerStream::sessions() {
    return m_impl->guarded([this] {
        SQLite::Statement query(
            m_impl->database, m_impl->version < 3
                                  ? "SELECT id FROM sessions ORDER BY id"
                                  : "SELECT id FROM sessions WHERE deleted_ms IS NULL ORDER BY id");
        std::vector<std::int64_t> out;
        while (query.executeStep()) out.push_back(query.getColumn(0).getInt64());
        return out;
    });
}

AnswerStream::Head AnswerStream::head(std::int64_t session) {
    return m_impl->guarded([&] {
        SQLite::Statement query(
            m_impl->database,
            fmt::format("SELECT {}, created_ms FROM sessions WHERE id = ?{}", kInfoColumns,
                        m_impl->version < 3 ? "" : " AND deleted_ms IS NULL"));
        bindAll(query, session);
        if (!query.executeStep()) throw Error(fmt::format("session {} is not there", session));
        Head head{infoOf(query), 0};
        head.createdMs = query.getColumn(query.getColumnCount() - 1).getInt64();
        return head;
    });
}

std::vector<StreamedAnswer> AnswerStream::answers(std::int64_t session) {
    return m_impl->guarded([&] {
        const QueryEnd end(m_impl->answers);
        SQLite::Statement& query = m_impl->answers;
        bindAll(query, session);
        std::vector<StreamedAnswer> out;
        while (query.executeStep()) {
            StreamedAnswer& answer = out.emplace_back();
            answer.turn = query.getColumn(0).getInt();
            answer.replaced = query.getColumn(1).getInt() != 0;
            answer.settingsJson = query.getColumn(2).getString();
            answer.seed = static_cast<std::uint64_t>(query.getColumn(3).getInt64());
            answer.finish = query.getColumn(4).getString();
            answer.promptTokens = query.getColumn(5).getInt64();
            answer.answerTokens = query.getColumn(6).getInt64();
            answer.prompt = query.getColumn(7).getString();
        }
        return out;
    });
}

void AnswerStream::forEachStep(std::int64_t session, int turn, std::size_t layers,
                               const std::function<void(const StepTrace&)>& visit) {
    m_impl->guarded([&] { m_impl->forEachStep(session, turn, layers, visit); });
}

}  // namespace gatescope
