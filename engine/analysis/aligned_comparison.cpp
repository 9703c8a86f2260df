// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/aligned_comparison.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "engine/analysis/token_overlap.h"
#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// What stands at every position of an answer's context.
std::vector<std::int32_t> contextOf(const ComparedAnswer& answer) {
    std::vector<std::int32_t> ids = answer.promptIds;
    for (const TokenEvent& token : answer.tokens) ids.push_back(token.id);
    return ids;
}

/// The last pass of each position through the main layers that stayed.
std::map<std::int32_t, const RoutedToken*> routedPositions(const ComparedAnswer& answer) {
    std::map<std::int32_t, const RoutedToken*> out;
    for (const StepTrace& step : answer.steps) {
        for (const RoutedToken& token : step.tokens) {
            if (token.phase != Phase::Rejected && token.routing.rows() > 0) {
                out[token.position] = &token;
            }
        }
    }
    return out;
}

/// The token with k slots in each layer, the added ones empty.
RoutedToken widened(const RoutedToken& token, std::size_t rows, int from, int to) {
    RoutedToken out = token;
    const auto narrow = static_cast<std::size_t>(from);
    const auto wide = static_cast<std::size_t>(to);
    if (narrow == wide || token.routing.experts.size() != rows * narrow ||
        token.routing.weights.size() != rows * narrow) {
        return out;  // what does not fit is refused by tokenOverlap
    }
    out.routing.experts.assign(rows * wide, kNoExpert);
    out.routing.weights.assign(rows * wide, 0.0F);
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t j = 0; j < narrow; ++j) {
            out.routing.experts[row * wide + j] = token.routing.experts[row * narrow + j];
            out.routing.weights[row * wide + j] = token.routing.weights[row * narrow + j];
        }
    }
    return out;
}

float probabilityOf(const TokenEvent& token, std::int32_t id) {
    for (const TokenEvent::Alternative& alternative : token.alternatives) {
        if (alternative.id == id) return alternative.rawProbability;
    }
    return std::numeric_limits<float>::quiet_NaN();
}

class Alignment {
  public:
    Alignment(const ComparedRun& a, const ComparedRun& b) : m_a(a), m_b(b) {
        if (a.shape.layers != b.shape.layers || a.shape.experts != b.shape.experts) {
            throw Error(fmt::format(
                "{} and {} cannot be compared token by token: {} experts in {} layers and {} in {}",
                a.label, b.label, a.shape.experts, a.shape.layers.size(), b.shape.experts,
                b.shape.layers.size()));
        }
        m_out.shape = a.shape;
        m_out.shape.topK = std::max(a.shape.topK, b.shape.topK);
        for (const int layer : a.shape.layers) m_out.layers.push_back({.layer = layer});
    }

    AlignedComparison run(std::span<const NextTokenDifference> next) {
        const std::size_t answers = std::min(m_a.answers.size(), m_b.answers.size());
        for (std::size_t i = 0; i < answers; ++i) addAnswer(static_cast<int>(i));
        addNext(next);
        average();
        return std::move(m_out);
    }

  private:
    void addAnswer(int index) {
        const ComparedAnswer& a = m_a.answers[static_cast<std::size_t>(index)];
        const ComparedAnswer& b = m_b.answers[static_cast<std::size_t>(index)];
        const std::vector<std::int32_t> idsA = contextOf(a);
        const std::vector<std::int32_t> idsB = contextOf(b);
        const auto common = static_cast<std::int32_t>(
            std::mismatch(idsA.begin(), idsA.end(), idsB.begin(), idsB.end()).first - idsA.begin());
        if (a.promptIds == b.promptIds) compareText(index, a, b);
        const auto routedB = routedPositions(b);
        for (const auto& [position, tokenA] : routedPositions(a)) {
            const auto tokenB = routedB.find(position);
            if (position < common && tokenB != routedB.end()) {
                addToken(index, *tokenA, *tokenB->second);
            }
        }
    }

    void compareText(int index, const ComparedAnswer& a, const ComparedAnswer& b) {
        const auto [atA, atB] =
            std::mismatch(a.tokens.begin(), a.tokens.end(), b.tokens.begin(), b.tokens.end(),
                          [](const TokenEvent& x, const TokenEvent& y) { return x.id == y.id; });
        m_out.answerTokens += static_cast<std::int64_t>(std::max(a.tokens.size(), b.tokens.size()));
        m_out.equalTokens += atA - a.tokens.begin();
        if (atA == a.tokens.end() && atB == b.tokens.end()) return;
        TextDivergence& text = m_out.texts.emplace_back();
        text.answer = index;
        text.seq = atA - a.tokens.begin();
        text.probabilityA = text.probabilityB = std::numeric_limits<float>::quiet_NaN();
        text.otherInA = text.otherInB = std::numeric_limits<float>::quiet_NaN();
        if (atA != a.tokens.end()) {
            text.idA = atA->id;
            text.position = atA->position;
            text.probabilityA = atA->rawProbability;
        }
        if (atB != b.tokens.end()) {
            text.idB = atB->id;
            text.position = atB->position;
            text.probabilityB = atB->rawProbability;
        }
        if (atA != a.tokens.end()) text.otherInA = probabilityOf(*atA, text.idB);
        if (atB != b.tokens.end()) text.otherInB = probabilityOf(*atB, text.idA);
    }

    void addToken(int index, const RoutedToken& tokenA, const RoutedToken& tokenB) {
        const std::size_t rows = m_out.shape.layers.size();
        for (const RoutedToken* token : {&tokenA, &tokenB}) {
            if (token->routing.margins.size() != rows) {
                throw Error(fmt::format("routing of token {}: {} layers, expected {}",
                                        token->position, token->routing.margins.size(), rows));
            }
        }
        const TokenOverlap overlap =
            tokenOverlap(m_out.shape, widened(tokenA, rows, m_a.shape.topK, m_out.shape.topK),
                         widened(tokenB, rows, m_b.shape.topK, m_out.shape.topK));
        AlignedToken& token = m_out.tokens.emplace_back();
        token.answer = index;
        token.position = tokenA.position;
        token.tokenId = tokenA.tokenId;
        token.share = overlap.meanShare;
        token.massMoved = overlap.meanMassMoved;
        m_mass += overlap.meanMass;
        for (std::size_t row = 0; row < overlap.layers.size(); ++row) {
            const LayerOverlap& layer = overlap.layers[row];
            AlignedLayer& sum = m_out.layers[row];
            sum.saturation += layer.share;
            sum.massMoved += layer.massMoved;
            m_chosen += layer.chosen;
            if (layer.shared == layer.chosen) continue;
            ++sum.changedTokens;
            if (token.firstLayer < 0) token.firstLayer = layer.layer;
            if (!m_out.first) {
                m_out.first = RoutingDivergence{index,
                                                token.position,
                                                token.tokenId,
                                                layer.layer,
                                                tokenA.routing.margins[row],
                                                tokenB.routing.margins[row]};
            }
        }
        m_out.identicalTokens += token.firstLayer < 0 ? 1 : 0;
    }

    void addNext(std::span<const NextTokenDifference> next) {
        std::map<std::pair<int, std::int32_t>, const NextTokenDifference*> at;
        for (const NextTokenDifference& difference : next) {
            at[{difference.answer, difference.position}] = &difference;
        }
        double sum = 0;
        m_out.maxKl = kNaN;
        for (AlignedToken& token : m_out.tokens) {
            const auto found = at.find({token.answer, token.position});
            if (found == at.end()) continue;
            token.next = *found->second;
            sum += token.next.kl;
            m_out.maxKl = std::fmax(m_out.maxKl, token.next.kl);
            m_out.topChanged += token.next.topA != token.next.topB ? 1 : 0;
            ++m_out.klTokens;
        }
        m_out.meanKl = m_out.klTokens > 0 ? sum / static_cast<double>(m_out.klTokens) : kNaN;
    }

    void average() {
        m_out.n = static_cast<std::int64_t>(m_out.tokens.size());
        const double n = m_out.n > 0 ? static_cast<double>(m_out.n) : kNaN;
        for (const AlignedToken& token : m_out.tokens) {
            m_out.saturation += token.share;
            m_out.massMoved += token.massMoved;
        }
        m_out.saturation /= n;
        m_out.massMoved /= n;
        m_out.mass = m_mass / n;
        m_out.chance = m_chosen / (n * static_cast<double>(m_out.layers.size()) *
                                   static_cast<double>(m_out.shape.experts));
        for (AlignedLayer& layer : m_out.layers) {
            layer.saturation /= n;
            layer.massMoved /= n;
        }
    }

    const ComparedRun& m_a;
    const ComparedRun& m_b;
    double m_mass = 0;
    double m_chosen = 0;  ///< over tokens and layers
    AlignedComparison m_out;
};

}  // namespace

bool samePrompts(const ComparedRun& a, const ComparedRun& b) {
    return std::equal(a.answers.begin(), a.answers.end(), b.answers.begin(), b.answers.end(),
                      [](const ComparedAnswer& one, const ComparedAnswer& other) {
                          return !one.promptIds.empty() && one.promptIds == other.promptIds;
                      });
}

AlignedComparison alignedComparison(const ComparedRun& a, const ComparedRun& b,
                                    std::span<const NextTokenDifference> next) {
    return Alignment(a, b).run(next);
}

}  // namespace gatescope
