// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cell_colours.h"

#include <cmath>
#include <numeric>

namespace gatescope {

double MapScale::drawn(double value) const {
    return kind == Kind::Relative ? std::log2(1.0 + value) : value;
}

QCPRange MapScale::range() const {
    return kind == Kind::Relative ? QCPRange(0, 2)
           : kind == Kind::Weight ? QCPRange(0, limit)
                                  : QCPRange(-limit, limit);
}

CellColours::CellColours(const MapScale& scale, const QCPColorGradient& gradient, QRgb missing)
    : m_missing(missing) {
    std::array<double, kSteps> steps{};
    std::iota(steps.begin(), steps.end(), 0.0);
    QCPColorGradient(gradient).colorize(steps.data(), QCPRange(0, kSteps - 1), m_colours.data(),
                                        kSteps);
    const QCPRange range = scale.range();
    m_lower = range.lower;
    m_perValue = (kSteps - 1) / range.size();
    if (scale.kind != MapScale::Kind::Relative) {
        return;
    }
    for (int step = 0; step < kSteps; ++step) {
        m_bounds.push_back(std::exp2(m_lower + step / m_perValue) - 1);
    }
    std::size_t step = 0;
    for (double value = 0; value < m_bounds.back() + 1 / kPerUnit; value += 1 / kPerUnit) {
        while (step + 1 < m_bounds.size() && value >= m_bounds[step + 1]) {
            ++step;
        }
        m_firstStep.push_back(static_cast<std::uint8_t>(step));
    }
}

}  // namespace gatescope
