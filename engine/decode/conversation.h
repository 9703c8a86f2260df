// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/decode/generation.h"
#include "engine/decode/speculation_memory.h"
#include "engine/model/loaded_model.h"
#include "engine/text/chat_format.h"

namespace gatescope {

/// Tokens that end an answer in a chat with this model.
std::vector<TokenId> answerEnds(const LoadedModel& model);

/// The parameters an answer in a chat with this model really runs under: its end tokens and the
/// size of its vocabulary filled in. What a session log should be given. Filling in twice changes
/// nothing.
GenerationParams chatParams(const LoadedModel& model, GenerationParams params);

/// A chat with one model: keeps the turns, writes them in the model's format, and drops the oldest
/// turns (never silently) when the context is full.
class Conversation {
  public:
    explicit Conversation(LoadedModel& model, std::vector<ChatMessage> history = {},
                          bool raw = false);

    struct Prepared {
        std::vector<TokenId> ids;  ///< the prompt of the next answer
        int droppedMessages = 0;   ///< newly dropped to make it fit
        int room = 0;              ///< positions left for the answer
    };
    /// Adds the user's message and writes the prompt. Throws Error when the message alone does not
    /// fit the context; the conversation is then unchanged.
    Prepared prepare(std::string_view userText);
    /// Takes the last answer back and writes the prompt again.
    Prepared prepareAgain();

    /// chatParams() for this conversation; answer() does it by itself.
    GenerationParams completed(GenerationParams params) const;
    /// Runs the prepared prompt. The answer (also a cancelled one) becomes part of the history.
    /// `given`: what it begins with, see generate(). Throws Error if the context has no room for
    /// more.
    GenerationResult answer(const Prepared& prepared, GenerationParams params, GenerationSink& sink,
                            std::stop_token stop, std::span<const TokenEvent> given = {});

    const std::vector<ChatMessage>& messages() const { return m_messages; }
    int droppedMessages() const { return m_dropped; }

  private:
    Prepared write();
    int dropFarHistory(const ChatFormat& format, std::int64_t most);

    LoadedModel& m_model;
    std::vector<ChatMessage> m_messages;
    SpeculationMemory m_speculation;
    int m_dropped = 0;  ///< messages at the front that no longer go into the prompt
    bool m_raw;
};

}  // namespace gatescope
