// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/speculation_pictures.h"

#include <QCoreApplication>
#include <cmath>

#include "views/formats.h"
#include "views/speculation_texts.h"

namespace gatescope {

namespace {

using Look = SpeculationSeries::Look;
using Role = SpeculationRole;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

QString tr(const char* text) {
    return QCoreApplication::translate("gatescope::SpeculationPictures", text);
}

NumberCell textCell(const QString& text, const QString& tip = {}) {
    return {text, {}, tip, {}};
}

NumberCell countCell(std::int64_t value) {
    return {integerText(value), QString::number(value), {}, {}};
}

NumberCell shareCell(double share) {
    return {percentText(share), allDigits(share), {}, {}};
}

NumberCell numberCell(double value) {
    return {threeDigits(value), allDigits(value), {}, {}};
}

NumberCell intervalCell(const Interval& interval) {
    return {intervalText(interval),
            allDigits(interval.low) + QChar(0x2013) + allDigits(interval.high),
            tr("95 % interval after Wilson"),
            {}};
}

NumberCell timeCell(double ns) {
    return {timeText(ns), allDigits(ns / 1e6), tr("ms"), {}};
}

/// Acceptance that is needed; infinity: none is enough.
NumberCell breakEvenCell(double acceptance) {
    return std::isinf(acceptance) ? NumberCell{tr("out of reach"), QStringLiteral("inf"), {}, {}}
                                  : shareCell(acceptance);
}

QString setName(DraftSource source, int depth) {
    return QStringLiteral("%1 %2").arg(sourceText(source)).arg(depth);
}

}  // namespace

SpeculationPicture positionsPicture(const SpeculationRates& rates, bool mixed) {
    SpeculationPicture out;
    out.xLabel = tr("draft position");
    out.share = true;
    out.header = {tr("position"), tr("accepted"), tr("asked"),  tr("reached"),
                  tr("P"),        tr("95 %"),     tr("\u03B1"), tr("95 %")};
    out.headerTips = {
        {},
        tr("steps that accepted this draft"),
        tr("steps that drafted this far"),
        tr("steps that drafted this far and accepted everything before: the denominator of \u03B1"),
        tr("P_i = accepted / all %1 steps of this set, however deep they drafted; the P add up to "
           "\u03C4 \u2212 1")
            .arg(integerText(rates.steps)),
        {},
        tr("\u03B1_i = accepted / reached"),
        {}};
    out.note = mixed ? tr("Steps of different depths: P of one position cannot be compared with "
                          "another depth's; choose a depth.")
                     : QString();
    SpeculationSeries unconditional{
        tr("P, of all steps"), Role::Neutral, Look::Marks, false, {}, {}, {}};
    SpeculationSeries conditional{
        tr("\u03B1, of those that reached it"), Role::Accepted, Look::Marks, false, {}, {}, {}};
    for (std::size_t i = 0; i < rates.positions.size(); ++i) {
        const DraftPosition& at = rates.positions[i];
        out.categories += QString::number(i + 1);
        unconditional.values.push_back(at.unconditional);
        unconditional.intervals.push_back(at.unconditional95);
        conditional.values.push_back(at.conditional);
        conditional.intervals.push_back(at.conditional95);
        out.texts +=
            tr("position %1 · P %2 (%3 of n = %4) · \u03B1 %5 (%3 of n = %6), 95 %: %7")
                .arg(QString::number(i + 1), allDigits(at.unconditional), integerText(at.accepted),
                     integerText(rates.steps), allDigits(at.conditional), integerText(at.reached),
                     intervalText(at.conditional95));
        out.rows.push_back({countCell(static_cast<std::int64_t>(i) + 1), countCell(at.accepted),
                            countCell(at.asked), countCell(at.reached), shareCell(at.unconditional),
                            intervalCell(at.unconditional95), shareCell(at.conditional),
                            intervalCell(at.conditional95)});
    }
    out.series = {std::move(unconditional), std::move(conditional)};
    return out;
}

SpeculationPicture histogramPicture(const SpeculationRates& rates) {
    SpeculationPicture out;
    out.xLabel = tr("drafts accepted in a step");
    out.yLabel = tr("steps");
    out.header = {tr("accepted"), tr("steps"), tr("share"), tr("95 %")};
    out.headerTips = {{},
                      tr("verify steps that accepted exactly so many drafts"),
                      tr("of all %1 verify steps of this set").arg(integerText(rates.steps)),
                      {}};
    SpeculationSeries bars{tr("verify steps"), Role::Accepted, Look::Bars, false, {}, {}, {}};
    for (std::size_t a = 0; a < rates.histogram.size(); ++a) {
        const std::int64_t steps = rates.histogram[a];
        const double share =
            rates.steps > 0 ? static_cast<double>(steps) / static_cast<double>(rates.steps) : kNaN;
        out.categories += QString::number(a);
        out.texts += tr("%1 accepted · %2 of n = %3 steps, %4")
                         .arg(QString::number(a), integerText(steps), integerText(rates.steps),
                              allDigits(share));
        bars.values.push_back(static_cast<double>(steps));
        bars.roles.push_back(a == 0 ? Role::Rejected : Role::Accepted);
        out.rows.push_back({countCell(static_cast<std::int64_t>(a)), countCell(steps),
                            shareCell(share), intervalCell(wilson95(steps, rates.steps))});
    }
    out.series = {std::move(bars)};
    return out;
}

SpeculationPicture readsPicture(const SpeculationValue& value) {
    SpeculationPicture out;
    out.xLabel = tr("layer");
    out.yLabel = tr("experts");
    out.header = {tr("layer"),   tr("distinct"), tr("plain"),        tr("\u00D7 plain"),
                  tr("uniform"), tr("wasted"),   tr("wasted share"), tr("n")};
    out.headerTips = {
        {},
        tr("different experts a verify step reads in this layer, mean"),
        tr("what plain decoding reads for the same output: the choices of the positions that "
           "stayed, (a + 1) k"),
        tr("distinct / plain: below 1, a token costs fewer reads than without speculation"),
        tr("a uniform router with as many positions: E (1 \u2212 (1 \u2212 k/E)^(d+1))"),
        tr("experts that only rejected positions read, mean per step"),
        tr("wasted / distinct"),
        tr("verify steps whose reads were recorded")};
    if (value.reads.steps == 0) {
        out.empty = tr("No expert reads were recorded in these steps.");
        return out;
    }
    SpeculationSeries used{tr("read, of use"), Role::Accepted, Look::Bars, false, {}, {}, {}};
    SpeculationSeries wasted{
        tr("read for rejected drafts only"), Role::Rejected, Look::Bars, true, {}, {}, {}};
    SpeculationSeries plain{tr("plain decoding"), Role::Neutral, Look::Marks, false, {}, {}, {}};
    SpeculationSeries uniform{tr("uniform router"), Role::Bound, Look::Line, false, {}, {}, {}};
    const auto row = [](const QString& name, const LayerReads& at) {
        return std::vector<NumberCell>{textCell(name),
                                       numberCell(at.distinct),
                                       numberCell(at.plain),
                                       {timesText(at.ratio), allDigits(at.ratio), {}, {}},
                                       numberCell(at.uniform),
                                       numberCell(at.wasted),
                                       shareCell(at.wastedShare),
                                       countCell(at.steps)};
    };
    for (const LayerReads& at : value.layers) {
        used.values.push_back(at.distinct - at.wasted);
        wasted.values.push_back(at.wasted);
        plain.values.push_back(at.plain);
        uniform.values.push_back(at.uniform);
        out.categories += QString::number(at.layer);
        out.layers.push_back(at.layer);
        out.texts +=
            tr("layer %1 · distinct %2 · plain decoding %3 · uniform router %4 · wasted "
               "%5 · n = %6 steps")
                .arg(QString::number(at.layer), allDigits(at.distinct), allDigits(at.plain),
                     allDigits(at.uniform), allDigits(at.wasted), integerText(at.steps));
        out.rows.push_back(row(QString::number(at.layer), at));
    }
    out.rows.insert(out.rows.begin(), row(tr("all"), value.reads));
    out.series = {std::move(used), std::move(wasted), std::move(plain), std::move(uniform)};
    out.note = tr("%1× the reads of plain decoding · wasted %2 of %3 reads, %4")
                   .arg(threeDigits(value.reads.ratio), integerText(value.wastedReads),
                        integerText(value.distinctReads), percentText(value.reads.wastedShare));
    return out;
}

SpeculationPicture gainPicture(const SpeculationValue& value) {
    SpeculationPicture out;
    out.xLabel = tr("source and drafts per step");
    out.yLabel = tr("tok/s");
    out.header = {QString(),   tr("steps"),   tr("\u03C4"),    tr("tok/s"),  tr("gain"),
                  tr("draft"), tr("verify"),  tr("step"),      tr("median"), tr("c_d"),
                  tr("v"),     tr("\u03B1="), tr("break-even")};
    out.headerTips = {
        {},
        tr("n: steps measured"),
        tr("tokens per step, the bonus token included"),
        tr("\u03C4 / mean time of a step"),
        tr("\u03C4 / (\u03B3 c_d + v) \u2212 1, against plain steps of this session"),
        tr("making the drafts, mean per step"),
        tr("the rest of the step, mean"),
        tr("whole step, mean"),
        tr("whole step, median of the newest %1")
            .arg(integerText(static_cast<std::int64_t>(SpeculationCounter::kKeptTimes))),
        tr("time of one draft in plain steps"),
        tr("time of the verification in plain steps; grows with the experts a step reads"),
        tr("the constant acceptance that gives this \u03C4 at this depth"),
        tr("the constant acceptance that would pay for \u03B3 c_d + v")};
    SpeculationSeries bars{tr("tok/s"), Role::Accepted, Look::Bars, false, {}, {}, {}};
    const double plain = value.gain.plainTokensPerSecond;
    const auto add = [&](const QString& name, double rate, Role role, const QString& text) {
        out.categories += name;
        out.texts += text;
        bars.values.push_back(rate);
        bars.roles.push_back(role);
    };
    if (value.plainSteps() > 0) {
        add(tr("plain"), plain, Role::Neutral,
            tr("plain · %1 tok/s · %2 ms per step, mean of n = %3")
                .arg(allDigits(plain), allDigits(value.plain.meanNs / 1e6),
                     integerText(value.plain.n)));
        out.rows.push_back({textCell(tr("plain")), countCell(value.plain.n), numberCell(1),
                            numberCell(plain), textCell({}), textCell({}), textCell({}),
                            timeCell(value.plain.meanNs), timeCell(value.plain.medianNs),
                            textCell({}), textCell({}), textCell({}), textCell({})});
    }
    for (const VerifyCost& cost : value.costs) {
        const QString name = setName(cost.source, cost.depth);
        const double rate = 1e9 * cost.length / cost.total.meanNs;
        add(name, rate,
            std::isnan(cost.gain) ? Role::Neutral
            : cost.gain < 0       ? Role::Rejected
                                  : Role::Accepted,
            tr("%1 · %2 tok/s, %3 · \u03C4 %4 · c_d %5 · v %6 · \u03B1 %7, break-even %8 · n = %9")
                .arg(name, allDigits(rate), signedPercent(cost.gain), allDigits(cost.length),
                     allDigits(cost.draftCost), allDigits(cost.verifyCost),
                     allDigits(cost.equalAcceptance), breakEvenCell(cost.breakEven).text,
                     integerText(cost.total.n)));
        out.rows.push_back({textCell(name),
                            countCell(cost.total.n),
                            numberCell(cost.length),
                            numberCell(rate),
                            {signedPercent(cost.gain), allDigits(cost.gain), {}, {}},
                            timeCell(cost.draft.meanNs),
                            timeCell(cost.verify.meanNs),
                            timeCell(cost.total.meanNs),
                            timeCell(cost.total.medianNs),
                            numberCell(cost.draftCost),
                            numberCell(cost.verifyCost),
                            shareCell(cost.equalAcceptance),
                            breakEvenCell(cost.breakEven)});
    }
    out.series = {std::move(bars)};
    out.reference = plain;
    out.referenceName = tr("break-even: plain steps");
    out.note = gainText(value.gain);
    return out;
}

SpeculationPicture classesPicture(const SpeculationValue& value) {
    SpeculationPicture out;
    out.xLabel = tr("kind of drafted token");
    out.share = true;
    out.header = {tr("kind"), tr("accepted"), tr("judged"), tr("rate"), tr("95 %")};
    out.headerTips = {tr("told from the token's bytes: its first character that is not a space"),
                      {},
                      tr("accepted drafts and each step's first rejected one; what lies behind "
                         "was not judged"),
                      tr("accepted / judged; higher than accepted / drafted where steps draft more "
                         "than one token"),
                      {}};
    SpeculationSeries rates{
        tr("accepted of judged"), Role::Accepted, Look::Marks, false, {}, {}, {}};
    for (const ClassRates& at : value.byClass) {
        if (at.judged == 0) {
            continue;
        }
        const QString name = classText(at.tokenClass);
        out.categories += name;
        out.texts += tr("%1 · %2 of n = %3 judged drafts accepted, %4 · 95 %: %5")
                         .arg(name, integerText(at.accepted), integerText(at.judged),
                              allDigits(at.rate), intervalText(at.rate95));
        rates.values.push_back(at.rate);
        rates.intervals.push_back(at.rate95);
        out.rows.push_back({textCell(name), countCell(at.accepted), countCell(at.judged),
                            shareCell(at.rate), intervalCell(at.rate95)});
    }
    out.series = {std::move(rates)};
    out.empty = out.rows.empty()
                    ? tr("The kinds of the drafted tokens are not known: the model that made this "
                         "session is not open.")
                    : QString();
    out.note = std::isnan(value.meanTargetProbability)
                   ? QString()
                   : tr("Judged drafts: mean probability %1 by the drafter, %2 by the model (n = "
                        "%3)")
                         .arg(threeDigits(value.meanDraftProbability),
                              threeDigits(value.meanTargetProbability),
                              integerText(value.withProbabilities));
    return out;
}

SpeculationTable setsTable(const SpeculationValue& value) {
    SpeculationTable out;
    out.header = {tr("steps that"), tr("steps"), tr("drafted"), tr("accepted"),
                  tr("rate"),       tr("95 %"),  tr("\u03C4"),  tr("\u03C4 \u2212 1")};
    out.headerTips = {{},
                      tr("verify steps, D"),
                      tr("drafts made, \u03A3d"),
                      tr("drafts accepted, \u03A3a"),
                      tr("\u03A3a / \u03A3d"),
                      tr("95 % interval after Wilson, n = drafted"),
                      tr("1 + \u03A3a / D: tokens per verify step, the bonus token included"),
                      tr("\u03A3a / D: without the bonus token")};
    const auto add = [&out](const QString& name, const SpeculationRates& rates) {
        if (rates.steps > 0) {
            out.rows.push_back({textCell(name), countCell(rates.steps), countCell(rates.drafted),
                                countCell(rates.accepted), shareCell(rates.rate),
                                intervalCell(rates.rate95), numberCell(rates.length),
                                numberCell(rates.lengthWithoutBonus)});
        }
    };
    add(tr("drafted"), value.all);
    add(tr("drafted by MTP"), value.bySource[static_cast<std::size_t>(DraftSource::Mtp)]);
    add(tr("drafted by lookup"), value.bySource[static_cast<std::size_t>(DraftSource::Lookup)]);
    for (std::size_t d = 1; d < value.byDepth.size(); ++d) {
        add(tr("drafted %1").arg(d), value.byDepth[d]);
    }
    return out;
}

QString stepsText(const SpeculationValue& value, QChar separator) {
    QStringList lines;
    const auto add = [&](const QStringList& fields) { lines += fields.join(separator); };
    add({tr("step"), tr("source"), tr("drafted"), tr("accepted"), tr("distinct experts"),
         tr("wasted experts"), tr("ns")});
    for (std::size_t i = 0; i < value.steps.size(); ++i) {
        const VerifyStep& at = value.steps[i];
        add({QString::number(value.earlierSteps + static_cast<std::int64_t>(i)),
             QString::fromUtf8(name(at.source).data()), QString::number(at.drafted),
             QString::number(at.accepted),
             at.distinctExperts > 0 ? QString::number(at.distinctExperts) : QString(),
             at.distinctExperts > 0 ? QString::number(at.wastedExperts) : QString(),
             QString::number(at.ns)});
    }
    return lines.join(u'\n') + u'\n';
}

}  // namespace gatescope
