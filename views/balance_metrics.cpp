// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/balance_metrics.h"

#include <QCoreApplication>
#include <cmath>

#include "views/formats.h"

namespace gatescope {

namespace {

struct Text {
    Q_DECLARE_TR_FUNCTIONS(gatescope::BalanceMetrics)
};

QString dot() {
    return QStringLiteral(" · ");
}

}  // namespace

std::vector<BalanceMetricInfo> balanceMetrics() {
    return {
        {&BalanceRow::maxVio, Text::tr("MaxVio, all tokens"), Text::tr("MaxVio"),
         Text::tr("largest q − 1 of the summed counts, with q = times chosen × E / (n × k): how "
                  "far the busiest expert lies above its fair share")},
        {&BalanceRow::stepMaxVio, Text::tr("MaxVio per step"), Text::tr("per step"),
         Text::tr("mean over steps of each step's own MaxVio: one token alone always gives "
                  "E / k − 1, whatever the router does")},
        {&BalanceRow::cv, Text::tr("CV"), Text::tr("CV"),
         Text::tr("coefficient of variation: population standard deviation of the counts over "
                  "their mean")},
        {&BalanceRow::gini, Text::tr("Gini"), Text::tr("Gini"),
         Text::tr("Gini coefficient of the counts: 0 is even, 1 − 1/E is one expert for all")},
        {&BalanceRow::entropy, Text::tr("Normalised entropy"), Text::tr("entropy"),
         Text::tr("−Σ p ln p / ln E of the shares p: 1 is even; smaller is less even"), true},
        {&BalanceRow::effectiveExperts, Text::tr("Effective experts"), Text::tr("effective"),
         Text::tr("exp(−Σ p ln p): as many experts with equal shares have the same entropy; "
                  "smaller is less even"),
         true},
        {&BalanceRow::minVio, Text::tr("MinVio"), Text::tr("MinVio"),
         Text::tr("1 − smallest q: how far the idlest expert lies below its fair share")},
        {&BalanceRow::avgVio, Text::tr("AvgVio"), Text::tr("AvgVio"),
         Text::tr("mean of |q − 1| over the experts")},
        {&BalanceRow::distinct, Text::tr("Experts seen"), Text::tr("seen"),
         Text::tr("experts chosen at least once; a uniform router sees E (1 − (1 − k/E)^n)"), true},
    };
}

QString balanceLayerName(const BalanceRow& row) {
    return row.mtp ? Text::tr("MTP layer %1").arg(row.layer) : Text::tr("layer %1").arg(row.layer);
}

QString balanceMetricText(const BalanceMetricInfo& metric, const BalanceRow& row) {
    const BalanceMetric& at = metric.of(row);
    QString text = metric.name + u' ' + allDigits(at.value);
    if (!std::isnan(at.nullMean)) {
        text += dot() + Text::tr("uniform router %1").arg(threeDigits(at.nullMean));
        if (!std::isnan(at.nullP95)) {
            text += Text::tr(", 95 % point %1").arg(threeDigits(at.nullP95));
        }
        text += dot() + Text::tr("excess %1").arg(signedDigits(at.excess));
    }
    text += dot() + (row.tokens == 1 ? Text::tr("n = 1 token")
                                     : Text::tr("n = %1 tokens").arg(integerText(row.tokens)));
    if (metric.member == &BalanceRow::stepMaxVio) {
        text += Text::tr(" in %1 steps").arg(integerText(row.steps));
    }
    return text;
}

QString verdictText(LoadVerdict verdict) {
    switch (verdict) {
        case LoadVerdict::Hot:
            return Text::tr("hot");
        case LoadVerdict::Cold:
            return Text::tr("cold");
        case LoadVerdict::NotSeen:
            return Text::tr("not seen");
        case LoadVerdict::Dead:
            return Text::tr("dead");
        case LoadVerdict::Ordinary:
            break;
    }
    return Text::tr("ordinary");
}

}  // namespace gatescope
