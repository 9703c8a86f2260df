// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/expert_profile.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <tuple>
#include <unordered_map>

#include "engine/analysis/binomial.h"
#include "engine/analysis/coactivation.h"
#include "engine/analysis/routing_check.h"
#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kTail = 0.025;  // on either side of the 95 % range
constexpr int kSmallestWindow = 16;

double ratio(double numerator, double denominator) {
    return denominator > 0 ? numerator / denominator : kNaN;
}

/// What one token did, kept to cut windows once n is known.
struct Moment {
    bool chosen = false;
    int choices = 0;
};

struct TokenCount {
    std::int64_t seen = 0;
    std::int64_t routed = 0;
};

/// Counts of one row and one expert in it.
class Tally {
  public:
    Tally(const RoutingShape& shape, int row, int expert) : m_shape(shape), m_expert(expert) {
        m_mtp = row >= static_cast<int>(shape.layers.size());
        m_rows = m_mtp ? 1 : shape.layers.size();
        m_row = m_mtp ? 0 : static_cast<std::size_t>(row);
        const auto experts = static_cast<std::size_t>(shape.experts);
        for (auto* counts : {&singles, &joint, &before, &beforeJoint, &after, &afterJoint}) {
            counts->assign(experts, 0);
        }
    }

    void add(const RoutedToken& token);
    bool hasBefore() const { return !m_mtp && m_row > 0; }
    bool hasAfter() const { return !m_mtp && m_row + 1 < m_rows; }

    std::vector<Moment> moments;
    std::unordered_map<std::int32_t, TokenCount> tokens;
    std::vector<std::int64_t> singles, joint;                          // [E], this row
    std::vector<std::int64_t> before, beforeJoint, after, afterJoint;  // [E], main neighbours
    std::int64_t leftOut = 0;
    std::int64_t choices = 0;
    std::int64_t pairs = 0;
    std::int64_t decided = 0;
    std::int64_t scored = 0;
    std::int64_t scoredChosen = 0;
    double weight = 0;
    double affinity = 0;
    double affinityChosen = 0;

  private:
    std::span<const std::uint16_t> slots(const RoutedToken& token, std::size_t row) const {
        const auto topK = static_cast<std::size_t>(m_shape.topK);
        return std::span(token.routing.experts).subspan(row * topK, topK);
    }
    void countRow(std::span<const std::uint16_t> chosen, bool here, std::vector<std::int64_t>& all,
                  std::vector<std::int64_t>& both) const;
    void addScore(const TokenRouting& routing, bool chosen);

    const RoutingShape& m_shape;
    int m_expert;
    bool m_mtp = false;
    std::size_t m_rows = 0;  ///< of a token's routing
    std::size_t m_row = 0;   ///< in a token's routing
};

void Tally::countRow(std::span<const std::uint16_t> chosen, bool here,
                     std::vector<std::int64_t>& all, std::vector<std::int64_t>& both) const {
    for (const std::uint16_t expert : chosen) {
        if (expert != kNoExpert) {
            ++all[expert];
            both[expert] += here ? 1 : 0;
        }
    }
}

void Tally::addScore(const TokenRouting& routing, bool chosen) {
    if (!routing.scores) {
        return;
    }
    const auto experts = static_cast<std::size_t>(m_shape.experts);
    if (routing.scores->size() != m_rows * experts) {
        throw Error(fmt::format("routing: {} affinities where {} rows of {} experts have {}",
                                routing.scores->size(), m_rows, experts, m_rows * experts));
    }
    const auto s = static_cast<double>(
        (*routing.scores)[m_row * experts + static_cast<std::size_t>(m_expert)]);
    ++scored;
    affinity += s;
    if (chosen) {
        ++scoredChosen;
        affinityChosen += s;
    }
}

void Tally::add(const RoutedToken& token) {
    if (token.routing.rows() == 0) {
        return;
    }
    checkChoices(m_shape, token.routing, m_rows);
    if (!isOrdinaryWork(token, m_mtp)) {
        ++leftOut;
        return;
    }
    const auto here = slots(token, m_row);
    const auto empty = std::count(here.begin(), here.end(), kNoExpert);
    const auto made = static_cast<std::int64_t>(here.size()) - empty;
    if (made == 0) {
        return;
    }
    const auto found = std::find(here.begin(), here.end(), m_expert);
    const bool chosen = found != here.end();
    if (chosen) {
        const auto slot = static_cast<std::size_t>(found - here.begin());
        weight += static_cast<double>(token.routing.weights[m_row * here.size() + slot]);
        const auto& bits = token.routing.biasDecided;
        decided += m_row < bits.size() && slot < 32 ? bits[m_row] >> slot & 1U : 0;
    }
    addScore(token.routing, chosen);
    choices += made;
    pairs += made * (made - 1) / 2;
    moments.push_back({chosen, static_cast<int>(made)});
    TokenCount& count = tokens[token.tokenId];
    ++count.seen;
    count.routed += chosen ? 1 : 0;
    countRow(here, chosen, singles, joint);
    if (hasBefore()) {
        countRow(slots(token, m_row - 1), chosen, before, beforeJoint);
    }
    if (hasAfter()) {
        countRow(slots(token, m_row + 1), chosen, after, afterJoint);
    }
}

int chosenWindow(std::int64_t n, int asked) {
    if (asked > 0) {
        return asked;
    }
    std::int64_t window = kSmallestWindow;
    while (window * kMostWindows < n) {
        window *= 2;
    }
    return static_cast<int>(std::min<std::int64_t>(window, std::numeric_limits<int>::max()));
}

/// The 95 % range of a count under Bin(n, p).
void setRange(LoadWindow& window, double p) {
    const BinomialTails tails(window.tokens, p);
    const double fair = static_cast<double>(window.tokens) * p;
    std::int64_t low = 0;
    while (low < window.tokens && tails.lower(low) <= kTail) {
        ++low;
    }
    std::int64_t high = low;
    while (high < window.tokens && tails.upper(high + 1) > kTail) {
        ++high;
    }
    window.low = ratio(static_cast<double>(low), fair);
    window.high = ratio(static_cast<double>(high), fair);
    window.relativeLoad = ratio(static_cast<double>(window.chosen), fair);
}

std::vector<LoadWindow> loadWindows(const std::vector<Moment>& moments, int size, int experts) {
    std::vector<LoadWindow> out;
    const auto step = static_cast<std::size_t>(size);
    for (std::size_t first = 0; first < moments.size(); first += step) {
        LoadWindow window;
        window.firstToken = static_cast<std::int64_t>(first);
        std::int64_t choices = 0;
        const std::size_t end = std::min(moments.size(), first + step);
        for (std::size_t i = first; i < end; ++i) {
            window.chosen += moments[i].chosen ? 1 : 0;
            choices += moments[i].choices;
        }
        window.tokens = static_cast<std::int64_t>(end - first);
        setRange(window,
                 static_cast<double>(choices) / (static_cast<double>(window.tokens) * experts));
        out.push_back(window);
    }
    return out;
}

std::vector<ProfileToken> topTokens(const std::unordered_map<std::int32_t, TokenCount>& tokens,
                                    double chance, const ProfileOptions& options) {
    std::vector<ProfileToken> out;
    for (const auto& [id, count] : tokens) {
        if (count.routed > 0) {
            const auto seen = static_cast<double>(count.seen);
            const auto routed = static_cast<double>(count.routed);
            out.push_back({id, count.seen, count.routed, routed / seen,
                           (routed + options.shrinkage * chance) / (seen + options.shrinkage),
                           count.seen < options.leastSeen});
        }
    }
    std::sort(out.begin(), out.end(), [](const ProfileToken& a, const ProfileToken& b) {
        return std::tuple(-a.shrunk, -a.seen, a.id) < std::tuple(-b.shrunk, -b.seen, b.id);
    });
    return out;
}

std::vector<CoactiveExpert> coactiveExperts(const Tally& tally, int expert) {
    const auto n = static_cast<double>(tally.moments.size());
    const auto experts = static_cast<double>(tally.singles.size());
    const auto choices = static_cast<double>(tally.choices);
    // C(i|j) by chance over the mean p, as in CoactivationValue::expectedLift.
    const double chanceLift =
        2 * static_cast<double>(tally.pairs) / (choices * (experts - 1)) * n * experts / choices;
    const auto own = static_cast<double>(tally.singles[static_cast<std::size_t>(expert)]);
    std::vector<CoactiveExpert> out;
    for (std::size_t other = 0; other < tally.singles.size(); ++other) {
        if (static_cast<int>(other) == expert) {
            continue;
        }
        const auto theirs = static_cast<double>(tally.singles[other]);
        const auto both = static_cast<double>(tally.joint[other]);
        CoactiveExpert at;
        at.expert = static_cast<int>(other);
        at.count = tally.joint[other];
        at.expectedCount = own * theirs / n * chanceLift;
        at.lift = ratio(both * n, own * theirs);
        at.phi = ratio(both * n - own * theirs, std::sqrt(own * (n - own) * theirs * (n - theirs)));
        at.masked = !(at.expectedCount >= kMinExpectedPairs);
        if (!at.masked || at.count > 0) {
            out.push_back(at);
        }
    }
    std::sort(out.begin(), out.end(), [](const CoactiveExpert& a, const CoactiveExpert& b) {
        const auto key = [](const CoactiveExpert& x) {
            return std::tuple(x.masked, x.masked ? -static_cast<double>(x.count) : -x.lift,
                              x.expert);
        };
        return key(a) < key(b);
    });
    return out;
}

std::vector<NeighbourExpert> neighbours(const std::vector<std::int64_t>& all,
                                        const std::vector<std::int64_t>& both, std::int64_t chosen,
                                        std::int64_t n) {
    std::vector<NeighbourExpert> out;
    for (std::size_t other = 0; other < all.size(); ++other) {
        if (both[other] == 0) {
            continue;
        }
        NeighbourExpert at;
        at.expert = static_cast<int>(other);
        at.count = both[other];
        at.share = static_cast<double>(both[other]) / static_cast<double>(chosen);
        at.base = static_cast<double>(all[other]) / static_cast<double>(n);
        at.ratio = at.share / at.base;
        at.masked = at.base * static_cast<double>(chosen) < kMinExpectedPairs;
        out.push_back(at);
    }
    std::sort(out.begin(), out.end(), [](const NeighbourExpert& a, const NeighbourExpert& b) {
        return std::tuple(-a.count, a.expert) < std::tuple(-b.count, b.expert);
    });
    return out;
}

template <typename T>
void keepFirst(std::vector<T>& list, int count) {
    list.resize(std::min(list.size(), static_cast<std::size_t>(std::max(count, 0))));
}

void checkWanted(const RoutingShape& shape, int row, int expert) {
    checkPairShape(shape);
    const int rows = static_cast<int>(shape.layers.size()) + (shape.mtpLayer >= 0 ? 1 : 0);
    if (row < 0 || row >= rows) {
        throw Error(fmt::format("expert profile: row {} in a model with {} MoE layers", row, rows));
    }
    if (expert < 0 || expert >= shape.experts) {
        throw Error(fmt::format("expert profile: expert {} in a model with {} experts", expert,
                                shape.experts));
    }
}

/// Sums and means; the lists come after it.
void setTotals(ExpertProfile& out, const Tally& tally, int experts) {
    out.n = static_cast<std::int64_t>(tally.moments.size());
    out.leftOut = tally.leftOut;
    out.choices = tally.choices;
    out.chosen = tally.singles[static_cast<std::size_t>(out.expert)];
    const auto n = static_cast<double>(out.n);
    const auto chosen = static_cast<double>(out.chosen);
    out.chance = ratio(static_cast<double>(out.choices), n * experts);
    out.relativeLoad = ratio(chosen * experts, static_cast<double>(out.choices));
    if (out.n > 0) {
        const BinomialTails tails(out.n, out.chance);
        out.pLower = tails.lower(out.chosen);
        out.pUpper = tails.upper(out.chosen);
    }
    out.meanWeight = ratio(tally.weight, chosen);
    out.biasDecidedShare = ratio(static_cast<double>(tally.decided), chosen);
    out.scored = tally.scored;
    out.scoredChosen = tally.scoredChosen;
    out.meanAffinity = ratio(tally.affinity, static_cast<double>(tally.scored));
    out.meanAffinityWhenChosen =
        ratio(tally.affinityChosen, static_cast<double>(tally.scoredChosen));
}

}  // namespace

ExpertProfile expertProfile(const RoutingShape& shape, std::span<const RoutedToken* const> tokens,
                            int row, int expert, const ProfileOptions& options) {
    checkWanted(shape, row, expert);
    Tally tally(shape, row, expert);
    for (const RoutedToken* token : tokens) {
        tally.add(*token);
    }
    ExpertProfile out;
    out.row = row;
    const auto at = static_cast<std::size_t>(row);
    out.layer = at < shape.layers.size() ? shape.layers[at] : shape.mtpLayer;
    out.expert = expert;
    setTotals(out, tally, shape.experts);
    out.shrinkage = options.shrinkage;
    out.leastSeen = options.leastSeen;
    out.distinctTokens = static_cast<std::int64_t>(tally.tokens.size());
    out.windowTokens = chosenWindow(out.n, options.window);
    out.layerBefore = tally.hasBefore() ? shape.layers[at - 1] : -1;
    out.layerAfter = tally.hasAfter() ? shape.layers[at + 1] : -1;
    if (out.n == 0) {
        return out;
    }
    out.windows = loadWindows(tally.moments, out.windowTokens, shape.experts);
    out.topTokens = topTokens(tally.tokens, out.chance, options);
    out.coactive = coactiveExperts(tally, expert);
    out.before = neighbours(tally.before, tally.beforeJoint, out.chosen, out.n);
    out.after = neighbours(tally.after, tally.afterJoint, out.chosen, out.n);
    keepFirst(out.topTokens, options.listed);
    keepFirst(out.coactive, options.listed);
    keepFirst(out.before, options.listed);
    keepFirst(out.after, options.listed);
    return out;
}

}  // namespace gatescope
