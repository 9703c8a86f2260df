// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/speculation_texts.h"

#include <QCoreApplication>
#include <cmath>

#include "views/formats.h"

namespace gatescope {

namespace {

QString tr(const char* text) {
    return QCoreApplication::translate("gatescope::SpeculationTexts", text);
}

const QString kDot = QStringLiteral(" · ");

}  // namespace

QString sourceText(DraftSource source) {
    return source == DraftSource::Mtp ? tr("MTP") : tr("lookup");
}

QString classText(TokenClass tokenClass) {
    switch (tokenClass) {
        case TokenClass::Word:
            return tr("words");
        case TokenClass::Cjk:
            return tr("CJK");
        case TokenClass::Number:
            return tr("numbers");
        case TokenClass::Punctuation:
            return tr("punctuation");
        case TokenClass::Space:
            return tr("spaces");
        case TokenClass::Special:
            return tr("special");
        case TokenClass::Other:
            break;
    }
    return tr("parts");
}

QString signedPercent(double share) {
    return std::isnan(share) ? QString(QChar(0x2013))
                             : signedDigits(100 * share) + QStringLiteral("\u202F%");
}

QString timeText(double ns) {
    return std::isnan(ns) ? QString(QChar(0x2013))
                          : threeDigits(ns / 1e6) + QStringLiteral("\u202Fms");
}

QString intervalText(const Interval& interval) {
    return std::isnan(interval.low)
               ? QString(QChar(0x2013))
               : threeDigits(100 * interval.low) + QChar(0x2013) + percentText(interval.high);
}

QString stepText(const SpeculationValue& value, std::size_t index) {
    const VerifyStep& at = value.steps[index];
    const QString fate = at.drafted == 1 ? (at.accepted == 1 ? tr("accepted") : tr("rejected"))
                                         : tr("%1 of %2 accepted").arg(at.accepted).arg(at.drafted);
    QString text = tr("step %1 · %2 · %3")
                       .arg(integerText(value.earlierSteps + static_cast<std::int64_t>(index)),
                            sourceText(at.source), fate);
    if (at.distinctExperts > 0) {
        text += tr(" · %1 distinct experts, %2 wasted")
                    .arg(integerText(at.distinctExperts), integerText(at.wastedExperts));
    }
    if (at.ns > 0) {
        text += kDot + timeText(static_cast<double>(at.ns));
    }
    return text;
}

QString speculationHeadline(const SpeculationValue& value) {
    QString text = tr("τ %1 · %2 of %3 drafts accepted, %4")
                       .arg(threeDigits(value.all.length), integerText(value.all.accepted),
                            integerText(value.all.drafted), percentText(value.all.rate));
    const SpeculationGain& gain = value.gain;
    return text + kDot +
           (std::isnan(gain.gain)
                ? tr("gain not measured yet: no plain steps")
                : tr("%1 tok/s (%2 verify, %3 plain steps)")
                      .arg(signedPercent(gain.gain), integerText(gain.verifySteps),
                           integerText(gain.plainSteps)));
}

QString gainText(const SpeculationGain& gain) {
    if (std::isnan(gain.gain)) {
        return tr("%1 tok/s with speculation (%2 verify steps); without it not measured yet: no "
                  "plain steps")
            .arg(threeDigits(gain.tokensPerSecond), integerText(gain.verifySteps));
    }
    const QString rates =
        tr("%1 tok/s with speculation (%2 verify steps), %3 without (%4 plain steps): %5")
            .arg(threeDigits(gain.tokensPerSecond), integerText(gain.verifySteps),
                 threeDigits(gain.plainTokensPerSecond), integerText(gain.plainSteps),
                 signedPercent(gain.gain));
    if (gain.breakEven > 1) {
        return rates + kDot + tr("at these costs no acceptance would be enough");
    }
    return rates + kDot +
           (gain.breakEven <= 0
                ? tr("wins whatever is accepted")
                : tr("breaks even at %1 accepted").arg(percentText(gain.breakEven)));
}

}  // namespace gatescope
