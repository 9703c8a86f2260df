// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/checkpoint/model_config.h"
#include "engine/text/tokenizer.h"

namespace gatescope {

enum class Role { System, User, Assistant };

struct ChatMessage {
    Role role;
    std::string text;  ///< without any markers
};

enum class ChatStyle { Raw, DeepseekV2, DeepseekV3, DeepseekR1, DeepseekV31, Moonlight, KimiK2 };

/// How a model wants its conversation written, chosen from the model's own files (its chat
/// template, added tokens and type). Ids of markers always come from tokenizer.json.
class ChatFormat {
  public:
    /// Chooses the style. Falls back to Raw when the files name no format we know.
    static ChatFormat detect(const Tokenizer& tokenizer, const ModelConfig& config);
    ChatFormat(ChatStyle style, const Tokenizer& tokenizer);

    ChatStyle style() const { return m_style; }
    static std::string_view name(ChatStyle style);

    /// Ids of the conversation, ready for the next answer: BOS once, markers as special ids, what
    /// people typed as ordinary text (it cannot forge a marker). `thinking` only matters for V3.1.
    std::vector<TokenId> prompt(const std::vector<ChatMessage>& messages,
                                bool thinking = false) const;
    /// Tokens that end an answer, besides the model's own end tokens.
    std::vector<TokenId> stopTokens() const;
    /// R1 and V3.1: true if the answer begins inside a think block that the prompt opened.
    bool opensThink(bool thinking = false) const;
    /// What goes into the history of an answer: R1 and V3.1 drop everything up to </think>.
    std::string historyText(std::string_view answer) const;

  private:
    ChatStyle m_style;
    const Tokenizer* m_tokenizer;
};

}  // namespace gatescope
