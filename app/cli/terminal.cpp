// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "engine/error.h"

namespace gatescope::cli {
namespace {

struct CodePoint {
    std::uint32_t value = 0;
    std::size_t length = 1;
};

/// The character at the start of valid UTF-8.
CodePoint firstCodePoint(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    length = std::min(length, text.size());
    std::uint32_t value = length == 1 ? lead : lead & (0x7Fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
        value = value << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
    }
    return {value, length};
}

bool isControl(std::uint32_t c) {
    return (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0);
}

/// Marks, embeddings, overrides and isolates of the bidirectional algorithm.
bool reordersText(std::uint32_t c) {
    return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
}

/// Three significant digits.
std::string threeDigits(double value) {
    const int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    return fmt::format("{:.{}f}", value, digits);
}

std::string scaled(double value, double base, const std::array<const char*, 6>& units) {
    std::size_t unit = 0;
    while (value >= 999.5 && unit + 1 < units.size()) {
        value /= base;
        ++unit;
    }
    if (unit == 0) return fmt::format("{:.0f}{}", value, units[0]);
    return fmt::format("{}{}", threeDigits(value), units[unit]);
}

}  // namespace

bool isTerminal(int descriptor) {
    return ::isatty(descriptor) == 1;
}

int terminalColumns() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 80;
}

std::string withoutControls(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const CodePoint c = firstCodePoint(text);
        if (isControl(c.value)) {
            out += fmt::format("\\x{:02x}", c.value);
        } else if (reordersText(c.value)) {
            out += fmt::format("\\u{{{:04x}}}", c.value);
        } else {
            out += text.substr(0, c.length);
        }
        text.remove_prefix(c.length);
    }
    return out;
}

void print(std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::write(STDOUT_FILENO, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            throw Error(fmt::format("standard output: cannot be written: {}", strerror(errno)));
        }
        text.remove_prefix(static_cast<std::size_t>(count));
    }
}

void printModelText(std::string_view text) {
    if (isTerminal(STDOUT_FILENO)) {
        print(withoutControls(text));
    } else {
        print(text);
    }
}

std::string bytesText(double bytes) {
    return scaled(bytes, 1000, {" B", " kB", " MB", " GB", " TB", " PB"});
}

std::string countText(double count) {
    if (count < 10000) return fmt::format("{:.0f}", count);
    return scaled(count, 1000, {"", " k", " M", " B", " T", " Q"});
}

}  // namespace gatescope::cli
