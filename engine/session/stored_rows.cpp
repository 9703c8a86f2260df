// SPDX-License-Identifier: Apache-2.0
#include "engine/session/stored_rows.h"

#include <limits>
#include <utility>

#include "engine/error.h"
#include "engine/session/blobs.h"
#include "engine/session/settings_json.h"
#include "engine/session/sql.h"
#include "engine/session/stored_names.h"
#include "engine/trace/routing_codec.h"

namespace gatescope {

namespace {

/// A number that SQLite could only keep as NULL was NaN.
float floatOf(const SQLite::Column& column) {
    return column.isNull() ? std::numeric_limits<float>::quiet_NaN()
                           : static_cast<float>(column.getDouble());
}

}  // namespace

TokenEvent tokenOf(SQLite::Statement& row) {
    TokenEvent token;
    token.position = row.getColumn(0).getInt();
    token.id = row.getColumn(1).getInt();
    token.bytes = blobView(row.getColumn(2));
    token.probability = floatOf(row.getColumn(3));
    token.rawProbability = floatOf(row.getColumn(4));
    token.alternatives = decodeAlternatives(blobView(row.getColumn(5)));
    token.draft = draftFromName(row.getColumn(6).getString());
    token.rejectedDraftId = row.getColumn(7).getInt();
    token.step = row.getColumn(8).getInt64();
    return token;
}

StepTrace stepOf(SQLite::Statement& row) {
    int column = 1;
    const auto next = [&row, &column] { return row.getColumn(column++).getInt64(); };
    StepTrace step;
    step.step = next();
    step.timing.forwardNs = next();
    step.timing.draftNs = next();
    step.timing.sampleNs = next();
    step.timing.recorderNs = next();
    step.cache.positions = next();
    step.cache.bytesPerPosition = next();
    step.cache.used = next();
    step.cache.reserved = next();
    step.cache.mtpPositions = next();
    step.cache.mtpUsed = next();
    step.cache.mtpReserved = next();
    step.cache.mtpBytesPerPosition = next();
    step.cache.expandedBytesPerPosition = next();
    step.cache.maxPositions = next();
    step.cache.dtype = row.getColumn(column).getString();
    return step;
}

VerifyRow verifyRowOf(SQLite::Statement& row, std::size_t layers) {
    VerifyRow read;
    SpeculativeStep& step = read.step;
    read.drafted = row.getColumn(2).getInt64();
    const std::int64_t accepted = row.getColumn(3).getInt64();
    const std::int64_t matchLength = row.getColumn(4).getInt64();
    if (read.drafted < 0 || read.drafted > std::numeric_limits<int>::max() || accepted < 0 ||
        accepted > read.drafted) {
        throw Error(fmt::format("verify step: {} of {} drafts accepted", accepted, read.drafted));
    }
    if (matchLength < 0 || matchLength > std::numeric_limits<int>::max()) {
        throw Error(fmt::format("verify step: a match of {} tokens", matchLength));
    }
    step.source = draftSourceFromName(row.getColumn(1).getString());
    step.accepted = static_cast<int>(accepted);
    step.matchLength = static_cast<int>(matchLength);
    step.distinctExperts = decodeLayerCounts(blobView(row.getColumn(5)));
    step.wastedExperts = decodeLayerCounts(blobView(row.getColumn(6)));
    for (const auto& counts : {step.distinctExperts, step.wastedExperts}) {
        if (!counts.empty() && layers > 0 && counts.size() != layers) {
            throw Error(fmt::format("verify step: experts of {} layers, the model has {}",
                                    counts.size(), layers));
        }
    }
    return read;
}

void addDraftOf(SQLite::Statement& row, SpeculativeStep& step) {
    const std::int64_t index = row.getColumn(1).getInt64();
    const bool accepted = row.getColumn(3).getInt64() != 0;
    if (index != step.drafted()) {
        throw Error(fmt::format("draft {} of a step comes after {} drafts", index, step.drafted()));
    }
    if (accepted != (index < step.accepted)) {
        throw Error(fmt::format("draft {} of a step that accepted {} is marked as {}", index,
                                step.accepted, accepted ? "accepted" : "rejected"));
    }
    DraftedToken& draft = step.drafts.emplace_back();
    draft.id = row.getColumn(2).getInt();
    draft.draftProbability = floatOf(row.getColumn(4));
    draft.targetProbability = floatOf(row.getColumn(5));
}

RoutedToken routedTokenOf(SQLite::Statement& row) {
    RoutedToken token;
    token.position = row.getColumn(2).getInt();
    token.tokenId = row.getColumn(3).getInt();
    token.phase = phaseFromName(row.getColumn(4).getString());
    token.special = row.getColumn(5).getInt() != 0;
    token.routing = decodeRouting(blobView(row.getColumn(6)));
    return token;
}

StoredTurn turnOf(SQLite::Statement& row) {
    StoredTurn turn;
    turn.turn = row.getColumn(0).getInt();
    turn.role = roleFromName(row.getColumn(1).getString());
    turn.text = row.getColumn(2).getString();
    turn.replaced = row.getColumn(3).getInt() != 0;
    if (row.getColumn(4).isNull()) {
        return turn;
    }
    turn.finish = row.getColumn(5).isNull() ? "interrupted" : row.getColumn(5).getString();
    turn.paramsJson = row.getColumn(6).getString();
    turn.droppedMessages = row.getColumn(7).getInt();
    turn.promptIds = decodeIds(blobView(row.getColumn(8)));
    turn.givenTokens = row.getColumn(11).getInt();
    if (!row.getColumn(5).isNull()) {
        GenerationResult& result = turn.result.emplace();
        result.finish = finishFromName(turn.finish);
        result.text = turn.text;
        result.ids = decodeIds(blobView(row.getColumn(9)));
        resultFromJson(row.getColumn(10).getString(), result);
    }
    return turn;
}

SessionInfo infoOf(SQLite::Statement& row) {
    SessionInfo info;
    info.title = row.getColumn(0).getString();
    info.modelName = row.getColumn(1).getString();
    info.modelPath = row.getColumn(2).getString();
    info.modelFingerprint = row.getColumn(3).getString();
    info.configJson = row.getColumn(4).getString();
    info.device = row.getColumn(5).getString();
    info.precision = row.getColumn(6).getString();
    info.shape = shapeFromJson(row.getColumn(7).getString());
    return info;
}

}  // namespace gatescope
