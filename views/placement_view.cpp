// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/placement_view.h"

#include <QEvent>
#include <QLabel>
#include <QScrollArea>
#include <QStackedWidget>
#include <QVBoxLayout>

#include "views/formats.h"
#include "views/literal_text.h"
#include "views/message_label.h"
#include "views/number_table.h"
#include "views/placement_chart.h"
#include "views/placement_tables.h"
#include "views/theme.h"
#include "views/view_export.h"

namespace gatescope {

namespace {

constexpr int kMessagePage = 0;
constexpr int kResultPage = 1;
constexpr double kHeadlineSize = 1.3;

NumberTable* fittedTable(const QStringList& header, const QString& name) {
    auto* table = new NumberTable(header);
    table->setFitHeight(true);
    table->setAccessibleName(name);
    return table;
}

}  // namespace

PlacementView::PlacementView(QWidget* parent)
    : QWidget(parent),
      m_pages(new QStackedWidget),
      m_message(makeMessageLabel()),
      m_headline(new QLabel),
      m_definition(makeNoteLabel()),
      m_caveats(makeNoteLabel()),
      m_chart(new PlacementChart),
      m_measures(fittedTable({tr("predicted"), tr("before"), tr("placed"), tr("even")},
                             tr("Balance before and after"))),
      m_costs(fittedTable({tr("cost"), tr("placed")}, tr("Costs"))),
      m_heldOut(fittedTable({tr("held out, by policy"), tr("on its own half"), tr("held out"),
                             tr("95 % from"), tr("to")},
                            tr("Scores on traffic not planned for"))) {
    m_headline->setTextFormat(Qt::PlainText);
    m_headline->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_headline->setWordWrap(true);
    m_pages->addWidget(m_message);
    m_pages->addWidget(makeResult());
    auto* outer = new QVBoxLayout(this);
    outer->setContentsMargins(0, 0, 0, 0);
    outer->addWidget(m_pages);
    connect(m_chart, &PlacementChart::pointed, this,
            [this](int gpu) { Q_EMIT hoverText(m_plan ? gpuLoadText(*m_plan, gpu) : QString()); });
    offerExports();
    restyle();
}

QWidget* PlacementView::makeResult() {
    auto* content = new QWidget;
    auto* column = new QVBoxLayout(content);
    column->setContentsMargins(0, 0, kGrid, 0);
    column->setSpacing(kGrid);
    column->addWidget(m_headline);
    column->addWidget(m_definition);
    column->addWidget(m_chart, 1);
    column->addWidget(m_measures);
    column->addWidget(m_heldOut);
    column->addWidget(m_costs);
    column->addWidget(m_caveats);
    auto* scroll = new QScrollArea;
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setFocusPolicy(Qt::NoFocus);
    scroll->setWidget(content);
    return scroll;
}

void PlacementView::offerExports() {
    const auto failedText = [this](const QString& message) { Q_EMIT failed(message); };
    const auto loads = [this](QChar separator) {
        return m_plan ? gpuLoadsText(*m_plan, separator) : QString();
    };
    const auto load = [this] {
        return m_plan ? gpuLoadText(*m_plan, m_chart->pointedGpu()) : QString();
    };
    installExportMenu(m_chart, {tr("gpu loads"), m_chart, load, loads, failedText});
    for (NumberTable* table : {m_measures, m_costs, m_heldOut}) {
        installExportMenu(
            table, {table->accessibleName(), nullptr, [table] { return table->currentExact(); },
                    [table](QChar separator) { return table->exactText(separator); }, failedText});
    }
}

void PlacementView::setMessage(const QString& message) {
    m_message->setText(literalText(message));
}

QString PlacementView::headline() const {
    return m_headline->text();
}

QString PlacementView::caveats() const {
    return m_caveats->text();
}

void PlacementView::setPlan(std::shared_ptr<const PlacementPlan> plan, PlacementTarget target) {
    m_plan = std::move(plan);
    m_pages->setCurrentIndex(m_plan ? kResultPage : kMessagePage);
    m_chart->setPlan(m_plan);
    if (!m_plan) {
        return;
    }
    const PlacementMeasure measure = targetMeasure(target);
    const QString after = threeDigits(m_plan->after.*measure.value);
    m_headline->setText(
        m_plan->before
            ? tr("%1 %2 → %3")
                  .arg(measure.name, threeDigits((*m_plan->before).*measure.value), after)
            : tr("%1 %2").arg(measure.name, after));
    m_headline->setAccessibleName(m_headline->text());
    QString definition = measure.definition;
    if (!definesMeasure(target)) {
        definition = tr("By vLLM's definition, as %1 has none of its own: %2")
                         .arg(targetName(target), measure.definition);
    }
    definition[0] = definition[0].toUpper();
    m_definition->setText(definition);
    m_measures->setHeader(
        {tr("predicted"), placementBeforeText(*m_plan), tr("placed"), tr("even")});
    m_measures->setRows(placementMeasureRows(*m_plan));
    m_costs->setRows(placementCostRows(*m_plan));
    m_heldOut->setRows(placementHeldOutRows(*m_plan));
    m_heldOut->setVisible(m_plan->heldOut.has_value());
    m_caveats->setText(literalText(placementCaveats(*m_plan)));
}

void PlacementView::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::FontChange) {
        restyle();
    }
}

void PlacementView::restyle() {
    QFont large = font();
    large.setPointSizeF(large.pointSizeF() * kHeadlineSize);
    large.setBold(true);
    m_headline->setFont(large);
}

}  // namespace gatescope
