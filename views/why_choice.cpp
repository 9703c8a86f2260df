// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/why_choice.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {

namespace {

/// Under interventions a layer may choose fewer than k: a slot behind its choices.
constexpr int kEmptySlot = 0xFFFF;
constexpr double kLargeBias = 1.0;  // affinities lie in 0..1
const QString kDot = QStringLiteral(" · ");
const QString kNone = QString(QChar(0x2013));

bool routingFits(const WhyValue& value, const TokenRouting& routing) {
    const RoutingShape& shape = value.shape;
    if (value.row < 0 || value.row >= routing.rows()) {
        return false;
    }
    const auto rows = static_cast<std::size_t>(routing.rows());
    const auto choices = rows * static_cast<std::size_t>(shape.topK);
    return routing.experts.size() == choices && routing.weights.size() == choices &&
           routing.biasDecided.size() == rows &&
           (!routing.scores ||
            routing.scores->size() == rows * static_cast<std::size_t>(shape.experts));
}

NumberCell numberCell(float value, const QString& toolTip = {}) {
    return {threeDigits(static_cast<double>(value)), allDigits(value), toolTip, {}};
}

NumberCell rankCell(int rank, const QString& dropped) {
    return rank > 0 ? NumberCell{QString::number(rank), {}, {}, {}}
                    : NumberCell{kNone, {}, dropped, {}};
}

QString numbersOf(const std::vector<int>& values) {
    QStringList out;
    for (const int value : values) {
        out += QString::number(value);
    }
    return out.join(u' ');
}

/// In `a` and not in `b`, both ascending.
std::vector<int> without(const std::vector<int>& a, const std::vector<int>& b) {
    std::vector<int> out;
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
    return out;
}

}  // namespace

bool WhyChoice::fits(const WhyValue& value) {
    const RoutingShape& shape = value.shape;
    return shape.experts > 0 && shape.topK > 0 && routingFits(value, value.token.routing) &&
           (!value.replayed || routingFits(value, value.replayed->routing)) &&
           (value.bias.empty() || value.bias.size() == static_cast<std::size_t>(shape.experts));
}

WhyChoice::WhyChoice(std::shared_ptr<const WhyValue> value)
    : m_value(std::move(value)), m_source(&m_value->token) {
    const bool biasKnown = !m_value->shape.hasBias || !m_value->bias.empty();
    if (!m_source->routing.scores && m_value->replayed && m_value->replayed->routing.scores) {
        m_source = m_value->replayed.get();
    }
    if (m_source->routing.scores && biasKnown) {
        const auto experts = static_cast<std::size_t>(m_value->shape.experts);
        const std::span<const float> all(*m_source->routing.scores);
        m_ranking = rankChoices(
            m_value->shape, all.subspan(static_cast<std::size_t>(m_value->row) * experts, experts),
            m_value->bias);
    }
    m_listed = listedExperts();
}

std::vector<int> WhyChoice::recorded() const {
    std::vector<int> out;
    for (int j = 0; j < topK(); ++j) {
        const int expert = m_value->token.routing.experts[at(j)];
        if (expert != kEmptySlot) {
            out.push_back(expert);
        }
    }
    return out;
}

std::vector<int> WhyChoice::listedExperts() const {
    if (!ranked()) {
        return recorded();
    }
    const auto shown = std::min(m_ranking.order.size(), static_cast<std::size_t>(2 * topK()));
    std::vector<int> out(m_ranking.order.begin(),
                         m_ranking.order.begin() + static_cast<std::ptrdiff_t>(shown));
    const auto add = [&out](int expert) {
        if (std::find(out.begin(), out.end(), expert) == out.end()) {
            out.push_back(expert);
        }
    };
    for (const ExpertRank& rank : m_ranking.experts) {
        if (!rank.chosen && rank.rankWithoutBias > 0 && rank.rankWithoutBias <= topK()) {
            add(rank.expert);
        }
    }
    for (const int expert : recorded()) {
        if (expert < m_value->shape.experts) {
            add(expert);
        }
    }
    return out;
}

std::vector<int> WhyChoice::all() const {
    std::vector<int> out = m_ranking.order;
    const std::size_t kept = out.size();
    for (const ExpertRank& rank : m_ranking.experts) {
        if (!rank.kept) {
            out.push_back(rank.expert);
        }
    }
    std::stable_sort(out.begin() + static_cast<std::ptrdiff_t>(kept), out.end(), [&](int a, int b) {
        return m_ranking.experts[static_cast<std::size_t>(a)].choice >
               m_ranking.experts[static_cast<std::size_t>(b)].choice;
    });
    return out;
}

int WhyChoice::chosenAt(int choice) const {
    return m_source->routing.experts[at(choice)];
}

float WhyChoice::weightAt(int choice) const {
    return m_source->routing.weights[at(choice)];
}

int WhyChoice::choiceOf(int expert) const {
    for (int j = 0; j < topK(); ++j) {
        if (chosenAt(j) == expert) {
            return j;
        }
    }
    return -1;
}

bool WhyChoice::decidedByBias(int choice) const {
    const std::uint32_t bits =
        m_source->routing.biasDecided[static_cast<std::size_t>(m_value->row)];
    return choice < 32 && (bits >> choice & 1U) != 0;
}

double WhyChoice::biasOffset() const {
    const std::vector<float>& bias = m_value->bias;
    if (bias.empty()) {
        return 0;
    }
    const auto [low, high] = std::minmax_element(bias.begin(), bias.end());
    if (static_cast<double>(*low) < kLargeBias && static_cast<double>(*high) > -kLargeBias) {
        return 0;
    }
    return std::accumulate(bias.begin(), bias.end(), 0.0) / static_cast<double>(bias.size());
}

QString WhyChoice::tokenText() const {
    const bool mtp = m_value->layer == m_value->shape.mtpLayer;
    QStringList parts{
        tr("token %1 %2")
            .arg(QString::number(m_value->token.position), quotedToken(m_value->tokenBytes, 40)),
        mtp ? tr("MTP layer %1").arg(m_value->layer) : tr("layer %1").arg(m_value->layer)};
    if (ranked() && m_value->shape.groups > 1) {
        parts += tr("groups kept %1").arg(numbersOf(m_ranking.keptGroups));
    }
    return parts.join(kDot);
}

/// "it keeps group 2 instead of 1"; empty when the groups are the same.
QString WhyChoice::flipText() const {
    const auto gained = without(m_ranking.keptGroups, m_ranking.keptGroupsWithoutBias);
    const auto lost = without(m_ranking.keptGroupsWithoutBias, m_ranking.keptGroups);
    if (gained.empty()) {
        return {};
    }
    return gained.size() == 1
               ? tr("it keeps group %1 instead of %2").arg(numbersOf(gained), numbersOf(lost))
               : tr("it keeps groups %1 instead of %2").arg(numbersOf(gained), numbersOf(lost));
}

QString WhyChoice::biasText() const {
    if (!m_value->shape.hasBias) {
        return {};
    }
    int decided = m_ranking.biasDecided;
    if (!ranked()) {
        for (int j = 0; j < topK(); ++j) {
            decided += decidedByBias(j) ? 1 : 0;
        }
    }
    QString text = decided == 0
                       ? tr("the bias decided none of the %1").arg(topK())
                       : tr("%1 of %2 chosen only because of the bias").arg(decided).arg(topK());
    if (!ranked() || !someGroupsDropped()) {
        return text;
    }
    QStringList parts;
    if (decided > 0) {
        int flipped = 0;
        for (const ExpertRank& rank : m_ranking.experts) {
            flipped += rank.biasPart == BiasPart::GroupFlip ? 1 : 0;
        }
        parts += flipped == 0         ? tr("within the groups")
                 : flipped == decided ? tr("by other groups")
                                      : tr("%1 within the groups, %2 by other groups")
                                            .arg(decided - flipped)
                                            .arg(flipped);
    }
    const QString flip = flipText();
    if (!flip.isEmpty()) {
        parts += flip;
    }
    return parts.isEmpty() ? text : tr("%1: %2").arg(text, parts.join(QStringLiteral(", ")));
}

QString WhyChoice::numbersText() const {
    QStringList parts;
    const double margin =
        ranked() ? static_cast<double>(m_ranking.margin)
                 : static_cast<double>(
                       m_source->routing.margins[static_cast<std::size_t>(m_value->row)]);
    parts += std::isnan(margin) ? tr("no runner-up: every expert of the kept groups is chosen")
                                : tr("margin %1").arg(threeDigits(margin));
    if (!ranked()) {
        return parts.first();
    }
    if (m_ranking.tie) {
        parts += tr("a tie at the cut: the lower index is chosen");
    }
    if (someGroupsDropped()) {
        parts += m_ranking.groupTie
                     ? tr("group margin 0, a tie: the lower index is kept")
                     : tr("group margin %1")
                           .arg(threeDigits(static_cast<double>(m_ranking.groupMargin)));
    }
    const auto row = static_cast<std::size_t>(m_value->row);
    const auto experts = static_cast<std::size_t>(m_value->shape.experts);
    const auto k = static_cast<std::size_t>(topK());
    const TokenRouting& routing = m_source->routing;
    const double factor =
        weightPerAffinity(std::span(*routing.scores).subspan(row * experts, experts),
                          std::span(routing.experts).subspan(row * k, k),
                          std::span(routing.weights).subspan(row * k, k));
    parts += std::isnan(factor) ? tr("the weights are not proportional to s")
                                : tr("weight = %1 s").arg(threeDigits(factor));
    return parts.join(kDot);
}

QString WhyChoice::recordText() const {
    if (!ranked()) {
        return {};
    }
    std::vector<int> stored = recorded();
    std::vector<int> here(m_ranking.order.begin(), m_ranking.order.begin() + topK());
    std::sort(stored.begin(), stored.end());
    std::sort(here.begin(), here.end());
    QString difference;
    if (stored != here) {
        difference = tr("recorded %1, here %2")
                         .arg(numbersOf(without(stored, here)), numbersOf(without(here, stored)));
    }
    if (replayed()) {
        return replayText(difference);
    }
    return difference.isEmpty()
               ? QString()
               : tr("The recorded choice differs from what affinities and bias give here (%1); "
                    "ranks are worked out again, weights are the recorded ones.")
                     .arg(difference);
}

QString WhyChoice::replayText(const QString& difference) const {
    if (!difference.isEmpty()) {
        return tr("Affinities recomputed by replay. The choice differs from the recorded one (%1).")
            .arg(difference);
    }
    double largest = 0;
    for (int j = 0; j < topK(); ++j) {
        const int expert = m_value->token.routing.experts[at(j)];
        if (expert == kEmptySlot) {
            continue;
        }
        const int choice = choiceOf(expert);
        const double recordedWeight = static_cast<double>(m_value->token.routing.weights[at(j)]);
        const double weight = choice < 0 ? 0 : static_cast<double>(weightAt(choice));
        largest = std::max(largest, std::abs(weight - recordedWeight));
    }
    return largest == 0 ? tr("Affinities recomputed by replay. Choice and weights are the recorded "
                             "ones, to the bit.")
                        : tr("Affinities recomputed by replay. The choice is the recorded one; "
                             "weights differ by up to %1.")
                              .arg(threeDigits(largest));
}

QString WhyChoice::partText(const ExpertRank& rank) const {
    switch (rank.biasPart) {
        case BiasPart::InGroup:
            return someGroupsDropped() ? tr("chosen only because of the bias, within the groups")
                                       : tr("chosen only because of the bias");
        case BiasPart::GroupFlip:
            return tr("chosen only because the bias kept group %1").arg(rank.group);
        case BiasPart::None:
            break;
    }
    const bool keptOut = !rank.chosen && rank.rankWithoutBias > 0 && rank.rankWithoutBias <= topK();
    return keptOut ? tr("kept out by the bias") : QString();
}

QString WhyChoice::expertText(int expert) const {
    QString text = tr("expert %1").arg(expert);
    if (ranked() && expert >= 0 && expert < m_value->shape.experts) {
        const ExpertRank& rank = m_ranking.experts[static_cast<std::size_t>(expert)];
        text += kDot + tr("s %1").arg(allDigits(rank.score));
        if (!m_value->bias.empty()) {
            text += kDot + tr("b %1").arg(allDigits(rank.bias)) + kDot +
                    tr("s + b %1").arg(allDigits(rank.choice));
        }
        text += kDot + (rank.kept ? tr("rank %1").arg(rank.rank)
                                  : tr("group %1 was not kept").arg(rank.group));
        const QString part = partText(rank);
        if (!part.isEmpty()) {
            text += kDot + part;
        }
    }
    const int choice = choiceOf(expert);
    return choice < 0 ? text : text + kDot + tr("weight %1").arg(allDigits(weightAt(choice)));
}

QStringList WhyChoice::header() const {
    if (!ranked()) {
        QStringList out{tr("expert"), tr("choice"), tr("weight")};
        return m_value->shape.hasBias ? out << tr("by bias only") : out;
    }
    if (m_value->bias.empty()) {
        return {tr("expert"), tr("s"), tr("rank"), tr("weight")};
    }
    QStringList out{tr("expert"), tr("s"), tr("b"), tr("s + b"), tr("rank"), tr("b = 0")};
    if (someGroupsDropped()) {
        out += tr("fixed");
    }
    return out << tr("weight");
}

QStringList WhyChoice::headerTips() const {
    QStringList out;
    const QStringList names = header();
    for (const QString& name : names) {
        out += name == tr("s")        ? tr("affinity of the token to the expert")
               : name == tr("b")      ? tr("correction bias: takes part in the choice only")
               : name == tr("s + b")  ? tr("choice score")
               : name == tr("rank")   ? tr("by s + b among the experts of the kept groups")
               : name == tr("b = 0")  ? tr("rank by s alone, the groups chosen again without "
                                            "the bias")
               : name == tr("fixed")  ? tr("rank by s alone inside the groups that were kept "
                                            "with the bias")
               : name == tr("weight") ? tr("gate weight, from s and never from s + b")
                                      : QString();
    }
    return out;
}

bool WhyChoice::isSpare(int column) const {
    return ranked() && !m_value->bias.empty() &&
           (column == 2 || (column == 6 && someGroupsDropped()));
}

std::vector<NumberCell> WhyChoice::storedRow(int choice) const {
    std::vector<NumberCell> row{{QString::number(chosenAt(choice)), {}, {}, {}},
                                {QString::number(choice + 1), {}, {}, {}},
                                numberCell(weightAt(choice))};
    if (m_value->shape.hasBias) {
        row.push_back({decidedByBias(choice) ? tr("yes") : tr("no"), {}, {}, {}});
    }
    return row;
}

std::vector<NumberCell> WhyChoice::rankedRow(const ExpertRank& rank) const {
    const int choice = choiceOf(rank.expert);
    std::vector<NumberCell> row{
        {QString::number(rank.expert), {}, tr("group %1").arg(rank.group), {}},
        numberCell(rank.score)};
    if (!m_value->bias.empty()) {
        row.push_back({signedDigits(static_cast<double>(rank.bias)), allDigits(rank.bias), {}, {}});
        row.push_back(numberCell(rank.choice));
    }
    const QString dropped = tr("group %1 was not kept").arg(rank.group);
    row.push_back(rankCell(rank.rank, dropped));
    row.back().toolTip = rank.rank > 0 ? partText(rank) : dropped;
    if (!m_value->bias.empty()) {
        row.push_back(rankCell(rank.rankWithoutBias,
                               tr("with b = 0 group %1 would not be kept").arg(rank.group)));
        if (someGroupsDropped()) {
            row.push_back(rankCell(rank.rankWithoutBiasFixedGroups, dropped));
        }
    }
    row.push_back(choice >= 0 ? numberCell(weightAt(choice))
                              : NumberCell{kNone, {}, tr("not chosen"), {}});
    return row;
}

std::vector<std::vector<NumberCell>> WhyChoice::rows(const QPalette& palette) const {
    const ThemeColours colours = themeColours(palette);
    std::vector<std::vector<NumberCell>> out;
    for (std::size_t i = 0; i < m_listed.size(); ++i) {
        QColor colour;
        if (ranked()) {
            const ExpertRank& rank = m_ranking.experts[static_cast<std::size_t>(m_listed[i])];
            out.push_back(rankedRow(rank));
            colour = rank.biasDecided ? colours.bias : rank.chosen ? QColor() : colours.muted;
        } else {
            out.push_back(storedRow(static_cast<int>(i)));
            colour = decidedByBias(static_cast<int>(i)) ? colours.bias : QColor();
        }
        for (NumberCell& cell : out.back()) {
            cell.colour = colour;
        }
    }
    return out;
}

QString WhyChoice::tableText(QChar separator) const {
    QStringList lines;
    const auto add = [&](const QStringList& fields) {
        QStringList quoted;
        for (const QString& field : fields) {
            quoted += tableField(field, separator);
        }
        lines += quoted.join(separator);
    };
    QStringList names = header();
    if (ranked()) {
        names << tr("group") << tr("kept") << tr("bias");
    }
    add(names);
    for (const int expert : ranked() ? all() : m_listed) {
        QStringList fields;
        const auto row = ranked() ? rankedRow(m_ranking.experts[static_cast<std::size_t>(expert)])
                                  : storedRow(choiceOf(expert));
        for (const NumberCell& cell : row) {
            fields += cell.exact.isEmpty() ? cell.text : cell.exact;
        }
        if (ranked()) {
            const ExpertRank& rank = m_ranking.experts[static_cast<std::size_t>(expert)];
            fields << QString::number(rank.group) << (rank.kept ? tr("yes") : tr("no"))
                   << partText(rank);
        }
        add(fields);
    }
    return lines.join(u'\n') + u'\n';
}

}  // namespace gatescope
