// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/routing_texts.h"

#include <QStringList>
#include <algorithm>
#include <cmath>
#include <limits>

#include "views/formats.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kTwoSided95 = 1.96;  // standard deviations of a normal distribution
const QString kDot = QStringLiteral(" · ");

QString sixDigits(double value) {
    return QString::number(value, 'g', 6);
}

QString signedSix(double value) {
    const QString sign(value < 0 ? QChar(0x2212) : value > 0 ? QChar(u'+') : QChar());
    return (value == 0 ? QString() : sign) + sixDigits(std::abs(value));
}

}  // namespace

QString RoutingTexts::modeName(RoutingMode mode) {
    switch (mode) {
        case RoutingMode::RelativeLoad:
            return tr("Relative load");
        case RoutingMode::GateMass:
            return tr("Gate mass");
        case RoutingMode::ThisToken:
            return tr("This token");
        case RoutingMode::ZScore:
            return tr("Z-score");
        case RoutingMode::Difference:
            return tr("Difference");
    }
    return {};
}

QString RoutingTexts::modeTip(RoutingMode mode) {
    switch (mode) {
        case RoutingMode::RelativeLoad:
            return tr("times chosen × E / (n × k): 1 is the fair share of a uniform router");
        case RoutingMode::GateMass:
            return tr(
                "sum of gate weights × E / all gate weights of the layer: 1 is the fair "
                "share");
        case RoutingMode::ThisToken:
            return tr("gate weights of the selected token in every layer");
        case RoutingMode::ZScore:
            return tr("(times chosen − n p) / √(n p (1 − p)) with p = k / E: standard deviations "
                      "from what a uniform router expects.\nHatched: fewer than %1 choices of an "
                      "expert expected (n p), not enough tokens.")
                .arg(kFewestExpected);
        case RoutingMode::Difference:
            return tr("relative load minus that of the pinned reference.\nWhile the session of "
                      "the pin goes on, it is the load since the pin, so that no token counts on "
                      "both sides; in another session it is all of that session.\nHatched: fewer "
                      "than %1 choices of an expert expected on either side.")
                .arg(kFewestExpected);
    }
    return {};
}

QString RoutingTexts::phaseName(int phase) {
    switch (static_cast<Phase>(phase)) {
        case Phase::Prefill:
            return tr("Prefill");
        case Phase::Decode:
            return tr("Decode");
        case Phase::Draft:
            return tr("Draft");
        case Phase::Rejected:
            return tr("Rejected");
    }
    return {};
}

QString RoutingTexts::phaseTip(int phase) {
    switch (static_cast<Phase>(phase)) {
        case Phase::Prefill:
            return tr("prompt positions through the main model");
        case Phase::Decode:
            return tr("generated positions through the main model, accepted drafts included");
        case Phase::Draft:
            return tr("positions through the MTP layer");
        case Phase::Rejected:
            return tr("verified positions whose draft was rejected: read, but not output");
    }
    return {};
}

QString RoutingTexts::specialTip() {
    return tr(
        "begin of text, role markers and end tokens of the chosen phases count too.\n"
        "Off by default: they go to experts of their own, and in a short prompt they would "
        "be most of the load.");
}

QString RoutingTexts::noteTip() {
    return tr(
        "n: positions routed through this layer in the chosen phases.\n"
        "MaxVio: the largest relative load of a layer minus 1.\n"
        "Uniform router: picks k of E experts at random for the same n; its mean MaxVio. A "
        "short text looks unbalanced under any router.\n"
        "|z| ≥ 1.96: about 5 % of the experts of a uniform router.");
}

QString RoutingTexts::phasesText(unsigned phases, bool brief) {
    QStringList names;
    for (int phase = 0; phase < kPhaseCount; ++phase) {
        if ((phases >> static_cast<unsigned>(phase) & 1U) != 0) {
            names += names.isEmpty() ? phaseName(phase) : phaseName(phase).toLower();
        }
    }
    QString text = names.size() == kPhaseCount ? tr("All phases")
                   : names.isEmpty()           ? tr("No phase")
                   : brief && names.size() > 1 ? tr("%1 phases").arg(names.size())
                                               : names.join(QStringLiteral(", "));
    if ((phases & kSpecialTokens) != 0 && !names.isEmpty()) {
        text += tr(" + special");
    }
    return text;
}

bool RoutingTexts::hasToken() const {
    return m_input.token(0) != nullptr ||
           (shape().mtpLayer >= 0 && m_input.token(m_input.load->rows() - 1) != nullptr);
}

QString RoutingTexts::empty() const {
    if (!m_input.load || shape().experts <= 0) {
        return tr(
            "No model is open. Open a model folder: the heatmap shows which experts its "
            "tokens go to.");
    }
    if (m_input.mode == RoutingMode::ThisToken) {
        return hasToken() ? QString()
                          : tr("Select a token in the transcript: the heatmap shows its experts in "
                               "every layer.");
    }
    const auto parts = m_input.load->parts(kAllTokens);
    if (std::none_of(parts.begin(), parts.end(), [](const PhaseLoad* part) {
            return part->tokens > 0 || part->mtpTokens > 0;
        })) {
        return tr("Ask something: the heatmap fills as tokens pass the router.");
    }
    if (m_input.mode == RoutingMode::Difference) {
        return emptyDifference();
    }
    const auto& n = m_values.shown.n;
    return std::any_of(n.begin(), n.end(), [](auto tokens) { return tokens > 0; })
               ? QString()
               : tr("No tokens in the chosen phases. Choose others in the menu "
                    "above.");
}

QString RoutingTexts::emptyDifference() const {
    if (!m_input.reference) {
        return tr(
            "No reference is pinned. Choose Pin as reference in the options above: this then shows "
            "what is different from that moment on.");
    }
    if (!m_input.referenceFits()) {
        return tr(
            "The pinned reference is of another model. Pin one of this model in the options "
            "above.");
    }
    const auto most = [](const RoutingCounts& counts) {
        return *std::max_element(counts.n.begin(), counts.n.end());
    };
    if (most(m_values.reference) == 0) {
        return tr(
            "The pinned reference has no tokens in the chosen phases. Choose others in the "
            "menu above.");
    }
    if (most(m_values.shown) > 0) {
        return {};
    }
    return m_input.continuesReference
               ? tr("No tokens since the pin in the chosen phases (reference: n = %1). Ask "
                    "something else: this shows what differs.")
                     .arg(integerText(most(m_values.reference)))
               : tr("No tokens in the chosen phases yet. Ask something: this shows what differs "
                    "from the reference.");
}

QString RoutingTexts::layerName(int row) const {
    return m_input.isMtpRow(row) ? tr("MTP layer")
                                 : tr("layer %1").arg(m_input.load->layerOfRow(row));
}

std::size_t RoutingTexts::at(int row, int expert) const {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(shape().experts) +
           static_cast<std::size_t>(expert);
}

double RoutingTexts::maxVio(int row) const {
    const auto choices =
        static_cast<double>(m_values.shown.n[static_cast<std::size_t>(row)]) * shape().topK;
    const auto first = m_values.shown.counts.begin() + static_cast<std::ptrdiff_t>(at(row, 0));
    const auto largest = *std::max_element(first, first + shape().experts);
    return choices > 0 ? static_cast<double>(largest) * shape().experts / choices - 1 : kNaN;
}

QString RoutingTexts::note(std::optional<int> layer) const {
    switch (m_input.mode) {
        case RoutingMode::ThisToken: {
            const RoutedToken* token =
                m_input.token(0) != nullptr ? m_input.token(0) : m_input.mtpToken.get();
            return tr("token %1 · its %2 experts by gate weight in every layer")
                .arg(token->position)
                .arg(shape().topK);
        }
        case RoutingMode::ZScore:
            return zNote(layer);
        case RoutingMode::Difference:
            return differenceNote(layer);
        case RoutingMode::RelativeLoad:
        case RoutingMode::GateMass:
            break;
    }
    return loadNote(layer);
}

int RoutingTexts::rowForNote(std::optional<int> layer) const {
    const int row = m_input.load->rowOfLayer(layer.value_or(-1));
    if (row >= 0) {
        return row;
    }
    // The MTP layer has an n of its own: it speaks only when it alone has one.
    return shape().mtpLayer >= 0 && m_values.shown.n.front() == 0 ? m_input.load->rows() - 1 : 0;
}

QString RoutingTexts::loadNote(std::optional<int> layer) const {
    int row = m_input.load->rowOfLayer(layer.value_or(-1));
    const bool isSelected = row >= 0;
    double observed = isSelected ? maxVio(row) : kNaN;
    if (!isSelected) {
        row = rowForNote(layer);
        observed = maxVio(row);
        for (int r = 0; r < m_input.load->rows() && !m_input.isMtpRow(row); ++r) {
            const double vio = m_input.isMtpRow(r) ? kNaN : maxVio(r);
            if (vio > observed) {
                observed = vio;
                row = r;
            }
        }
    }
    const std::int64_t n = m_values.shown.n[static_cast<std::size_t>(row)];
    QString text = n == 1 ? tr("n = 1 token") : tr("n = %1 tokens").arg(integerText(n));
    if (n == 0) {
        return text + tr(" in layer %1").arg(m_input.load->layerOfRow(row));
    }
    const double null = uniformMaxVio(shape().experts, shape().topK, n);
    text += kDot + tr("a uniform router would show MaxVio %1 here").arg(threeDigits(null));
    return text + kDot +
           (isSelected ? tr("%1 shows %2") : tr("the worst, %1, shows %2"))
               .arg(layerName(row), threeDigits(observed));
}

QString RoutingTexts::zNote(std::optional<int> layer) const {
    const int selected = m_input.load->rowOfLayer(layer.value_or(-1));
    const int row = rowForNote(layer);
    const std::int64_t n = m_values.shown.n[static_cast<std::size_t>(row)];
    if (n < tokensNeeded(shape())) {
        return tr("not enough tokens in %1: n = %2, a z-score needs %3 (%4 choices of an expert "
                  "expected)")
            .arg(layerName(row), integerText(n), integerText(tokensNeeded(shape())))
            .arg(kFewestExpected);
    }
    const bool one = selected >= 0 || m_input.isMtpRow(row);
    const auto experts = static_cast<std::ptrdiff_t>(shape().experts);
    const auto first = one ? static_cast<std::ptrdiff_t>(at(row, 0)) : 0;
    const auto cells = one ? experts : std::ssize(shape().layers) * experts;
    const auto begin = m_values.values.begin() + first;
    const auto beyond =
        std::count_if(begin, begin + cells, [](double z) { return std::abs(z) >= kTwoSided95; });
    return tr("n = %1 tokens").arg(integerText(n)) + kDot +
           tr("|z| ≥ %1 for %2 of the experts in %3, about 5 % with a uniform router")
               .arg(QString::number(kTwoSided95),
                    percentText(static_cast<double>(beyond) / static_cast<double>(cells)),
                    one ? layerName(row) : tr("all layers"));
}

QString RoutingTexts::differenceNote(std::optional<int> layer) const {
    const int row = rowForNote(layer);
    const auto index = static_cast<std::size_t>(row);
    const std::int64_t n = m_values.shown.n[index];
    const std::int64_t before = m_values.reference.n[index];
    const QString both =
        (m_input.continuesReference ? tr("since the pin n = %1") : tr("this session n = %1"))
            .arg(integerText(n)) +
        kDot + tr("reference n = %1").arg(integerText(before));
    const std::int64_t needed = tokensNeeded(shape());
    if (std::min(n, before) < needed) {
        return tr("not enough tokens in %1: %2, both need %3")
            .arg(layerName(row), both, integerText(needed));
    }
    const double p = static_cast<double>(shape().topK) / shape().experts;
    return both + kDot +
           tr("by chance alone a uniform router differs by ±%1 (1 sd)")
               .arg(threeDigits(differenceSigma(n, before, p)));
}

QString RoutingTexts::cell(int layer, int expert) const {
    if (!m_input.load || layer < 0) {
        return {};
    }
    const QString place =
        layer == shape().mtpLayer ? tr("MTP layer %1").arg(layer) : tr("layer %1").arg(layer);
    const int row = m_input.load->rowOfLayer(layer);
    if (row < 0) {
        return layer < shape().totalLayers ? place + kDot + tr("dense, no router") : QString();
    }
    if (expert < 0 || expert >= shape().experts || m_values.values.empty()) {
        return {};
    }
    QString text = place + kDot + tr("expert %1").arg(expert) + kDot;
    if (!m_values.experts.empty()) {
        text += tr("rank %1 by load").arg(m_values.columnOf(row, expert)) + kDot;
    }
    switch (m_input.mode) {
        case RoutingMode::RelativeLoad:
            return text + loadCell(row, expert);
        case RoutingMode::GateMass:
            return text + massCell(row, expert);
        case RoutingMode::ThisToken:
            return text + tokenCell(row, expert);
        case RoutingMode::ZScore:
            return text + zCell(row, expert);
        case RoutingMode::Difference:
            return text + differenceCell(row, expert);
    }
    return {};
}

QString RoutingTexts::loadCell(int row, int expert) const {
    const std::int64_t n = m_values.shown.n[static_cast<std::size_t>(row)];
    if (n == 0) {
        return tr("no tokens in the chosen phases");
    }
    const std::int64_t count = m_values.shown.counts[at(row, expert)];
    QString text = tr("load %1×").arg(sixDigits(m_values.values[at(row, expert)])) + kDot +
                   tr("chosen %1 times").arg(integerText(count));
    const double z = zScore(count, n, static_cast<double>(shape().topK) / shape().experts);
    if (n >= tokensNeeded(shape()) && !std::isnan(z)) {
        text += kDot + tr("z %1").arg(signedDigits(z));
    }
    return text + kDot + tr("n = %1").arg(integerText(n));
}

QString RoutingTexts::massCell(int row, int expert) const {
    const double value = m_values.values[at(row, expert)];
    if (std::isnan(value)) {
        return tr("no tokens in the chosen phases");
    }
    return tr("gate mass %1×").arg(sixDigits(value)) + kDot +
           tr("chosen %1 times").arg(integerText(m_values.shown.counts[at(row, expert)])) + kDot +
           tr("n = %1").arg(integerText(m_values.shown.n[static_cast<std::size_t>(row)]));
}

QString RoutingTexts::tokenCell(int row, int expert) const {
    const RoutedToken* token = m_input.token(row);
    if (token == nullptr) {
        return tr("this token has not passed the router here");
    }
    const int topK = shape().topK;
    const int first = m_input.isMtpRow(row) ? 0 : row * topK;
    for (int j = 0; j < topK; ++j) {
        const auto choice = static_cast<std::size_t>(first + j);
        if (token->routing.experts[choice] == expert) {
            return tr("weight %1").arg(allDigits(token->routing.weights[choice])) + kDot +
                   tr("choice %1 of %2").arg(j + 1).arg(topK);
        }
    }
    return tr("not chosen by token %1").arg(token->position);
}

QString RoutingTexts::zCell(int row, int expert) const {
    const std::int64_t n = m_values.shown.n[static_cast<std::size_t>(row)];
    const double expected = static_cast<double>(n) * shape().topK / shape().experts;
    const QString counts =
        tr("chosen %1 times, %2 expected")
            .arg(integerText(m_values.shown.counts[at(row, expert)]), threeDigits(expected)) +
        kDot + tr("n = %1").arg(integerText(n));
    const double z = m_values.values[at(row, expert)];
    return std::isnan(z)
               ? tr("not enough tokens: n must be %1").arg(integerText(tokensNeeded(shape()))) +
                     kDot + counts
               : tr("z %1").arg(signedSix(z)) + kDot + counts;
}

QString RoutingTexts::differenceCell(int row, int expert) const {
    const auto side = [&](const RoutingCounts& counts, const QString& when) {
        const std::int64_t n = counts.n[static_cast<std::size_t>(row)];
        const std::int64_t count = counts.counts[at(row, expert)];
        const double load =
            static_cast<double>(count) * shape().experts / (static_cast<double>(n) * shape().topK);
        return when + u' ' + (n > 0 ? tr("%1×").arg(sixDigits(load)) : QString(QChar(0x2013))) +
               tr(" (chosen %1 times, n = %2)").arg(integerText(count), integerText(n));
    };
    const double value = m_values.values[at(row, expert)];
    return (std::isnan(value)
                ? tr("not enough tokens: both n must be %1").arg(integerText(tokensNeeded(shape())))
                : tr("difference %1").arg(signedSix(value))) +
           kDot +
           side(m_values.shown,
                m_input.continuesReference ? tr("since the pin") : tr("this session")) +
           kDot + side(m_values.reference, tr("reference"));
}

QString RoutingTexts::measure() const {
    switch (m_input.mode) {
        case RoutingMode::RelativeLoad:
            return tr("relative load");
        case RoutingMode::GateMass:
            return tr("relative gate mass");
        case RoutingMode::ThisToken:
            return tr("gate weight");
        case RoutingMode::ZScore:
            return tr("z against a uniform router");
        case RoutingMode::Difference:
            return tr("relative load − reference");
    }
    return {};
}

QString RoutingTexts::table(QChar separator) const {
    const bool twoSides = m_input.mode == RoutingMode::Difference;
    QString out = QStringLiteral("layer") + separator + QStringLiteral("measure") + separator +
                  QStringLiteral("phases") + separator + QStringLiteral("n");
    if (twoSides) {
        out += separator + QStringLiteral("reference n");
    }
    for (int e = 0; e < shape().experts; ++e) {
        out += separator + QStringLiteral("expert %1").arg(e);
    }
    out += u'\n';
    QStringList phases;
    for (int phase = 0; phase <= kPhaseCount; ++phase) {
        if ((m_input.phases >> static_cast<unsigned>(phase) & 1U) != 0) {
            phases += phase == kPhaseCount ? tr("special") : phaseName(phase).toLower();
        }
    }
    const bool isToken = m_input.mode == RoutingMode::ThisToken;
    const QString what = separator + measure() + separator +
                         (isToken ? tr("one token") : phases.join(QStringLiteral(" + "))) +
                         separator;
    for (int row = 0; row < m_input.load->rows(); ++row) {
        const auto index = static_cast<std::size_t>(row);
        const std::int64_t n =
            isToken ? (m_input.token(row) != nullptr ? 1 : 0) : m_values.shown.n[index];
        out += QString::number(m_input.load->layerOfRow(row)) + what + QString::number(n);
        if (twoSides) {
            out += separator + QString::number(m_values.reference.n[index]);
        }
        for (int e = 0; e < shape().experts; ++e) {
            const double value = m_values.values[at(row, e)];
            out += separator;  // no value is an empty field
            out += std::isnan(value) ? QString() : allDigits(value);
        }
        out += u'\n';
    }
    return out;
}

}  // namespace gatescope
