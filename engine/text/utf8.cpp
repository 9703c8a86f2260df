// SPDX-License-Identifier: Apache-2.0
#include "engine/text/utf8.h"

#include <cstdint>

namespace gatescope {
namespace {

struct Lead {
    std::size_t length;  ///< of the whole character; 0: no character begins with this byte
    std::uint8_t least;  ///< range of the second byte, which rules out overlong forms, surrogates
    std::uint8_t most;   ///< and values above U+10FFFF
    char32_t bits;
};

Lead leadOf(std::uint8_t byte) {
    if (byte < 0x80) return {1, 0, 0, byte};
    if (byte < 0xC2) return {0, 0, 0, 0};
    if (byte < 0xE0) return {2, 0x80, 0xBF, char32_t(byte & 0x1F)};
    if (byte < 0xF0) {
        const std::uint8_t least = byte == 0xE0 ? 0xA0 : 0x80;
        const std::uint8_t most = byte == 0xED ? 0x9F : 0xBF;
        return {3, least, most, char32_t(byte & 0x0F)};
    }
    if (byte < 0xF5) {
        const std::uint8_t least = byte == 0xF0 ? 0x90 : 0x80;
        const std::uint8_t most = byte == 0xF4 ? 0x8F : 0xBF;
        return {4, least, most, char32_t(byte & 0x07)};
    }
    return {0, 0, 0, 0};
}

}  // namespace

Utf8Step utf8StepAt(std::string_view bytes, std::size_t at) {
    const Lead lead = leadOf(static_cast<std::uint8_t>(bytes[at]));
    if (lead.length == 0) return {1, 0, false, false};
    char32_t codePoint = lead.bits;
    for (std::size_t i = 1; i < lead.length; ++i) {
        if (at + i == bytes.size()) return {i, 0, false, true};
        const auto byte = static_cast<std::uint8_t>(bytes[at + i]);
        const std::uint8_t least = i == 1 ? lead.least : 0x80;
        const std::uint8_t most = i == 1 ? lead.most : 0xBF;
        if (byte < least || byte > most) return {i, 0, false, false};
        codePoint = codePoint << 6 | (byte & 0x3F);
    }
    return {lead.length, codePoint, true, false};
}

std::string_view lastCharacter(std::string_view text, std::size_t end) {
    std::size_t begin = end - 1;
    while (begin > 0 && (static_cast<std::uint8_t>(text[begin]) & 0xC0) == 0x80) --begin;
    return text.substr(begin, end - begin);
}

bool isWhiteSpace(char32_t c) {
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

}  // namespace gatescope
