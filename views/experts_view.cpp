// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/experts_view.h"

#include <QComboBox>
#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QSplitter>
#include <QStackedWidget>
#include <QTabBar>
#include <QVBoxLayout>
#include <algorithm>

#include "views/experts_cache_chart.h"
#include "views/experts_load_chart.h"
#include "views/experts_spin.h"
#include "views/experts_tables.h"
#include "views/formats.h"
#include "views/message_label.h"
#include "views/selection.h"
#include "views/theme.h"
#include "views/view_export.h"

namespace gatescope {

namespace {

enum Page { kExpertPage, kLayerPage, kMessagePage };

/// One page: what it is about, a chart, and one table of several.
struct ContentPage {
    QWidget* widget = nullptr;
    QLabel* head = nullptr;
    QLabel* note = nullptr;
    QComboBox* chooser = nullptr;
    QStackedWidget* body = nullptr;  ///< the table, or why there is none
    NumberTable* table = nullptr;
    QLabel* empty = nullptr;
    std::vector<ExpertsTable> tables;
};

}  // namespace

class ExpertsView::Private final : public QObject {
  public:
    Private(ExpertsView* view, Selection* shared);

    ContentPage makePage(QCustomPlot* plot, const QString& tableName);
    void installExports(ContentPage& page, QCustomPlot* plot, const QString& name,
                        std::function<QString(QChar)> chartTable);
    void connectTable(ContentPage& page);
    void compute();
    void showMessage(const QString& text);
    void fillPage(ContentPage& page, std::vector<ExpertsTable> tables);
    void fillTable(ContentPage& page);
    void follow(const ContentPage& page, int row, int column);
    void setSpins();
    void spun();
    void selectionChanged();
    void showPage(Page page);
    bool isCurrent() const;
    const ContentPage& shownPage() const {
        return pages->currentIndex() == kLayerPage ? layerPage : expertPage;
    }

    ExpertsView* q;
    Selection* selection;
    std::shared_ptr<const ExpertsValue> value;
    ExpertsLayerSpin* layerSpin = nullptr;
    QSpinBox* expertSpin = nullptr;
    QTabBar* tabs = nullptr;
    QStackedWidget* pages = nullptr;
    QLabel* message = nullptr;
    ExpertsLoadChart* loadChart = nullptr;
    ExpertsCacheChart* cacheChart = nullptr;
    ContentPage expertPage;
    ContentPage layerPage;
    Page wantedPage = kExpertPage;  ///< what the person chose, where there is a choice
    QString pointed;
};

ExpertsView::Private::Private(ExpertsView* view, Selection* shared) : q(view), selection(shared) {
    layerSpin = new ExpertsLayerSpin(q);
    layerSpin->setAccessibleName(ExpertsView::tr("Layer"));
    expertSpin = new QSpinBox(q);
    expertSpin->setAccessibleName(ExpertsView::tr("Expert"));
    expertSpin->setSpecialValueText(QString(QChar(0x2013)));
    expertSpin->setRange(-1, -1);
    expertSpin->setKeyboardTracking(false);
    auto* layerLabel = new QLabel(ExpertsView::tr("&Layer"), q);
    auto* expertLabel = new QLabel(ExpertsView::tr("&Expert"), q);
    layerLabel->setBuddy(layerSpin);
    expertLabel->setBuddy(expertSpin);
    tabs = new QTabBar(q);
    tabs->setDrawBase(false);
    tabs->setExpanding(false);
    tabs->setUsesScrollButtons(false);
    tabs->addTab(ExpertsView::tr("Expert"));
    tabs->addTab(ExpertsView::tr("Layer"));
    tabs->setAccessibleName(ExpertsView::tr("What is shown"));
    auto* bar = new QHBoxLayout;
    bar->setContentsMargins(kGrid, kGrid / 2, kGrid, 0);
    bar->setSpacing(kGrid / 2);
    bar->addWidget(layerLabel);
    bar->addWidget(layerSpin);
    bar->addSpacing(kGrid / 2);
    bar->addWidget(expertLabel);
    bar->addWidget(expertSpin);
    bar->addStretch(1);
    bar->addWidget(tabs);

    loadChart = new ExpertsLoadChart(q);
    loadChart->setAccessibleName(ExpertsView::tr("Load of the expert over time"));
    cacheChart = new ExpertsCacheChart(q);
    cacheChart->setAccessibleName(ExpertsView::tr("Hit rate by cache size"));
    expertPage = makePage(loadChart, ExpertsView::tr("What the expert goes with"));
    layerPage = makePage(cacheChart, ExpertsView::tr("Experts of the layer together"));
    message = makeMessageLabel(q);
    pages = new QStackedWidget(q);
    pages->addWidget(expertPage.widget);
    pages->addWidget(layerPage.widget);
    pages->addWidget(message);
    auto* outer = new QVBoxLayout(q);
    outer->setContentsMargins(0, 0, 0, 0);
    outer->setSpacing(0);
    outer->addLayout(bar);
    outer->addWidget(pages, 1);

    connect(selection, &Selection::changed, this, [this] { selectionChanged(); });
    connect(layerSpin, &QSpinBox::valueChanged, this, [this] { spun(); });
    connect(expertSpin, &QSpinBox::valueChanged, this, [this] { spun(); });
    connect(tabs, &QTabBar::currentChanged, this, [this](int tab) {
        wantedPage = tab == kLayerPage ? kLayerPage : kExpertPage;
        showPage(wantedPage);
    });
    const auto hover = [this](const QString& text) {
        pointed = text;
        Q_EMIT q->hoverText(text);
    };
    connect(loadChart, &ExpertsLoadChart::pointed, this, hover);
    connect(cacheChart, &ExpertsCacheChart::pointed, this, hover);
    installExports(expertPage, loadChart, QStringLiteral("expert"), [this](QChar separator) {
        return value && value->expert ? gatescope::tableText(windowsTable(*value), separator)
                                      : QString();
    });
    installExports(layerPage, cacheChart, QStringLiteral("expert-cache"), [this](QChar separator) {
        return value ? gatescope::tableText(cacheTable(*value, true), separator) : QString();
    });
    connectTable(expertPage);
    connectTable(layerPage);
}

ContentPage ExpertsView::Private::makePage(QCustomPlot* plot, const QString& tableName) {
    ContentPage page;
    page.widget = new QWidget(q);
    page.head = new QLabel(page.widget);
    page.head->setTextFormat(Qt::PlainText);
    page.head->setWordWrap(true);
    page.head->setTextInteractionFlags(Qt::TextSelectableByMouse);
    page.note = makeNoteLabel(page.widget);
    page.chooser = new QComboBox(page.widget);
    page.chooser->setAccessibleName(ExpertsView::tr("Table"));
    page.table = new NumberTable({QString()}, page.widget);
    page.table->setAccessibleName(tableName);
    page.empty = makeMessageLabel(page.widget);
    page.body = new QStackedWidget(page.widget);
    page.body->addWidget(page.table);
    page.body->addWidget(page.empty);

    auto* lower = new QWidget(page.widget);
    auto* lowerLayout = new QVBoxLayout(lower);
    lowerLayout->setContentsMargins(0, 0, 0, 0);
    lowerLayout->setSpacing(0);
    auto* chooserLine = new QHBoxLayout;
    chooserLine->setContentsMargins(kGrid, 0, kGrid, 0);
    chooserLine->addWidget(page.chooser);
    chooserLine->addStretch(1);
    lowerLayout->addLayout(chooserLine);
    lowerLayout->addWidget(page.body, 1);
    auto* splitter = new QSplitter(Qt::Vertical, page.widget);
    splitter->setChildrenCollapsible(false);
    splitter->addWidget(plot);
    splitter->addWidget(lower);
    splitter->setStretchFactor(0, 1);
    splitter->setStretchFactor(1, 2);
    splitter->setSizes({18 * kGrid, 24 * kGrid});

    auto* layout = new QVBoxLayout(page.widget);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(kGrid / 2);
    auto* texts = new QVBoxLayout;
    texts->setContentsMargins(kGrid, kGrid / 2, kGrid, 0);
    texts->setSpacing(kGrid / 4);
    texts->addWidget(page.head);
    texts->addWidget(page.note);
    layout->addLayout(texts);
    layout->addWidget(splitter, 1);
    return page;
}

void ExpertsView::Private::installExports(ContentPage& page, QCustomPlot* plot, const QString& name,
                                          std::function<QString(QChar)> chartTable) {
    ViewExport chart;
    chart.name = name;
    chart.plot = plot;
    chart.value = [this] { return pointed; };
    chart.table = std::move(chartTable);
    chart.failed = [this](const QString& text) { Q_EMIT q->failed(text); };
    installExportMenu(plot, chart);
    ViewExport table = chart;
    table.name = name + QStringLiteral("-table");
    table.value = [&page] { return page.table->currentExact(); };
    table.table = [&page](QChar separator) { return page.table->exactText(separator); };
    installExportMenu(page.table, table);
}

void ExpertsView::Private::connectTable(ContentPage& page) {
    connect(page.chooser, &QComboBox::currentIndexChanged, this,
            [this, &page] { fillTable(page); });
    // Arrow keys walk through the table; only a click or Enter leads to another expert.
    const auto go = [this, &page](int row, int column) { follow(page, row, column); };
    connect(page.table, &QTableWidget::cellClicked, this, go);
    connect(page.table, &QTableWidget::cellActivated, this, go);
    connect(page.table, &QTableWidget::currentCellChanged, this,
            [this, &page] { Q_EMIT q->hoverText(page.table->currentExact()); });
}

void ExpertsView::Private::follow(const ContentPage& page, int row, int column) {
    const int index = page.chooser->currentIndex();
    if (index < 0 || index >= static_cast<int>(page.tables.size())) {
        return;
    }
    const auto& targets = page.tables[static_cast<std::size_t>(index)].targets;
    if (row < 0 || row >= static_cast<int>(targets.size())) {
        return;
    }
    const auto& [first, second] = targets[static_cast<std::size_t>(row)];
    const ExpertsTarget target = column == 1 ? second : first;
    wantedPage = kExpertPage;
    selection->setCell(target.layer, target.expert);
}

void ExpertsView::Private::spun() {
    const std::optional<int> layer = layerSpin->layer();
    const int expert = expertSpin->value();
    if (!layer) {
        selection->setCell(std::nullopt, std::nullopt);
        return;
    }
    selection->setCell(layer, expert >= 0 ? std::optional(expert) : std::nullopt);
}

void ExpertsView::Private::setSpins() {
    const QSignalBlocker quietLayer(layerSpin);
    const QSignalBlocker quietExpert(expertSpin);
    layerSpin->setEnabled(value != nullptr);
    expertSpin->setEnabled(value != nullptr && selection->layer().has_value());
    layerSpin->setShape(value ? value->shape : RoutingShape());
    layerSpin->setLayer(selection->layer());
    expertSpin->setRange(-1, value ? std::max(-1, value->shape.experts - 1) : -1);
    expertSpin->setValue(selection->layer() ? selection->expert().value_or(-1) : -1);
}

bool ExpertsView::Private::isCurrent() const {
    if (!value || value->layer.row < 0) {
        return value != nullptr && !selection->layer();
    }
    const int shown = value->expert ? value->expert->expert : -1;
    return selection->layer() == value->layer.layer && selection->expert().value_or(-1) == shown;
}

void ExpertsView::Private::selectionChanged() {
    setSpins();
    if (q->isSeen() && !isCurrent()) {
        Q_EMIT q->wanted();
    }
}

void ExpertsView::Private::showPage(Page page) {
    const bool layer = value && value->layer.row >= 0;
    const bool expert = layer && value->expert.has_value();
    const QSignalBlocker quiet(tabs);
    tabs->setVisible(layer);
    tabs->setTabEnabled(kExpertPage, expert);
    page = !layer ? kMessagePage : expert ? page : kLayerPage;
    if (layer) {
        tabs->setCurrentIndex(page);
    }
    pages->setCurrentIndex(page);
    q->setAccessibleDescription(q->headline());
}

void ExpertsView::Private::fillPage(ContentPage& page, std::vector<ExpertsTable> tables) {
    page.tables = std::move(tables);
    const QSignalBlocker quiet(page.chooser);
    const int before = std::max(0, page.chooser->currentIndex());
    page.chooser->clear();
    for (const ExpertsTable& table : page.tables) {
        page.chooser->addItem(table.name);
    }
    page.chooser->setCurrentIndex(std::min(before, page.chooser->count() - 1));
    fillTable(page);
}

void ExpertsView::Private::fillTable(ContentPage& page) {
    const int index = page.chooser->currentIndex();
    if (index < 0 || index >= static_cast<int>(page.tables.size())) {
        return;
    }
    const ExpertsTable& table = page.tables[static_cast<std::size_t>(index)];
    const QSignalBlocker quiet(page.table);
    page.table->setFirstColumnNumeric(table.numeric);
    page.table->setHeader(table.header);
    for (int c = 0; c < table.headerTips.size(); ++c) {
        page.table->horizontalHeaderItem(c)->setToolTip(plainToolTip(table.headerTips[c]));
    }
    page.table->setRows(table.rows);
    page.empty->setText(table.empty);
    page.body->setCurrentIndex(table.rows.empty() ? 1 : 0);
}

void ExpertsView::Private::showMessage(const QString& text) {
    message->setText(text);
    showPage(kMessagePage);
}

void ExpertsView::Private::compute() {
    setSpins();
    if (!value) {
        showMessage(
            ExpertsView::tr("No model is open. Open a model folder: this shows what one of "
                            "its experts is for."));
        return;
    }
    if (value->layer.row < 0) {
        const std::optional<int> layer = selection->layer();
        const bool dense = layer && !layerSpin->layer();
        showMessage(dense
                        ? ExpertsView::tr("Layer %1 is dense: it has no experts.").arg(*layer)
                        : ExpertsView::tr("Select an expert: click a cell of the routing heatmap, "
                                          "or choose layer and expert above."));
        return;
    }
    const QPalette palette = q->palette();
    if (value->expert) {
        expertPage.head->setText(expertHeadline(*value));
        expertPage.note->setText(expertDetails(*value));
        expertPage.note->setVisible(!expertPage.note->text().isEmpty());
        loadChart->setWindows(value->expert->windows);
        fillPage(expertPage, {topTokensTable(*value, palette), coactiveTable(*value, palette),
                              neighbourTable(*value, false, palette),
                              neighbourTable(*value, true, palette), domainsTable(*value)});
    }
    layerPage.head->setText(layerHeadline(*value));
    layerPage.note->setText(layerDetails(*value));
    layerPage.note->setVisible(!layerPage.note->text().isEmpty());
    cacheChart->setReads(value->layer.reads, value->bytesPerExpert);
    fillPage(layerPage, {pairsTable(*value), cacheTable(*value, false), nextLayerTable(*value)});
    showPage(wantedPage);
}

ExpertsView::ExpertsView(Selection* selection, QWidget* parent)
    : DockView(parent), d(std::make_unique<Private>(this, selection)) {
    connect(this, &DockView::seenChanged, this, [this] {
        if (isSeen()) {
            Q_EMIT wanted();
        }
    });
    setFocusProxy(d->layerSpin);
    setAccessibleName(tr("Experts"));
}

ExpertsView::~ExpertsView() = default;

void ExpertsView::setValue(std::shared_ptr<const ExpertsValue> value) {
    d->value = std::move(value);
    changed();
}

QString ExpertsView::headline() const {
    return d->pages->currentIndex() == kMessagePage ? d->message->text()
                                                    : d->shownPage().head->text();
}

QString ExpertsView::tableText(QChar separator) const {
    return d->pages->currentIndex() == kMessagePage ? QString()
                                                    : d->shownPage().table->exactText(separator);
}

void ExpertsView::compute() {
    d->compute();
}

void ExpertsView::changeEvent(QEvent* event) {
    DockView::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && d) {
        changed();  // the tables' colours
    }
}

}  // namespace gatescope
