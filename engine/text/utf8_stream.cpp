// SPDX-License-Identifier: Apache-2.0
#include "engine/text/utf8_stream.h"

#include "engine/text/utf8.h"

namespace gatescope {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

/// The first two of three bytes that spell a surrogate. They can become no character, but usual
/// incremental decoders judge them only with the third, and so do we: ids give the same stream.
bool isCutSurrogate(std::string_view bytes, std::size_t at) {
    return bytes.size() - at == 2 && bytes[at] == '\xED' &&
           static_cast<unsigned char>(bytes[at + 1]) >= 0xA0 &&
           static_cast<unsigned char>(bytes[at + 1]) <= 0xBF;
}

/// Appends the valid form of `bytes` to `out`; with `more` to come, stops before an unfinished
/// character at the end and returns where it begins (bytes.size() if there is none).
std::size_t appendValid(std::string_view bytes, bool more, std::string& out) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        const Utf8Step step = utf8StepAt(bytes, at);
        if (more && (step.incomplete || isCutSurrogate(bytes, at))) return at;
        out += step.valid ? bytes.substr(at, step.length) : replacement;
        at += step.length;
    }
    return at;
}

}  // namespace

std::string Utf8Stream::push(std::string_view bytes) {
    const std::string joined = m_pending.append(bytes);
    std::string out;
    out.reserve(joined.size());
    m_pending = joined.substr(appendValid(joined, true, out));
    return out;
}

std::string Utf8Stream::flush() {
    const std::string rest = toValidUtf8(m_pending);
    m_pending.clear();
    return rest;
}

std::string toValidUtf8(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    appendValid(bytes, false, out);
    return out;
}

bool isValidUtf8(std::string_view bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
        const Utf8Step step = utf8StepAt(bytes, at);
        if (!step.valid) return false;
        at += step.length;
    }
    return true;
}

}  // namespace gatescope
