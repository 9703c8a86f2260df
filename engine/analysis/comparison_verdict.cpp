// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/comparison_verdict.h"

#include <algorithm>
#include <cmath>

#include "engine/analysis/family_wise.h"

namespace gatescope {

namespace {

int layersBeyond(std::span<const double> pValues, double alpha) {
    const std::vector<double> holm = holmAdjusted(pValues);
    return static_cast<int>(
        std::count_if(holm.begin(), holm.end(), [alpha](double p) { return p <= alpha; }));
}

ComparisonVerdict::Kind kindOf(const ComparisonVerdict& verdict) {
    using Kind = ComparisonVerdict::Kind;
    if (verdict.tokensA == 0 || verdict.tokensB == 0) return Kind::NoTokens;
    if (!(verdict.smallestP * verdict.layersTested <= verdict.alpha)) return Kind::TooFewUnits;
    if (verdict.layersBeyond == 0) return Kind::NoDifference;
    const bool self = std::max(verdict.selfLayersA, verdict.selfLayersB) >= verdict.layersBeyond;
    return self ? Kind::SelfDifference : Kind::Difference;
}

}  // namespace

ComparisonVerdict comparisonVerdict(const PairComparison& pair, std::span<const double> selfPA,
                                    std::span<const double> selfPB) {
    ComparisonVerdict out;
    out.alpha = pair.options.alpha;
    out.smallestP = pair.scheme.smallestP;
    for (const ComparisonStratum& stratum : pair.strata) {
        if (stratum.phase == Phase::Draft || !stratum.tested) continue;
        out.tokensA += stratum.tokensA;
        out.tokensB += stratum.tokensB;
    }
    for (const LayerComparison& layer : pair.layers) {
        if (layer.mtp) continue;
        ++out.layersTested;
        if (layer.holm <= out.alpha) ++out.layersBeyond;
        const double strength = layer.stratified - layer.nullMean;
        if (!std::isnan(strength) && (out.strongestLayer < 0 || strength > out.strongest)) {
            out.strongestLayer = layer.layer;
            out.strongest = strength;
        }
    }
    out.selfLayersA = layersBeyond(selfPA, out.alpha);
    out.selfLayersB = layersBeyond(selfPB, out.alpha);
    out.kind = kindOf(out);
    return out;
}

}  // namespace gatescope
