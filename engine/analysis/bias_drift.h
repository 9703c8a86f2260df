// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

/// How far two biases of one layer lie apart. A constant added to all biases of a layer changes no
/// choice (nor any order of groups), so each side's mean is removed first.
struct BiasDriftRow {
    int layer = -1;
    bool mtp = false;
    std::vector<double> difference;  ///< [E] (b - mean b) - (b' - mean b')
    double largest = 0;              ///< max |difference|
    double rms = 0;
    /// Spearman's rank correlation of b and b'; NaN when either is constant.
    double rankCorrelation = 0;
    double shift = 0;  ///< mean b - mean b': what was removed
};

struct BiasDrift {
    RoutingShape shape;
    std::vector<BiasDriftRow> rows;
};

/// `bias` against `reference`, both [rows][E], the MTP layer last. Throws Error if either does not
/// fit the shape.
BiasDrift biasDrift(const RoutingShape& shape, const std::vector<std::vector<float>>& bias,
                    const std::vector<std::vector<float>>& reference);

/// The correction biases of a model folder; no other weight is read.
struct RouterBiases {
    RoutingShape shape;
    std::vector<std::vector<float>> byRow;  ///< [rows][E], the MTP layer last
};

/// Throws Error if the folder is no model, has no correction bias, or a bias is missing or
/// malformed.
RouterBiases readRouterBiases(const std::filesystem::path& dir);

/// Of another checkpoint against this model's bias: `reference` is what the model has. Throws
/// Error with one sentence if layers or experts do not agree.
BiasDrift checkpointDrift(const RoutingShape& shape,
                          const std::vector<std::vector<float>>& reference,
                          const RouterBiases& other);

/// Spearman's rank correlation, ties get their mean rank; NaN for fewer than two values or when
/// either side is constant.
double rankCorrelation(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace gatescope
