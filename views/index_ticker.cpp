// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/index_ticker.h"

#include <algorithm>
#include <cmath>

namespace gatescope {

double IndexTicker::getTickStep(const QCPRange& range) {
    const double wanted = range.size() / std::max(1, mTickCount);
    double step = 1;
    for (int i = 0; step < wanted; ++i) {
        // 1 2 4 8 ... or 1 2 5 10 20 50 ...
        step *= m_steps == Steps::Binary || i % 3 != 1 ? 2.0 : 2.5;
    }
    return step;
}

QVector<double> IndexTicker::createTickVector(double step, const QCPRange& range) {
    QVector<double> ticks;
    const double first = std::max(0.0, std::ceil(range.lower / step) * step);
    for (double tick = first; tick <= std::min(range.upper, m_last); tick += step) {
        ticks.push_back(tick);
    }
    if (m_named >= 0 && range.contains(m_named)) {
        // The named tick stands alone: a number right above it would run into its name.
        while (!ticks.isEmpty() && m_named - ticks.back() < 0.75 * step) {
            ticks.pop_back();
        }
        ticks.push_back(m_named);
    }
    return ticks;
}

QString IndexTicker::getTickLabel(double tick, const QLocale&, QChar, int) {
    return m_named >= 0 && tick == m_named ? m_name : QString::number(qRound(tick));
}

}  // namespace gatescope
