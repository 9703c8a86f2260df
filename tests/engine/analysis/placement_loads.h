// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "engine/analysis/placement.h"

namespace gatescope {

/// Made-up routing of a model: what each expert can expect while planning and afterwards.
struct SyntheticLoads {
    std::string name;
    ExpertLoads expected;  ///< choices of one window while the plan is made
    double drift = 0;      ///< spread of the logarithms of how a later window's loads differ
};

struct SyntheticShape {
    int layers = 61;
    int experts = 256;
    int topK = 8;
};

/// Shares scaled to `tokens` top-k choices; no expert can be chosen more than once by a token.
inline std::vector<double> choicesOf(std::vector<double> shares, double tokens, int topK) {
    for (int round = 0; round < 20; ++round) {
        const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
        for (double& share : shares) share = std::min(share * topK / sum, 1.0);
    }
    for (double& share : shares) share *= tokens;
    return shares;
}

/// Layers whose expert of rank j is chosen as j^-exponent, ranks shuffled in each.
inline ExpertLoads zipfLoads(const SyntheticShape& shape, double exponent, double tokens,
                             std::mt19937_64& random) {
    ExpertLoads out{shape.layers, shape.experts, {}};
    for (int layer = 0; layer < shape.layers; ++layer) {
        std::vector<double> shares;
        for (int j = 1; j <= shape.experts; ++j) shares.push_back(std::pow(j, -exponent));
        std::shuffle(shares.begin(), shares.end(), random);
        const auto row = choicesOf(std::move(shares), tokens, shape.topK);
        out.values.insert(out.values.end(), row.begin(), row.end());
    }
    return out;
}

/// Log-normal loads; each layer's logarithms keep `correlation` of those of the layer before.
inline ExpertLoads correlatedLoads(const SyntheticShape& shape, double spread, double correlation,
                                   double tokens, std::mt19937_64& random) {
    ExpertLoads out{shape.layers, shape.experts, {}};
    std::normal_distribution<double> normal;
    std::vector<double> z(static_cast<std::size_t>(shape.experts));
    for (double& value : z) value = normal(random);
    for (int layer = 0; layer < shape.layers; ++layer) {
        std::vector<double> shares;
        for (double& value : z) {
            value = correlation * value + std::sqrt(1 - correlation * correlation) * normal(random);
            shares.push_back(std::exp(spread * value));
        }
        const auto row = choicesOf(std::move(shares), tokens, shape.topK);
        out.values.insert(out.values.end(), row.begin(), row.end());
    }
    return out;
}

/// Every load times a log-normal factor of its own.
inline ExpertLoads driftedLoads(const ExpertLoads& loads, double drift, std::mt19937_64& random) {
    ExpertLoads out = loads;
    std::normal_distribution<double> normal;
    for (double& value : out.values) value *= std::exp(drift * normal(random));
    return out;
}

/// Counts around the expected loads, as of tokens that choose independently of each other.
inline ExpertLoads sampledLoads(const ExpertLoads& expected, std::mt19937_64& random) {
    ExpertLoads out = expected;
    for (double& value : out.values) {
        value = static_cast<double>(std::poisson_distribution<std::int64_t>(value)(random));
    }
    return out;
}

/// The counts of one window of later traffic, drifted on its own.
inline ExpertLoads laterLoads(const SyntheticLoads& loads, std::mt19937_64& random) {
    return sampledLoads(driftedLoads(loads.expected, loads.drift, random), random);
}

constexpr int kSyntheticMatrices = 20;

/// Matrix `index` of 20: 7 Zipf, 7 with correlated layers, 6 drifting; 2,000 to 128,000 tokens.
inline SyntheticLoads syntheticLoads(int index, const SyntheticShape& shape = {}) {
    std::mt19937_64 random(1000U + static_cast<unsigned>(index));
    const double tokens = 2000.0 * std::pow(4.0, index % 4);
    const int variant = index % 7;
    SyntheticLoads out;
    if (index < 7) {
        out.name = "Zipf " + std::to_string(40 + 15 * variant) + "/100";
        out.expected = zipfLoads(shape, 0.40 + 0.15 * variant, tokens, random);
    } else if (index < 14) {
        out.name = "correlated " + std::to_string(30 + 15 * variant) + "/100";
        out.expected = correlatedLoads(shape, 0.30 + 0.15 * variant, 0.8, tokens, random);
    } else {
        out.name = "drifting " + std::to_string(5 + 5 * variant) + "/100";
        out.expected = index % 2 == 0 ? zipfLoads(shape, 0.8, tokens, random)
                                      : correlatedLoads(shape, 0.8, 0.8, tokens, random);
        out.drift = 0.05 + 0.05 * variant;
    }
    out.name += ", " + std::to_string(static_cast<int>(tokens)) + " tokens";
    return out;
}

}  // namespace gatescope
