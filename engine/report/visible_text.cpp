// SPDX-License-Identifier: Apache-2.0
#include "engine/report/visible_text.h"

#include <fmt/format.h>

#include <cstddef>

#include "engine/text/utf8.h"

namespace gatescope {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::size_t kTab = 4;

bool isControl(char32_t code) {
    return code < 0x20 || (code >= 0x7F && code <= 0x9F);
}

/// Bidirectional controls, line and paragraph separator.
bool turnsOrBreaksLines(char32_t code) {
    return code == 0x200E || code == 0x200F || code == 0x061C ||
           (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

class VisibleWriter {
  public:
    explicit VisibleWriter(LineEnds ends) : m_ends(ends) {}

    void lineEnd() {
        m_out += m_ends == LineEnds::Kept ? '\n' : ' ';
        m_column = 0;
    }
    void character(char32_t code, std::string_view bytes) {
        if (code == U'\t') {
            const std::size_t spaces = kTab - m_column % kTab;
            m_out.append(spaces, ' ');
            m_column += spaces;
        } else if (isControl(code)) {
            put(fmt::format("\\x{:02X}", static_cast<unsigned>(code)));
        } else if (turnsOrBreaksLines(code)) {
            put(fmt::format("\\u{:04X}", static_cast<unsigned>(code)));
        } else {
            m_out += bytes;
            ++m_column;
        }
    }
    void put(std::string_view shown) {
        m_out += shown;
        m_column += shown.size();
    }
    std::string take() { return std::move(m_out); }

  private:
    LineEnds m_ends;
    std::string m_out;
    std::size_t m_column = 0;
};

}  // namespace

std::string visibleText(std::string_view bytes, LineEnds ends) {
    VisibleWriter writer(ends);
    for (std::size_t at = 0; at < bytes.size();) {
        if (bytes[at] == '\n' || bytes[at] == '\r') {
            at += bytes.substr(at).starts_with("\r\n") ? 2 : 1;
            writer.lineEnd();
            continue;
        }
        const Utf8Step step = utf8StepAt(bytes, at);
        if (step.valid) {
            writer.character(step.codePoint, bytes.substr(at, step.length));
        } else {
            writer.put(kReplacement);
        }
        at += step.length;
    }
    return writer.take();
}

}  // namespace gatescope
