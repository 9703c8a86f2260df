// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string>

#include "engine/checkpoint/json.h"
#include "engine/error.h"
#include "engine/session/settings_json.h"
#include "engine/session/sql.h"
#include "engine/session/stored_rows.h"

namespace gatescope {

namespace {

constexpr std::int64_t kMaxId = std::numeric_limits<std::int32_t>::max();

void checkJson(const std::string& text, const char* column) {
    const JsonDocument document = JsonDocument::parse(text, column);
    if (!document.root().isObject()) {
        throw Error(fmt::format("{}: not a JSON object", column));
    }
}

void checkShape(const RoutingShape& shape) {
    const bool ascending = std::adjacent_find(shape.layers.begin(), shape.layers.end(),
                                              std::greater_equal<int>()) == shape.layers.end();
    if (!ascending || shape.layers.size() > 65535 ||
        (!shape.layers.empty() && shape.layers.front() < 0) || shape.mtpLayer < -1 ||
        shape.experts < 0 || shape.experts > kNoExpert || shape.topK < 0 || shape.topK > 32) {
        throw Error("shape_json: layers, experts and choices do not fit together");
    }
}

void checkRange(const SQLite::Column& value, const char* name, std::int64_t least) {
    const std::int64_t number = value.getInt64();
    if (number < least || number > kMaxId) {
        throw Error(fmt::format("{} is {}", name, number));
    }
}

void checkRouting(const RoutingShape& shape, bool mtp, const TokenRouting& routing) {
    const std::size_t layers = mtp ? 1 : shape.layers.size();
    const auto rows = static_cast<std::size_t>(routing.rows());
    if (rows != 0 && !shape.layers.empty() && rows != layers) {
        throw Error(fmt::format("routing of {} layers, the model has {}", rows, layers));
    }
    for (const std::uint16_t id : routing.experts) {
        if (id != kNoExpert && shape.experts > 0 && id >= shape.experts) {
            throw Error(fmt::format("routing: expert {} of {}", id, shape.experts));
        }
    }
}

/// Looks at the rows of one session, table by table.
class Check {
  public:
    Check(const SQLite::Database& database, std::int64_t session, const RowsDone& done)
        : m_database(database), m_session(session), m_done(done) {}

    void all() {
        info();
        turns();
        tokens();
        steps();
        speculation();
        routing();
    }

  private:
    template <class Look>
    void forEachRow(const std::string& query, const char* what, Look look) {
        SQLite::Statement rows(m_database, query);
        rows.bind(1, m_session);
        std::int64_t seen = 0;
        while (rows.executeStep()) {
            try {
                look(rows);
            } catch (const Error& cause) {
                throw Error(fmt::format("session {}, {}: {}", m_session, placeOf(rows, what),
                                        cause.what()));
            }
            if (++seen % 1000 == 0) {
                m_done(1000);
            }
        }
        m_done(seen % 1000);
    }
    /// Queries about turns end with their number, those about rows with turn and number.
    static std::string placeOf(SQLite::Statement& row, const char* what) {
        const int columns = row.getColumnCount();
        const std::string_view kind = what;
        if (kind == "session") {
            return "its head";
        }
        if (kind == "turn") {
            return fmt::format("turn {}", row.getColumn(0).getInt64());
        }
        return fmt::format("turn {}, {} {}", row.getColumn(columns - 2).getInt64(), what,
                           row.getColumn(columns - 1).getInt64());
    }
    /// Rows of one turn are numbered from 0 without gaps.
    void expectNext(std::int64_t turn, std::int64_t seq) {
        if (turn != m_turn) {
            m_turn = turn;
            m_next = 0;
        }
        if (seq != m_next++) {
            throw Error("a row before it is missing");
        }
    }

    void info();
    void turns();
    void tokens();
    void steps();
    void speculation();
    void routing();

    const SQLite::Database& m_database;
    std::int64_t m_session;
    const RowsDone& m_done;
    RoutingShape m_shape;
    std::int64_t m_turn = -1;
    std::int64_t m_next = 0;
};

void Check::info() {
    forEachRow(fmt::format("SELECT {} FROM main.sessions WHERE id = ?", kInfoColumns), "session",
               [this](SQLite::Statement& row) {
                   const std::string config = row.getColumn(4).getString();
                   if (!config.empty()) {
                       checkJson(config, "config_json");
                   }
                   checkJson(row.getColumn(7).getString(), "shape_json");
                   m_shape = infoOf(row).shape;
                   checkShape(m_shape);
               });
}

void Check::turns() {
    forEachRow(fmt::format("SELECT {} FROM main.turns t LEFT JOIN main.answers a ON a.session = "
                           "t.session AND a.turn = t.turn WHERE t.session = ? ORDER BY t.turn",
                           kTurnColumns),
               "turn", [](SQLite::Statement& row) {
                   checkRange(row.getColumn(0), "turn", 0);
                   if (!row.getColumn(4).isNull()) {
                       const std::string settings = row.getColumn(6).getString();
                       checkJson(settings, "settings_json");
                       (void)settingsFromJson(settings);
                       if (!row.getColumn(5).isNull()) {
                           checkJson(row.getColumn(10).getString(), "result_json");
                       }
                   }
                   (void)turnOf(row);
               });
}

void Check::tokens() {
    m_turn = -1;
    forEachRow(fmt::format("SELECT {}, turn, seq FROM main.tokens WHERE session = ? ORDER BY turn, "
                           "seq",
                           kTokenColumns),
               "token", [this](SQLite::Statement& row) {
                   expectNext(row.getColumn(9).getInt64(), row.getColumn(10).getInt64());
                   checkRange(row.getColumn(0), "position", 0);
                   checkRange(row.getColumn(1), "id", 0);
                   checkRange(row.getColumn(7), "rejected_draft_id", -1);
                   (void)tokenOf(row);
               });
}

void Check::steps() {
    m_turn = -1;
    forEachRow(fmt::format("SELECT {}, turn, seq FROM main.steps WHERE session = ? ORDER BY turn, "
                           "seq",
                           kStepColumns),
               "step", [this](SQLite::Statement& row) {
                   expectNext(row.getColumn(17).getInt64(), row.getColumn(18).getInt64());
                   (void)stepOf(row);
               });
}

void Check::speculation() {
    forEachRow(
        fmt::format("SELECT {}, turn, seq FROM main.verify_steps WHERE session = ?",
                    kVerifyColumns),
        "step", [this](SQLite::Statement& row) {
            const VerifyRow verify = verifyRowOf(row, m_shape.layers.size());
            SpeculativeStep step = verify.step;
            SQLite::Statement drafts(
                m_database, fmt::format("SELECT {} FROM main.drafts WHERE session = ? AND turn = ? "
                                        "AND seq = ? ORDER BY idx",
                                        kDraftColumns));
            bindAll(drafts, m_session, row.getColumn(7).getInt64(), row.getColumn(8).getInt64());
            while (drafts.executeStep()) {
                checkRange(drafts.getColumn(2), "draft id", 0);
                addDraftOf(drafts, step);
            }
            if (step.drafted() != verify.drafted) {
                throw Error(fmt::format("a verify step of {} drafts has {} of them", verify.drafted,
                                        step.drafted()));
            }
        });
}

void Check::routing() {
    forEachRow(
        fmt::format("SELECT {}, turn, seq FROM main.routing WHERE session = ?", kRoutingColumns),
        "step", [this](SQLite::Statement& row) {
            checkRange(row.getColumn(2), "position", 0);
            checkRange(row.getColumn(3), "token_id", 0);
            checkRouting(m_shape, row.getColumn(1).getInt() != 0, routedTokenOf(row).routing);
        });
}

}  // namespace

void checkSession(const SQLite::Database& database, std::int64_t session, const RowsDone& done) {
    Check(database, session, done).all();
}

}  // namespace gatescope
