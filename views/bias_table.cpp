// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/bias_table.h"

#include <QCoreApplication>
#include <cmath>

#include "views/formats.h"

namespace gatescope {

namespace {

QString text(const char* source) {
    return QCoreApplication::translate("BiasTable", source);
}

NumberCell number(double value, const QString& toolTip) {
    return {threeDigits(value), allDigits(value), toolTip, {}};
}

NumberCell share(double value, const QString& toolTip) {
    return {
        std::isnan(value) ? threeDigits(value) : percentText(value), allDigits(value), toolTip, {}};
}

NumberCell difference(double value, const QString& toolTip) {
    return {std::isnan(value) ? threeDigits(value) : signedDigits(value),
            allDigits(value),
            toolTip,
            {}};
}

NumberCell count(std::int64_t value, const QString& toolTip) {
    return {integerText(value), QString::number(value), toolTip, {}};
}

QString marginTip(const MarginSummary& margin, const QString& what, double noise) {
    return what + u'\n' +
           text("n %1 · mean %2 · 10 % below %3 · smallest %4 · %5 below the noise of %6")
               .arg(integerText(margin.n), threeDigits(margin.mean), threeDigits(margin.tenth),
                    threeDigits(margin.minimum), integerText(margin.fragile), allDigits(noise));
}

std::vector<NumberCell> auditCells(const BiasRowDiagnostics& row) {
    const char* const tips[kBiasPrecisions] = {
        "tokens whose selection changes when the bias is rounded to BF16 and s + b stays float32",
        "tokens whose selection changes when bias and s + b are rounded to BF16",
        "tokens whose selection changes when the bias is rounded to F16 and s + b stays float32",
        "tokens whose selection changes when bias and s + b are rounded to F16"};
    std::vector<NumberCell> out;
    for (std::size_t p = 0; p < kBiasPrecisions; ++p) {
        const PrecisionAudit& audit = row.precision[p];
        const QString tip =
            text(tips[p]) + u'\n' +
            text("n %1 · of all choices %2")
                .arg(integerText(row.scored), std::isnan(audit.changedChoices)
                                                  ? threeDigits(audit.changedChoices)
                                                  : percentText(audit.changedChoices));
        out.push_back(share(audit.changedTokens, tip));
    }
    return out;
}

}  // namespace

QString routerName(int layer, bool mtp) {
    return mtp ? text("%1 (MTP)").arg(layer) : QString::number(layer);
}

QStringList biasTableHeader() {
    return {text("layer"),      text("n"),     text("decided"),      text("n with s"),
            text("by groups"),  text("cost"),  text("balance gain"), text("margin"),
            text("grp margin"), text("ties"),  text("dominance"),    text("BF16 b"),
            text("BF16 s+b"),   text("F16 b"), text("F16 s+b")};
}

std::vector<std::vector<NumberCell>> biasTableRows(const BiasDiagnostics& diagnostics) {
    const QString decidedTip =
        text("share of the n × k choices that would not be made with bias 0 (groups chosen again)");
    const QString nTip = text("n: tokens counted for “decided”");
    const QString scoredTip =
        text("n of all other columns: tokens that carried all affinities of the layer");
    const QString costTip = text(
        "affinity given up: mean of (sum of s chosen without bias − with bias) / without. "
        "With a group limit it can be negative.");
    std::vector<std::vector<NumberCell>> out;
    for (const BiasRowDiagnostics& row : diagnostics.rows) {
        const QString groupsTip =
            text(
                "the part of “decided” that comes from other groups being kept; inside the same "
                "groups it is %1. Can be negative: other groups may bring a choice back.")
                .arg(std::isnan(row.withinGroups) ? threeDigits(row.withinGroups)
                                                  : percentText(row.withinGroups));
        const QString gainTip =
            text("what the bias buys on this traffic: MaxVio without bias %1 − with bias %2")
                .arg(threeDigits(row.maxVioWithout), threeDigits(row.maxVioWith));
        const QString tieTip = text("tokens whose k-th and (k+1)-th choice scores are equal");
        const QString dominanceTip =
            text("spread of the bias over the experts %1 / mean spread of the affinities %2")
                .arg(threeDigits(row.biasDeviation), threeDigits(row.affinityDeviation));
        std::vector<NumberCell> cells{
            {routerName(row.layer, row.mtp), {}, {}, {}},
            count(row.tokens, nTip),
            share(row.biasDecided, decidedTip),
            count(row.scored, scoredTip),
            share(row.groupFlips, groupsTip),
            share(row.affinityCost, costTip),
            difference(row.balanceGain, gainTip),
            number(
                row.margin.median,
                marginTip(row.margin, text("median of the last chosen minus the first runner-up"),
                          diagnostics.noise)),
            number(row.groupMargin.median,
                   marginTip(row.groupMargin,
                             text("median of the last kept minus the first dropped group score"),
                             diagnostics.noise)),
            count(row.ties, tieTip),
            number(row.dominance, dominanceTip)};
        for (NumberCell& cell : auditCells(row)) {
            cells.push_back(std::move(cell));
        }
        out.push_back(std::move(cells));
    }
    return out;
}

}  // namespace gatescope
