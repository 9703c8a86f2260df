// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/token_overlap.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/error.h"

namespace gatescope {

namespace {

void check(const RoutingShape& shape, const RoutedToken& token) {
    const std::size_t rows = shape.layers.size();
    const std::size_t choices = rows * static_cast<std::size_t>(shape.topK);
    if (token.routing.experts.size() != choices || token.routing.weights.size() != choices) {
        throw Error(
            fmt::format("routing of token {}: {} choices and {} weights, expected {} in {} layers",
                        token.position, token.routing.experts.size(), token.routing.weights.size(),
                        choices, rows));
    }
    for (const std::uint16_t expert : token.routing.experts) {
        if (expert != kNoExpert && static_cast<int>(expert) >= shape.experts) {
            throw Error(fmt::format("routing of token {}: expert {} of {}", token.position, expert,
                                    shape.experts));
        }
    }
}

struct RowSum {
    int chosen = 0;
    double mass = 0;
};

/// Adds sign * g of one layer's choices to mass [E] and marks each expert in `seen`.
RowSum addRow(const RoutedToken& token, std::size_t row, std::size_t k, double sign,
              std::vector<double>& mass, std::vector<int>& seen) {
    RowSum sum;
    for (std::size_t j = row * k; j < (row + 1) * k; ++j) {
        if (token.routing.experts[j] == kNoExpert) {
            continue;
        }
        const std::size_t expert = token.routing.experts[j];
        const auto weight = static_cast<double>(token.routing.weights[j]);
        mass[expert] += sign * weight;
        sum.mass += weight;
        ++sum.chosen;
        const int mark = sign > 0 ? 1 : 2;
        if ((seen[expert] & mark) != 0) {
            throw Error(fmt::format("routing of token {}: expert {} is chosen twice in one layer",
                                    token.position, expert));
        }
        seen[expert] |= mark;
    }
    return sum;
}

LayerOverlap overlapOfRow(const RoutingShape& shape, const RoutedToken& a, const RoutedToken& b,
                          std::size_t row) {
    const auto k = static_cast<std::size_t>(shape.topK);
    std::vector<double> moved(static_cast<std::size_t>(shape.experts), 0.0);
    std::vector<int> seen(moved.size(), 0);
    LayerOverlap out;
    out.layer = shape.layers[row];
    const RowSum sumA = addRow(a, row, k, 1, moved, seen);
    const RowSum sumB = addRow(b, row, k, -1, moved, seen);
    out.chosen = std::max(sumA.chosen, sumB.chosen);
    out.mass = (sumA.mass + sumB.mass) / 2;
    for (std::size_t e = 0; e < moved.size(); ++e) {
        out.massMoved += std::abs(moved[e]) / 2;
        out.shared += seen[e] == 3 ? 1 : 0;
    }
    out.share = static_cast<double>(out.shared) / static_cast<double>(out.chosen);
    return out;
}

}  // namespace

TokenOverlap tokenOverlap(const RoutingShape& shape, const RoutedToken& a, const RoutedToken& b) {
    if (shape.experts < 1 || shape.topK < 1 || shape.topK > shape.experts) {
        throw Error(
            fmt::format("routing: cannot choose {} of {} experts", shape.topK, shape.experts));
    }
    check(shape, a);
    check(shape, b);
    TokenOverlap out;
    out.topK = shape.topK;
    out.chance = static_cast<double>(shape.topK) / static_cast<double>(shape.experts);
    for (std::size_t row = 0; row < shape.layers.size(); ++row) {
        out.layers.push_back(overlapOfRow(shape, a, b, row));
    }
    const double n = out.layers.empty() ? std::numeric_limits<double>::quiet_NaN()
                                        : static_cast<double>(out.layers.size());
    for (const LayerOverlap& layer : out.layers) {
        out.meanShare += layer.share;
        out.meanMassMoved += layer.massMoved;
        out.meanMass += layer.mass;
    }
    out.meanShare /= n;
    out.meanMassMoved /= n;
    out.meanMass /= n;
    return out;
}

}  // namespace gatescope
