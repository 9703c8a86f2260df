// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/trace_store.h"

#include <algorithm>
#include <utility>

#include "app/token_table.h"
#include "engine/error.h"

namespace gatescope {

TraceStore::TraceStore(std::size_t scoreBudget) : m_scoreBudget(scoreBudget) {}

void TraceStore::reset(const RoutingShape& shape, std::shared_ptr<const TokenTable> tokens) {
    *this = TraceStore(m_scoreBudget);
    m_shape = shape;
    m_tokens = std::move(tokens);
    m_speculationNone =
        m_tokens ? SpeculationCounter(
                       shape, [table = m_tokens](std::int32_t id) { return table->classOf(id); })
                 : SpeculationCounter(shape);
    beginAnswer(true);
}

void TraceStore::beginAnswer(bool anew) {
    m_answerFirst = size();
    if (anew) {
        m_speculation = m_speculationNone;
    }
    m_speculationBefore = m_speculation;
}

std::vector<std::int32_t> TraceStore::setPrompt(const std::vector<PromptPiece>& pieces,
                                                std::size_t first) {
    forgetEarly();
    std::size_t same = 0;
    while (m_first + same < pieces.size() && same < m_numberAt.size() &&
           m_entries[static_cast<std::size_t>(m_numberAt[same])].tokenId ==
               pieces[m_first + same].id) {
        ++same;
    }
    if (same == 0) {
        m_first = std::min(first, pieces.size());
    }
    m_numberAt.resize(same);
    for (std::size_t i = m_first + same; i < pieces.size(); ++i) {
        m_numberAt.push_back(size());
        Entry entry;
        entry.tokenId = pieces[i].id;
        entry.special = pieces[i].special;
        entry.bytes = pieces[i].bytes;
        m_entries.push_back(std::move(entry));
    }
    std::vector<std::int32_t> numbers(m_first, -1);
    numbers.insert(numbers.end(), m_numberAt.begin(), m_numberAt.end());
    return numbers;
}

void TraceStore::beginAt(std::int32_t position) {
    forgetEarly();
    m_numberAt.clear();
    m_first = static_cast<std::size_t>(std::max(position, 0));
}

std::int32_t TraceStore::addToken(const TokenEvent& token) {
    const std::int32_t number = size();
    const std::int32_t position = token.position;
    const std::int32_t id = token.id;
    Entry entry;
    entry.tokenId = id;
    entry.bytes = token.bytes;
    entry.generated = true;
    entry.probability = token.probability;
    entry.alternatives = token.alternatives;
    entry.draft = token.draft;
    entry.rejectedDraftId = token.rejectedDraftId;
    entry.step = token.step;
    m_entries.push_back(std::move(entry));
    const auto at = static_cast<std::size_t>(position) - m_first;  // before it: far beyond the end
    if (position >= 0 && at <= m_numberAt.size()) {
        m_numberAt.resize(at);
        m_numberAt.push_back(number);
        // An accepted draft went through the model before it became a token.
        for (const bool mtp : {false, true}) {
            auto& early = m_early[mtp ? 1 : 0];
            if (const auto found = early.find(position); found != early.end()) {
                if (mtp || found->second.tokenId == id) {
                    store(number, found->second, mtp);
                }
                early.erase(found);
            }
        }
    }
    return number;
}

void TraceStore::addStep(const StepTrace& step) {
    for (const RoutedToken& token : step.tokens) {
        attach(token, false);
    }
    for (const RoutedToken& token : step.mtp) {
        attach(token, true);
    }
    noteSource(step);
    try {
        m_speculation.add(step);
    } catch (const Error&) {
        // From a stored session that was changed by hand: such a step says nothing.
    }
}

/// Of a step's tokens; they came before it.
void TraceStore::noteSource(const StepTrace& step) {
    if (!step.speculation) {
        return;
    }
    for (std::int32_t number = size() - 1; number >= m_answerFirst; --number) {
        Entry& entry = m_entries[static_cast<std::size_t>(number)];
        if (entry.step == step.step) {
            entry.source = step.speculation->source;
            entry.drafted = step.speculation->drafted();
        } else if (entry.step < step.step) {
            break;
        }
    }
}

std::string_view TraceStore::bytesOf(std::int32_t id) const {
    if (m_tokens) {
        return m_tokens->bytes(id);
    }
    const auto known = std::find_if(m_entries.begin(), m_entries.end(),
                                    [id](const Entry& entry) { return entry.tokenId == id; });
    return known != m_entries.end() ? std::string_view(known->bytes) : std::string_view();
}

void TraceStore::addReplacedStep(const StepTrace& step) {
    for (const bool mtp : {false, true}) {
        for (const RoutedToken& token : mtp ? step.mtp : step.tokens) {
            if (token.phase == Phase::Prefill) {
                attach(token, mtp);
            }
        }
    }
}

void TraceStore::attach(const RoutedToken& token, bool mtp) {
    if (token.phase == Phase::Rejected || token.position < 0 ||
        static_cast<std::size_t>(token.position) < m_first) {
        return;
    }
    const auto position = static_cast<std::size_t>(token.position) - m_first;
    if (position >= m_numberAt.size()) {
        m_early[mtp ? 1 : 0][token.position] = token;
        return;
    }
    const std::int32_t number = m_numberAt[position];
    // The MTP layer's pair is (state at the position, next token): its id is not this token's.
    if (mtp || m_entries[static_cast<std::size_t>(number)].tokenId == token.tokenId) {
        store(number, token, mtp);
    }
}

void TraceStore::store(std::int32_t number, const RoutedToken& token, bool mtp) {
    Entry& entry = m_entries[static_cast<std::size_t>(number)];
    auto& place = mtp ? entry.mtp : entry.main;
    if (place != nullptr) {
        return;  // computed again with the same result, e.g. after the cache was given up
    }
    auto copy = std::make_shared<RoutedToken>(token);
    copy->position = number;
    entry.special = entry.special || (!mtp && token.special);
    place = std::move(copy);
    countScores(number, mtp);
}

void TraceStore::countScores(std::int32_t number, bool mtp) {
    const Entry& entry = m_entries[static_cast<std::size_t>(number)];
    const auto& scores = (mtp ? entry.mtp : entry.main)->routing.scores;
    if (scores == nullptr) {
        return;
    }
    const std::size_t bytes = scores->size() * sizeof(float);
    m_kept.push_back({number, mtp, bytes});
    m_scoreBytes += bytes;
    while (m_scoreBytes > m_scoreBudget && m_kept.size() > 1) {
        const Kept oldest = m_kept.front();
        m_kept.pop_front();
        m_scoreBytes -= oldest.bytes;
        Entry& old = m_entries[static_cast<std::size_t>(oldest.number)];
        auto& place = oldest.mtp ? old.mtp : old.main;
        auto without = std::make_shared<RoutedToken>(*place);
        without->routing.scores.reset();
        place = std::move(without);
    }
}

void TraceStore::truncate(std::int32_t number) {
    number = std::clamp(number, 0, size());
    m_entries.resize(static_cast<std::size_t>(number));
    std::erase_if(m_numberAt, [&](std::int32_t at) { return at >= number; });
    std::erase_if(m_kept, [&](const Kept& kept) {
        if (kept.number >= number) {
            m_scoreBytes -= kept.bytes;
            return true;
        }
        return false;
    });
    forgetEarly();
    m_speculation = m_speculationBefore;
}

void TraceStore::forgetEarly() {
    for (auto& early : m_early) {
        early.clear();
    }
}

const TraceStore::Entry* TraceStore::entry(std::int32_t number) const {
    return number >= 0 && number < size() ? &m_entries[static_cast<std::size_t>(number)] : nullptr;
}

std::vector<std::int32_t> TraceStore::contextIds() const {
    std::vector<std::int32_t> ids;
    if (partial()) {
        return ids;
    }
    ids.reserve(m_numberAt.size());
    for (const std::int32_t number : m_numberAt) {
        ids.push_back(m_entries[static_cast<std::size_t>(number)].tokenId);
    }
    return ids;
}

std::int32_t TraceStore::contextPosition(std::int32_t number) const {
    const auto found = std::lower_bound(m_numberAt.begin(), m_numberAt.end(), number);
    return !partial() && found != m_numberAt.end() && *found == number
               ? static_cast<std::int32_t>(found - m_numberAt.begin())
               : -1;
}

std::vector<std::int32_t> TraceStore::routedTo(int layer, int expert) const {
    std::vector<std::int32_t> numbers;
    const bool mtp = layer == m_shape.mtpLayer && layer >= 0;
    const auto found = std::find(m_shape.layers.begin(), m_shape.layers.end(), layer);
    if ((!mtp && found == m_shape.layers.end()) || m_shape.topK <= 0) {
        return numbers;
    }
    const auto row = mtp ? 0 : static_cast<std::size_t>(found - m_shape.layers.begin());
    for (std::int32_t number = 0; number < size(); ++number) {
        const Entry& entry = m_entries[static_cast<std::size_t>(number)];
        const auto& routed = mtp ? entry.mtp : entry.main;
        const auto rows = routed != nullptr ? routed->routing.margins.size() : 0;
        if (row >= rows) {
            continue;
        }
        const std::size_t k = routed->routing.experts.size() / rows;  // interventions may change it
        const auto first = routed->routing.experts.begin() + static_cast<std::ptrdiff_t>(row * k);
        if (std::find(first, first + static_cast<std::ptrdiff_t>(k), expert) !=
            first + static_cast<std::ptrdiff_t>(k)) {
            numbers.push_back(number);
        }
    }
    return numbers;
}

}  // namespace gatescope
