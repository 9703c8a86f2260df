// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/conversation.h"

#include <algorithm>

#include "engine/decode/generator.h"
#include "engine/error.h"
#include "engine/model/decoder.h"

namespace gatescope {

namespace {

constexpr std::size_t kFewQuestions = 8;

// Positions kept free for the answer before old turns are dropped: a quarter of a short context,
// but no more than people usually read.
std::int64_t roomForAnswer(std::int64_t context) {
    return std::min<std::int64_t>(context / 4, 1024);
}

}  // namespace

Conversation::Conversation(LoadedModel& model, std::vector<ChatMessage> history, bool raw)
    : m_model(model), m_messages(std::move(history)), m_raw(raw) {
    if (!m_messages.empty() && m_messages.back().role == Role::User) m_messages.pop_back();
}

Conversation::Prepared Conversation::prepare(std::string_view userText) {
    // A message whose answer failed makes way: two questions in a row are no conversation the model
    // was trained on.
    const auto before = m_messages;
    if (!m_messages.empty() && m_messages.back().role == Role::User) m_messages.pop_back();
    m_messages.push_back({Role::User, std::string(userText)});
    const auto dropped = m_dropped;
    try {
        return write();
    } catch (...) {
        m_messages = before;
        m_dropped = dropped;
        throw;
    }
}

Conversation::Prepared Conversation::prepareAgain() {
    if (!m_messages.empty() && m_messages.back().role == Role::Assistant) m_messages.pop_back();
    if (m_messages.empty() || m_messages.back().role != Role::User)
        throw Error("there is no answer to make again");
    return write();
}

Conversation::Prepared Conversation::write() {
    const auto format =
        m_raw ? ChatFormat(ChatStyle::Raw, m_model.tokenizer()) : m_model.chatFormat();
    const auto context = m_model.decoder().maxContext();
    const bool system = !m_messages.empty() && m_messages.front().role == Role::System;
    const std::size_t firstDroppable = system ? 1 : 0;
    Prepared prepared;
    prepared.droppedMessages = dropFarHistory(format, context - roomForAnswer(context));
    for (;;) {
        // The system message stays; turns are dropped from the oldest on, a question with its
        // answer.
        std::vector<ChatMessage> kept(
            m_messages.begin(), m_messages.begin() + static_cast<std::ptrdiff_t>(firstDroppable));
        kept.insert(kept.end(),
                    m_messages.begin() + static_cast<std::ptrdiff_t>(firstDroppable) + m_dropped,
                    m_messages.end());
        prepared.ids = format.prompt(kept);
        prepared.room = static_cast<int>(context - static_cast<std::int64_t>(prepared.ids.size()));
        const auto left = m_messages.size() - firstDroppable - static_cast<std::size_t>(m_dropped);
        if (prepared.room >= roomForAnswer(context) || left <= 1) break;
        do {
            ++m_dropped;
            ++prepared.droppedMessages;
        } while (m_messages[firstDroppable + static_cast<std::size_t>(m_dropped)].role !=
                 Role::User);
    }
    if (prepared.room < 1)
        throw Error(
            fmt::format("the message has {} tokens with its markers, but the context of the "
                        "model holds {}",
                        prepared.ids.size(), context));
    return prepared;
}

/// Trying to fit a history of thousands of messages one question less at a time would take minutes:
/// what is certainly too long goes first. The newest questions are taken, twice as many each time,
/// until they do not fit; what lies before those cannot be in the prompt.
int Conversation::dropFarHistory(const ChatFormat& format, std::int64_t most) {
    const bool system = !m_messages.empty() && m_messages.front().role == Role::System;
    const std::size_t first = (system ? 1 : 0) + static_cast<std::size_t>(m_dropped);
    std::vector<std::size_t> questions;  // where a prompt may begin, the newest first
    for (std::size_t i = m_messages.size(); i-- > first;) {
        if (m_messages[i].role == Role::User) questions.push_back(i);
    }
    for (std::size_t count = kFewQuestions; count <= questions.size(); count *= 2) {
        const std::size_t begin = questions[count - 1];
        const std::vector<ChatMessage> kept(m_messages.begin() + static_cast<std::ptrdiff_t>(begin),
                                            m_messages.end());
        if (static_cast<std::int64_t>(format.prompt(kept).size()) > most) {
            const int dropped = static_cast<int>(begin - first);
            m_dropped += dropped;
            return dropped;
        }
    }
    return 0;
}

std::vector<TokenId> answerEnds(const LoadedModel& model) {
    std::vector<TokenId> ends = model.config().eosTokenIds;
    const auto markers = model.chatFormat().stopTokens();
    ends.insert(ends.end(), markers.begin(), markers.end());
    return ends;
}

namespace {

GenerationParams complete(const LoadedModel& model, const std::vector<TokenId>& ends,
                          GenerationParams params) {
    for (const TokenId end : ends) {
        auto& stops = params.stopTokens;
        if (std::find(stops.begin(), stops.end(), end) == stops.end()) stops.push_back(end);
    }
    if (params.vocabLimit == 0) {
        params.vocabLimit = static_cast<int>(model.tokenizer().vocabSize());
    }
    return params;
}

}  // namespace

GenerationParams chatParams(const LoadedModel& model, GenerationParams params) {
    return complete(model, answerEnds(model), std::move(params));
}

GenerationParams Conversation::completed(GenerationParams params) const {
    return complete(m_model, m_raw ? m_model.config().eosTokenIds : answerEnds(m_model),
                    std::move(params));
}

GenerationResult Conversation::answer(const Prepared& prepared, GenerationParams params,
                                      GenerationSink& sink, std::stop_token stop,
                                      std::span<const TokenEvent> given) {
    if (!given.empty() && std::ssize(given) >= prepared.room)
        throw Error(
            fmt::format("the context of {} tokens has no room behind the {} tokens that "
                        "the answer begins with",
                        m_model.decoder().maxContext(), given.size()));
    const auto& tokenizer = m_model.tokenizer();
    params = completed(std::move(params));
    auto result = generate(m_model.decoder(), &tokenizer, prepared.ids, params, sink,
                           std::move(stop), &m_speculation, given);
    m_messages.push_back({Role::Assistant, result.text});
    return result;
}

}  // namespace gatescope
