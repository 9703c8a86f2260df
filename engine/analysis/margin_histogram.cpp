// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/margin_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace gatescope {

namespace {

// A bin is the exponent and the first three bits of the mantissa of a float, from 2^-30 to 2^6.
// Bin 0 takes everything below, the last bin everything above.
constexpr std::uint32_t kFirst = (127 - 30) << 3;
constexpr std::uint32_t kLast = (127 + 6) << 3;
constexpr std::size_t kBins = kLast - kFirst + 2;

std::size_t binOf(float margin) {
    const std::uint32_t key = std::bit_cast<std::uint32_t>(margin) >> 20;
    return key < kFirst ? 0 : std::min<std::size_t>(key - kFirst + 1, kBins - 1);
}

double lowerEdge(std::size_t bin) {
    if (bin == 0) {
        return 0;
    }
    const auto key = kFirst + static_cast<std::uint32_t>(bin) - 1;
    return static_cast<double>(std::bit_cast<float>(key << 20));
}

}  // namespace

void MarginHistogram::add(float margin, double noise) {
    if (!std::isfinite(margin) || margin < 0) {
        return;
    }
    if (m_bins.empty()) {
        m_bins.assign(kBins, 0);
        m_minimum = margin;
    }
    ++m_n;
    ++m_bins[binOf(std::abs(margin))];  // abs: -0 has another exponent
    m_fragile += static_cast<double>(margin) < noise ? 1 : 0;
    m_sum += static_cast<double>(margin);
    m_minimum = std::min(m_minimum, margin);
}

void MarginHistogram::merge(const MarginHistogram& other) {
    if (other.m_n == 0) {
        return;
    }
    if (m_n == 0) {
        *this = other;
        return;
    }
    m_n += other.m_n;
    m_fragile += other.m_fragile;
    m_sum += other.m_sum;
    m_minimum = std::min(m_minimum, other.m_minimum);
    for (std::size_t i = 0; i < kBins; ++i) {
        m_bins[i] += other.m_bins[i];
    }
}

double MarginHistogram::quantile(double share) const {
    const double target = share * static_cast<double>(m_n);
    double below = 0;
    for (std::size_t bin = 0; bin < kBins; ++bin) {
        const auto here = static_cast<double>(m_bins[bin]);
        if (here > 0 && below + here >= target) {
            const double inside = (target - below) / here;
            const double at = lowerEdge(bin) + inside * (lowerEdge(bin + 1) - lowerEdge(bin));
            return std::max(at, static_cast<double>(m_minimum));
        }
        below += here;
    }
    return std::numeric_limits<double>::quiet_NaN();
}

MarginSummary MarginHistogram::summary() const {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    if (m_n == 0) {
        return {0, nan, nan, nan, nan, 0};
    }
    return {m_n,
            m_sum / static_cast<double>(m_n),
            static_cast<double>(m_minimum),
            quantile(0.1),
            quantile(0.5),
            m_fragile};
}

}  // namespace gatescope
