// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

/// One recorded position of an answer.
struct RoutingRow {
    std::int64_t turn = 0;
    std::int64_t seq = 0;  ///< of the step
    bool mtp = false;
    RoutedToken token;  ///< with at least one row
};

RoutingShape shapeOfSession(const SQLite::Database& database, std::int64_t session);
std::vector<std::int64_t> answersOfSession(const SQLite::Database& database, std::int64_t session);

/// The positions of one answer that were recorded, in the order in which they were. Throws Error
/// naming the place of a blob that is none.
void forEachRoutingRow(const SQLite::Database& database, std::int64_t session, std::int64_t turn,
                       const std::function<void(const RoutingRow&)>& visit);

/// Absolute index of the layer in this row of the position's routing; -1 if the shape has none.
int layerOf(const RoutingShape& shape, bool mtp, std::size_t row);

}  // namespace gatescope
