// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/comparison.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/analysis/comparison_tokens.h"
#include "engine/analysis/comparison_units.h"
#include "engine/analysis/comparison_verdict.h"
#include "engine/analysis/false_discovery.h"
#include "engine/analysis/family_wise.h"
#include "engine/analysis/load_distance.h"
#include "engine/analysis/load_statistics.h"
#include "engine/analysis/permutation_test.h"
#include "engine/analysis/shifted_experts.h"
#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int kMostBlockTokens = 1 << 20;
constexpr int kMostPermutations = 1'000'000;

void checkOptions(const ComparisonOptions& options) {
    if (options.blockTokens < 1 || options.blockTokens > kMostBlockTokens) {
        throw Error(fmt::format("comparing runs: blocks of {} tokens, where 1 to {} are possible",
                                options.blockTokens, kMostBlockTokens));
    }
    if (options.permutations < 1 || options.permutations > kMostPermutations) {
        throw Error(fmt::format("comparing runs: {} permutations, where 1 to {} are possible",
                                options.permutations, kMostPermutations));
    }
    if (!(options.alpha > 0 && options.alpha < 1)) {
        throw Error(fmt::format("comparing runs: a level of {}, where above 0 and below 1 is meant",
                                options.alpha));
    }
}

/// One run against itself.
struct SelfTest {
    UnitLabels labels;
    PermutationTest test;
};

/// The main layers or the MTP layer of a pair: everything that is permuted together.
struct LayerSet {
    ComparisonUnits units;
    UnitLabels labels;
    PermutationTest test;
    std::array<SelfTest, 2> self;  ///< [side]
};

class PairTester {
  public:
    PairTester(const ComparedRun& a, const ComparedRun& b, const ComparisonOptions& options,
               const Progress& progress)
        : m_options(options), m_progress(progress), m_tokens(tokens(a, b)) {}

    PairComparison compare() {
        m_out.options = m_options;
        m_out.shape = m_tokens.shape;
        m_out.prefixTokens = m_tokens.prefixTokens;
        m_out.unit = unitOf(m_tokens);
        m_out.blockTokens = usedBlockTokens(m_tokens, m_options.blockTokens);
        m_out.loadA = m_tokens.loads[0];
        m_out.loadB = m_tokens.loads[1];
        const bool mtp = m_tokens.shape.mtpLayer >= 0;
        LayerSet main = cut(false);
        LayerSet draft = cut(true);
        for (const LayerSet* set : {&main, &draft}) {
            m_total += set->labels.count();
            for (const SelfTest& self : set->self) m_total += self.labels.count();
        }
        run(main);
        run(draft);
        addStrata(main.units);
        if (mtp) addStrata(draft.units);
        m_out.scheme = scheme(main.labels);
        m_out.mtpScheme = scheme(draft.labels);
        m_out.selfSchemeA = scheme(main.self[0].labels);
        m_out.selfSchemeB = scheme(main.self[1].labels);
        for (std::size_t i = 0; i < m_tokens.shape.layers.size(); ++i) addLayer(main, i, false);
        if (mtp) addLayer(draft, m_tokens.shape.layers.size(), true);
        adjustLayers();
        addExperts(main, draft);
        m_out.verdict =
            comparisonVerdict(m_out, main.self[0].test.pValue, main.self[1].test.pValue);
        return std::move(m_out);
    }

  private:
    ComparedTokens tokens(const ComparedRun& a, const ComparedRun& b) const {
        checkOptions(m_options);
        if (m_progress && !m_progress("counting choices", 0, 1)) throw Cancelled();
        return comparedTokens(a, b, m_options);
    }
    UnitLabels labels(const ComparisonUnits& units, std::vector<LabelGroup> groups,
                      int permutations) const {
        return {units.sides.size(), std::move(groups), m_options.seed, permutations};
    }
    /// Enough for twice the resolution that Holm's correction over the layers needs.
    int selfPermutations() const {
        const auto layers = static_cast<double>(m_tokens.shape.layers.size());
        const double needed = std::max(999.0, std::ceil(2 * layers / m_options.alpha));
        return static_cast<int>(std::min<double>(m_options.permutations, needed));
    }
    LayerSet cut(bool mtp) const {
        ComparisonUnits units = comparisonUnits(m_tokens, mtp, m_out.unit, m_out.blockTokens);
        UnitLabels all = labels(units, units.labelGroups(), m_options.permutations);
        SelfTest a{labels(units, units.halves(0), selfPermutations()), {}};
        SelfTest b{labels(units, units.halves(1), selfPermutations()), {}};
        return {std::move(units), std::move(all), {}, {std::move(a), std::move(b)}};
    }
    void run(LayerSet& set) {
        set.test = run(set.units, set.labels, true);
        for (SelfTest& self : set.self) self.test = run(set.units, self.labels, false);
    }
    PermutationTest run(const ComparisonUnits& units, const UnitLabels& labels, bool experts) {
        PermutationOptions options;
        options.experts = experts;
        options.threads = m_options.threads;
        if (m_progress) {
            options.progress = [this](std::int64_t done) {
                return m_progress("exchanging labels", static_cast<std::uint64_t>(m_done + done),
                                  static_cast<std::uint64_t>(m_total));
            };
        }
        PermutationTest out = permutationTest(units, labels, options);
        m_done += labels.count();
        return out;
    }

    void addStrata(const ComparisonUnits& units);
    static PermutationScheme scheme(const UnitLabels& labels);
    void addLayer(const LayerSet& set, std::size_t row, bool mtp);
    static SelfComparison selfComparison(const LayerSet& set, const SelfTest& self, int side,
                                         int row);
    void adjustLayers();
    void addExperts(const LayerSet& main, const LayerSet& draft);
    std::vector<ShiftedExpert> listed(const PermutationTest& test, bool mtp) const;

    const ComparisonOptions& m_options;
    const Progress& m_progress;
    ComparedTokens m_tokens;
    PairComparison m_out;
    std::vector<RowShares> m_shares;  ///< by row
    std::int64_t m_done = 0;
    std::int64_t m_total = 0;
};

void PairTester::addStrata(const ComparisonUnits& units) {
    const bool mtp = !m_out.strata.empty();
    for (int index = mtp ? kMainStrata : 0; index < (mtp ? kComparisonStrata : kMainStrata);
         ++index) {
        ComparisonStratum stratum;
        stratum.phase = static_cast<Phase>(index / 2);
        stratum.special = index % 2 != 0;
        stratum.tokensA = m_tokens.tokens(0, index);
        stratum.tokensB = m_tokens.tokens(1, index);
        stratum.tested = m_tokens.tested[static_cast<std::size_t>(index)];
        const auto found = std::find(units.strataIndex.begin(), units.strataIndex.end(), index);
        if (found != units.strataIndex.end()) {
            const auto at = static_cast<std::size_t>(found - units.strataIndex.begin());
            for (const std::uint32_t unit : units.strata[at].units) {
                ++(units.sides[unit] == 0 ? stratum.unitsA : stratum.unitsB);
            }
        }
        m_out.strata.push_back(stratum);
    }
}

PermutationScheme PairTester::scheme(const UnitLabels& labels) {
    return {labels.unitsFirst(), labels.unitsSecond(), labels.assignments(),
            labels.exact(),      labels.count(),       labels.smallestP()};
}

SelfComparison PairTester::selfComparison(const LayerSet& set, const SelfTest& self, int side,
                                          int row) {
    const ComparisonUnits& units = set.units;
    std::vector<std::uint8_t> first(units.sides.size());
    self.labels.observed(first);
    std::vector<std::uint8_t> second(units.sides.size(), 0);
    for (const LabelGroup& group : self.labels.groups()) {
        for (const std::uint32_t unit : group.units) second[unit] = first[unit] == 0 ? 1 : 0;
    }
    SelfComparison out;
    for (std::size_t unit = 0; unit < units.sides.size(); ++unit) {
        if (units.sides[unit] != side) continue;
        if (first[unit] != 0) out.tokensFirst += units.tokens[unit];
        if (second[unit] != 0) out.tokensSecond += units.tokens[unit];
    }
    out.divergence = jensenShannon(units.counts(row, first), units.counts(row, second));
    out.pValue = self.test.pValue[static_cast<std::size_t>(row)];
    return out;
}

void PairTester::addLayer(const LayerSet& set, std::size_t row, bool mtp) {
    m_shares.push_back(rowShares(m_tokens, static_cast<int>(row)));
    const RowShares& shares = m_shares.back();
    const std::size_t at = mtp ? 0 : row;  // row of the set
    LayerComparison out;
    out.layer = mtp ? m_tokens.shape.mtpLayer : m_tokens.shape.layers[row];
    out.mtp = mtp;
    const auto first = mtp ? kMainStrata : 0;
    for (int stratum = first; stratum < (mtp ? kComparisonStrata : kMainStrata); ++stratum) {
        if (!m_tokens.tested[static_cast<std::size_t>(stratum)]) continue;
        out.tokensA += m_tokens.tokens(0, stratum);
        out.tokensB += m_tokens.tokens(1, stratum);
    }
    out.divergence = jensenShannon(shares.countsA, shares.countsB);
    out.stratified = set.test.observed[at];
    out.nullMean = set.test.nullMean[at];
    out.nullP95 = set.test.nullP95[at];
    out.pValue = set.test.pValue[at];
    const LoadDistance distance = loadDistance(shares.countsA, shares.countsB);
    out.totalVariation = distance.totalVariation;
    out.cosine = distance.cosine;
    out.spearman = distance.spearman;
    out.maxVioA = loadStatistics(shares.countsA).maxVio;
    out.maxVioB = loadStatistics(shares.countsB).maxVio;
    out.selfA = selfComparison(set, set.self[0], 0, static_cast<int>(at));
    out.selfB = selfComparison(set, set.self[1], 1, static_cast<int>(at));
    m_out.layers.push_back(out);
}

/// Over the main layers; the MTP layer is one test by itself.
void PairTester::adjustLayers() {
    std::vector<double> pValues;
    for (const LayerComparison& layer : m_out.layers) {
        if (!layer.mtp) pValues.push_back(layer.pValue);
    }
    const std::vector<double> holm = holmAdjusted(pValues);
    const std::vector<double> discovery = adjustedPValues(pValues);
    for (std::size_t i = 0; i < m_out.layers.size(); ++i) {
        LayerComparison& layer = m_out.layers[i];
        layer.holm = layer.mtp ? layer.pValue : holm[i];
        layer.qValue = layer.mtp ? layer.pValue : discovery[i];
    }
}

/// The experts of the main layers or of the MTP layer, without intervals, the most shifted first.
std::vector<ShiftedExpert> PairTester::listed(const PermutationTest& test, bool mtp) const {
    std::vector<ShiftedExpert> out;
    const auto width = static_cast<std::size_t>(m_tokens.shape.experts);
    for (std::size_t i = 0; i < test.adjusted.size(); ++i) {
        const std::size_t row = mtp ? m_tokens.shape.layers.size() : i / width;
        if (row >= m_shares.size() || std::isnan(test.adjusted[i])) continue;
        const RowShares& shares = m_shares[row];
        const std::size_t expert = i % width;
        if (shares.countsA[expert] + shares.countsB[expert] == 0) continue;
        ShiftedExpert shifted;
        shifted.layer = mtp ? m_tokens.shape.mtpLayer : m_tokens.shape.layers[row];
        shifted.mtp = mtp;
        shifted.expert = static_cast<int>(expert);
        shifted.countA = shares.countsA[expert];
        shifted.countB = shares.countsB[expert];
        shifted.shareA = shares.a[expert];
        shifted.shareB = shares.b[expert];
        shifted.log2Ratio = shares.log2Ratio(expert);
        shifted.pAdjusted = test.adjusted[i];
        shifted.score = -test.scores[i];
        out.push_back(shifted);
    }
    return out;
}

void PairTester::addExperts(const LayerSet& main, const LayerSet& draft) {
    std::vector<ShiftedExpert> all = listed(main.test, false);
    m_out.expertsTested = std::ssize(all);
    m_out.expertsBeyond = std::count_if(
        all.begin(), all.end(),
        [this](const ShiftedExpert& expert) { return expert.pAdjusted <= m_options.alpha; });
    const std::vector<ShiftedExpert> mtp = listed(draft.test, true);
    all.insert(all.end(), mtp.begin(), mtp.end());
    std::stable_sort(all.begin(), all.end(), [](const ShiftedExpert& a, const ShiftedExpert& b) {
        return std::pair(a.pAdjusted, -std::abs(a.score)) <
               std::pair(b.pAdjusted, -std::abs(b.score));
    });
    if (all.size() > kShiftedExperts) all.resize(kShiftedExperts);
    const ShareBootstrap mainUnits(main.units, m_options.seed);
    const ShareBootstrap draftUnits(draft.units, m_options.seed);
    for (ShiftedExpert& expert : all) {
        const ShareBootstrap& bootstrap = expert.mtp ? draftUnits : mainUnits;
        const int row = expert.mtp ? 0 : m_out.loadA->rowOfLayer(expert.layer);
        expert.log2Ratio95 = bootstrap.interval(row, expert.expert, 1 - m_options.alpha);
    }
    m_out.experts = std::move(all);
    for (const RowShares& shares : m_shares) {
        for (std::size_t i = 0; i < shares.countsA.size(); ++i) {
            const bool enough = shares.countsA[i] + shares.countsB[i] >= kFewestChoices;
            m_out.difference.push_back(enough ? shares.log2Ratio(i) : kNaN);
        }
    }
}

}  // namespace

PairComparison comparePair(const ComparedRun& a, const ComparedRun& b,
                           const ComparisonOptions& options, const Progress& progress) {
    return PairTester(a, b, options, progress).compare();
}

Comparison compareRuns(std::vector<ComparedRun> runs, const ComparisonOptions& options,
                       const Progress& progress) {
    if (runs.size() < 2 || runs.size() > kMostComparedRuns) {
        throw Error(fmt::format("comparing runs: {} of them, where 2 to {} can be compared",
                                runs.size(), kMostComparedRuns));
    }
    Comparison out;
    out.runs = std::move(runs);
    for (const ComparedRun& run : out.runs) out.figures.push_back(runFigures(run, options.phases));
    for (std::size_t i = 1; i < out.runs.size(); ++i) {
        // The pairs follow each other; how far one is says how far all are.
        const auto pairs = static_cast<std::uint64_t>(out.runs.size() - 1);
        Progress ofPair;
        if (progress) {
            ofPair = [&](std::string_view what, std::uint64_t done, std::uint64_t total) {
                return progress(what, (i - 1) * total + done, pairs * total);
            };
        }
        out.pairs.push_back(comparePair(out.runs[0], out.runs[i], options, ofPair));
        out.pairs.back().b = static_cast<int>(i);
    }
    return out;
}

}  // namespace gatescope
