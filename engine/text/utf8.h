// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

namespace gatescope {

/// What stands at one place of a byte string, by table 3-7 of the Unicode standard.
struct Utf8Step {
    std::size_t length;  ///< of the character, or of the maximal subpart to replace by one U+FFFD
    char32_t codePoint;  ///< only if valid
    bool valid;          ///< a whole, well-formed character
    bool incomplete;     ///< not yet valid only because the bytes end here
};

/// The character or maximal subpart that begins at `at` (at < bytes.size()).
Utf8Step utf8StepAt(std::string_view bytes, std::size_t at);

/// The whole, well-formed character that ends before `end` (0 < end <= text.size(); valid UTF-8).
std::string_view lastCharacter(std::string_view text, std::size_t end);

/// The Unicode property White_Space.
bool isWhiteSpace(char32_t codePoint);

}  // namespace gatescope
