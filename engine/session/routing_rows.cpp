// SPDX-License-Identifier: Apache-2.0
#include "engine/session/routing_rows.h"

#include "engine/error.h"
#include "engine/session/settings_json.h"
#include "engine/session/sql.h"
#include "engine/session/stored_rows.h"

namespace gatescope {

RoutingShape shapeOfSession(const SQLite::Database& database, std::int64_t session) {
    SQLite::Statement query(database, "SELECT shape_json FROM main.sessions WHERE id = ?");
    bindAll(query, session);
    query.executeStep();
    try {
        return shapeFromJson(query.getColumn(0).getString());
    } catch (const Error& cause) {
        throw Error(fmt::format("session {}: {}", session, cause.what()));
    }
}

std::vector<std::int64_t> answersOfSession(const SQLite::Database& database, std::int64_t session) {
    SQLite::Statement query(database,
                            "SELECT turn FROM main.answers WHERE session = ? ORDER BY turn");
    bindAll(query, session);
    std::vector<std::int64_t> turns;
    while (query.executeStep()) {
        turns.push_back(query.getColumn(0).getInt64());
    }
    return turns;
}

void forEachRoutingRow(const SQLite::Database& database, std::int64_t session, std::int64_t turn,
                       const std::function<void(const RoutingRow&)>& visit) {
    SQLite::Statement query(database,
                            fmt::format("SELECT {} FROM main.routing WHERE session = ? AND "
                                        "turn = ? ORDER BY seq, mtp, idx",
                                        kRoutingColumns));
    bindAll(query, session, turn);
    RoutingRow row;
    row.turn = turn;
    while (query.executeStep()) {
        row.seq = query.getColumn(0).getInt64();
        row.mtp = query.getColumn(1).getInt() != 0;
        try {
            row.token = routedTokenOf(query);
        } catch (const Error& cause) {
            throw Error(fmt::format("session {}, turn {}, step {}: {}", session, turn, row.seq,
                                    cause.what()));
        }
        if (row.token.routing.rows() > 0) {
            visit(row);
        }
    }
}

int layerOf(const RoutingShape& shape, bool mtp, std::size_t row) {
    if (mtp) {
        return row == 0 ? shape.mtpLayer : -1;
    }
    return row < shape.layers.size() ? shape.layers[row] : -1;
}

}  // namespace gatescope
