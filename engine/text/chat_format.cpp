// SPDX-License-Identifier: Apache-2.0
#include "engine/text/chat_format.h"

#include <array>

#include "engine/error.h"

namespace gatescope {
namespace {

constexpr std::string_view beginOfSentence = "<｜begin▁of▁sentence｜>";
constexpr std::string_view endOfSentence = "<｜end▁of▁sentence｜>";
constexpr std::string_view userMark = "<｜User｜>";
constexpr std::string_view assistantMark = "<｜Assistant｜>";
constexpr std::string_view thinkMark = "<think>";
constexpr std::string_view endThinkMark = "</think>";
constexpr std::string_view imSystem = "<|im_system|>";
constexpr std::string_view imUser = "<|im_user|>";
constexpr std::string_view imAssistant = "<|im_assistant|>";
constexpr std::string_view imMiddle = "<|im_middle|>";
constexpr std::string_view imEnd = "<|im_end|>";

constexpr std::string_view moonlightSystem = "You are a helpful assistant provided by Moonshot-AI.";
constexpr std::string_view kimiSystem = "You are a helpful assistant";
constexpr std::string_view kimiNamedSystem =
    "You are Kimi, an AI assistant created by Moonshot AI.";

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

bool isDeepseek(ChatStyle style) {
    return style == ChatStyle::DeepseekV3 || style == ChatStyle::DeepseekR1 ||
           style == ChatStyle::DeepseekV31;
}

bool isMoonshot(ChatStyle style) {
    return style == ChatStyle::Moonlight || style == ChatStyle::KimiK2;
}

std::optional<TokenId> beginToken(const Tokenizer& tokenizer) {
    return tokenizer.bos() ? tokenizer.bos() : tokenizer.find(beginOfSentence);
}

std::optional<TokenId> endToken(const Tokenizer& tokenizer) {
    return tokenizer.eos() ? tokenizer.eos() : tokenizer.find(endOfSentence);
}

/// The marker a style cannot do without and this tokenizer lacks; empty if there is none.
std::string_view lackingMarker(ChatStyle style, const Tokenizer& tokenizer) {
    if (isDeepseek(style)) {
        for (const std::string_view mark : {userMark, assistantMark}) {
            if (!tokenizer.find(mark)) return mark;
        }
    }
    if (isMoonshot(style)) {
        for (const std::string_view mark : {imSystem, imUser, imAssistant, imMiddle, imEnd}) {
            if (!tokenizer.find(mark)) return mark;
        }
    }
    const bool endsTurns = isDeepseek(style) || style == ChatStyle::DeepseekV2;
    return endsTurns && !endToken(tokenizer) ? endOfSentence : std::string_view();
}

/// What a model without a template in its files looks like.
ChatStyle styleFromTokens(const Tokenizer& tokenizer, ModelType type) {
    const ChatStyle moonshot = type == ModelType::KimiK2 ? ChatStyle::KimiK2 : ChatStyle::Moonlight;
    if (tokenizer.find(imMiddle)) return moonshot;
    return tokenizer.find(userMark) ? ChatStyle::DeepseekV3 : ChatStyle::Raw;
}

ChatStyle styleFromTemplate(std::string_view chatTemplate, ModelType type) {
    if (contains(chatTemplate, imMiddle)) {
        const bool kimi = type == ModelType::KimiK2 && !contains(chatTemplate, moonlightSystem);
        return kimi ? ChatStyle::KimiK2 : ChatStyle::Moonlight;
    }
    if (contains(chatTemplate, userMark) && contains(chatTemplate, assistantMark)) {
        if (!contains(chatTemplate, endThinkMark) && !contains(chatTemplate, thinkMark)) {
            return ChatStyle::DeepseekV3;
        }
        // V3.1 lets the caller choose by a variable of this name; R1 always thinks.
        const bool choice = contains(chatTemplate, "not thinking") ||
                            contains(chatTemplate, "if thinking") ||
                            contains(chatTemplate, "and thinking");
        return choice ? ChatStyle::DeepseekV31 : ChatStyle::DeepseekR1;
    }
    const bool plainRoles =
        contains(chatTemplate, "User: ") && contains(chatTemplate, "Assistant:");
    return plainRoles ? ChatStyle::DeepseekV2 : ChatStyle::Raw;
}

/// Collects a prompt: text between two markers is encoded as one, for its pieces may span parts.
class PromptWriter {
  public:
    explicit PromptWriter(const Tokenizer& tokenizer) : m_tokenizer(tokenizer) {}

    void text(std::string_view part) { m_text += part; }
    void token(std::optional<TokenId> id) {
        if (!id) return;
        flush();
        m_ids.push_back(*id);
    }
    /// A marker by its id; a tokenizer that has no such token writes it out.
    void mark(std::string_view marker) {
        const auto id = m_tokenizer.find(marker);
        if (id) {
            token(id);
        } else {
            text(marker);
        }
    }
    std::vector<TokenId> ids() && {
        flush();
        return std::move(m_ids);
    }

  private:
    void flush() {
        const std::vector<TokenId> ids = m_tokenizer.encode(m_text, false);
        m_ids.insert(m_ids.end(), ids.begin(), ids.end());
        m_text.clear();
    }

    const Tokenizer& m_tokenizer;
    std::string m_text;
    std::vector<TokenId> m_ids;
};

/// The prompt of one style, written as its template does.
class Prompt {
  public:
    Prompt(const ChatFormat& format, const Tokenizer& tokenizer, bool thinking)
        : m_format(format), m_tokenizer(tokenizer), m_out(tokenizer), m_thinking(thinking) {}

    std::vector<TokenId> write(const std::vector<ChatMessage>& messages) && {
        const ChatStyle style = m_format.style();
        if (isDeepseek(style)) {
            writeDeepseek(messages);
        } else if (isMoonshot(style)) {
            writeMoonshot(messages);
        } else if (style == ChatStyle::DeepseekV2) {
            writeDeepseekV2(messages);
        } else {
            if (m_tokenizer.addBos()) m_out.token(m_tokenizer.bos());
            for (const ChatMessage& message : messages) m_out.text(message.text);
        }
        return std::move(m_out).ids();
    }

  private:
    void writeDeepseek(const std::vector<ChatMessage>& messages) {
        m_out.token(beginToken(m_tokenizer));
        bool firstSystem = true;
        for (const ChatMessage& message : messages) {
            if (message.role != Role::System) continue;
            if (!firstSystem) m_out.text("\n\n");
            m_out.text(message.text);
            firstSystem = false;
        }
        for (const ChatMessage& message : messages) {
            if (message.role == Role::User) {
                m_out.mark(userMark);
                m_out.text(message.text);
            } else if (message.role == Role::Assistant) {
                m_out.mark(assistantMark);
                if (m_format.style() == ChatStyle::DeepseekV31) writeEmptyThought();
                m_out.text(m_format.historyText(message.text));
                m_out.token(endToken(m_tokenizer));
            }
        }
        m_out.mark(assistantMark);
        if (m_format.opensThink(m_thinking)) {
            m_out.mark(thinkMark);
            if (m_format.style() == ChatStyle::DeepseekR1) m_out.text("\n");
        } else if (m_format.style() == ChatStyle::DeepseekV31) {
            writeEmptyThought();
        }
    }

    /// V3.1 marks "no thinking" by the closing tag; some versions of its template write both.
    void writeEmptyThought() {
        if (contains(m_tokenizer.chatTemplate(), "<think></think>")) m_out.mark(thinkMark);
        m_out.mark(endThinkMark);
    }

    void writeDeepseekV2(const std::vector<ChatMessage>& messages) {
        m_out.token(beginToken(m_tokenizer));
        for (const ChatMessage& message : messages) {
            switch (message.role) {
                case Role::System:
                    m_out.text(message.text);
                    m_out.text("\n\n");
                    break;
                case Role::User:
                    m_out.text("User: ");
                    m_out.text(message.text);
                    m_out.text("\n\n");
                    break;
                case Role::Assistant:
                    m_out.text("Assistant: ");
                    m_out.text(message.text);
                    m_out.token(endToken(m_tokenizer));
                    break;
            }
        }
        m_out.text("Assistant:");
    }

    void writeMoonshot(const std::vector<ChatMessage>& messages) {
        const bool begins =
            m_tokenizer.addBos() || contains(m_tokenizer.chatTemplate(), "bos_token");
        if (begins) m_out.token(m_tokenizer.bos());
        if (messages.empty() || messages.front().role != Role::System) {
            writeMoonshotTurn({Role::System, std::string(defaultSystem())});
        }
        for (const ChatMessage& message : messages) writeMoonshotTurn(message);
        m_out.mark(imAssistant);
        m_out.text("assistant");
        m_out.mark(imMiddle);
    }

    void writeMoonshotTurn(const ChatMessage& message) {
        static constexpr std::array<std::string_view, 3> marks = {imSystem, imUser, imAssistant};
        static constexpr std::array<std::string_view, 3> names = {"system", "user", "assistant"};
        const auto role = static_cast<std::size_t>(message.role);
        m_out.mark(marks[role]);
        m_out.text(names[role]);
        m_out.mark(imMiddle);
        m_out.text(message.text);
        m_out.mark(imEnd);
    }

    std::string_view defaultSystem() const {
        if (contains(m_tokenizer.chatTemplate(), kimiNamedSystem)) return kimiNamedSystem;
        return m_format.style() == ChatStyle::KimiK2 ? kimiSystem : moonlightSystem;
    }

    const ChatFormat& m_format;
    const Tokenizer& m_tokenizer;
    PromptWriter m_out;
    bool m_thinking;
};

}  // namespace

ChatFormat ChatFormat::detect(const Tokenizer& tokenizer, const ModelConfig& config) {
    const std::string& chatTemplate = tokenizer.chatTemplate();
    const ChatStyle style = chatTemplate.empty()
                                ? styleFromTokens(tokenizer, config.modelType)
                                : styleFromTemplate(chatTemplate, config.modelType);
    const bool usable = lackingMarker(style, tokenizer).empty();
    return {usable ? style : ChatStyle::Raw, tokenizer};
}

ChatFormat::ChatFormat(ChatStyle style, const Tokenizer& tokenizer)
    : m_style(style), m_tokenizer(&tokenizer) {
    const std::string_view lacking = lackingMarker(style, tokenizer);
    if (!lacking.empty()) {
        throw fileError("tokenizer.json", "added_tokens",
                        fmt::format("the chat format {} needs the token {}, which is missing",
                                    name(style), lacking));
    }
}

std::string_view ChatFormat::name(ChatStyle style) {
    switch (style) {
        case ChatStyle::Raw:
            return "raw";
        case ChatStyle::DeepseekV2:
            return "deepseek-v2";
        case ChatStyle::DeepseekV3:
            return "deepseek-v3";
        case ChatStyle::DeepseekR1:
            return "deepseek-r1";
        case ChatStyle::DeepseekV31:
            return "deepseek-v3.1";
        case ChatStyle::Moonlight:
            return "moonlight";
        case ChatStyle::KimiK2:
            return "kimi-k2";
    }
    return "";
}

std::vector<TokenId> ChatFormat::prompt(const std::vector<ChatMessage>& messages,
                                        bool thinking) const {
    return Prompt(*this, *m_tokenizer, thinking).write(messages);
}

std::vector<TokenId> ChatFormat::stopTokens() const {
    std::vector<TokenId> stops;
    if (m_style == ChatStyle::Raw) return stops;
    if (isMoonshot(m_style)) stops.push_back(*m_tokenizer->find(imEnd));
    const auto end = endToken(*m_tokenizer);
    if (end && (stops.empty() || stops.front() != *end)) stops.push_back(*end);
    return stops;
}

bool ChatFormat::opensThink(bool thinking) const {
    if (m_style == ChatStyle::DeepseekV31) return thinking;
    // The templates of R1's successors leave the opening tag to the model.
    const std::string& chatTemplate = m_tokenizer->chatTemplate();
    return m_style == ChatStyle::DeepseekR1 &&
           (chatTemplate.empty() || contains(chatTemplate, thinkMark));
}

std::string ChatFormat::historyText(std::string_view answer) const {
    // As the templates do: R1 keeps what follows the last closing tag, V3.1 what follows the first.
    std::size_t at = std::string_view::npos;
    if (m_style == ChatStyle::DeepseekR1) at = answer.rfind(endThinkMark);
    if (m_style == ChatStyle::DeepseekV31) at = answer.find(endThinkMark);
    if (at != std::string_view::npos) answer.remove_prefix(at + endThinkMark.size());
    return std::string(answer);
}

}  // namespace gatescope
