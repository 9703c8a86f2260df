// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/compare_tables.h"

#include <cmath>

#include "views/compare_texts.h"
#include "views/formats.h"
#include "views/routing_texts.h"

namespace gatescope {
namespace {

QString text(const char* source) {
    return QCoreApplication::translate("CompareTables", source);
}

NumberCell number(double value, const QString& toolTip = {}) {
    return {threeDigits(value), std::isnan(value) ? QString() : allDigits(value), toolTip, {}};
}

NumberCell whole(std::int64_t value, const QString& toolTip = {}) {
    return {integerText(value), QString::number(value), toolTip, {}};
}

NumberCell words(const QString& what, const QString& toolTip = {}) {
    return {what, {}, toolTip, {}};
}

/// A figure with its n in the cell: "71.2 % · 132".
NumberCell counted(const QString& shown, double value, std::int64_t n) {
    if (std::isnan(value)) {
        return words(threeDigits(value));
    }
    return {text("%1 · n %2").arg(shown, integerText(n)),
            text("%1 (n = %2)").arg(allDigits(value)).arg(n),
            {},
            {}};
}

}  // namespace

QStringList compareLayersHeader(const Comparison& comparison, const PairComparison& pair) {
    const CompareTexts texts(comparison, pair);
    const QString a = texts.labelA();
    const QString b = texts.labelB();
    return {text("Layer"),
            text("Above chance, bit"),
            text("95 %"),
            text("p"),
            text("Holm"),
            text("BH q"),
            text("Halves of %1").arg(a),
            text("Halves of %1").arg(b),
            text("½ Σ|p−q|"),
            text("Cosine"),
            text("Spearman"),
            text("MaxVio %1").arg(a),
            text("MaxVio %1").arg(b),
            text("n %1").arg(a),
            text("n %1").arg(b)};
}

TableRows compareLayerRows(const PairComparison& pair) {
    TableRows rows;
    for (const LayerComparison& at : pair.layers) {
        const bool beyond = at.holm <= pair.options.alpha;
        const QString name = at.mtp ? text("MTP (%1)").arg(at.layer) : QString::number(at.layer);
        const auto half = [](const SelfComparison& self) {
            return number(self.divergence.corrected,
                          text("first against second half, less chance; n = %1 and %2 tokens, p %3")
                              .arg(integerText(self.tokensFirst), integerText(self.tokensSecond),
                                   pText(self.pValue)));
        };
        rows.push_back({words((beyond ? QStringLiteral("◆ ") : QString()) + name,
                              beyond ? text("beyond chance after Holm's correction") : QString()),
                        number(at.stratified - at.nullMean,
                               text("observed %1, with exchanged labels %2 on average")
                                   .arg(bitsText(at.stratified), bitsText(at.nullMean))),
                        number(at.nullP95 - at.nullMean,
                               text("95 % of exchanged labels stay below, less their mean")),
                        number(at.pValue), number(at.holm), number(at.qValue), half(at.selfA),
                        half(at.selfB), number(at.totalVariation), number(at.cosine),
                        number(at.spearman), number(at.maxVioA), number(at.maxVioB),
                        whole(at.tokensA), whole(at.tokensB)});
    }
    return rows;
}

QStringList compareExpertsHeader(const Comparison& comparison, const PairComparison& pair) {
    const CompareTexts texts(comparison, pair);
    const QString a = texts.labelA();
    const QString b = texts.labelB();
    return {text("Layer, expert"),
            text("log₂ %1/%2").arg(b, a),
            text("from"),
            text("to"),
            text("adjusted p"),
            text("share %1").arg(a),
            text("share %1").arg(b),
            text("times %1").arg(a),
            text("times %1").arg(b)};
}

TableRows compareExpertRows(const PairComparison& pair) {
    TableRows rows;
    for (const ShiftedExpert& at : pair.experts) {
        const bool beyond = at.pAdjusted <= pair.options.alpha;
        const QString name =
            at.mtp ? text("MTP, %1").arg(at.expert) : text("%1, %2").arg(at.layer).arg(at.expert);
        NumberCell shareA{percentText(at.shareA), allDigits(at.shareA), {}, {}};
        NumberCell shareB{percentText(at.shareB), allDigits(at.shareB), {}, {}};
        NumberCell ratio = number(at.log2Ratio, text("of the shares of the layer's choices"));
        ratio.text = signedDigits(at.log2Ratio);
        rows.push_back(
            {words((beyond ? QStringLiteral("◆ ") : QString()) + name), ratio,
             number(at.log2Ratio95.low), number(at.log2Ratio95.high),
             number(at.pAdjusted, text("family-wise, over all experts of all main layers")), shareA,
             shareB, whole(at.countA), whole(at.countB)});
    }
    return rows;
}

QStringList compareRunsHeader(const Comparison& comparison) {
    QStringList header{text("Run")};
    for (std::size_t run = 0; run < comparison.runs.size(); ++run) {
        header += CompareTexts::label(comparison, static_cast<int>(run));
    }
    return header;
}

namespace {

using Figure = NumberCell (*)(const ComparedRun& run, const RunFigures& of);

NumberCell rateCell(const ComparedRun&, const RunFigures& of) {
    const SpeculationRates& rates = of.speculation;
    NumberCell cell = counted(percentText(rates.rate), rates.rate, rates.drafted);
    if (!std::isnan(rates.rate)) {
        cell.toolTip = text("accepted of drafted; 95 %: %1 to %2")
                           .arg(percentText(rates.rate95.low), percentText(rates.rate95.high));
    }
    return cell;
}

NumberCell prose(const std::string& value) {
    const QString shown = visibleText(QString::fromStdString(value));
    constexpr int kShort = 28;
    return {shown.size() > kShort ? shown.left(kShort - 1) + QChar(0x2026) : shown, shown, {}, {}};
}

/// Name of the line, and what stands in a run's column.
std::vector<std::pair<QString, Figure>> textFigures() {
    return {
        {text("Title"), [](const ComparedRun& run, const RunFigures&) { return prose(run.title); }},
        {text("Model"),
         [](const ComparedRun& run, const RunFigures&) { return prose(run.modelName); }},
        {text("Device"),
         [](const ComparedRun& run, const RunFigures&) {
             return prose(run.device + ", " + run.precision);
         }},
        {text("Settings"),
         [](const ComparedRun& run, const RunFigures&) { return prose(run.settings); }},
        {text("Changed routing"),
         [](const ComparedRun& run, const RunFigures&) {
             return run.interventions.empty() ? words(text("none")) : prose(run.interventions);
         }},
    };
}

std::vector<std::pair<QString, Figure>> tokenFigures() {
    return {
        {text("Answers"),
         [](const ComparedRun&, const RunFigures& of) { return whole(of.answers); }},
        {text("Prompt tokens"),
         [](const ComparedRun&, const RunFigures& of) { return whole(of.promptTokens); }},
        {text("Answer tokens"),
         [](const ComparedRun&, const RunFigures& of) { return whole(of.answerTokens); }},
        {text("Routed tokens, n"),
         [](const ComparedRun&, const RunFigures& of) { return whole(of.routedTokens); }},
        {text("Rejected tokens"),
         [](const ComparedRun&, const RunFigures& of) { return whole(of.rejectedTokens); }},
        {text("Mean log p of the answer, nats"),
         [](const ComparedRun&, const RunFigures& of) {
             return counted(threeDigits(of.meanLogProbability), of.meanLogProbability,
                            of.answerTokens);
         }},
        {text("Acceptance"), rateCell},
        {text("Tokens per verify step"),
         [](const ComparedRun&, const RunFigures& of) {
             return counted(threeDigits(of.speculation.length), of.speculation.length,
                            of.speculation.steps);
         }},
        {text("Prompt, tok/s"),
         [](const ComparedRun&, const RunFigures& of) {
             return number(of.prefillTokensPerSecond);
         }},
        {text("Answer, tok/s"),
         [](const ComparedRun&, const RunFigures& of) { return number(of.decodeTokensPerSecond); }},
        {text("Cache"),
         [](const ComparedRun&, const RunFigures& of) {
             return NumberCell{bytesText(of.cacheUsed),
                               exactBytesText(of.cacheUsed),
                               text("%1 positions, %2")
                                   .arg(integerText(of.cachePositions),
                                        visibleText(QString::fromStdString(of.cacheDtype))),
                               {}};
         }},
    };
}

std::vector<std::pair<QString, Figure>> balanceFigures() {
    return {
        {text("MaxVio"),
         [](const ComparedRun&, const RunFigures& of) {
             return counted(threeDigits(of.maxVio), of.maxVio, of.routedTokens);
         }},
        {text("MaxVio of a uniform router"),
         [](const ComparedRun&, const RunFigures& of) {
             return counted(threeDigits(of.maxVioNull), of.maxVioNull, of.routedTokens);
         }},
        {text("CV"),
         [](const ComparedRun&, const RunFigures& of) {
             return counted(threeDigits(of.cv), of.cv, of.routedTokens);
         }},
        {text("Gini"),
         [](const ComparedRun&, const RunFigures& of) {
             return counted(threeDigits(of.gini), of.gini, of.routedTokens);
         }},
        {text("Entropy, of the largest"),
         [](const ComparedRun&, const RunFigures& of) {
             return counted(threeDigits(of.entropy), of.entropy, of.routedTokens);
         }},
        {text("Median choice margin"),
         [](const ComparedRun&, const RunFigures& of) {
             return counted(threeDigits(of.medianMargin), of.medianMargin, of.routedTokens);
         }},
        {text("Decided by the bias"),
         [](const ComparedRun&, const RunFigures& of) {
             return counted(percentText(of.biasDecided), of.biasDecided, of.routedTokens);
         }},
    };
}

}  // namespace

TableRows compareRunRows(const Comparison& comparison) {
    TableRows rows;
    for (const auto& figures : {textFigures(), tokenFigures(), balanceFigures()}) {
        for (const auto& [name, cell] : figures) {
            std::vector<NumberCell> row{words(name)};
            for (std::size_t run = 0; run < comparison.runs.size(); ++run) {
                row.push_back(cell(comparison.runs[run], comparison.figures[run]));
            }
            rows.push_back(std::move(row));
        }
    }
    return rows;
}

QStringList compareStrataHeader(const Comparison& comparison, const PairComparison& pair) {
    const CompareTexts texts(comparison, pair);
    return {text("Compared with each other"), text("n %1").arg(texts.labelA()),
            text("n %1").arg(texts.labelB()), text("units %1").arg(texts.labelA()),
            text("units %1").arg(texts.labelB())};
}

TableRows compareStratumRows(const PairComparison& pair) {
    TableRows rows;
    for (const ComparisonStratum& at : pair.strata) {
        QString name = RoutingTexts::phaseName(static_cast<int>(at.phase));
        name += at.special ? text(", special tokens") : QString();
        name += at.tested ? QString() : text(" (on one side only: left out)");
        rows.push_back({words(name), whole(at.tokensA), whole(at.tokensB), whole(at.unitsA),
                        whole(at.unitsB)});
    }
    return rows;
}

}  // namespace gatescope
