// SPDX-License-Identifier: Apache-2.0
#include "engine/text/token_class.h"

#include <array>
#include <cstddef>
#include <optional>

#include "engine/text/regex.h"
#include "engine/text/utf8.h"

namespace gatescope {

namespace {

struct CharacterClass {
    Regex characters;
    std::optional<TokenClass> tokenClass;  ///< nothing: a mark, which belongs to what it stands on
};

/// In order: the first that fits.
const std::array<CharacterClass, 6>& characterClasses() {
    // Not Script_Extensions: the middle dot and the ideographic full stop are punctuation.
    static const std::array<CharacterClass, 6> classes{{
        {Regex::oniguruma(R"([\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Bopomofo}])"),
         TokenClass::Cjk},
        {Regex::oniguruma(R"(\p{M})"), std::nullopt},
        {Regex::oniguruma(R"(\p{L})"), TokenClass::Word},
        {Regex::oniguruma(R"(\p{N})"), TokenClass::Number},
        {Regex::oniguruma(R"([\p{P}\p{S}])"), TokenClass::Punctuation},
        {Regex::oniguruma(R"([\p{Cc}\p{Cf}])"), TokenClass::Special},
    }};
    return classes;
}

/// `character`: one whole character. Other for unassigned and private code points.
std::optional<TokenClass> classOf(std::string_view character) {
    thread_local RegexScratch scratch;
    for (const CharacterClass& each : characterClasses()) {
        if (each.characters.search(character, 0, scratch)) {
            return each.tokenClass;
        }
    }
    return TokenClass::Other;
}

}  // namespace

std::string_view name(TokenClass tokenClass) {
    switch (tokenClass) {
        case TokenClass::Word:
            return "word";
        case TokenClass::Cjk:
            return "cjk";
        case TokenClass::Number:
            return "number";
        case TokenClass::Punctuation:
            return "punctuation";
        case TokenClass::Space:
            return "space";
        case TokenClass::Special:
            return "special";
        case TokenClass::Other:
            break;
    }
    return "other";
}

TokenClass tokenClass(std::string_view bytes, bool special) {
    if (special) {
        return TokenClass::Special;
    }
    bool broken = bytes.empty();
    bool mark = false;
    for (std::size_t at = 0; at < bytes.size();) {
        const Utf8Step step = utf8StepAt(bytes, at);
        if (!step.valid) {
            broken = true;
        } else if (!isWhiteSpace(step.codePoint)) {
            const auto found = classOf(bytes.substr(at, step.length));
            if (found) {
                return *found;
            }
            mark = true;
        }
        at += step.length;
    }
    // Marks alone are written by tokens that cut a syllable of an Indic script or a letter of Thai.
    return mark ? TokenClass::Word : broken ? TokenClass::Other : TokenClass::Space;
}

}  // namespace gatescope
