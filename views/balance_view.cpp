// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/balance_view.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QSplitter>
#include <QStackedWidget>
#include <QTabBar>
#include <QTimer>
#include <QVBoxLayout>
#include <algorithm>
#include <optional>
#include <utility>

#include "engine/error.h"
#include "views/balance_chart.h"
#include "views/balance_metrics.h"
#include "views/balance_tables.h"
#include "views/formats.h"
#include "views/message_label.h"
#include "views/number_table.h"
#include "views/selection.h"
#include "views/theme.h"
#include "views/view_export.h"

namespace gatescope {

namespace {

constexpr int kMessagePage = 0;
constexpr int kContentPage = 1;
constexpr int kLayersTab = 0;
constexpr int kExpertsTab = 1;
constexpr int kPauseMs = 250;  // between two computations while frames arrive

}  // namespace

class BalanceView::Private final : public QObject {
  public:
    Private(BalanceView* view, Selection* shared);

    void buildControls();
    void buildLayersPage();
    void buildExpertsPage();
    void buildLayout();
    void installExports();

    void setLoad(std::shared_ptr<const RoutingLoad> next);
    void compute();
    void showMetric();
    void showLayers();
    void showExperts(bool scroll);
    /// `scroll`: the selection is another one; new numbers alone must not move the tables.
    void showSelection(bool scroll);
    void setCurrent(NumberTable* table, const std::vector<std::size_t>& shown,
                    std::optional<std::size_t> wanted, bool scroll);
    void sortBy(int column);
    QString emptyMessage() const;
    QString noteText() const;
    QString currentValue() const;
    const BalanceMetricInfo& metric() const {
        return metrics[static_cast<std::size_t>(std::max(0, combo->currentIndex()))];
    }
    const BalanceRow* selectedRow() const;

    BalanceView* q;
    Selection* selection;
    std::vector<BalanceMetricInfo> metrics = balanceMetrics();
    QComboBox* combo = nullptr;
    QTabBar* tabs = nullptr;
    QLabel* note = nullptr;
    QLabel* layerNote = nullptr;
    QLabel* message = nullptr;
    QStackedWidget* pages = nullptr;
    QStackedWidget* content = nullptr;
    QWidget* expertsPage = nullptr;
    QSplitter* splitter = nullptr;
    BalanceChart* chart = nullptr;
    NumberTable* layers = nullptr;
    NumberTable* experts = nullptr;
    QTimer pause;

    std::shared_ptr<const RoutingLoad> load;
    std::shared_ptr<const BalanceValue> value;
    unsigned phases = kDefaultPhases;
    bool waiting = false;       ///< a load came during the pause
    bool filling = false;       ///< the tables' own changes are no choice of the person
    std::optional<int> sorted;  ///< column of the table, unset: by the shown metric
    bool worstFirst = true;
    std::vector<std::size_t> order;        ///< index in value->rows by row of the layers table
    std::vector<std::size_t> expertOrder;  ///< expert by row of the experts table
    QString pointed;
};

BalanceView::Private::Private(BalanceView* view, Selection* shared) : q(view), selection(shared) {
    buildControls();
    buildLayersPage();
    buildExpertsPage();
    buildLayout();
    installExports();
    pause.setSingleShot(true);
    pause.setInterval(kPauseMs);
    connect(&pause, &QTimer::timeout, this, [this] {
        if (std::exchange(waiting, false)) {
            pause.start();
            q->changed();
        }
    });
    connect(selection, &Selection::changed, this, [this] {
        if (value && q->isSeen()) {
            showSelection(true);
        } else {
            q->changed();
        }
    });
}

void BalanceView::Private::buildControls() {
    combo = new QComboBox(q);
    combo->setObjectName(QStringLiteral("metric"));
    combo->setAccessibleName(tr("Metric in the chart"));
    for (const BalanceMetricInfo& info : metrics) {
        combo->addItem(info.name);
        combo->setItemData(combo->count() - 1, plainToolTip(info.definition), Qt::ToolTipRole);
    }
    connect(combo, &QComboBox::activated, this, [this] {
        sorted.reset();
        worstFirst = true;
        showMetric();
    });
    tabs = new QTabBar(q);
    tabs->setObjectName(QStringLiteral("pages"));
    tabs->setDrawBase(false);
    tabs->setExpanding(false);
    tabs->addTab(tr("Layers"));
    tabs->addTab(tr("Experts"));
    note = makeNoteLabel(q);
    note->setToolTip(plainToolTip(
        tr("n: positions routed in the chosen phases. One chat is not serving traffic: its tokens "
           "follow each other, come from few domains and are few. For the same n even a router "
           "that picks k of E experts at random looks unbalanced; every metric stands beside the "
           "mean of such a router and the point that 95 % of them stay within.\n"
           "Beyond: less even than that point. Hot, cold: exact binomial tails at k / E, both "
           "sides, with a false discovery rate of 5 % over all experts of all layers "
           "(Benjamini-Hochberg); the MTP layer is judged by itself.")));
}

void BalanceView::Private::buildLayersPage() {
    chart = new BalanceChart(q);
    chart->setAccessibleName(tr("Balance by layer"));
    layers = new NumberTable(balanceLayersHeader(metrics), q);
    layers->setObjectName(QStringLiteral("layers"));
    layers->setAccessibleName(tr("Balance metrics by layer"));
    prepareLayersTable(layers, metrics);
    splitter = new QSplitter(Qt::Vertical, q);
    splitter->addWidget(chart);
    splitter->addWidget(layers);
    splitter->setChildrenCollapsible(false);
    connect(chart, &BalanceChart::pointed, this, [this](const QString& text) {
        pointed = text;
        Q_EMIT q->hoverText(text);
    });
    connect(chart, &BalanceChart::layerChosen, this,
            [this](int layer) { selection->setLayer(layer); });
    connect(layers->horizontalHeader(), &QHeaderView::sectionClicked, this,
            [this](int column) { sortBy(column); });
    connect(layers, &QTableWidget::currentCellChanged, this, [this](int row, int column) {
        if (filling || row < 0 || !value) {
            return;
        }
        Q_EMIT q->hoverText(balanceCellText(
            *value, value->rows[order[static_cast<std::size_t>(row)]], metrics, column));
        selection->setLayer(value->rows[order[static_cast<std::size_t>(row)]].layer);
    });
}

void BalanceView::Private::buildExpertsPage() {
    experts = new NumberTable(balanceExpertsHeader(), q);
    experts->setObjectName(QStringLiteral("experts"));
    experts->setAccessibleName(tr("Experts of the selected layer"));
    layerNote = makeNoteLabel(q);
    layerNote->setObjectName(QStringLiteral("layerNote"));
    expertsPage = new QWidget(q);
    auto* layout = new QVBoxLayout(expertsPage);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(kGrid / 2);
    auto* head = new QVBoxLayout;
    head->setContentsMargins(kGrid, 0, kGrid, 0);
    head->addWidget(layerNote);
    layout->addLayout(head);
    layout->addWidget(experts, 1);
    connect(experts, &QTableWidget::currentCellChanged, this, [this](int row, int) {
        const BalanceRow* layer = selectedRow();
        if (!filling && row >= 0 && layer != nullptr) {
            const auto expert = static_cast<int>(expertOrder[static_cast<std::size_t>(row)]);
            Q_EMIT q->hoverText(balanceExpertText(*layer, expert));
            selection->setCell(layer->layer, expert);
        }
    });
}

void BalanceView::Private::buildLayout() {
    content = new QStackedWidget(q);
    content->addWidget(splitter);
    content->addWidget(expertsPage);
    connect(tabs, &QTabBar::currentChanged, this, [this](int index) {
        content->setCurrentIndex(index);
        combo->setEnabled(index == kLayersTab);
        if (value) {
            showSelection(true);
        }
    });
    auto* controls = new QHBoxLayout;
    controls->setSpacing(kGrid);
    controls->addWidget(tabs);
    controls->addStretch(1);
    controls->addWidget(combo);
    auto* filled = new QWidget(q);
    auto* head = new QVBoxLayout;
    head->setContentsMargins(kGrid, kGrid, kGrid, 0);
    head->setSpacing(kGrid / 2);
    head->addLayout(controls);
    head->addWidget(note);
    auto* column = new QVBoxLayout(filled);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(kGrid / 2);
    column->addLayout(head);
    column->addWidget(content, 1);
    message = makeMessageLabel(q);
    pages = new QStackedWidget(q);
    pages->addWidget(message);
    pages->addWidget(filled);
    auto* outer = new QVBoxLayout(q);
    outer->setContentsMargins(0, 0, 0, 0);
    outer->addWidget(pages);
}

void BalanceView::Private::installExports() {
    ViewExport what;
    what.name = QStringLiteral("balance");
    what.plot = chart;
    what.value = [this] { return currentValue(); };
    what.table = [this](QChar separator) { return q->tableText(separator); };
    what.failed = [this](const QString& text) { Q_EMIT q->failed(text); };
    installExportMenu(chart, what);
    installExportMenu(layers, what);
    what.name = QStringLiteral("balance-experts");
    what.table = [this](QChar separator) { return q->expertsText(separator); };
    installExportMenu(experts, what);
}

QString BalanceView::Private::currentValue() const {
    if (tabs->currentIndex() == kExpertsTab) {
        return experts->currentExact();
    }
    return pointed.isEmpty() ? layers->currentExact() : pointed;
}

void BalanceView::Private::setLoad(std::shared_ptr<const RoutingLoad> next) {
    const bool sameModel = load && next && load->shape.layers == next->shape.layers &&
                           load->shape.experts == next->shape.experts;
    load = std::move(next);
    if (sameModel && q->isSeen() && pause.isActive()) {
        waiting = true;  // the timer takes the newest
        return;
    }
    waiting = false;
    pause.start();
    q->changed();
}

QString BalanceView::Private::emptyMessage() const {
    if (!load || load->shape.experts <= 0) {
        return tr(
            "No model is open. Open a model folder: this shows how evenly its layers load "
            "their experts.");
    }
    std::int64_t chosen = 0;
    std::int64_t all = 0;
    for (const int row : {0, load->rows() - 1}) {
        chosen += row >= 0 ? load->tokens(row, phases) : 0;
        all += row >= 0 ? load->tokens(row, kAllTokens) : 0;
    }
    if (all == 0) {
        return tr("Ask something: this fills as tokens pass the router.");
    }
    return chosen > 0 ? QString()
                      : tr("No tokens in the chosen phases. Choose others in the Routing dock.");
}

void BalanceView::Private::compute() {
    const QString empty = emptyMessage();
    value.reset();
    if (empty.isEmpty()) {
        try {
            value = std::make_shared<const BalanceValue>(balanceOf(*load, phases));
        } catch (const Error& error) {
            message->setText(QString::fromUtf8(error.what()));
        }
    } else {
        message->setText(empty);
    }
    pages->setCurrentIndex(value ? kContentPage : kMessagePage);
    if (!value) {
        q->setAccessibleDescription(message->text());
        return;
    }
    note->setText(noteText());
    q->setAccessibleDescription(note->text());
    showMetric();
}

QString BalanceView::Private::noteText() const {
    const BalanceRow& first = value->rows.front();
    const QString tokens =
        first.tokens == 1 ? tr("n = 1 token") : tr("n = %1 tokens").arg(integerText(first.tokens));
    QString text =
        first.steps > 0 ? tr("%1 in %2 steps").arg(tokens, integerText(first.steps)) : tokens;
    int beyond = 0;
    int mains = 0;
    for (const BalanceRow& row : value->rows) {
        mains += row.mtp ? 0 : 1;
        beyond += !row.mtp && row.maxVio.beyond ? 1 : 0;
    }
    text += tr(" · MaxVio beyond chance in %1 of %2 layers").arg(beyond).arg(mains);
    return text + tr(" · one chat is not serving traffic");
}

void BalanceView::Private::showMetric() {
    chart->setContent(value, metric());
    showLayers();
    showSelection(false);
}

void BalanceView::Private::sortBy(int column) {
    const int shown = sorted.value_or(metricColumn(combo->currentIndex()));
    worstFirst = column == shown ? !worstFirst : true;
    sorted = column;
    if (const int index = metricOfColumn(metrics, column); index >= 0) {
        combo->setCurrentIndex(index);
    }
    if (value) {
        showMetric();
    }
}

void BalanceView::Private::showLayers() {
    const int column = sorted.value_or(metricColumn(combo->currentIndex()));
    order = balanceOrder(*value, metrics, column, worstFirst);
    filling = true;
    showSorting(layers, metrics, column, worstFirst);
    layers->setRows(balanceLayerCells(*value, metrics, order, q->palette()));
    filling = false;
}

const BalanceRow* BalanceView::Private::selectedRow() const {
    if (!value) {
        return nullptr;
    }
    for (const BalanceRow& row : value->rows) {
        if (selection->layer() == row.layer) {
            return &row;
        }
    }
    return nullptr;
}

/// Makes the row that shows `wanted` the current one, or none.
void BalanceView::Private::setCurrent(NumberTable* table, const std::vector<std::size_t>& shown,
                                      std::optional<std::size_t> wanted, bool scroll) {
    filling = true;
    const auto at = wanted ? std::find(shown.begin(), shown.end(), *wanted) : shown.end();
    table->setAutoScroll(scroll);
    if (at == shown.end()) {
        table->setCurrentItem(nullptr);
    } else {
        table->setCurrentCell(static_cast<int>(at - shown.begin()),
                              std::max(0, table->currentColumn()));
    }
    table->setAutoScroll(true);  // for the keyboard
    filling = false;
}

void BalanceView::Private::showSelection(bool scroll) {
    chart->setSelected(selection->layer());
    const BalanceRow* row = selectedRow();
    std::optional<std::size_t> index;
    if (row != nullptr) {
        index = static_cast<std::size_t>(row - value->rows.data());
    }
    setCurrent(layers, order, index, scroll);
    if (tabs->currentIndex() == kExpertsTab) {
        showExperts(scroll);
    }
}

void BalanceView::Private::showExperts(bool scroll) {
    const BalanceRow* row = selectedRow();
    layerNote->setText(row == nullptr ? tr("Select a layer to see its experts.")
                                      : balanceLayerName(*row) + QStringLiteral(" · ") +
                                            balanceVerdictsText(*row, *value));
    filling = true;
    expertOrder = row == nullptr ? std::vector<std::size_t>{} : balanceExpertOrder(*row);
    experts->setRows(row == nullptr ? std::vector<std::vector<NumberCell>>{}
                                    : balanceExpertCells(*row, expertOrder, q->palette()));
    filling = false;
    std::optional<std::size_t> expert;
    if (selection->expert()) {
        expert = static_cast<std::size_t>(*selection->expert());
    }
    setCurrent(experts, expertOrder, expert, scroll);
}

BalanceView::BalanceView(Selection* selection, QWidget* parent)
    : DockView(parent), d(std::make_unique<Private>(this, selection)) {
    setFocusProxy(d->layers);
    setAccessibleName(tr("Balance"));
}

BalanceView::~BalanceView() = default;

void BalanceView::setLoad(std::shared_ptr<const RoutingLoad> load) {
    d->setLoad(std::move(load));
}

void BalanceView::setPhases(unsigned phaseMask) {
    const unsigned known = phaseMask & kAllTokens;
    if (known != d->phases) {
        d->phases = known;
        changed();
    }
}

QString BalanceView::tableText(QChar separator) const {
    return d->value ? balanceTableText(*d->value, d->metrics, separator) : QString();
}

QString BalanceView::expertsText(QChar separator) const {
    const BalanceRow* row = d->selectedRow();
    return row != nullptr ? balanceExpertsText(*row, separator) : QString();
}

void BalanceView::compute() {
    d->compute();
}

}  // namespace gatescope
