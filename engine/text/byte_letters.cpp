// SPDX-License-Identifier: Apache-2.0
#include "engine/text/byte_letters.h"

#include <array>

#include "engine/text/utf8.h"

namespace gatescope {
namespace {

constexpr char32_t letterEnd = 0x144;  ///< letters lie below: 0x100 + the 68 remapped bytes

struct Table {
    std::array<std::string, 256> letter;
    std::array<int, letterEnd> byteOf;

    Table() {
        byteOf.fill(-1);
        char32_t next = 0x100;
        for (char32_t byte = 0; byte < 256; ++byte) {
            const bool printable =
                (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
            const char32_t code = printable ? byte : next++;
            byteOf[code] = static_cast<int>(byte);
            letter[byte] = code < 0x80 ? std::string(1, static_cast<char>(code))
                                       : std::string{static_cast<char>(0xC0 | code >> 6),
                                                     static_cast<char>(0x80 | (code & 0x3F))};
        }
    }
};

const Table& table() {
    static const Table instance;
    return instance;
}

}  // namespace

std::string_view byteLetter(unsigned char byte) {
    return table().letter[byte];
}

std::string toByteLetters(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char byte : bytes) out += byteLetter(static_cast<unsigned char>(byte));
    return out;
}

std::optional<std::string> fromByteLetters(std::string_view letters) {
    std::string out;
    out.reserve(letters.size());
    for (std::size_t at = 0; at < letters.size();) {
        const Utf8Step step = utf8StepAt(letters, at);
        if (!step.valid || step.codePoint >= letterEnd) return std::nullopt;
        const int byte = table().byteOf[step.codePoint];
        if (byte < 0) return std::nullopt;
        out += static_cast<char>(byte);
        at += step.length;
    }
    return out;
}

}  // namespace gatescope
