// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/compare_maps.h"

#include <QBoxLayout>
#include <QLabel>
#include <QResizeEvent>
#include <algorithm>
#include <cmath>
#include <limits>

#include "views/compare_texts.h"
#include "views/formats.h"
#include "views/message_label.h"
#include "views/number_table.h"
#include "views/routing_map.h"
#include "views/routing_values.h"
#include "views/theme.h"
#include "views/view_export.h"

namespace gatescope {
namespace {

constexpr int kWide = 120 * kGrid;  // from here on beside each other

/// [rows * E] c E / (n k) of all that the load holds.
std::vector<double> relativeLoads(const RoutingLoad& load) {
    const RoutingCounts counts = countsOf(load, kAllTokens);
    const auto experts = static_cast<std::size_t>(load.shape.experts);
    std::vector<double> values(counts.counts.size(), std::numeric_limits<double>::quiet_NaN());
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto choices = static_cast<double>(counts.n[i / experts]) * load.shape.topK;
        if (choices > 0) {
            values[i] = static_cast<double>(counts.counts[i]) *
                        static_cast<double>(load.shape.experts) / choices;
        }
    }
    return values;
}

}  // namespace

CompareMaps::CompareMaps(QWidget* parent)
    : QWidget(parent), m_layout(new QBoxLayout(QBoxLayout::TopToBottom, this)) {
    m_layout->setContentsMargins(0, 0, 0, 0);
    m_layout->setSpacing(kGrid);
    for (std::size_t i = 0; i < m_maps.size(); ++i) {
        makeMap(i);
    }
}

void CompareMaps::makeMap(std::size_t index) {
    static const char* const kNames[] = {"mapA", "mapB", "mapDifference"};
    auto* map = new RoutingMap;
    map->setObjectName(QLatin1String(kNames[index]));
    map->setMinimumHeight(10 * kGrid);
    auto* title = makeNoteLabel();
    title->setWordWrap(false);
    title->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
    title->setContentsMargins(kGrid, 0, kGrid, 0);
    auto* column = new QVBoxLayout;
    column->setSpacing(0);
    column->addWidget(title);
    column->addWidget(map, 1);
    m_layout->addLayout(column, 1);
    m_maps[index] = map;
    m_titles[index] = title;
    connect(map, &RoutingMap::cellPointed, this,
            [this, index](int layer, int expert) { showCell(index, layer, expert); });
    connect(map, &RoutingMap::cellChosen, this, &CompareMaps::cellChosen);
    for (QCPAxis* axis : {map->xAxis, map->yAxis}) {
        const bool across = axis == map->xAxis;
        connect(axis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this,
                [this, across](const QCPRange& range) {
                    if (std::exchange(m_zooming, true)) {
                        return;
                    }
                    for (RoutingMap* other : m_maps) {
                        if (other != nullptr) {
                            (across ? other->xAxis : other->yAxis)->setRange(range);
                            other->replot(QCustomPlot::rpQueuedReplot);
                        }
                    }
                    m_zooming = false;
                });
    }
    ViewExport what;
    what.name =
        QStringLiteral("compare-map-") + QLatin1String(kNames[index] + 3).toString().toLower();
    what.plot = map;
    what.value = [this] { return m_pointed; };
    what.table = [this](QChar separator) { return tableText(separator); };
    what.failed = [this](const QString& text) { Q_EMIT failed(text); };
    installExportMenu(map, what);
}

const PairComparison* CompareMaps::pair() const {
    return m_comparison != nullptr && m_pair < m_comparison->pairs.size()
               ? &m_comparison->pairs[m_pair]
               : nullptr;
}

void CompareMaps::setPair(std::shared_ptr<const Comparison> comparison, std::size_t pair) {
    m_comparison = std::move(comparison);
    m_pair = pair;
    m_pointed.clear();
    fill();
}

void CompareMaps::fill() {
    const PairComparison* of = pair();
    if (of == nullptr || of->loadA == nullptr || of->loadB == nullptr) {
        return;
    }
    const CompareTexts texts(*m_comparison, *of);
    MapScale load{MapScale::Kind::Relative, 1, tr("relative load")};
    MapScale difference{MapScale::Kind::Diverging, divergingLimit(of->difference, 1),
                        tr("log₂ %1/%2").arg(texts.labelB(), texts.labelA())};
    m_zooming = true;  // another shape sets all of them
    for (RoutingMap* map : m_maps) {
        map->setShape(of->shape);
    }
    m_zooming = false;
    map(A)->setValues(relativeLoads(*of->loadA), load);
    map(B)->setValues(relativeLoads(*of->loadB), load);
    map(Difference)->setValues(of->difference, difference);
    const auto n = [](const RoutingLoad& side) { return integerText(side.tokens(0, kAllTokens)); };
    m_titles[A]->setText(
        tr("%1 · n = %2 tokens").arg(CompareTexts::title(*m_comparison, of->a), n(*of->loadA)));
    m_titles[B]->setText(
        tr("%1 · n = %2 tokens").arg(CompareTexts::title(*m_comparison, of->b), n(*of->loadB)));
    m_titles[Difference]->setText(
        tr("Difference: blue more in %1, orange more in %2, hatched below %3 choices")
            .arg(texts.labelA(), texts.labelB())
            .arg(kFewestChoices));
    for (std::size_t i = 0; i < m_maps.size(); ++i) {
        m_titles[i]->setToolTip(plainToolTip(m_titles[i]->text()));
        m_maps[i]->setAccessibleName(m_titles[i]->text());
    }
}

void CompareMaps::setSelected(std::optional<int> layer, std::optional<int> expert) {
    for (RoutingMap* map : m_maps) {
        map->setSelected(layer, expert);
    }
}

void CompareMaps::showCell(std::size_t index, int layer, int expert) {
    const PairComparison* of = pair();
    m_pointed = of != nullptr ? CompareTexts(*m_comparison, *of).cell(layer, expert) : QString();
    if (m_maps[index]->underMouse()) {
        m_maps[index]->showTip(m_pointed);
    }
    Q_EMIT pointed(m_pointed);
}

void CompareMaps::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    const bool wide = width() >= kWide && width() > 2 * height();
    m_layout->setDirection(wide ? QBoxLayout::LeftToRight : QBoxLayout::TopToBottom);
}

QString CompareMaps::tableText(QChar separator) const {
    const PairComparison* of = pair();
    if (of == nullptr || of->loadA == nullptr || of->loadB == nullptr) {
        return {};
    }
    const QStringList header{tr("layer"),
                             tr("MTP"),
                             tr("expert"),
                             tr("n A"),
                             tr("n B"),
                             tr("count A"),
                             tr("count B"),
                             tr("relative load A"),
                             tr("relative load B"),
                             tr("log2 share B / share A")};
    QString out = header.join(separator) + u'\n';
    const RoutingCounts a = countsOf(*of->loadA, kAllTokens);
    const RoutingCounts b = countsOf(*of->loadB, kAllTokens);
    const std::vector<double> loadA = relativeLoads(*of->loadA);
    const std::vector<double> loadB = relativeLoads(*of->loadB);
    const int experts = of->shape.experts;
    for (int row = 0; row < of->loadA->rows(); ++row) {
        const auto r = static_cast<std::size_t>(row);
        const int layer = of->loadA->layerOfRow(row);
        for (int e = 0; e < experts; ++e) {
            const auto i = r * static_cast<std::size_t>(experts) + static_cast<std::size_t>(e);
            const QStringList cells{
                QString::number(layer),
                layer == of->shape.mtpLayer ? tr("yes") : tr("no"),
                QString::number(e),
                QString::number(a.n[r]),
                QString::number(b.n[r]),
                QString::number(a.counts[i]),
                QString::number(b.counts[i]),
                allDigits(loadA[i]),
                allDigits(loadB[i]),
                i < of->difference.size() ? allDigits(of->difference[i]) : QString()};
            out += cells.join(separator) + u'\n';
        }
    }
    return out;
}

}  // namespace gatescope
