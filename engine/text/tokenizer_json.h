// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/text/added_tokens.h"
#include "engine/text/bpe.h"
#include "engine/text/pre_tokenizer.h"

namespace gatescope {

/// tokenizer.json, validated: every id is non-negative, unique and not far beyond the number of
/// tokens; every merge joins two tokens to a third.
struct TokenizerModel {
    struct Token {
        TokenId id;
        std::string bytes;
    };
    std::vector<Token> tokens;  ///< the vocabulary, added tokens not repeated
    std::vector<AddedToken> added;
    Bpe::Model bpe;
    PreTokenizer preTokenizer;
};

/// Reads a tokenizer.json. Throws Error naming file, item and cause.
TokenizerModel loadTokenizerModel(const std::filesystem::path& file);

/// What tokenizer_config.json says; the file may be absent.
struct TokenizerSettings {
    bool addBos = false;
    std::optional<std::string> bosToken;
    std::optional<std::string> eosToken;
    std::string chatTemplate;  ///< also from chat_template.jinja, which comes first
};

/// Reads DIR/tokenizer_config.json and DIR/chat_template.jinja. Throws Error as above.
TokenizerSettings loadTokenizerSettings(const std::filesystem::path& dir);

}  // namespace gatescope
