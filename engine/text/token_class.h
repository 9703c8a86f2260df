// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace gatescope {

/// What a token is to a reader, told from its bytes alone.
enum class TokenClass : std::uint8_t {
    Word,         ///< letters of a script that writes words: Latin, Cyrillic, Arabic, ...
    Cjk,          ///< Han, kana, hangul, bopomofo
    Number,       ///< digits of any script
    Punctuation,  ///< punctuation and symbols
    Space,        ///< nothing but white space, newlines among it
    Special,      ///< special tokens and control characters
    Other,        ///< part of a character, bytes that are not UTF-8, or no bytes
};
inline constexpr int kTokenClassCount = 7;

/// "word", "cjk", "number", "punctuation", "space", "special", "other".
std::string_view name(TokenClass tokenClass);

/// The class of the first character that is neither white space nor a combining mark. A token that
/// begins or ends inside a character is of that class too if it holds a whole one, else Other.
/// `special`: the tokenizer calls the token special. Never throws; any bytes are taken.
TokenClass tokenClass(std::string_view bytes, bool special = false);

}  // namespace gatescope
