// SPDX-License-Identifier: Apache-2.0
#include "engine/session/snippet.h"

#include <algorithm>

#include "engine/session/text_search.h"

namespace gatescope {

namespace {

constexpr std::size_t kBefore = 24;  // bytes, about
constexpr std::size_t kBehind = 96;
constexpr const char* kCut = "…";

bool inside(const std::string& text, std::size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
}

bool blank(char c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/// Appends with every run of white space as one blank, none at the beginning.
void appendPlain(std::string& to, const std::string& piece) {
    for (const char c : piece) {
        if (!blank(c)) {
            to += c;
        } else if (!to.empty() && to.back() != ' ') {
            to += ' ';
        }
    }
}

}  // namespace

SessionSnippet snippetOf(const std::string& message, const std::string& text) {
    SessionSnippet snippet;
    const std::size_t found = findIgnoringCase(message, text);
    const bool has = found != std::string::npos;
    const std::size_t match = has ? found : 0;
    const std::size_t length = has ? text.size() : 0;
    std::size_t begin = match > kBefore ? match - kBefore : 0;
    while (inside(message, begin)) ++begin;
    std::size_t end = std::min(message.size(), match + length + kBehind);
    while (inside(message, end)) --end;
    if (begin > 0) snippet.text = kCut;
    appendPlain(snippet.text, message.substr(begin, match - begin));
    snippet.matchBegin = snippet.text.size();
    appendPlain(snippet.text, message.substr(match, length));
    snippet.matchLength = snippet.text.size() - snippet.matchBegin;
    appendPlain(snippet.text, message.substr(match + length, end - match - length));
    if (end < message.size()) snippet.text += kCut;
    return snippet;
}

}  // namespace gatescope
