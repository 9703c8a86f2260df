// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "engine/analysis/specialists.h"
#include "engine/checkpoint/printable.h"
#include "engine/error.h"

namespace gatescope {

namespace {

constexpr std::size_t kTokensInName = 4;
constexpr int kFewestDigits = 3;  // named together from so many on

std::string timesText(double factor) {
    return std::isinf(factor) ? "only there" : fmt::format("{:.3g}x", factor);
}

bool isDigit(const VocabularyEntry& entry) {
    return entry.bytes.size() == 1 && entry.bytes[0] >= '0' && entry.bytes[0] <= '9';
}

/// "'=', '+', digits".
std::string tokensText(const std::vector<VocabularyEntry>& entries) {
    const bool digits = std::count_if(entries.begin(), entries.end(), isDigit) >= kFewestDigits;
    std::vector<std::string> parts;
    for (const VocabularyEntry& entry : entries) {
        if (entry.bytes.empty()) continue;
        const std::string part = digits && isDigit(entry)
                                     ? std::string("digits")
                                     : fmt::format("'{}'", printable(entry.bytes, 24));
        if (std::find(parts.begin(), parts.end(), part) == parts.end()) parts.push_back(part);
    }
    if (parts.size() > kTokensInName) parts.resize(kTokensInName);
    return fmt::format("{}", fmt::join(parts, ", "));
}

std::string nameOf(const SpecialisationValue& value, const Specialist& specialist) {
    const std::string domain =
        printable(value.domains[static_cast<std::size_t>(specialist.domain)], 64);
    std::string out = fmt::format("layer {} expert {}: {} ({})", specialist.layer,
                                  specialist.expert, domain, timesText(specialist.ratio));
    const std::string tokens = tokensText(specialist.tokensServed);
    return tokens.empty() ? out : out + ", tokens " + tokens;
}

using Order = bool (*)(const VocabularyEntry& a, const VocabularyEntry& b);

bool largerShare(const VocabularyEntry& a, const VocabularyEntry& b) {
    if (a.shrunk != b.shrunk) return a.shrunk > b.shrunk;
    return a.tokens != b.tokens ? a.tokens > b.tokens : a.id < b.id;
}

/// By n_iv - n_v k/E.
bool largerExcess(const VocabularyEntry& a, const VocabularyEntry& b) {
    const auto excess = [](const VocabularyEntry& entry) {
        const double chance = entry.shrunk / entry.lift;
        return static_cast<double>(entry.chosen) - static_cast<double>(entry.tokens) * chance;
    };
    return excess(a) != excess(b) ? excess(a) > excess(b) : a.id < b.id;
}

void keepBest(std::vector<VocabularyEntry>& entries, std::size_t most, Order order) {
    std::sort(entries.begin(), entries.end(), order);
    if (entries.size() > most) entries.resize(most);
}

VocabularyEntry entryOf(std::int32_t id, std::int64_t tokens, std::int64_t chosen,
                        const SpecialisationValue& value) {
    const double chance = value.chance();
    VocabularyEntry entry;
    entry.id = id;
    entry.tokens = tokens;
    entry.chosen = chosen;
    entry.share = static_cast<double>(chosen) / static_cast<double>(tokens);
    entry.shrunk = (static_cast<double>(chosen) + value.rule.shrinkage * chance) /
                   (static_cast<double>(tokens) + value.rule.shrinkage);
    entry.lift = entry.shrunk / chance;
    return entry;
}

/// What was counted of one kind of vocabulary.
struct Vocabulary {
    const SpecialisationValue& value;
    const SparseCounts& cells;  ///< by row, expert, domain and id
    const SparseCounts& ids;    ///< by main or MTP layers, domain and id

    std::size_t domains() const { return value.domains.size(); }
    std::size_t experts() const { return static_cast<std::size_t>(value.shape.experts); }
    /// n_v in a domain.
    std::int64_t tokens(std::size_t row, std::size_t domain, std::uint32_t id) const {
        const std::size_t kind = row < value.shape.layers.size() ? 0 : 1;
        return ids.count(static_cast<std::uint64_t>(kind * domains() + domain) << 32 | id);
    }
    /// n_iv in a domain; `cell` is row * E + expert.
    std::int64_t chosen(std::size_t cell, std::size_t domain, std::uint32_t id) const {
        return cells.count(static_cast<std::uint64_t>(cell * domains() + domain) << 32 | id);
    }
    std::int64_t tokensOverall(std::size_t row, std::uint32_t id) const {
        std::int64_t sum = 0;
        for (std::size_t domain = 0; domain < domains(); ++domain) sum += tokens(row, domain, id);
        return sum;
    }
    std::int64_t chosenOverall(std::size_t cell, std::uint32_t id) const {
        std::int64_t sum = 0;
        for (std::size_t domain = 0; domain < domains(); ++domain) sum += chosen(cell, domain, id);
        return sum;
    }
    /// Whether no domain before this one has the token in the cell: it is then looked at once.
    bool isFirst(std::size_t cell, std::size_t domain, std::uint32_t id) const {
        for (std::size_t before = 0; before < domain; ++before) {
            if (chosen(cell, before, id) > 0) return false;
        }
        return true;
    }
};

/// The tokens of every expert, [rows * E], the largest shrunk share first.
std::vector<std::vector<VocabularyEntry>> vocabularyOf(const Vocabulary& counted) {
    const SpecialisationValue& value = counted.value;
    const auto most = static_cast<std::size_t>(std::max(value.rule.tokensNamed, 0));
    std::vector<std::vector<VocabularyEntry>> out(static_cast<std::size_t>(value.rows()) *
                                                  counted.experts());
    counted.cells.forEach([&](std::uint64_t key, std::uint32_t) {
        const auto cell = static_cast<std::size_t>(key >> 32) / counted.domains();
        const auto domain = static_cast<std::size_t>(key >> 32) % counted.domains();
        const auto id = static_cast<std::uint32_t>(key);
        const std::int64_t tokens = counted.tokensOverall(cell / counted.experts(), id);
        if (tokens < value.rule.leastVocabulary || !counted.isFirst(cell, domain, id)) return;
        VocabularyEntry entry =
            entryOf(static_cast<std::int32_t>(id), tokens, counted.chosenOverall(cell, id), value);
        if (!(entry.lift > 1)) return;
        out[cell].push_back(std::move(entry));
        if (out[cell].size() >= 4 * most + 16) keepBest(out[cell], most, largerShare);
    });
    for (auto& entries : out) keepBest(entries, most, largerShare);
    return out;
}

/// Specialist::tokensServed of every specialist.
void setTokensServed(const Vocabulary& counted, std::vector<Specialist>& specialists) {
    std::unordered_map<std::size_t, Specialist*> wanted;  // by (row * E + expert) * D + domain
    for (Specialist& specialist : specialists) {
        const std::size_t cell = static_cast<std::size_t>(specialist.row) * counted.experts() +
                                 static_cast<std::size_t>(specialist.expert);
        wanted[cell * counted.domains() + static_cast<std::size_t>(specialist.domain)] =
            &specialist;
    }
    counted.cells.forEach([&](std::uint64_t key, std::uint32_t chosen) {
        const auto found = wanted.find(static_cast<std::size_t>(key >> 32));
        if (found == wanted.end()) return;
        Specialist& specialist = *found->second;
        const auto id = static_cast<std::uint32_t>(key);
        const auto n = counted.tokens(static_cast<std::size_t>(specialist.row),
                                      static_cast<std::size_t>(specialist.domain), id);
        specialist.tokensServed.push_back(
            entryOf(static_cast<std::int32_t>(id), n, chosen, counted.value));
    });
    const auto most = static_cast<std::size_t>(std::max(counted.value.rule.tokensNamed, 0));
    for (Specialist& specialist : specialists) {
        keepBest(specialist.tokensServed, most, largerExcess);
    }
}

void setBytes(std::vector<VocabularyEntry>& entries,
              const SpecialisationCounter::TokenBytes& tokenBytes) {
    if (!tokenBytes) return;
    for (VocabularyEntry& entry : entries) entry.bytes = tokenBytes(entry.id);
}

}  // namespace

std::shared_ptr<const SpecialisationValue> SpecialisationCounter::value(
    const TokenBytes& tokenBytes, const SpecialistRule& rule) const {
    auto out = std::make_shared<SpecialisationValue>(m_counts);
    out->rule = rule;
    for (std::size_t kind = 0; kind < kVocabularyKeys; ++kind) {
        out->vocabulary[kind] = vocabularyOf({*out, m_cells[kind], m_ids[kind]});
        for (auto& entries : out->vocabulary[kind]) setBytes(entries, tokenBytes);
    }
    out->specialists = findSpecialists(*out);
    setTokensServed({*out, m_cells[0], m_ids[0]}, out->specialists);
    for (Specialist& specialist : out->specialists) {
        setBytes(specialist.tokensServed, tokenBytes);
        specialist.name = nameOf(*out, specialist);
    }
    out->replication = replicationOf(*out);
    out->divergence = divergenceOf(*out);
    return out;
}

}  // namespace gatescope
