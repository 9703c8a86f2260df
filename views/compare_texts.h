// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCoreApplication>
#include <QString>

#include "engine/analysis/comparison.h"

namespace gatescope {

/// The words of a comparison. Labels are those of the runs.
class CompareTexts {
    Q_DECLARE_TR_FUNCTIONS(CompareTexts)

  public:
    CompareTexts(const Comparison& comparison, const PairComparison& pair)
        : m_comparison(comparison), m_pair(pair) {}

    /// What can be said: one sentence.
    QString verdict() const;
    /// What cannot: one sentence, empty where the verdict says all.
    QString limits() const;
    /// How it was tested, for a tooltip: units, permutations, what was left out.
    QString method() const;

    QString labelA() const { return label(m_comparison, m_pair.a); }
    QString labelB() const { return label(m_comparison, m_pair.b); }
    /// "A · temperature 0.6": what a person tells runs apart by.
    static QString label(const Comparison& comparison, int run);
    static QString title(const Comparison& comparison, int run);

    static QString layerName(int layer, bool mtp);
    QString layer(const LayerComparison& layer) const;
    QString expert(const ShiftedExpert& expert) const;
    /// A cell of the maps: both shares, counts and their ratio. Empty outside.
    QString cell(int layer, int expert) const;

  private:
    QString verdictDifference() const;
    QString unitsText() const;

    const Comparison& m_comparison;
    const PairComparison& m_pair;
};

/// "0.041 bit".
QString bitsText(double bits);
/// A p value: three digits, "–" without one.
QString pText(double p);

}  // namespace gatescope
