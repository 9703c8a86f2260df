// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/specialists_tables.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "views/formats.h"

namespace gatescope {

namespace {

struct Text {
    Q_DECLARE_TR_FUNCTIONS(SpecialistsTables)
};

QString ratioText(double factor) {
    return std::isinf(factor) ? QString(QChar(0x221E)) : threeDigits(factor);
}

NumberCell timesCell(double factor, const QString& tip) {
    return {std::isinf(factor) ? ratioText(factor) : timesText(factor), allDigits(factor), tip, {}};
}

NumberCell numberCell(double number, const QString& tip = {}) {
    return {threeDigits(number), allDigits(number), tip, {}};
}

NumberCell integerCell(std::int64_t number, const QString& tip = {}) {
    return {integerText(number), QString::number(number), tip, {}};
}

QString domainText(const SpecialisationValue& value, int domain) {
    return visibleText(QString::fromStdString(value.domains[static_cast<std::size_t>(domain)]), 40);
}

QByteArray bytesOf(const VocabularyEntry& entry) {
    return QByteArray::fromStdString(entry.bytes);
}

double smallerRatio(const Specialist& specialist) {
    return std::min(specialist.halves[0].ratio, specialist.halves[1].ratio);
}

/// What a column is sorted by, apart from the domain's name.
double sortKey(const Specialist& specialist, int column) {
    switch (column) {
        case 1:
            return specialist.layer;
        case 2:
            return specialist.expert;
        case 3:
            return specialist.ratio;
        case 4:
            return smallerRatio(specialist);
        default:
            return static_cast<double>(specialist.tokens);
    }
}

}  // namespace

QStringList specialistsHeader() {
    return {Text::tr("domain"), Text::tr("layer"),  Text::tr("expert"),
            Text::tr("ratio"),  Text::tr("halves"), Text::tr("n")};
}

QStringList tokensHeader() {
    return {Text::tr("token"), Text::tr("n"),      Text::tr("chosen"),
            Text::tr("share"), Text::tr("shrunk"), Text::tr("lift")};
}

QStringList replicationHeader() {
    return {Text::tr("layer"),   Text::tr("Pearson"), Text::tr("Spearman"),
            Text::tr("centred"), Text::tr("n"),       Text::tr("JSD, bits")};
}

std::vector<std::size_t> sortedSpecialists(const SpecialisationValue& value, int column,
                                           bool descending) {
    std::vector<std::size_t> order(value.specialists.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (column < 0) return order;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const Specialist& x = value.specialists[descending ? b : a];
        const Specialist& y = value.specialists[descending ? a : b];
        if (column == 0) return domainText(value, x.domain) < domainText(value, y.domain);
        return sortKey(x, column) < sortKey(y, column);
    });
    return order;
}

std::vector<std::vector<NumberCell>> specialistsRows(const SpecialisationValue& value,
                                                     const std::vector<std::size_t>& order,
                                                     const QColor& muted) {
    std::vector<std::vector<NumberCell>> out;
    out.reserve(order.size());
    for (const std::size_t index : order) {
        const Specialist& found = value.specialists[index];
        const QString tip = nameText(found);
        const QString halves = ratioText(found.halves[0].ratio) + QStringLiteral(" / ") +
                               ratioText(found.halves[1].ratio);
        const QString exactHalves = allDigits(found.halves[0].ratio) + QStringLiteral(" / ") +
                                    allDigits(found.halves[1].ratio);
        std::vector<NumberCell> row = {{domainText(value, found.domain), {}, tip, {}},
                                       integerCell(found.layer, tip),
                                       integerCell(found.expert, tip),
                                       {ratioText(found.ratio), allDigits(found.ratio), tip, {}},
                                       {halves, exactHalves, tip, {}},
                                       integerCell(found.tokens, tip)};
        if (!found.replicated) {
            for (NumberCell& cell : row) cell.colour = muted;
        }
        out.push_back(std::move(row));
    }
    return out;
}

std::vector<std::vector<NumberCell>> tokensRows(const SpecialisationValue& value,
                                                const std::vector<VocabularyEntry>& entries) {
    const QString shareTip =
        Text::tr("of the occurrences of this token, those for which the expert was chosen");
    const QString shrunkTip =
        Text::tr(
            "(chosen + a k/E) / (n + a) with a = %1: pulled towards chance k/E = %2 where n "
            "is small")
            .arg(threeDigits(value.rule.shrinkage), threeDigits(value.chance()));
    std::vector<std::vector<NumberCell>> out;
    for (const VocabularyEntry& entry : entries) {
        const QString name =
            entry.bytes.empty() ? Text::tr("id %1").arg(entry.id) : quotedToken(bytesOf(entry), 24);
        out.push_back({{name, {}, Text::tr("token id %1").arg(entry.id), {}},
                       integerCell(entry.tokens),
                       integerCell(entry.chosen),
                       {percentText(entry.share), allDigits(entry.share), shareTip, {}},
                       {percentText(entry.shrunk), allDigits(entry.shrunk), shrunkTip, {}},
                       timesCell(entry.lift, Text::tr("shrunk share over chance"))});
    }
    return out;
}

std::vector<std::vector<NumberCell>> replicationRows(const SpecialisationValue& value) {
    const QString plainTip = Text::tr(
        "correlation of domain affinity D between the two halves of the prompts, over "
        "experts × domains");
    const QString centredTip = Text::tr(
        "Pearson's, of D less the expert's mean over the domains: an expert that is busy "
        "everywhere does not count as agreement");
    const QString nTip = Text::tr("experts × domains with tokens in both halves");
    std::vector<std::vector<NumberCell>> out;
    for (int row = 0; row < value.rows(); ++row) {
        const auto index = static_cast<std::size_t>(row);
        const Replication& halves = value.replication[index];
        const DomainDivergence& apart = value.divergence[index];
        const QString apartTip =
            Text::tr(
                "mean Jensen-Shannon divergence of the domains' loads, over %n pair(s), "
                "weighted %1 less its bias %2",
                nullptr, apart.pairs)
                .arg(threeDigits(apart.weighted), threeDigits(apart.bias));
        const int layer = value.layerOfRow(row);
        const bool mtp = layer == value.shape.mtpLayer;
        out.push_back({{mtp ? Text::tr("%1 (MTP)").arg(layer) : QString::number(layer), {}, {}, {}},
                       numberCell(halves.pearson, plainTip),
                       numberCell(halves.spearman, plainTip),
                       numberCell(halves.pearsonCentred, centredTip),
                       integerCell(halves.cells, nTip),
                       numberCell(apart.corrected, apartTip)});
    }
    return out;
}

QString nameText(const Specialist& specialist) {
    const QString name = visibleText(QString::fromStdString(specialist.name));
    const QString verdict =
        specialist.replicated ? Text::tr("holds in both halves") : Text::tr("not in both halves");
    return Text::tr("%1. Chosen for %2 of %3 tokens (lift %4); %5, adjusted p %6.")
        .arg(name, integerText(specialist.chosen), integerText(specialist.tokens),
             timesText(specialist.lift), verdict,
             specialist.adjusted < 1e-300 ? QStringLiteral("< 1e-300")
                                          : QString::number(specialist.adjusted, 'g', 2));
}

QString ruleText(const SpecialistRule& rule) {
    return Text::tr(
               "Affinity D: share of a domain's tokens for which the expert is among the k "
               "chosen; lift: D over chance k/E.\n"
               "Specialist: its highest D is at least %1 times its mean D in the other domains, "
               "and significantly so (exact binomial tail, false discovery rate %2 over experts × "
               "layers × domains).\n"
               "In both halves: all of it holds in each half of the prompts; they share none. "
               "Tokens of a text are not independent, so one p-value alone says little.\n"
               "Special tokens and rejected drafts are left out.")
        .arg(threeDigits(rule.leastRatio), threeDigits(rule.falseDiscoveryRate));
}

QString affinityText(const SpecialisationValue& value, int row, QChar separator) {
    const QStringList header = {Text::tr("layer"), Text::tr("domain"), Text::tr("expert"),
                                Text::tr("n"),     Text::tr("chosen"), Text::tr("affinity"),
                                Text::tr("lift")};
    QString out = header.join(separator) + u'\n';
    for (int domain = 0; domain < value.domainCount(); ++domain) {
        for (int expert = 0; expert < value.shape.experts; ++expert) {
            const QStringList fields = {QString::number(value.layerOfRow(row)),
                                        tableField(domainText(value, domain), separator),
                                        QString::number(expert),
                                        QString::number(value.tokens(row, domain)),
                                        QString::number(value.count(row, expert, domain)),
                                        allDigits(value.affinity(row, expert, domain)),
                                        allDigits(value.lift(row, expert, domain))};
            out += fields.join(separator) + u'\n';
        }
    }
    return out;
}

}  // namespace gatescope
