// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/comparison_units.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

namespace gatescope {

namespace {

constexpr std::int64_t kFewestAnswers = 6;

std::pair<int, int> strataOf(bool mtp) {
    return mtp ? std::pair{kMainStrata, kComparisonStrata} : std::pair{0, kMainStrata};
}

std::int64_t blocksOf(std::int64_t tokens, int blockTokens) {
    return tokens == 0 ? 0 : std::max<std::int64_t>(1, tokens / blockTokens);
}

bool hasTokens(const ComparedTokens& tokens, const AnswerTokens& answer, bool mtp) {
    const auto [first, end] = strataOf(mtp);
    for (int stratum = first; stratum < end; ++stratum) {
        const auto index = static_cast<std::size_t>(stratum);
        if (tokens.tested[index] && !answer.strata[index].empty()) return true;
    }
    return false;
}

std::int64_t answersOf(const ComparedTokens& tokens, std::size_t side, bool mtp) {
    return std::count_if(
        tokens.sides[side].begin(), tokens.sides[side].end(),
        [&](const AnswerTokens& answer) { return hasTokens(tokens, answer, mtp); });
}

/// The tokens of one unit in one stratum.
struct Piece {
    std::uint32_t unit = 0;
    std::vector<std::span<const RoutedToken* const>> tokens;

    std::int64_t size() const {
        std::int64_t sum = 0;
        for (const auto& span : tokens) sum += std::ssize(span);
        return sum;
    }
};

template <typename Count>
void fill(StratumUnits& out, const std::vector<Piece>& pieces, std::size_t rows,
          std::size_t experts) {
    std::vector<Count> counts(rows * pieces.size() * experts, 0);
    for (std::size_t place = 0; place < pieces.size(); ++place) {
        for (const auto& span : pieces[place].tokens) {
            for (const RoutedToken* token : span) {
                const std::size_t topK = token->routing.experts.size() / rows;
                for (std::size_t i = 0; i < token->routing.experts.size(); ++i) {
                    const std::uint16_t expert = token->routing.experts[i];
                    if (expert == kNoExpert) continue;
                    const std::size_t cell = i / topK * pieces.size() + place;
                    ++counts[cell * experts + expert];
                    ++out.choices[cell];
                }
            }
        }
    }
    out.counts = std::move(counts);
}

StratumUnits stratumUnits(const std::vector<Piece>& pieces, std::size_t rows, std::size_t experts) {
    StratumUnits out;
    std::int64_t longest = 0;
    for (const Piece& piece : pieces) {
        out.units.push_back(piece.unit);
        longest = std::max(longest, piece.size());
    }
    out.choices.assign(rows * pieces.size(), 0);
    if (longest <= 0xFF) {  // a token chooses an expert once
        fill<std::uint8_t>(out, pieces, rows, experts);
    } else if (longest <= 0xFFFF) {
        fill<std::uint16_t>(out, pieces, rows, experts);
    } else {
        fill<std::uint32_t>(out, pieces, rows, experts);
    }
    return out;
}

class UnitCutter {
  public:
    UnitCutter(const ComparedTokens& tokens, bool mtp, PermutedUnit unit, int blockTokens)
        : m_tokens(tokens), m_mtp(mtp), m_unit(unit), m_blockTokens(blockTokens) {}

    ComparisonUnits units() {
        const auto [first, end] = strataOf(m_mtp);
        m_pieces.resize(static_cast<std::size_t>(end - first));
        for (std::uint8_t side = 0; side < 2; ++side) {
            m_unit == PermutedUnit::Block ? cutBlocks(side) : takeAnswers(side);
        }
        m_out.tokens.assign(m_out.sides.size(), 0);
        m_out.rows = m_mtp ? 1 : static_cast<int>(m_tokens.shape.layers.size());
        m_out.experts = m_tokens.shape.experts;
        for (int stratum = first; stratum < end; ++stratum) {
            const std::vector<Piece>& pieces = m_pieces[static_cast<std::size_t>(stratum - first)];
            if (pieces.empty()) continue;
            m_out.strata.push_back(stratumUnits(pieces, static_cast<std::size_t>(m_out.rows),
                                                static_cast<std::size_t>(m_out.experts)));
            m_out.strataIndex.push_back(stratum);
            for (const Piece& piece : pieces) m_out.tokens[piece.unit] += piece.size();
        }
        m_out.groupCount =
            m_unit == PermutedUnit::Answer ? 1 : static_cast<std::uint32_t>(m_pieces.size());
        return std::move(m_out);
    }

  private:
    std::uint32_t addUnit(std::uint8_t side, std::uint32_t group) {
        m_out.sides.push_back(side);
        m_out.groups.push_back(group);
        return static_cast<std::uint32_t>(m_out.sides.size() - 1);
    }

    void cutBlocks(std::uint8_t side) {
        const auto [first, end] = strataOf(m_mtp);
        for (int stratum = first; stratum < end; ++stratum) {
            const auto index = static_cast<std::size_t>(stratum);
            if (!m_tokens.tested[index]) continue;
            for (const AnswerTokens& answer : m_tokens.sides[side]) {
                cut(answer.strata[index], side, static_cast<std::uint32_t>(stratum - first));
            }
        }
    }
    void cut(std::span<const RoutedToken* const> tokens, std::uint8_t side, std::uint32_t group) {
        const auto blocks = static_cast<std::size_t>(blocksOf(std::ssize(tokens), m_blockTokens));
        for (std::size_t block = 0; block < blocks; ++block) {
            const std::size_t begin = tokens.size() * block / blocks;
            const std::size_t end = tokens.size() * (block + 1) / blocks;
            m_pieces[group].push_back({addUnit(side, group), {tokens.subspan(begin, end - begin)}});
        }
    }

    void takeAnswers(std::uint8_t side) {
        const auto [first, end] = strataOf(m_mtp);
        const std::int64_t shared =
            (answersOf(m_tokens, side, m_mtp) + kMostBlocks - 1) / kMostBlocks;
        std::int64_t taken = 0;
        std::uint32_t unit = 0;
        for (const AnswerTokens& answer : m_tokens.sides[side]) {
            if (!hasTokens(m_tokens, answer, m_mtp)) continue;
            if (taken++ % shared == 0) unit = addUnit(side, 0);
            for (int stratum = first; stratum < end; ++stratum) {
                const auto index = static_cast<std::size_t>(stratum);
                if (!m_tokens.tested[index] || answer.strata[index].empty()) continue;
                auto& pieces = m_pieces[static_cast<std::size_t>(stratum - first)];
                if (pieces.empty() || pieces.back().unit != unit) pieces.push_back({unit, {}});
                pieces.back().tokens.emplace_back(answer.strata[index]);
            }
        }
    }

    const ComparedTokens& m_tokens;
    bool m_mtp;
    PermutedUnit m_unit;
    int m_blockTokens;
    ComparisonUnits m_out;
    std::vector<std::vector<Piece>> m_pieces;  ///< by stratum
};

}  // namespace

std::vector<LabelGroup> ComparisonUnits::labelGroups() const {
    std::vector<LabelGroup> out(groupCount);
    for (std::uint32_t unit = 0; unit < sides.size(); ++unit) {  // A's units come first
        LabelGroup& group = out[groups[unit]];
        group.units.push_back(unit);
        group.first += sides[unit] == 0 ? 1 : 0;
    }
    std::erase_if(out, [](const LabelGroup& group) { return group.units.empty(); });
    return out;
}

std::vector<LabelGroup> ComparisonUnits::halves(int side) const {
    std::vector<LabelGroup> out(groupCount);
    for (std::uint32_t unit = 0; unit < sides.size(); ++unit) {
        if (sides[unit] == side) out[groups[unit]].units.push_back(unit);
    }
    std::erase_if(out, [](const LabelGroup& group) { return group.units.size() < 2; });
    for (LabelGroup& group : out) group.first = static_cast<int>(group.units.size() / 2);
    return out;
}

int ComparisonUnits::unitsOf(int side) const {
    return static_cast<int>(std::count(sides.begin(), sides.end(), side));
}

std::vector<std::int64_t> ComparisonUnits::counts(int row,
                                                  std::span<const std::uint8_t> labels) const {
    const auto width = static_cast<std::size_t>(experts);
    std::vector<std::int64_t> out(width, 0);
    for (const StratumUnits& stratum : strata) {
        const std::size_t first = static_cast<std::size_t>(row) * stratum.places();
        std::visit(
            [&](const auto& cells) {
                for (std::size_t place = 0; place < stratum.places(); ++place) {
                    if (labels[stratum.units[place]] == 0) continue;
                    for (std::size_t i = 0; i < width; ++i) {
                        out[i] += cells[(first + place) * width + i];
                    }
                }
            },
            stratum.counts);
    }
    return out;
}

PermutedUnit unitOf(const ComparedTokens& tokens) {
    const bool many = answersOf(tokens, 0, false) >= kFewestAnswers &&
                      answersOf(tokens, 1, false) >= kFewestAnswers;
    return many ? PermutedUnit::Answer : PermutedUnit::Block;
}

int usedBlockTokens(const ComparedTokens& tokens, int blockTokens) {
    std::int64_t most = 0;
    for (int side = 0; side < 2; ++side) {
        std::int64_t sum = 0;
        for (int stratum = 0; stratum < kMainStrata; ++stratum) sum += tokens.tokens(side, stratum);
        most = std::max(most, sum);
    }
    while (most / blockTokens > kMostBlocks) blockTokens *= 2;
    return blockTokens;
}

ComparisonUnits comparisonUnits(const ComparedTokens& tokens, bool mtp, PermutedUnit unit,
                                int blockTokens) {
    return UnitCutter(tokens, mtp, unit, blockTokens).units();
}

}  // namespace gatescope
