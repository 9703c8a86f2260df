// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/compare_texts.h"

#include <cmath>

#include "views/formats.h"

namespace gatescope {
namespace {

constexpr int kTitleChars = 48;

QString shown(const std::string& text, int maxChars = 0) {
    return visibleText(QString::fromStdString(text), maxChars);
}

}  // namespace

QString bitsText(double bits) {
    return CompareTexts::tr("%1 bit").arg(threeDigits(bits));
}

QString pText(double p) {
    return threeDigits(p);
}

QString CompareTexts::label(const Comparison& comparison, int run) {
    return shown(comparison.runs[static_cast<std::size_t>(run)].label, kTitleChars);
}

QString CompareTexts::title(const Comparison& comparison, int run) {
    const ComparedRun& of = comparison.runs[static_cast<std::size_t>(run)];
    QString text = label(comparison, run);
    const QString title = shown(of.title, kTitleChars);
    if (!title.isEmpty() && title != text) {
        text += QStringLiteral(": ") + title;
    }
    return text;
}

QString CompareTexts::layerName(int layer, bool mtp) {
    return mtp ? tr("MTP layer %1").arg(layer) : tr("layer %1").arg(layer);
}

QString CompareTexts::unitsText() const {
    const int a = m_pair.scheme.unitsA;
    const int b = m_pair.scheme.unitsB;
    return m_pair.unit == PermutedUnit::Answer
               ? tr("%1 and %2 answers").arg(a).arg(b)
               : tr("%1 and %2 blocks of %3 tokens").arg(a).arg(b).arg(m_pair.blockTokens);
}

QString CompareTexts::verdict() const {
    const ComparisonVerdict& said = m_pair.verdict;
    const QString tokens =
        tr("n = %1 and %2 tokens").arg(integerText(said.tokensA), integerText(said.tokensB));
    using Kind = ComparisonVerdict::Kind;
    switch (said.kind) {
        case Kind::NoTokens:
            return tr("%1 and %2 cannot be compared: a side has no tokens of the chosen kinds "
                      "(%3).")
                .arg(labelA(), labelB(), tokens);
        case Kind::TooFewUnits:
            return tr("Too little text to tell %1 from %2: %3.").arg(labelA(), labelB(), tokens);
        case Kind::NoDifference:
            return tr("No layer differs beyond chance between %1 and %2 at %3.")
                .arg(labelA(), labelB(), tokens);
        case Kind::Difference:
        case Kind::SelfDifference:
            return verdictDifference();
    }
    return {};
}

QString CompareTexts::verdictDifference() const {
    const ComparisonVerdict& said = m_pair.verdict;
    return tr("%1 of %2 layers differ beyond chance between %3 and %4 at n = %5 and %6 tokens; "
              "most "
              "in layer %7, by %8 above chance.")
        .arg(said.layersBeyond)
        .arg(said.layersTested)
        .arg(labelA(), labelB(), integerText(said.tokensA), integerText(said.tokensB))
        .arg(said.strongestLayer)
        .arg(bitsText(said.strongest));
}

QString CompareTexts::limits() const {
    const ComparisonVerdict& said = m_pair.verdict;
    using Kind = ComparisonVerdict::Kind;
    switch (said.kind) {
        case Kind::NoTokens:
            return tr("Choose other kinds of tokens, or compare longer answers.");
        case Kind::TooFewUnits:
            return tr("With %1 the smallest possible p is %2; no layer can reach %3 after Holm's "
                      "correction. Longer answers or more of them help.")
                .arg(unitsText(), pText(said.smallestP), threeDigits(said.alpha));
        case Kind::NoDifference:
            return tr("It does not follow that they are alike: with %1 a smaller difference would "
                      "not have been seen (smallest possible p %2).")
                .arg(unitsText(), pText(said.smallestP));
        case Kind::SelfDifference:
            return tr("Not to be put down to the runs: halves of %1 differ in %2 layers, of %3 in "
                      "%4, as much as the two do.")
                .arg(labelA())
                .arg(said.selfLayersA)
                .arg(labelB())
                .arg(said.selfLayersB);
        case Kind::Difference:
            break;
    }
    return m_pair.unit == PermutedUnit::Answer
               ? tr("Tested with %1 (smallest possible p %2). Which of their differences makes it "
                    "is not known.")
                     .arg(unitsText(), pText(said.smallestP))
               : tr("It holds for these texts, not for all of their kind: %1 were exchanged, of "
                    "fewer than 6 answers a side.")
                     .arg(unitsText());
}

QString CompareTexts::method() const {
    const ComparisonOptions& options = m_pair.options;
    QString text = tr("Jensen-Shannon divergence of the experts' shares, layer by layer. Exchanged "
                      "between the "
                      "runs: %1, within each kind of token. p by %2 permutations%3, seed %4; "
                      "Holm's correction "
                      "over the main layers at level %5. The MTP layer is tested by itself.")
                       .arg(unitsText(), integerText(m_pair.scheme.permutations),
                            m_pair.scheme.exact ? tr(" (all there are)") : QString())
                       .arg(options.seed)
                       .arg(threeDigits(options.alpha));
    if (options.afterCommonPrefix) {
        text += tr("\nLeft out: the first %1 tokens, with which all prompts begin.")
                    .arg(integerText(m_pair.prefixTokens));
    }
    return text;
}

QString CompareTexts::layer(const LayerComparison& at) const {
    return tr("%1 · n = %2 and %3 tokens · %4 above exchanged labels (observed %5, 95 % of "
              "exchanged below %6) · p %7, Holm %8 · %9")
        .arg(layerName(at.layer, at.mtp), integerText(at.tokensA), integerText(at.tokensB),
             allDigits(at.stratified - at.nullMean), allDigits(at.stratified),
             allDigits(at.nullP95), allDigits(at.pValue), allDigits(at.holm),
             tr("halves of %1 apart by %2, of %3 by %4")
                 .arg(labelA(), allDigits(at.selfA.divergence.corrected), labelB(),
                      allDigits(at.selfB.divergence.corrected)));
}

QString CompareTexts::expert(const ShiftedExpert& at) const {
    return tr("%1, expert %2 · %3: %4 of its layer's choices (%5) · %6: %7 (%8) · log₂ ratio %9")
               .arg(layerName(at.layer, at.mtp))
               .arg(at.expert)
               .arg(labelA(), percentText(at.shareA), integerText(at.countA), labelB(),
                    percentText(at.shareB), integerText(at.countB), allDigits(at.log2Ratio)) +
           tr(" [%1, %2] · adjusted p %3")
               .arg(threeDigits(at.log2Ratio95.low), threeDigits(at.log2Ratio95.high),
                    allDigits(at.pAdjusted));
}

QString CompareTexts::cell(int layer, int expert) const {
    const int row = m_pair.loadA != nullptr ? m_pair.loadA->rowOfLayer(layer) : -1;
    if (row < 0 || expert < 0 || expert >= m_pair.shape.experts) {
        return row < 0 && layer >= 0 ? tr("layer %1: dense, no router").arg(layer) : QString();
    }
    const auto side = [&](const RoutingLoad& load) {
        return tr("%1 times in n = %2, %3 fair share")
            .arg(integerText(load.count(row, expert, kAllTokens)),
                 integerText(load.tokens(row, kAllTokens)),
                 timesText(load.relativeLoad(row, expert, kAllTokens)));
    };
    const auto at = static_cast<std::size_t>(row) * static_cast<std::size_t>(m_pair.shape.experts) +
                    static_cast<std::size_t>(expert);
    const double difference = at < m_pair.difference.size() ? m_pair.difference[at] : std::nan("");
    return tr("%1, expert %2 · %3: %4 · %5: %6 · %7")
        .arg(layerName(layer, layer == m_pair.shape.mtpLayer))
        .arg(expert)
        .arg(labelA(), side(*m_pair.loadA), labelB(), side(*m_pair.loadB),
             std::isnan(difference)
                 ? tr("fewer than %1 choices together").arg(kFewestChoices)
                 : tr("log₂ %1/%2 = %3").arg(labelB(), labelA(), allDigits(difference)));
}

}  // namespace gatescope
