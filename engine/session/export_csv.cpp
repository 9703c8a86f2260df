// SPDX-License-Identifier: Apache-2.0
#include "engine/session/atomic_file.h"
#include "engine/session/export_formats.h"
#include "engine/session/routing_rows.h"
#include "engine/session/stored_names.h"

namespace gatescope {

namespace {

// Whole numbers, numbers and our own words: nothing that would need quotes.
constexpr const char* kHeader =
    "layer,expert,rank,weight,margin,bias_decided,session,turn,step,token_index,position,token_id,"
    "phase,special,mtp\r\n";

/// Lines of one position; `index` counts the recorded positions of the answer.
std::string linesOf(const RoutingShape& shape, std::int64_t session, const RoutingRow& row,
                    std::int64_t index) {
    const TokenRouting& routing = row.token.routing;
    const std::size_t rows = routing.margins.size();
    const std::size_t k = routing.experts.size() / rows;
    std::string lines;
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t j = 0; j < k; ++j) {
            const std::size_t i = r * k + j;
            if (routing.experts[i] == kNoExpert) {
                continue;
            }
            lines += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n",
                                 layerOf(shape, row.mtp, r), routing.experts[i], j,
                                 routing.weights[i], routing.margins[r],
                                 routing.biasDecided[r] >> j & 1, session, row.turn, row.seq, index,
                                 row.token.position, row.token.tokenId, storedName(row.token.phase),
                                 row.token.special ? 1 : 0, row.mtp ? 1 : 0);
        }
    }
    return lines;
}

}  // namespace

void exportCsv(const ExportSource& source, const std::filesystem::path& target) {
    AtomicFile file(target);
    file.write(kHeader);
    std::int64_t positions = 0;
    for (const std::int64_t session : source.sessions) {
        const RoutingShape shape = shapeOfSession(source.database, session);
        for (const std::int64_t turn : answersOfSession(source.database, session)) {
            std::int64_t index = 0;
            forEachRoutingRow(source.database, session, turn, [&](const RoutingRow& row) {
                file.write(linesOf(shape, session, row, index++));
                source.progress.add(1);
            });
            positions += index;
        }
    }
    if (positions == 0) {
        throw Error("these sessions have no recorded routing");
    }
    file.commit();
}

}  // namespace gatescope
