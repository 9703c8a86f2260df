// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "views/plot.h"

namespace gatescope {

/// How values become colours.
struct MapScale {
    enum class Kind {
        Relative,   ///< 1 is the fair share: log2(1 + x) up to 3, viridis
        Weight,     ///< from 0 to limit, viridis
        Diverging,  ///< from -limit to limit, blue, white, orange
    };
    Kind kind = Kind::Relative;
    double limit = 1;  ///< not for Relative
    QString name;
    bool operator==(const MapScale&) const = default;

    /// Where a value stands on the colour scale's axis.
    double drawn(double value) const;
    /// The axis from end to end.
    QCPRange range() const;
};

/// The colour of a value as QCPColorScale shows it, for many values at a time: no logarithm for
/// each.
class CellColours {
  public:
    CellColours() = default;
    /// `missing` is NaN's colour.
    CellColours(const MapScale& scale, const QCPColorGradient& gradient, QRgb missing);

    QRgb missing() const { return m_missing; }
    QRgb operator()(double value) const {
        if (value != value) {
            return m_missing;
        }
        return m_colours[m_bounds.empty() ? linearStep(value) : relativeStep(value)];
    }

  private:
    static constexpr int kSteps = 256;
    static constexpr double kPerUnit = 1024;  ///< entries of m_firstStep for values of 0 to 1

    std::size_t linearStep(double value) const {
        const double step = (value - m_lower) * m_perValue;
        return step <= 0 ? 0 : step >= kSteps - 1 ? kSteps - 1 : static_cast<std::size_t>(step);
    }
    std::size_t relativeStep(double value) const {
        if (!(value > 0)) {
            return 0;
        }
        if (value >= m_bounds.back()) {
            return kSteps - 1;
        }
        std::size_t step = m_firstStep[static_cast<std::size_t>(value * kPerUnit)];
        while (value >= m_bounds[step + 1]) {  // at most once: entries are finer than steps
            ++step;
        }
        return step;
    }

    std::array<QRgb, kSteps> m_colours{};
    QRgb m_missing = 0;
    double m_lower = 0;
    double m_perValue = 0;
    std::vector<double> m_bounds;           ///< Relative: the smallest value of each step
    std::vector<std::uint8_t> m_firstStep;  ///< Relative: step of the value i / kPerUnit
};

}  // namespace gatescope
