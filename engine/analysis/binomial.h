// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace gatescope {

/// Exact tails of Bin(n, p) for many counts: the mass is summed once, from both ends inwards, and
/// never as a difference from 1, so small tails keep their digits. O(38 standard deviations) in
/// time and memory; beyond a variance of 10^8 the normal limit (with continuity correction) serves.
class BinomialTails {
  public:
    /// Throws Error for n < 0 or p outside [0, 1].
    BinomialTails(std::int64_t n, double p);

    double lower(std::int64_t count) const;  ///< P(X <= count)
    double upper(std::int64_t count) const;  ///< P(X >= count)
    /// Twice the smaller tail, at most 1.
    double twoSided(std::int64_t count) const;

  private:
    void sumMass();
    bool exact() const { return !m_lower.empty(); }

    std::int64_t m_n;
    double m_p;
    std::int64_t m_first = 0;     ///< count of m_lower[0]; below it the mass is below 10^-300
    std::vector<double> m_lower;  ///< P(X <= m_first + i)
    std::vector<double> m_upper;  ///< P(X >= m_first + i)
};

}  // namespace gatescope
