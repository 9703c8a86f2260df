// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/balance_tables.h"

#include <QCoreApplication>
#include <QHeaderView>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {

namespace {

struct Text {
    Q_DECLARE_TR_FUNCTIONS(gatescope::BalanceTables)
};

// Columns: the layer, the metrics, then these.
enum Tail { Hot, Cold, Dead, NotSeen, GateMaxVio, GateCv, Tokens, Steps, TailCount };

constexpr int kLessUsedMetrics = 3;  // the last ones

constexpr std::array kVerdictOrder{LoadVerdict::Hot, LoadVerdict::Dead, LoadVerdict::Cold,
                                   LoadVerdict::NotSeen, LoadVerdict::Ordinary};

QString tailName(Tail tail) {
    switch (tail) {
        case Hot:
            return Text::tr("hot");
        case Cold:
            return Text::tr("cold");
        case Dead:
            return Text::tr("dead");
        case NotSeen:
            return Text::tr("not seen");
        case GateMaxVio:
            return Text::tr("gate MaxVio");
        case GateCv:
            return Text::tr("gate CV");
        case Tokens:
            return Text::tr("n");
        case Steps:
        case TailCount:
            break;
    }
    return Text::tr("steps");
}

QString tailDefinition(Tail tail, const BalanceValue& value) {
    switch (tail) {
        case Hot:
            return Text::tr("experts chosen more often than chance allows");
        case Cold:
            return Text::tr("experts chosen less often than chance allows, but not never");
        case Dead:
            return Text::tr(
                       "experts never chosen in at least %1 tokens, after which a fair one "
                       "is missed in 5 % of layers at most")
                .arg(integerText(value.deadTokens));
        case NotSeen:
            return Text::tr("experts never chosen, in too few tokens to call them dead (%1)")
                .arg(integerText(value.deadTokens));
        case GateMaxVio:
            return Text::tr(
                "MaxVio of the sums of gate weights instead of the counts; no uniform "
                "router to compare with, the weights' own spread takes part");
        case GateCv:
            return Text::tr("CV of the sums of gate weights instead of the counts");
        case Tokens:
            return Text::tr("positions routed through this layer in the chosen phases");
        case Steps:
        case TailCount:
            break;
    }
    return Text::tr("steps with such positions; those that a step has in two phases are two");
}

double tailValue(Tail tail, const BalanceRow& row) {
    const std::array<double, TailCount> values{static_cast<double>(row.hot),
                                               static_cast<double>(row.cold),
                                               static_cast<double>(row.dead),
                                               static_cast<double>(row.notSeen),
                                               row.gateMaxVio,
                                               row.gateCv,
                                               static_cast<double>(row.tokens),
                                               static_cast<double>(row.steps)};
    return values[tail];
}

bool isCount(Tail tail) {
    return tail != GateMaxVio && tail != GateCv;
}

NumberCell tailCell(Tail tail, const BalanceValue& value, const BalanceRow& row) {
    const double number = tailValue(tail, row);
    const bool whole = isCount(tail);
    return {whole ? integerText(static_cast<std::int64_t>(number)) : threeDigits(number),
            whole ? QString::number(static_cast<std::int64_t>(number)) : allDigits(number),
            tailDefinition(tail, value),
            {}};
}

/// A number by which larger is worse; NaN: none.
double sortKey(const BalanceRow& row, const std::vector<BalanceMetricInfo>& metrics, int column) {
    if (column <= 0) {
        return -row.layer;
    }
    if (const int metric = metricOfColumn(metrics, column); metric >= 0) {
        return metrics[static_cast<std::size_t>(metric)].badness(row);
    }
    return tailValue(static_cast<Tail>(column - metricColumn(static_cast<int>(metrics.size()))),
                     row);
}

NumberCell metricCell(const BalanceMetricInfo& metric, const BalanceRow& row, const QColor& muted) {
    const BalanceMetric& at = metric.of(row);
    const QString words = balanceLayerName(row) + QStringLiteral(" · ") +
                          balanceMetricText(metric, row) + u'\n' + metric.definition;
    return {threeDigits(at.value), allDigits(at.value), words,
            at.beyond || std::isnan(at.nullP95) ? QColor() : muted};
}

QString fieldText(double value) {
    return std::isnan(value) ? QString() : allDigits(value);
}

}  // namespace

QStringList balanceLayersHeader(const std::vector<BalanceMetricInfo>& metrics) {
    QStringList out{Text::tr("layer")};
    for (const BalanceMetricInfo& metric : metrics) {
        out += metric.header;
    }
    for (int tail = 0; tail < TailCount; ++tail) {
        out += tailName(static_cast<Tail>(tail));
    }
    return out;
}

int metricColumn(int metric) {
    return metric + 1;
}

int metricOfColumn(const std::vector<BalanceMetricInfo>& metrics, int column) {
    return column >= 1 && column <= static_cast<int>(metrics.size()) ? column - 1 : -1;
}

std::vector<std::size_t> balanceOrder(const BalanceValue& value,
                                      const std::vector<BalanceMetricInfo>& metrics, int column,
                                      bool worstFirst) {
    std::vector<std::size_t> order(value.rows.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto rank = [&](std::size_t index) {
        const BalanceRow& row = value.rows[index];
        const double key = sortKey(row, metrics, column);
        const int group = row.mtp ? 2 : std::isnan(key) ? 1 : 0;
        return std::pair(group, std::isnan(key) ? 0 : worstFirst ? -key : key);
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
    return order;
}

std::vector<std::vector<NumberCell>> balanceLayerCells(
    const BalanceValue& value, const std::vector<BalanceMetricInfo>& metrics,
    const std::vector<std::size_t>& order, const QPalette& palette) {
    const QColor muted = themeColours(palette).muted;
    std::vector<std::vector<NumberCell>> out;
    for (const std::size_t index : order) {
        const BalanceRow& row = value.rows[index];
        std::vector<NumberCell> cells;
        cells.push_back({row.mtp ? Text::tr("MTP %1").arg(row.layer) : QString::number(row.layer),
                         QString::number(row.layer),
                         row.mtp ? Text::tr("the MTP layer: a router of its own") : QString(),
                         {}});
        for (const BalanceMetricInfo& metric : metrics) {
            cells.push_back(metricCell(metric, row, muted));
        }
        for (int tail = 0; tail < TailCount; ++tail) {
            cells.push_back(tailCell(static_cast<Tail>(tail), value, row));
        }
        out.push_back(std::move(cells));
    }
    return out;
}

QString balanceCellText(const BalanceValue& value, const BalanceRow& row,
                        const std::vector<BalanceMetricInfo>& metrics, int column) {
    const QString layer = balanceLayerName(row);
    if (const int metric = metricOfColumn(metrics, column); metric >= 0) {
        return layer + QStringLiteral(" · ") +
               balanceMetricText(metrics[static_cast<std::size_t>(metric)], row);
    }
    const int tail = column - metricColumn(static_cast<int>(metrics.size()));
    if (column <= 0 || tail >= TailCount) {
        return layer + QStringLiteral(" · ") + balanceVerdictsText(row, value);
    }
    return layer + QStringLiteral(" · ") + tailName(static_cast<Tail>(tail)) + u' ' +
           tailCell(static_cast<Tail>(tail), value, row).exact;
}

QString balanceTableText(const BalanceValue& value, const std::vector<BalanceMetricInfo>& metrics,
                         QChar separator) {
    QStringList head{Text::tr("layer"), Text::tr("MTP")};
    for (const BalanceMetricInfo& metric : metrics) {
        head +=
            {metric.name, Text::tr("uniform mean"), Text::tr("uniform 95 %"), Text::tr("excess")};
    }
    for (int tail = 0; tail < TailCount; ++tail) {
        head += tailName(static_cast<Tail>(tail));
    }
    QString out;
    const auto addLine = [&](const QStringList& fields) {
        for (qsizetype i = 0; i < fields.size(); ++i) {
            out += (i > 0 ? QString(separator) : QString()) + tableField(fields[i], separator);
        }
        out += u'\n';
    };
    addLine(head);
    for (const BalanceRow& row : value.rows) {
        QStringList line{QString::number(row.layer), QString::number(row.mtp ? 1 : 0)};
        for (const BalanceMetricInfo& metric : metrics) {
            const BalanceMetric& at = metric.of(row);
            line += {fieldText(at.value), fieldText(at.nullMean), fieldText(at.nullP95),
                     fieldText(at.excess)};
        }
        for (int tail = 0; tail < TailCount; ++tail) {
            line += fieldText(tailValue(static_cast<Tail>(tail), row));
        }
        addLine(line);
    }
    return out;
}

QStringList balanceExpertsHeader() {
    return {Text::tr("expert"), Text::tr("verdict"),   Text::tr("chosen"),
            Text::tr("load"),   Text::tr("gate mass"), Text::tr("q")};
}

std::vector<std::size_t> balanceExpertOrder(const BalanceRow& row) {
    std::vector<std::size_t> order(row.experts.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto rank = [&](std::size_t index) {
        const ExpertBalance& expert = row.experts[index];
        const auto* group = std::find(kVerdictOrder.begin(), kVerdictOrder.end(), expert.verdict);
        const bool few = expert.verdict == LoadVerdict::Cold;
        return std::pair(group - kVerdictOrder.begin(), few ? expert.count : -expert.count);
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
    return order;
}

std::vector<std::vector<NumberCell>> balanceExpertCells(const BalanceRow& row,
                                                        const std::vector<std::size_t>& order,
                                                        const QPalette& palette) {
    const QColor muted = themeColours(palette).muted;
    std::vector<std::vector<NumberCell>> out;
    for (const std::size_t index : order) {
        const ExpertBalance& expert = row.experts[index];
        const bool called =
            expert.verdict != LoadVerdict::Ordinary && expert.verdict != LoadVerdict::NotSeen;
        const QColor colour = called ? QColor() : muted;
        const QString words = balanceExpertText(row, static_cast<int>(index));
        const auto number = [&](double value) {
            return NumberCell{threeDigits(value), allDigits(value), words, colour};
        };
        out.push_back({{QString::number(index), {}, words, colour},
                       {verdictText(expert.verdict), {}, words, colour},
                       {integerText(expert.count), QString::number(expert.count), words, colour},
                       number(expert.relativeLoad),
                       number(expert.relativeGateMass),
                       number(expert.qValue)});
    }
    return out;
}

QString balanceExpertText(const BalanceRow& row, int expert) {
    if (expert < 0 || expert >= static_cast<int>(row.experts.size())) {
        return {};
    }
    const ExpertBalance& at = row.experts[static_cast<std::size_t>(expert)];
    const double fair = static_cast<double>(row.choices) / static_cast<double>(row.experts.size());
    return Text::tr(
               "%1 · expert %2 · %3 · chosen %4 times, %5 expected · p %6, q %7 · n = %8 "
               "tokens")
        .arg(balanceLayerName(row), QString::number(expert), verdictText(at.verdict),
             integerText(at.count), threeDigits(fair), threeDigits(at.pValue),
             threeDigits(at.qValue), integerText(row.tokens));
}

QString balanceVerdictsText(const BalanceRow& row, const BalanceValue& value) {
    QString text = Text::tr("%1 hot, %2 cold, %3 dead, %4 not seen of %5 experts")
                       .arg(row.hot)
                       .arg(row.cold)
                       .arg(row.dead)
                       .arg(row.notSeen)
                       .arg(row.experts.size());
    text += QStringLiteral(" · ") + Text::tr("n = %1 tokens").arg(integerText(row.tokens));
    if (row.tokens < value.deadTokens) {
        text += QStringLiteral(" · ") +
                Text::tr("dead can be told from %1 tokens on").arg(integerText(value.deadTokens));
    }
    return text;
}

QString balanceExpertsText(const BalanceRow& row, QChar separator) {
    QString out;
    const QStringList head{Text::tr("layer"),  Text::tr("expert"), Text::tr("n"),
                           Text::tr("chosen"), Text::tr("load"),   Text::tr("gate mass"),
                           Text::tr("p"),      Text::tr("q"),      Text::tr("verdict")};
    out += head.join(separator) + u'\n';
    for (std::size_t i = 0; i < row.experts.size(); ++i) {
        const ExpertBalance& expert = row.experts[i];
        const QStringList line{QString::number(row.layer),     QString::number(i),
                               QString::number(row.tokens),    QString::number(expert.count),
                               fieldText(expert.relativeLoad), fieldText(expert.relativeGateMass),
                               fieldText(expert.pValue),       fieldText(expert.qValue),
                               verdictText(expert.verdict)};
        out += line.join(separator) + u'\n';
    }
    return out;
}

void prepareLayersTable(NumberTable* table, const std::vector<BalanceMetricInfo>& metrics) {
    QHeaderView* header = table->horizontalHeader();
    header->setSectionsClickable(true);
    header->setSectionResizeMode(QHeaderView::ResizeToContents);
    const int verdicts = metricColumn(static_cast<int>(metrics.size()));
    for (int column = verdicts + Hot; column <= verdicts + NotSeen; ++column) {
        header->moveSection(column, column - kLessUsedMetrics);
    }
}

void showSorting(NumberTable* table, const std::vector<BalanceMetricInfo>& metrics, int column,
                 bool worstFirst) {
    const QStringList names = balanceLayersHeader(metrics);
    for (int c = 0; c < names.size(); ++c) {
        const QString arrow = worstFirst ? QStringLiteral(" ↓") : QStringLiteral(" ↑");
        table->horizontalHeaderItem(c)->setText(c == column ? names[c] + arrow : names[c]);
    }
}

}  // namespace gatescope
