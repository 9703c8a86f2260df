// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/stored_prompts.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/token_table.h"

namespace gatescope {
namespace {

/// The newest place where whole tokens spell the message.
void findMessage(PromptValue& prompt, const std::string& message) {
    std::string text;
    std::vector<std::size_t> begins;  // of each piece in the text, and the text's end
    for (const PromptPiece& piece : prompt.pieces) {
        begins.push_back(text.size());
        text += piece.bytes;
    }
    begins.push_back(text.size());
    const auto pieceAt = [&begins](std::size_t place) {
        const auto found = std::lower_bound(begins.begin(), begins.end(), place);
        return *found == place ? found - begins.begin() : -1;
    };
    std::size_t at = message.empty() ? std::string::npos : text.rfind(message);
    while (at != std::string::npos) {
        const auto begin = pieceAt(at);
        const auto end = pieceAt(at + message.size());
        if (begin >= 0 && end >= 0) {
            prompt.messageBegin = static_cast<std::size_t>(begin);
            prompt.messageEnd = static_cast<std::size_t>(end);
            return;
        }
        at = at > 0 ? text.rfind(message, at - 1) : std::string::npos;
    }
}

}  // namespace

PromptValue promptOfIds(const std::vector<std::int32_t>& ids, const std::string& message,
                        const TokenTable* tokens) {
    PromptValue prompt;
    for (const std::int32_t id : ids) {
        if (tokens == nullptr) {
            prompt.pieces.push_back({id, fmt::format("#{}", id), false});
        } else {
            prompt.pieces.push_back({id, std::string(tokens->bytes(id)), tokens->isSpecial(id)});
        }
    }
    if (tokens != nullptr) {
        findMessage(prompt, message);
    }
    return prompt;
}

std::vector<PromptValue> promptsOf(const StoredSession& stored, const TokenTable* tokens) {
    std::vector<PromptValue> prompts(stored.turns.size());
    std::string message;
    for (std::size_t i = 0; i < stored.turns.size(); ++i) {
        const StoredTurn& turn = stored.turns[i];
        if (turn.role == Role::User) {
            message = turn.text;
        } else {
            prompts[i] = promptOfIds(turn.promptIds, message, tokens);
        }
    }
    return prompts;
}

}  // namespace gatescope
