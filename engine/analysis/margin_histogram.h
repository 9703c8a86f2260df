// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace gatescope {

/// n, mean and minimum are exact; quantiles come from a histogram with eight bins per octave
/// (within 6 %). NaN without tokens.
struct MarginSummary {
    std::int64_t n = 0;
    double mean = 0;
    double minimum = 0;
    double tenth = 0;  ///< 10 % quantile
    double median = 0;
    std::int64_t fragile = 0;  ///< margins below the noise
};

/// Margins (zero or more) of any number of tokens in bounded memory.
class MarginHistogram {
  public:
    /// Not finite or negative: not counted.
    void add(float margin, double noise);
    void merge(const MarginHistogram& other);
    MarginSummary summary() const;

  private:
    double quantile(double share) const;

    std::int64_t m_n = 0;
    std::int64_t m_fragile = 0;
    double m_sum = 0;
    float m_minimum = 0;
    std::vector<std::int64_t> m_bins;  ///< empty until something was counted
};

}  // namespace gatescope
