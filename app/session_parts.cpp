// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session_parts.h"

#include <algorithm>
#include <utility>

#include "engine/session/session_store.h"
#include "views/transcript_view.h"

namespace gatescope {
namespace {

/// So much of what was shown stays on screen, so that the person finds the place again.
constexpr std::int64_t kOverlap = 200;

}  // namespace

bool SessionParts::has(Part which) const {
    if (!m_part) {
        return false;
    }
    return which == Part::First || which == Part::Earlier ? !m_part->begin : !m_part->end;
}

std::optional<PartRequest> SessionParts::want(Part which) {
    if (m_wanted || (which != Part::Newest && !has(which))) {
        return std::nullopt;
    }
    m_wanted = true;
    m_anchor.reset();
    using At = PartRequest::At;
    if (which == Part::Newest) {
        return PartRequest{At::Newest};
    }
    const std::int64_t first = m_part->firstToken;
    const std::int64_t end = first + m_part->tokens;
    const std::int64_t kept = std::min(kOverlap, m_part->tokens / 8);
    if (which == Part::First) {
        m_anchor = Anchor{0, Qt::TopEdge};
        return PartRequest{At::Oldest};
    }
    if (which == Part::Earlier) {
        m_anchor = Anchor{first, Qt::TopEdge};
        return PartRequest{At::EndsAt, first + kept};
    }
    m_anchor = Anchor{end - 1, Qt::BottomEdge};
    return PartRequest{At::BeginsAt, end - kept};
}

void SessionParts::clear() {
    m_part.reset();
    m_shown.clear();
}

void SessionParts::begin(const StoredSession& stored) {
    m_wanted = false;
    clear();
    if (!stored.extent.whole()) {
        m_part = stored.extent;
        m_part->messages = {};
        m_part->lastAnswerIds = {};
    }
}

void SessionParts::add(std::int32_t number, std::int32_t count) {
    const std::int64_t begin = m_shown.empty() ? m_part ? m_part->firstToken : 0
                                               : m_shown.back().token + m_shown.back().count;
    m_shown.push_back({begin, number, count});
}

bool SessionParts::lastIsCut() const {
    if (!m_part || m_part->cutAfter == 0 || m_shown.empty()) {
        return false;
    }
    return m_shown.back().token + m_shown.back().count == m_part->firstToken + m_part->tokens;
}

void SessionParts::end(std::optional<std::int64_t> selected, const SelectionPoint& before,
                       Selection* selection, TranscriptView* transcript) {
    const auto anchor = std::exchange(m_anchor, std::nullopt);
    if (selected) {
        SelectionPoint point = before;
        const std::int32_t number = numberOf(*selected);
        point.position = number >= 0 ? std::optional(number) : std::nullopt;
        selection->replace(point);
    }
    if (anchor) {
        transcript->scrollTo(numberOf(anchor->token), anchor->edge);
    }
}

void SessionParts::grow(std::int64_t tokens) {
    if (m_part) {
        m_part->tokens += tokens;
        m_part->sessionTokens += tokens;
    }
}

std::optional<std::int64_t> SessionParts::tokenOf(std::optional<std::int32_t> number) const {
    for (const ShownTokens& shown : m_shown) {
        if (number && *number >= shown.number && *number < shown.number + shown.count) {
            return shown.token + (*number - shown.number);
        }
    }
    return std::nullopt;
}

std::int32_t SessionParts::numberOf(std::int64_t token) const {
    for (const ShownTokens& shown : m_shown) {
        if (token >= shown.token && token < shown.token + shown.count) {
            return shown.number + static_cast<std::int32_t>(token - shown.token);
        }
    }
    return -1;
}

}  // namespace gatescope
