// SPDX-License-Identifier: Apache-2.0
#include "engine/session/choices_table.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <array>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/session/settings_json.h"
#include "engine/trace/routing_codec.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

namespace {

// The first nine are columns of `routing`, in the order of kRows.
constexpr const char* kDeclaration =
    "CREATE TABLE choices (session INTEGER, turn INTEGER, seq INTEGER, mtp INTEGER, idx INTEGER, "
    "position INTEGER, token_id INTEGER, phase TEXT, special INTEGER, layer INTEGER, rank INTEGER, "
    "expert INTEGER, weight REAL, margin REAL, bias_decided INTEGER)";
constexpr std::array<const char*, 9> kStoredColumns = {
    "session", "turn", "seq", "mtp", "idx", "position", "token_id", "phase", "special"};
enum Column { Layer = 9, Rank, Expert, Weight, Margin, BiasDecided };
constexpr int kBlobColumn = 9;
constexpr const char* kRows =
    "SELECT session, turn, seq, mtp, idx, position, token_id, phase, special, routing "
    "FROM main.routing";
constexpr int kByLayer = 1;  // idxNum: the last argument is a layer

struct Table : sqlite3_vtab {
    explicit Table(sqlite3* of) : sqlite3_vtab{}, connection(of) {}

    sqlite3* connection;

    void say(const std::string& message) {
        sqlite3_free(zErrMsg);
        zErrMsg = sqlite3_mprintf("%s", message.c_str());
    }
};

struct FinalizeStatement {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

/// Where a reader of `choices` stands: a position of `routing`, a row of its layers, a rank.
class Cursor : public sqlite3_vtab_cursor {
  public:
    explicit Cursor(Table& table) : sqlite3_vtab_cursor{}, m_table(table) {}

    int filter(const char* where, bool byLayer, int count, sqlite3_value** values);
    int next() {
        ++m_rank;
        return settle();
    }
    bool atEnd() const { return m_atEnd; }
    std::int64_t number() const { return m_number; }
    void column(sqlite3_context* context, int column) const;

  private:
    int settle();
    int nextPosition();
    bool rowIsWanted() const;
    void readShape(std::int64_t session);
    std::optional<int> layerOfRow() const;
    std::size_t choice() const {
        return static_cast<std::size_t>(m_row) * static_cast<std::size_t>(m_topK) +
               static_cast<std::size_t>(m_rank);
    }

    Table& m_table;
    Statement m_positions;
    Statement m_shapes;
    std::string m_where;
    std::optional<std::int64_t> m_layer;  ///< the only one asked for
    std::optional<std::int64_t> m_shapeOf;
    RoutingShape m_shape;
    TokenRouting m_routing;
    bool m_mtp = false;
    int m_topK = 0;
    int m_row = 0;
    int m_rank = 0;
    bool m_atEnd = true;
    std::int64_t m_number = 0;
};

Statement prepare(sqlite3* connection, const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v3(connection, sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    return Statement(statement);
}

int Cursor::filter(const char* where, bool byLayer, int count, sqlite3_value** values) {
    const std::string wanted = where == nullptr ? "" : where;
    if (!m_positions || wanted != m_where) {
        m_positions = prepare(m_table.connection,
                              wanted.empty() ? kRows : fmt::format("{} WHERE {}", kRows, wanted));
        m_where = wanted;
    }
    if (!m_positions) {
        m_table.say(sqlite3_errmsg(m_table.connection));
        return SQLITE_ERROR;
    }
    sqlite3_reset(m_positions.get());
    m_layer.reset();
    if (byLayer) {
        --count;
        // Another type is compared by SQLite itself, row by row.
        if (sqlite3_value_type(values[count]) == SQLITE_INTEGER) {
            m_layer = sqlite3_value_int64(values[count]);
        }
    }
    for (int i = 0; i < count; ++i) {
        sqlite3_bind_value(m_positions.get(), i + 1, values[i]);
    }
    m_number = 0;
    m_routing = {};
    m_row = 0;
    m_rank = 0;
    m_topK = 0;
    m_atEnd = false;
    return settle();
}

/// Moves on to the next choice that there is and that was asked for.
int Cursor::settle() {
    while (true) {
        while (m_row < m_routing.rows()) {
            if (!rowIsWanted()) {
                ++m_row;
                m_rank = 0;
                continue;
            }
            if (m_rank < m_topK) {
                if (m_routing.experts[choice()] != kNoExpert) {
                    ++m_number;
                    return SQLITE_OK;
                }
                ++m_rank;
                continue;
            }
            ++m_row;
            m_rank = 0;
        }
        const int outcome = nextPosition();
        if (outcome != SQLITE_OK || m_atEnd) {
            return outcome;
        }
    }
}

int Cursor::nextPosition() {
    const int outcome = sqlite3_step(m_positions.get());
    if (outcome == SQLITE_DONE) {
        sqlite3_reset(m_positions.get());  // an open query keeps its snapshot of the file
        m_atEnd = true;
        return SQLITE_OK;
    }
    if (outcome != SQLITE_ROW) {
        m_table.say(sqlite3_errmsg(m_table.connection));
        return outcome;
    }
    const auto number = [this](int column) {
        return sqlite3_column_int64(m_positions.get(), column);
    };
    try {
        readShape(number(0));
        m_mtp = number(3) != 0;
        const void* bytes = sqlite3_column_blob(m_positions.get(), kBlobColumn);
        const int size = sqlite3_column_bytes(m_positions.get(), kBlobColumn);
        m_routing = decodeRouting(
            std::string_view(static_cast<const char*>(bytes), static_cast<std::size_t>(size)));
    } catch (const std::exception& cause) {
        m_table.say(fmt::format("session {}, turn {}, step {}: {}", number(0), number(1), number(2),
                                cause.what()));
        return SQLITE_CORRUPT_VTAB;
    }
    m_topK =
        m_routing.rows() == 0 ? 0 : static_cast<int>(m_routing.experts.size()) / m_routing.rows();
    m_row = 0;
    m_rank = 0;
    return SQLITE_OK;
}

/// Layer numbers are the session's: routing knows rows only.
void Cursor::readShape(std::int64_t session) {
    if (m_shapeOf == session) {
        return;
    }
    if (!m_shapes) {
        m_shapes =
            prepare(m_table.connection, "SELECT shape_json FROM main.sessions WHERE id = ?1");
    }
    m_shape = {};
    m_shapeOf = session;
    sqlite3_stmt* statement = m_shapes.get();
    if (statement == nullptr) {
        return;
    }
    sqlite3_bind_int64(statement, 1, session);
    std::string json;
    if (sqlite3_step(statement) == SQLITE_ROW) {
        const unsigned char* text = sqlite3_column_text(statement, 0);
        json = text == nullptr ? "" : reinterpret_cast<const char*>(text);
    }
    sqlite3_reset(statement);
    if (!json.empty()) {
        m_shape = shapeFromJson(json);
    }
}

std::optional<int> Cursor::layerOfRow() const {
    if (m_mtp) {
        return m_row == 0 && m_shape.mtpLayer >= 0 ? std::optional(m_shape.mtpLayer) : std::nullopt;
    }
    const auto row = static_cast<std::size_t>(m_row);
    return row < m_shape.layers.size() ? std::optional(m_shape.layers[row]) : std::nullopt;
}

bool Cursor::rowIsWanted() const {
    return !m_layer || layerOfRow() == *m_layer;
}

void Cursor::column(sqlite3_context* context, int column) const {
    if (column < kBlobColumn) {
        sqlite3_result_value(context, sqlite3_column_value(m_positions.get(), column));
        return;
    }
    const auto row = static_cast<std::size_t>(m_row);
    switch (column) {
        case Layer:
            if (const std::optional<int> layer = layerOfRow()) {
                sqlite3_result_int(context, *layer);
            }
            break;
        case Rank:
            sqlite3_result_int(context, m_rank);
            break;
        case Expert:
            sqlite3_result_int(context, m_routing.experts[choice()]);
            break;
        case Weight:
            sqlite3_result_double(context, static_cast<double>(m_routing.weights[choice()]));
            break;
        case Margin:
            sqlite3_result_double(context, static_cast<double>(m_routing.margins[row]));
            break;
        case BiasDecided:
            sqlite3_result_int(context, static_cast<int>(m_routing.biasDecided[row] >> m_rank & 1));
            break;
        default:
            break;
    }
}

Cursor& cursorOf(sqlite3_vtab_cursor* base) {
    return *static_cast<Cursor*>(base);
}

int connect(sqlite3* connection, void* /*data*/, int /*count*/, const char* const* /*arguments*/,
            sqlite3_vtab** made, char** /*message*/) {
    const int outcome = sqlite3_declare_vtab(connection, kDeclaration);
    if (outcome != SQLITE_OK) {
        return outcome;
    }
    sqlite3_vtab_config(connection, SQLITE_VTAB_INNOCUOUS);  // it reads what everybody may read
    *made = new Table(connection);
    return SQLITE_OK;
}

int disconnect(sqlite3_vtab* base) {
    delete static_cast<Table*>(base);
    return SQLITE_OK;
}

int open(sqlite3_vtab* base, sqlite3_vtab_cursor** made) {
    *made = new Cursor(*static_cast<Table*>(base));
    return SQLITE_OK;
}

int close(sqlite3_vtab_cursor* base) {
    delete &cursorOf(base);
    return SQLITE_OK;
}

const char* comparison(unsigned char op) {
    switch (op) {
        case SQLITE_INDEX_CONSTRAINT_EQ:
            return "=";
        case SQLITE_INDEX_CONSTRAINT_GT:
            return ">";
        case SQLITE_INDEX_CONSTRAINT_GE:
            return ">=";
        case SQLITE_INDEX_CONSTRAINT_LT:
            return "<";
        case SQLITE_INDEX_CONSTRAINT_LE:
            return "<=";
        default:
            return nullptr;
    }
}

/// A guess that prefers conditions which the primary key of `routing` answers.
double costOf(unsigned equal) {
    double rows = 1e8;
    for (unsigned column = 0; column < 3; ++column) {  // session, turn, seq
        if ((equal >> column & 1) == 0) {
            break;
        }
        rows /= 300;
    }
    return (equal >> 5) != 0 ? rows / 10 : rows;
}

/// Conditions are written into idxStr as the WHERE of the inner query. SQLite checks them again, so
/// that it is enough to leave nothing out.
int bestIndex(sqlite3_vtab* /*base*/, sqlite3_index_info* info) {
    std::string where;
    unsigned equal = 0;
    int arguments = 0;
    int layerAt = -1;
    for (int i = 0; i < info->nConstraint; ++i) {
        const auto& constraint = info->aConstraint[i];
        const char* op = comparison(constraint.op);
        if (constraint.usable == 0 || op == nullptr) {
            continue;
        }
        if (constraint.iColumn == Layer && constraint.op == SQLITE_INDEX_CONSTRAINT_EQ) {
            layerAt = i;
        }
        if (constraint.iColumn < 0 ||
            constraint.iColumn >= static_cast<int>(kStoredColumns.size())) {
            continue;
        }
        const auto column = static_cast<std::size_t>(constraint.iColumn);
        info->aConstraintUsage[i].argvIndex = ++arguments;
        where += fmt::format("{}{} {} ?{}", where.empty() ? "" : " AND ", kStoredColumns[column],
                             op, arguments);
        equal |= constraint.op == SQLITE_INDEX_CONSTRAINT_EQ ? 1U << column : 0U;
    }
    if (layerAt >= 0) {
        info->aConstraintUsage[layerAt].argvIndex = ++arguments;
        info->idxNum = kByLayer;
    }
    info->idxStr = sqlite3_mprintf("%s", where.c_str());
    info->needToFreeIdxStr = 1;
    info->estimatedCost = costOf(equal) / (layerAt >= 0 ? 10 : 1);
    info->estimatedRows = static_cast<sqlite3_int64>(info->estimatedCost);
    return info->idxStr == nullptr ? SQLITE_NOMEM : SQLITE_OK;
}

int filter(sqlite3_vtab_cursor* base, int number, const char* where, int count,
           sqlite3_value** values) {
    return cursorOf(base).filter(where, number == kByLayer, count, values);
}

int next(sqlite3_vtab_cursor* base) {
    return cursorOf(base).next();
}

int atEnd(sqlite3_vtab_cursor* base) {
    return cursorOf(base).atEnd() ? 1 : 0;
}

int column(sqlite3_vtab_cursor* base, sqlite3_context* context, int index) {
    cursorOf(base).column(context, index);
    return SQLITE_OK;
}

int rowid(sqlite3_vtab_cursor* base, sqlite3_int64* number) {
    *number = cursorOf(base).number();
    return SQLITE_OK;
}

/// Without xCreate the table is there under its own name and cannot be made anew.
sqlite3_module makeModule() {
    sqlite3_module made{};
    made.xConnect = connect;
    made.xBestIndex = bestIndex;
    made.xDisconnect = disconnect;
    made.xOpen = open;
    made.xClose = close;
    made.xFilter = filter;
    made.xNext = next;
    made.xEof = atEnd;
    made.xColumn = column;
    made.xRowid = rowid;
    return made;
}

}  // namespace

void addChoicesTable(SQLite::Database& database) {
    static const sqlite3_module module = makeModule();
    const int outcome = sqlite3_create_module(database.getHandle(), "choices", &module, nullptr);
    if (outcome != SQLITE_OK) {
        throw SQLite::Exception(database.getHandle(), outcome);
    }
}

}  // namespace gatescope
