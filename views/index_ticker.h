// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "views/plot.h"

namespace gatescope {

/// Ticks at whole numbers, with steps people expect of an index, and perhaps one named tick outside
/// the row of numbers (the MTP layer).
class IndexTicker final : public QCPAxisTicker {
  public:
    /// Binary steps suit experts in groups of 2^n, decimal ones suit layers.
    enum class Steps { Binary, Decimal };
    explicit IndexTicker(Steps steps) : m_steps(steps) {}

    void setLast(double last) { m_last = last; }
    void setNamed(double coordinate, const QString& name) {
        m_named = coordinate;
        m_name = name;
    }

  protected:
    double getTickStep(const QCPRange& range) override;
    int getSubTickCount(double) override { return 0; }
    QVector<double> createTickVector(double step, const QCPRange& range) override;
    QString getTickLabel(double tick, const QLocale&, QChar, int) override;

  private:
    Steps m_steps;
    double m_last = 0;
    double m_named = -1;
    QString m_name;
};

}  // namespace gatescope
