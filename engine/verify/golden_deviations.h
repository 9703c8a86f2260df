// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "engine/verify/deviation.h"
#include "engine/verify/tolerances.h"

namespace gatescope {

/// Deviations of one model on one attention path, main model or MTP module.
struct GoldenDeviations {
    Deviation logits;
    Deviation kl;  ///< by row, golden distribution to ours, in nats
    Deviation hidden;
    Deviation cache;
    Deviation hiddenBeforeRouting;  ///< what no choice of experts has reached
    Deviation cacheBeforeRouting;
    Deviation scores;
    Deviation weights;
    Mismatches experts;
    Mismatches routingRows;  ///< a row: the experts of one token in one layer, as a set
    Mismatches argMax;

    /// Rows of `width` logits; the part of `actual` that `expected` covers, from its start.
    void addLogits(const std::string& where, std::span<const float> expected,
                   std::span<const float> actual, std::size_t width);
    /// Rows of `width` expert ids.
    void addChoices(const std::string& where, std::span<const std::int32_t> expected,
                    std::span<const std::int32_t> actual, std::size_t width);

    /// `prefix` stands before the quantities: "MTP ".
    void reportFloat32(const std::string& subject, const std::string& prefix,
                       const CheckSink& sink) const;
    void reportReduced(const std::string& subject, const std::string& prefix,
                       const ReducedLimits& limits, const CheckSink& sink) const;
};

/// A sink that writes the class of tolerances onto every check.
inline CheckSink labelled(const CheckSink& sink, Tolerance tolerance) {
    return [&sink, tolerance](Check check) {
        check.tolerance = name(tolerance);
        sink(check);
    };
}

/// ln sum exp of a row, in float64.
double logSumExp(std::span<const float> row);

}  // namespace gatescope
