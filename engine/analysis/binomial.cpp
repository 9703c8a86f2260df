// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/binomial.h"

#include <algorithm>
#include <cmath>

#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kNormalVariance = 1e8;
constexpr double kLeastMass = 1e-300;  // relative to the mode's

double normalUpper(double z) {
    return 0.5 * std::erfc(z / std::sqrt(2.0));
}

}  // namespace

BinomialTails::BinomialTails(std::int64_t n, double p) : m_n(n), m_p(p) {
    if (n < 0 || !(p >= 0 && p <= 1)) {
        throw Error(fmt::format("binomial tails: n {} and p {} make no distribution", n, p));
    }
    if (static_cast<double>(n) * p * (1 - p) <= kNormalVariance) {
        sumMass();
    }
}

void BinomialTails::sumMass() {
    if (m_p <= 0 || m_p >= 1) {
        m_first = m_p <= 0 ? 0 : m_n;
        m_lower = m_upper = {1.0};
        return;
    }
    // Masses relative to the mode's, outwards by their ratios: no factorial, no cancellation.
    const auto n = static_cast<double>(m_n);
    const double odds = m_p / (1 - m_p);
    const std::int64_t mode = std::min(m_n, static_cast<std::int64_t>(std::floor((n + 1) * m_p)));
    std::vector<double> below;  // mode - 1, mode - 2, ...
    double mass = 1;
    for (std::int64_t x = mode; x > 0; --x) {
        mass *= static_cast<double>(x) / (static_cast<double>(m_n - x + 1) * odds);
        if (mass < kLeastMass) {
            break;
        }
        below.push_back(mass);
    }
    m_first = mode - static_cast<std::int64_t>(below.size());
    std::vector<double> masses(below.rbegin(), below.rend());
    mass = 1;
    for (std::int64_t x = mode; mass >= kLeastMass; ++x) {
        masses.push_back(mass);
        if (x == m_n) {
            break;
        }
        mass *= static_cast<double>(m_n - x) / static_cast<double>(x + 1) * odds;
    }
    m_lower.resize(masses.size());
    m_upper.resize(masses.size());
    double sum = 0;
    for (std::size_t i = 0; i < masses.size(); ++i) {
        m_lower[i] = sum += masses[i];
    }
    sum = 0;
    for (std::size_t i = masses.size(); i-- > 0;) {
        m_upper[i] = sum += masses[i];
    }
    const double total = m_lower.back();
    for (std::size_t i = 0; i < masses.size(); ++i) {
        m_lower[i] = std::min(1.0, m_lower[i] / total);
        m_upper[i] = std::min(1.0, m_upper[i] / total);
    }
}

double BinomialTails::lower(std::int64_t count) const {
    if (count >= m_n) {
        return 1;
    }
    if (!exact()) {
        const double mean = static_cast<double>(m_n) * m_p;
        return normalUpper((mean - static_cast<double>(count) - 0.5) / std::sqrt(mean * (1 - m_p)));
    }
    if (count < m_first) {
        return 0;
    }
    const auto index = static_cast<std::size_t>(count - m_first);
    return index < m_lower.size() ? m_lower[index] : 1;
}

double BinomialTails::upper(std::int64_t count) const {
    if (count <= 0) {
        return 1;
    }
    if (!exact()) {
        const double mean = static_cast<double>(m_n) * m_p;
        return normalUpper((static_cast<double>(count) - 0.5 - mean) / std::sqrt(mean * (1 - m_p)));
    }
    if (count <= m_first) {
        return 1;
    }
    const auto index = static_cast<std::size_t>(count - m_first);
    return index < m_upper.size() ? m_upper[index] : 0;
}

double BinomialTails::twoSided(std::int64_t count) const {
    return std::min(1.0, 2 * std::min(lower(count), upper(count)));
}

}  // namespace gatescope
