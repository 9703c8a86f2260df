// SPDX-License-Identifier: GPL-3.0-or-later
// The part of ChatController that goes on from the middle of a session in a new one.
#include <algorithm>
#include <limits>

#include "app/chat_controller.h"
#include "views/transcript_view.h"

namespace gatescope {

std::optional<ChatController::TokenPlace> ChatController::placeOf(std::int32_t number) const {
    const TraceStore::Entry* entry = m_store->entry(number);
    if (entry == nullptr) {
        return std::nullopt;
    }
    using Exchange = TranscriptWriter::Exchange;
    const std::vector<Exchange>& exchanges = m_writer.exchanges();
    for (const Exchange& exchange : exchanges) {
        if (number >= exchange.question && number < exchange.questionEnd) {
            return TokenPlace{exchange.turn, 0, exchange.text};
        }
    }
    const auto later = std::upper_bound(
        exchanges.begin(), exchanges.end(), number,
        [](std::int32_t at, const Exchange& exchange) { return at < exchange.answer; });
    if (!entry->generated || later == exchanges.begin()) {
        return std::nullopt;
    }
    const Exchange& exchange = *std::prev(later);
    return TokenPlace{exchange.turn, exchange.firstSeq + number - exchange.answer, {}};
}

void ChatController::branchAt(std::int32_t number, const TokenEvent::Alternative* instead) {
    const auto place = placeOf(number);
    if (!canBranch() || !place || place->turn < 0 || !place->question.isEmpty()) {
        return;
    }
    const TraceStore::Entry& entry = *m_store->entry(number);
    BranchRequest request;
    request.from = {*m_session, place->turn, place->seq};
    request.expected = entry.tokenId;
    if (instead != nullptr) {
        TokenEvent token;
        token.id = instead->id;
        token.rawProbability = instead->rawProbability;
        token.probability = std::numeric_limits<float>::quiet_NaN();  // nobody drew it
        token.alternatives = entry.alternatives;
        request.instead = std::move(token);
    }
    branch(std::move(request));
}

void ChatController::askInstead(std::int32_t number, const QString& message) {
    const auto place = placeOf(number);
    if (!canBranch() || !place || place->turn < 0 || message.trimmed().isEmpty()) {
        return;
    }
    BranchRequest request;
    request.from = {*m_session, place->turn, -1};
    request.text = message;
    branch(std::move(request));
}

void ChatController::branch(BranchRequest request) {
    hideError();
    request.params = params();
    setState(ChatState::Answering);
    m_engine->branch(std::move(request));
}

}  // namespace gatescope
