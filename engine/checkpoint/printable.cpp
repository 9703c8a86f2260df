// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/printable.h"

#include <fmt/format.h>

#include <cstdint>

namespace gatescope {
namespace {

/// Length of the well-formed UTF-8 sequence at the start of text that a terminal shows as a
/// character; 0 for anything to be escaped (Unicode table 3-7; C1 controls and the bidirectional
/// controls, which could turn the sentence around, count as not printable).
std::size_t printableSequence(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const auto trail = [&](std::size_t i, int least = 0x80, int most = 0xBF) {
        return i < text.size() && byte(i) >= least && byte(i) <= most;
    };
    const int lead = byte(0);
    if (lead < 0x80) return lead >= 0x20 && lead != 0x7F ? 1 : 0;
    if (lead >= 0xC2 && lead <= 0xDF) {
        const bool c1 = lead == 0xC2 && trail(1, 0x80, 0x9F);
        return trail(1) && !c1 ? 2 : 0;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        const int least = lead == 0xE0 ? 0xA0 : 0x80;
        const int most = lead == 0xED ? 0x9F : 0xBF;
        if (!trail(1, least, most) || !trail(2)) return 0;
        const int code = (lead & 15) << 12 | (byte(1) & 63) << 6 | (byte(2) & 63);
        const bool bidi = (code >= 0x200E && code <= 0x200F) ||
                          (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
        return bidi ? 0 : 3;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        const int least = lead == 0xF0 ? 0x90 : 0x80;
        const int most = lead == 0xF4 ? 0x8F : 0xBF;
        return trail(1, least, most) && trail(2) && trail(3) ? 4 : 0;
    }
    return 0;
}

}  // namespace

std::string printable(std::string_view text, std::size_t most) {
    std::string out;
    while (!text.empty()) {
        const std::size_t length = printableSequence(text);
        std::string next = length ? std::string(text.substr(0, length))
                                  : fmt::format("\\x{:02X}", static_cast<std::uint8_t>(text[0]));
        if (out.size() + next.size() > most) return out + "...";
        out += next;
        text.remove_prefix(length ? length : 1);
    }
    return out;
}

}  // namespace gatescope
