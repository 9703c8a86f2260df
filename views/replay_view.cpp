// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/replay_view.h"

#include <QLabel>
#include <QVBoxLayout>

#include "views/formats.h"
#include "views/number_table.h"
#include "views/theme.h"
#include "views/view_export.h"

namespace gatescope {
namespace {

QString tokensLine(const ReplayValue& value) {
    const AlignedComparison& both = value.comparison;
    if (both.texts.empty()) {
        const QString tokens = integerText(both.answerTokens);
        return value.answers == 1 ? ReplayView::tr("All %1 tokens came out the same.").arg(tokens)
                                  : ReplayView::tr("All %1 tokens of %2 answers came out the same.")
                                        .arg(tokens)
                                        .arg(value.answers);
    }
    return ReplayView::tr("%1 of %2 tokens stand before the first difference of their answer.")
        .arg(integerText(both.equalTokens), integerText(both.answerTokens));
}

QString routingLine(const ReplayValue& value) {
    const AlignedComparison& both = value.comparison;
    if (both.n == 0) {
        return ReplayView::tr("No position was routed both times: routing is not compared.");
    }
    const QString n = integerText(both.n);
    if (both.identicalTokens == both.n) {
        return ReplayView::tr("Every choice of experts is the same: n = %1 positions, %2 layers.")
            .arg(n)
            .arg(both.layers.size());
    }
    return ReplayView::tr(
               "%1 of n = %2 positions chose the same experts in all %3 layers; %4 of the choices "
               "are shared.")
        .arg(integerText(both.identicalTokens), n)
        .arg(both.layers.size())
        .arg(percentText(both.saturation));
}

NumberCell text(const QString& what, const QString& toolTip = {}) {
    return {what, {}, toolTip, {}};
}

NumberCell number(float value) {
    return {threeDigits(value), allDigits(value), {}, {}};
}

std::vector<NumberCell> textRow(const ReplayValue& value, const TextDivergence& differs) {
    const auto token = [&value](std::int32_t id) {
        return id < 0 ? ReplayView::tr("(the end)") : value.token(id);
    };
    const QString toolTip =
        ReplayView::tr(
            "Probability in the untouched logits. The other one's, where it was kept: "
            "stored %1, now %2.")
            .arg(threeDigits(differs.otherInA), threeDigits(differs.otherInB));
    return {text(ReplayView::tr("Answer %1, token %2").arg(differs.answer + 1).arg(differs.seq + 1),
                 toolTip),
            text(token(differs.idA)), number(differs.probabilityA), text(token(differs.idB)),
            number(differs.probabilityB)};
}

std::vector<NumberCell> routingRow(const ReplayValue& value, const RoutingDivergence& first) {
    const QString margin = ReplayView::tr("Choice margin: a small one was a near tie.");
    return {text(ReplayView::tr("Answer %1, position %2, layer %3")
                     .arg(first.answer + 1)
                     .arg(first.position)
                     .arg(first.layer),
                 margin),
            text(value.token(first.tokenId)), number(first.marginA),
            text(ReplayView::tr("other experts")), number(first.marginB)};
}

}  // namespace

ReplayView::ReplayView(QWidget* parent)
    : QWidget(parent),
      m_summary(new QLabel),
      m_conditions(new QLabel),
      m_table(new NumberTable({tr("First differences"), tr("stored"), tr("p or margin"), tr("now"),
                               tr("p or margin")})) {
    for (QLabel* label : {m_summary, m_conditions}) {
        label->setTextFormat(Qt::PlainText);
        label->setWordWrap(true);
        label->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    }
    m_summary->setAccessibleName(tr("Outcome of the replay"));
    m_conditions->setForegroundRole(QPalette::PlaceholderText);
    m_table->setAccessibleName(tr("First differences"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(kGrid);
    column->addWidget(m_summary);
    column->addWidget(m_conditions);
    column->addWidget(m_table, 1);
    column->addStretch(0);  // under the lines where there is no table
    ViewExport what;
    what.name = QStringLiteral("replay");
    what.value = [this] { return m_table->currentExact(); };
    what.table = [this](QChar separator) { return tableText(separator); };
    what.failed = [this](const QString& message) { Q_EMIT failed(message); };
    installExportMenu(m_table, what);
    fill();
}

void ReplayView::setValue(std::shared_ptr<const ReplayValue> value) {
    m_value = std::move(value);
    fill();
}

QString ReplayView::tableText(QChar separator) const {
    return m_table->exactText(separator);
}

void ReplayView::fill() {
    m_summary->setVisible(m_value != nullptr);
    const bool conditions = m_value != nullptr && !m_value->otherConditions.isEmpty();
    m_conditions->setVisible(conditions);
    std::vector<std::vector<NumberCell>> rows;
    if (m_value != nullptr) {
        m_summary->setText(tokensLine(*m_value) + u'\n' + routingLine(*m_value));
        m_conditions->setText(tr("Equal tokens are not to be expected: %1.")
                                  .arg(visibleText(m_value->otherConditions.join(tr("; ")))));
        if (m_value->comparison.first) {
            rows.push_back(routingRow(*m_value, *m_value->comparison.first));
        }
        for (const TextDivergence& differs : m_value->comparison.texts) {
            rows.push_back(textRow(*m_value, differs));
        }
    }
    m_table->setVisible(!rows.empty());
    m_table->setRows(rows);
}

}  // namespace gatescope
