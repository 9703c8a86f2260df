// SPDX-License-Identifier: Apache-2.0
#include "engine/text/utf8_stream.h"

#include "engine/text/utf8.h"

namespace gatescope {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

/// Appends the valid form of `bytes` to `out`; returns where an unfinished character at the end
/// begins (bytes.size() if there is none).
std::size_t appendValid(std::string_view bytes, std::string& out) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        const Utf8Step step = utf8StepAt(bytes, at);
        if (step.incomplete) return at;
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
    m_pending = joined.substr(appendValid(joined, out));
    return out;
}

std::string Utf8Stream::flush() {
    const bool cutOff = !m_pending.empty();
    m_pending.clear();
    return cutOff ? std::string(replacement) : std::string();
}

std::string toValidUtf8(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    if (appendValid(bytes, out) < bytes.size()) out += replacement;
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
