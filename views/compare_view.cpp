// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/compare_view.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QSplitter>
#include <QStackedWidget>
#include <QTabBar>
#include <QVBoxLayout>
#include <utility>
#include <vector>

#include "views/compare_export.h"
#include "views/compare_layers_chart.h"
#include "views/compare_maps.h"
#include "views/compare_options_row.h"
#include "views/compare_tables.h"
#include "views/compare_texts.h"
#include "views/compare_transcripts.h"
#include "views/formats.h"
#include "views/message_label.h"
#include "views/number_table.h"
#include "views/selection.h"
#include "views/theme.h"
#include "views/view_export.h"

namespace gatescope {

class CompareView::Private final : public QObject {
  public:
    Private(CompareView* view, Selection* shared);

    void makeHead();
    void makePages();
    void makeLayersPage();
    void makeExpertsPage();
    void makeRunsPage();
    void makeLayout();
    NumberTable* makeTable(const QString& name, const QString& accessible);
    void connectParts();
    void report(const QString& text) { Q_EMIT q->hoverText(text); }

    const PairComparison* shown() const;
    void fillPairs();
    void compute();
    void fillTables(const PairComparison& of);
    void showAligned();
    void showSelection();
    void setCurrent(NumberTable* table, int row);

    CompareView* q;
    Selection* selection;
    std::shared_ptr<const Comparison> comparison;
    std::function<QString(std::int32_t)> token;
    std::vector<CompareAligned> aligned;

    QStackedWidget* outer = nullptr;
    QLabel* verdict = nullptr;
    QLabel* limits = nullptr;
    QComboBox* pairs = nullptr;
    CompareOptionsRow* options = nullptr;
    QTabBar* tabs = nullptr;
    QStackedWidget* pages = nullptr;
    CompareTranscripts* transcripts = nullptr;
    CompareMaps* maps = nullptr;
    CompareLayersChart* chart = nullptr;
    NumberTable* layers = nullptr;
    NumberTable* experts = nullptr;
    QLabel* expertsNote = nullptr;
    NumberTable* runs = nullptr;
    NumberTable* strata = nullptr;
    CompareAlignedView* same = nullptr;
    bool filling = false;  ///< the tables' own changes are no choice of the person
};

CompareView::Private::Private(CompareView* view, Selection* shared) : q(view), selection(shared) {
    makeHead();
    makePages();
    makeLayout();
    connectParts();
}

void CompareView::Private::makeHead() {
    verdict = new QLabel;
    verdict->setObjectName(QStringLiteral("verdict"));
    limits = makeNoteLabel();
    limits->setObjectName(QStringLiteral("limits"));
    verdict->setTextFormat(Qt::PlainText);
    verdict->setWordWrap(true);
    verdict->setTextInteractionFlags(Qt::TextSelectableByMouse);
    QFont strong = verdict->font();
    strong.setWeight(QFont::DemiBold);
    verdict->setFont(strong);
    pairs = new QComboBox;
    pairs->setObjectName(QStringLiteral("pair"));
    pairs->setAccessibleName(tr("Runs that are compared"));
    pairs->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    pairs->setMinimumContentsLength(16);
    options = new CompareOptionsRow;
    connect(pairs, &QComboBox::activated, this, [this] { q->changed(); });
    connect(options, &CompareOptionsRow::optionsChanged, q, &CompareView::optionsChanged);
}

NumberTable* CompareView::Private::makeTable(const QString& name, const QString& accessible) {
    auto* table = new NumberTable({accessible});
    table->setObjectName(name);
    table->setAccessibleName(accessible);
    connect(table, &QTableWidget::currentCellChanged, this, [this, table](int row, int column) {
        if (!filling && row >= 0 && column >= 0) {
            report(table->horizontalHeaderItem(column)->text() + QStringLiteral(": ") +
                   table->currentExact());
        }
    });
    ViewExport what;
    what.name = QStringLiteral("compare-") + name;
    what.value = [table] { return table->currentExact(); };
    what.table = [table](QChar separator) { return table->exactText(separator); };
    what.failed = [this](const QString& message) { Q_EMIT q->failed(message); };
    if (name == QLatin1String("layers")) {
        what.plot = chart;
    }
    installExportMenu(table, what);
    return table;
}

void CompareView::Private::makePages() {
    pages = new QStackedWidget;
    tabs = new QTabBar;
    tabs->setObjectName(QStringLiteral("pages"));
    tabs->setDrawBase(false);
    tabs->setExpanding(false);
    tabs->setUsesScrollButtons(true);
    for (const QString& name :
         {tr("Answers"), tr("Maps"), tr("Layers"), tr("Experts"), tr("Runs"), tr("Same tokens")}) {
        tabs->addTab(name);
    }
    transcripts = new CompareTranscripts;
    maps = new CompareMaps;
    pages->addWidget(transcripts);
    pages->addWidget(maps);
    makeLayersPage();
    makeExpertsPage();
    makeRunsPage();
    same = new CompareAlignedView;
    pages->addWidget(same);
    connect(tabs, &QTabBar::currentChanged, pages, &QStackedWidget::setCurrentIndex);
}

void CompareView::Private::makeLayersPage() {
    chart = new CompareLayersChart;
    chart->setAccessibleName(tr("Divergence by layer"));
    layers = makeTable(QStringLiteral("layers"), tr("Layers"));
    layers->setFirstColumnFits(true);
    ViewExport what;
    what.name = QStringLiteral("compare-layers");
    what.plot = chart;
    what.value = [this] { return chart->pointedText(); };
    what.table = [this](QChar separator) { return layers->exactText(separator); };
    what.failed = [this](const QString& message) { Q_EMIT q->failed(message); };
    installExportMenu(chart, what);
    auto* split = new QSplitter(Qt::Vertical);
    split->addWidget(chart);
    split->addWidget(layers);
    split->setChildrenCollapsible(false);
    split->setStretchFactor(0, 1);
    split->setStretchFactor(1, 1);
    pages->addWidget(split);
}

void CompareView::Private::makeExpertsPage() {
    experts = makeTable(QStringLiteral("experts"), tr("Experts"));
    experts->setFirstColumnFits(true);
    expertsNote = makeNoteLabel();
    expertsNote->setContentsMargins(kGrid, 0, kGrid, 0);
    auto* page = new QWidget;
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(kGrid / 2);
    column->addWidget(expertsNote);
    column->addWidget(experts, 1);
    pages->addWidget(page);
}

void CompareView::Private::makeRunsPage() {
    runs = makeTable(QStringLiteral("runs"), tr("Runs"));
    strata = makeTable(QStringLiteral("tokens"), tr("Compared with each other"));
    strata->setFitHeight(true);
    auto* page = new QWidget;
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(kGrid);
    column->addWidget(runs, 1);
    column->addWidget(strata);
    pages->addWidget(page);
}

void CompareView::Private::makeLayout() {
    auto* row = new QHBoxLayout;
    row->setSpacing(kGrid);
    row->addWidget(tabs, 1);
    row->addWidget(pairs);
    auto* head = new QVBoxLayout;
    head->setContentsMargins(kGrid, kGrid, kGrid, 0);
    head->setSpacing(kGrid / 2);
    head->addWidget(verdict);
    head->addWidget(limits);
    head->addWidget(options);
    head->addLayout(row);
    auto* filled = new QWidget;
    auto* column = new QVBoxLayout(filled);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(kGrid / 2);
    column->addLayout(head);
    column->addWidget(pages, 1);
    QLabel* message = makeMessageLabel();
    message->setText(
        tr("Nothing is compared yet. Write two prompts and run them, or choose stored sessions: "
           "this shows which layers and experts they use differently, and whether that is more "
           "than chance."));
    outer = new QStackedWidget;
    outer->addWidget(message);
    outer->addWidget(filled);
    auto* all = new QVBoxLayout(q);
    all->setContentsMargins(0, 0, 0, 0);
    all->addWidget(outer);
}

void CompareView::Private::connectParts() {
    const auto say = [this](const QString& text) { report(text); };
    const auto fail = [this](const QString& text) { Q_EMIT q->failed(text); };
    connect(transcripts, &CompareTranscripts::pointed, this, say);
    connect(transcripts, &CompareTranscripts::failed, this, fail);
    connect(transcripts, &CompareTranscripts::tokenOpened, q, &CompareView::tokenOpened);
    connect(maps, &CompareMaps::pointed, this, say);
    connect(maps, &CompareMaps::failed, this, fail);
    connect(maps, &CompareMaps::cellChosen, this,
            [this](int layer, int expert) { selection->setCell(layer, expert); });
    connect(chart, &CompareLayersChart::pointed, this, say);
    connect(chart, &CompareLayersChart::layerChosen, this,
            [this](int layer) { selection->setLayer(layer); });
    connect(same, &CompareAlignedView::pointed, this, say);
    connect(same, &CompareAlignedView::failed, this, fail);
    connect(same, &CompareAlignedView::layerChosen, this,
            [this](int layer) { selection->setLayer(layer); });
    connect(same, &CompareAlignedView::forcedRequested, this,
            [this] { Q_EMIT q->forcedRequested(q->pair()); });
    connect(layers, &QTableWidget::currentCellChanged, this, [this](int row, int) {
        if (!filling && row >= 0 && shown() != nullptr) {
            selection->setLayer(shown()->layers[static_cast<std::size_t>(row)].layer);
        }
    });
    connect(experts, &QTableWidget::currentCellChanged, this, [this](int row, int) {
        if (!filling && row >= 0 && shown() != nullptr) {
            const ShiftedExpert& at = shown()->experts[static_cast<std::size_t>(row)];
            report(CompareTexts(*comparison, *shown()).expert(at));
            selection->setCell(at.layer, at.expert);
        }
    });
    connect(selection, &Selection::changed, this, [this] {
        if (shown() != nullptr && q->isSeen()) {
            showSelection();
        } else {
            q->changed();
        }
    });
}

const PairComparison* CompareView::Private::shown() const {
    const std::size_t index = q->pair();
    return comparison != nullptr && index < comparison->pairs.size() ? &comparison->pairs[index]
                                                                     : nullptr;
}

void CompareView::Private::fillPairs() {
    pairs->clear();
    for (std::size_t i = 0; comparison != nullptr && i < comparison->pairs.size(); ++i) {
        const PairComparison& pair = comparison->pairs[i];
        pairs->addItem(tr("%1 and %2")
                           .arg(CompareTexts::label(*comparison, pair.a),
                                CompareTexts::title(*comparison, pair.b)));
    }
    pairs->setVisible(pairs->count() > 1);
}

void CompareView::Private::compute() {
    const PairComparison* of = shown();
    outer->setCurrentIndex(of != nullptr ? 1 : 0);
    transcripts->setPair(comparison, q->pair());
    maps->setPair(comparison, q->pair());
    chart->setPair(comparison, q->pair());
    if (of == nullptr) {
        return;
    }
    const CompareTexts texts(*comparison, *of);
    verdict->setText(texts.verdict());
    limits->setText(texts.limits());
    verdict->setToolTip(plainToolTip(texts.method()));
    limits->setToolTip(plainToolTip(texts.method()));
    q->setAccessibleDescription(q->verdictText());
    fillTables(*of);
    showAligned();
    showSelection();
}

void CompareView::Private::fillTables(const PairComparison& of) {
    filling = true;
    layers->setHeader(compareLayersHeader(*comparison, of));
    layers->setRows(compareLayerRows(of));
    experts->setHeader(compareExpertsHeader(*comparison, of));
    experts->setRows(compareExpertRows(of));
    runs->setHeader(compareRunsHeader(*comparison));
    runs->setRows(compareRunRows(*comparison));
    strata->setHeader(compareStrataHeader(*comparison, of));
    strata->setRows(compareStratumRows(of));
    filling = false;
    expertsNote->setText(
        tr("%1 of %2 experts of the main layers shifted beyond chance (◆, p adjusted over all of "
           "them); the %3 strongest are listed.")
            .arg(integerText(of.expertsBeyond), integerText(of.expertsTested),
                 integerText(static_cast<std::int64_t>(of.experts.size()))));
}

void CompareView::Private::showAligned() {
    const PairComparison* of = shown();
    if (of == nullptr || q->pair() >= aligned.size()) {
        return;
    }
    same->setAligned(aligned[q->pair()], CompareTexts::label(*comparison, of->a),
                     CompareTexts::label(*comparison, of->b), token);
}

void CompareView::Private::setCurrent(NumberTable* table, int row) {
    filling = true;
    if (row < 0) {
        table->setCurrentItem(nullptr);
    } else if (table->currentRow() != row) {
        table->setCurrentCell(row, std::max(0, table->currentColumn()));
    }
    filling = false;
}

void CompareView::Private::showSelection() {
    const auto layer = selection->layer();
    const auto expert = selection->expert();
    maps->setSelected(layer, expert);
    chart->setSelected(layer);
    same->setSelected(layer);
    const PairComparison& of = *shown();
    int row = -1;
    for (std::size_t i = 0; i < of.layers.size(); ++i) {
        row = of.layers[i].layer == layer ? static_cast<int>(i) : row;
    }
    setCurrent(layers, row);
    row = -1;
    for (std::size_t i = 0; i < of.experts.size(); ++i) {
        const ShiftedExpert& at = of.experts[i];
        row = at.layer == layer && at.expert == expert ? static_cast<int>(i) : row;
    }
    setCurrent(experts, row);
}

CompareView::CompareView(Selection* selection, QWidget* parent)
    : DockView(parent), d(std::make_unique<Private>(this, selection)) {
    changed();
}

CompareView::~CompareView() = default;

void CompareView::setComparison(std::shared_ptr<const Comparison> comparison,
                                std::function<QString(std::int32_t)> token) {
    const std::size_t before = pair();
    const bool sameRuns = d->comparison != nullptr && comparison != nullptr &&
                          d->comparison->runs.size() == comparison->runs.size();
    d->comparison = std::move(comparison);
    d->token = std::move(token);
    d->aligned.assign(d->comparison != nullptr ? d->comparison->pairs.size() : 0, {});
    d->fillPairs();
    if (sameRuns) {
        setPair(before);
    }
    changed();
}

void CompareView::setAligned(std::size_t pair, CompareAligned aligned) {
    if (pair < d->aligned.size()) {
        d->aligned[pair] = std::move(aligned);
        if (pair == this->pair()) {
            d->showAligned();
        }
    }
}

void CompareView::setForcible(bool can, const QString& why) {
    d->same->setForcible(can, why);
}

void CompareView::setOptions(const ComparisonOptions& options) {
    d->options->setOptions(options);
}

const ComparisonOptions& CompareView::options() const {
    return d->options->options();
}

void CompareView::setPage(Page page) {
    d->tabs->setCurrentIndex(page);
}

CompareView::Page CompareView::page() const {
    return static_cast<Page>(d->tabs->currentIndex());
}

void CompareView::setPair(std::size_t pair) {
    if (static_cast<int>(pair) < d->pairs->count()) {
        d->pairs->setCurrentIndex(static_cast<int>(pair));
        changed();
    }
}

std::size_t CompareView::pair() const {
    return static_cast<std::size_t>(std::max(0, d->pairs->currentIndex()));
}

QString CompareView::verdictText() const {
    return d->shown() != nullptr ? d->verdict->text() + u' ' + d->limits->text() : QString();
}

QString CompareView::tableText(Page page, QChar separator) const {
    switch (page) {
        case Answers:
            return d->transcripts->tableText(separator);
        case Maps:
            return d->maps->tableText(separator);
        case Layers:
            return d->layers->exactText(separator);
        case Experts:
            return d->experts->exactText(separator);
        case Runs:
            return d->runs->exactText(separator);
        case SameTokens:
            return d->same->layersText(separator);
    }
    return {};
}

void CompareView::save(const QString& file) const {
    if (d->comparison != nullptr) {
        saveComparison(*d->comparison, d->aligned, file);
    }
}

void CompareView::compute() {
    d->compute();
}

}  // namespace gatescope
