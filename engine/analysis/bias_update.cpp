// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/bias_update.h"

#include <cmath>
#include <limits>
#include <vector>

#include "engine/error.h"

namespace gatescope {

namespace {

void check(std::size_t biases, std::span<const std::int64_t> load, double gamma) {
    if (biases != load.size()) {
        throw Error(fmt::format("bias update: {} loads for {} biases", load.size(), biases));
    }
    if (!(gamma >= 0) || !std::isfinite(gamma)) {
        throw Error(fmt::format("bias update: gamma is {}, not zero or more", gamma));
    }
}

std::int64_t sumOf(std::span<const std::int64_t> load) {
    std::int64_t sum = 0;
    for (const std::int64_t count : load) {
        if (count < 0 || count > std::numeric_limits<std::int64_t>::max() - sum) {
            throw Error(fmt::format("bias update: a load of {} cannot be added up", count));
        }
        sum += count;
    }
    return sum;
}

/// sign(mean - load_i) without dividing: with sum = q E + r, load_i lies below the mean when it is
/// below q, or equal to q while r > 0.
std::vector<int> directions(std::span<const std::int64_t> load) {
    const std::int64_t sum = sumOf(load);
    const auto experts = static_cast<std::int64_t>(load.size());
    std::vector<int> out;
    out.reserve(load.size());
    for (const std::int64_t count : load) {
        const std::int64_t q = sum / experts;
        const bool below = count < q || (count == q && sum % experts > 0);
        out.push_back(below ? 1 : (count > q ? -1 : 0));
    }
    return out;
}

template <typename Value>
void update(std::span<Value> bias, std::span<const std::int64_t> load, double gamma,
            BiasRule rule) {
    check(bias.size(), load, gamma);
    const std::vector<int> direction = directions(load);
    int sum = 0;
    for (const int d : direction) {
        sum += d;
    }
    const double shift = rule == BiasRule::MeanCentred && !direction.empty()
                             ? static_cast<double>(sum) / static_cast<double>(direction.size())
                             : 0.0;
    for (std::size_t i = 0; i < bias.size(); ++i) {
        bias[i] = static_cast<Value>(static_cast<double>(bias[i]) + gamma * (direction[i] - shift));
    }
}

}  // namespace

void updateBias(std::span<float> bias, std::span<const std::int64_t> load, double gamma,
                BiasRule rule) {
    update(bias, load, gamma, rule);
}

void updateBias(std::span<double> bias, std::span<const std::int64_t> load, double gamma,
                BiasRule rule) {
    update(bias, load, gamma, rule);
}

}  // namespace gatescope
