// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/speculation_view.h"

#include <QComboBox>
#include <QEvent>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>
#include <algorithm>

#include "views/formats.h"
#include "views/message_label.h"
#include "views/number_table.h"
#include "views/selection.h"
#include "views/speculation_chart.h"
#include "views/speculation_pictures.h"
#include "views/speculation_plot.h"
#include "views/speculation_texts.h"
#include "views/theme.h"
#include "views/view_export.h"

namespace gatescope {

namespace {

constexpr int kMessagePage = 0;
constexpr int kContentPage = 1;
constexpr int kChartPage = 0;
constexpr int kPlotPage = 1;
constexpr int kEmptyPage = 2;
constexpr int kFewColumns = 5;
// In the box of sets; a depth d is d itself.
constexpr int kAllSteps = 0;
constexpr int kMtpSteps = -1;
constexpr int kLookupSteps = -2;

}  // namespace

class SpeculationView::Private final : public QObject {
  public:
    Private(SpeculationView* view, Selection* shared);

    void buildControls();
    void buildContent();
    void buildLayout();
    void installExports();
    void connectSelection();

    void compute();
    void showPicture();
    void showTable(const QStringList& header, const QStringList& tips,
                   const std::vector<std::vector<NumberCell>>& rows);
    void fillSets();
    const SpeculationRates& chosenSet() const;
    SpeculationPicture makePicture() const;
    QString messageText() const;
    QString ruleText() const;
    bool hasDrafts() const { return value && !value->empty(); }

    SpeculationView* q;
    Selection* selection;
    QComboBox* pictures = nullptr;
    QComboBox* sets = nullptr;
    QStackedWidget* pages = nullptr;
    QStackedWidget* charts = nullptr;
    QSplitter* splitter = nullptr;
    QLabel* message = nullptr;
    QLabel* note = nullptr;
    QLabel* empty = nullptr;
    NumberTable* table = nullptr;
    SpeculationChart* chart = nullptr;
    SpeculationPlot* plot = nullptr;
    std::shared_ptr<const SpeculationValue> value;
    SpeculationPicture picture;
    State state = State::NoModel;
    QString rule;
    QString pointed;
    bool filling = false;
};

SpeculationView::Private::Private(SpeculationView* view, Selection* shared)
    : q(view), selection(shared) {
    buildControls();
    buildContent();
    buildLayout();
    installExports();
    connectSelection();
}

void SpeculationView::Private::buildControls() {
    pictures = new QComboBox(q);
    pictures->setObjectName(QStringLiteral("picture"));
    pictures->setAccessibleName(tr("Picture"));
    pictures->addItems({tr("Over time"), tr("By draft position"), tr("Accepted per step"),
                        tr("Expert reads"), tr("Gain"), tr("By kind of token")});
    sets = new QComboBox(q);
    sets->setObjectName(QStringLiteral("steps"));
    sets->setAccessibleName(tr("Steps that count"));
    sets->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    sets->setToolTip(
        plainToolTip(tr("Acceptance at a position depends on how deep a step drafts: who drafts "
                        "deeper begins at other places of the text. Compare steps of one depth.")));
    connect(pictures, &QComboBox::activated, this, [this] {
        pointed.clear();
        q->changed();
    });
    connect(sets, &QComboBox::activated, this, [this] { q->changed(); });
}

void SpeculationView::Private::buildContent() {
    message = makeMessageLabel(q);
    note = makeNoteLabel(q);
    empty = makeMessageLabel(q);
    chart = new SpeculationChart(q);
    chart->setAccessibleName(tr("Accepted and rejected drafts by verify step"));
    plot = new SpeculationPlot(q);
    charts = new QStackedWidget(q);
    charts->addWidget(chart);
    charts->addWidget(plot);
    charts->addWidget(empty);
    table = new NumberTable({QString()}, q);
    table->setAccessibleName(tr("Speculation in numbers"));
    splitter = new QSplitter(Qt::Vertical, q);
    splitter->addWidget(charts);
    splitter->addWidget(table);
    splitter->setChildrenCollapsible(false);
    splitter->setStretchFactor(0, 3);
    splitter->setStretchFactor(1, 1);
    const auto report = [this](const QString& text) {
        pointed = text;
        Q_EMIT q->hoverText(text);
    };
    connect(chart, &SpeculationChart::pointed, this, report);
    connect(plot, &SpeculationPlot::pointed, this, report);
    connect(table, &QTableWidget::currentCellChanged, this, [this](int row, int) {
        if (!filling && row >= 0) {
            pointed.clear();
            Q_EMIT q->hoverText(table->currentExact());
        }
    });
}

void SpeculationView::Private::buildLayout() {
    auto* controls = new QHBoxLayout;
    controls->setSpacing(kGrid);
    controls->addWidget(pictures);
    controls->addWidget(sets);
    controls->addStretch(1);
    auto* head = new QVBoxLayout;
    head->setContentsMargins(kGrid, kGrid, kGrid, 0);
    head->setSpacing(kGrid / 2);
    head->addLayout(controls);
    head->addWidget(note);
    auto* content = new QWidget(q);
    auto* column = new QVBoxLayout(content);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(kGrid / 2);
    column->addLayout(head);
    column->addWidget(splitter, 1);
    pages = new QStackedWidget(q);
    pages->addWidget(message);
    pages->addWidget(content);
    auto* outer = new QVBoxLayout(q);
    outer->setContentsMargins(0, 0, 0, 0);
    outer->addWidget(pages);
}

void SpeculationView::Private::installExports() {
    ViewExport what;
    what.name = QStringLiteral("speculation");
    what.value = [this] { return pointed.isEmpty() ? table->currentExact() : pointed; };
    what.failed = [this](const QString& text) { Q_EMIT q->failed(text); };
    what.plot = plot;
    what.table = [this](QChar separator) { return q->tableText(separator); };
    installExportMenu(plot, what);
    what.plot = nullptr;
    installExportMenu(table, what);
    what.name = QStringLiteral("speculation-steps");
    what.plot = chart;
    what.table = [this](QChar separator) {
        return value ? stepsText(*value, separator) : QString();
    };
    installExportMenu(chart, what);
}

void SpeculationView::Private::connectSelection() {
    connect(plot, &SpeculationPlot::layerChosen, this,
            [this](int layer) { selection->setLayer(layer); });
    connect(selection, &Selection::changed, this,
            [this] { plot->setSelectedLayer(selection->layer().value_or(-1)); });
}

QString SpeculationView::Private::messageText() const {
    switch (state) {
        case State::NoModel:
            return tr(
                "No model is open. Open a model: this shows which drafts were accepted, what "
                "they cost and whether they pay.");
        case State::NoModule:
            return hasDrafts()
                       ? tr("This model has no MTP layer; these are the drafts made before.")
                       : tr("This model has no MTP layer to draft with. Choose lookup or "
                            "auto under Sampling (Ctrl+,): the text itself can be drafted "
                            "from without one.");
        case State::Off:
            return hasDrafts() ? tr("Speculation is off; these are the drafts made before.")
                               : tr("Speculation is off. Switch it on (Ctrl+M) to let several "
                                    "tokens be drafted ahead and verified in one pass.");
        case State::On:
            return hasDrafts()
                       ? QString()
                       : tr("Ask something: every draft shows here as accepted or rejected.");
        case State::Stored:
            return hasDrafts() ? QString() : tr("No drafts were made in what is shown here.");
    }
    return {};
}

QString SpeculationView::Private::ruleText() const {
    return tr("A draft is accepted when it is the token the model itself draws there, so the text "
              "is what it would be without drafts; acceptance depends on the temperature (now: "
              "%1).\n"
              "τ: tokens per verify step, the bonus token behind accepted drafts included; over "
              "time: of the last %2 steps. Grey drafts lay behind a rejected one and were not "
              "judged; a dot is a bonus token, a square a step that drafted by lookup. Gain: "
              "tokens per second in verify steps against plain decode steps of this session.")
        .arg(rule)
        .arg(SpeculationChart::kWindow);
}

/// What can be chosen: all steps, each source, each depth that happened.
void SpeculationView::Private::fillSets() {
    int at = 0;
    const int before = sets->currentData().toInt();
    const auto add = [&](const QString& name, int key, const SpeculationRates& rates) {
        if (rates.steps == 0) {
            return;
        }
        if (at == sets->count()) {
            sets->addItem({});
        }
        // In place: while an answer streams the box may be open.
        sets->setItemText(at, tr("%1 (n = %2)").arg(name, integerText(rates.steps)));
        sets->setItemData(at, key);
        ++at;
    };
    add(tr("All steps"), kAllSteps, value->all);
    add(tr("MTP"), kMtpSteps, value->bySource[static_cast<std::size_t>(DraftSource::Mtp)]);
    add(tr("Lookup"), kLookupSteps, value->bySource[static_cast<std::size_t>(DraftSource::Lookup)]);
    for (std::size_t d = 1; d < value->byDepth.size(); ++d) {
        add(tr("Depth %1").arg(d), static_cast<int>(d), value->byDepth[d]);
    }
    while (sets->count() > at) {
        sets->removeItem(at);
    }
    sets->setCurrentIndex(std::max(0, sets->findData(before)));
}

const SpeculationRates& SpeculationView::Private::chosenSet() const {
    const int key = sets->currentData().toInt();
    if (key == kMtpSteps || key == kLookupSteps) {
        return value->bySource[static_cast<std::size_t>(key == kMtpSteps ? DraftSource::Mtp
                                                                         : DraftSource::Lookup)];
    }
    return key == kAllSteps ? value->all : value->byDepth[static_cast<std::size_t>(key)];
}

SpeculationPicture SpeculationView::Private::makePicture() const {
    const SpeculationRates& set = chosenSet();
    const auto& positions = set.positions;
    switch (q->picture()) {
        case Picture::Positions:
            return positionsPicture(
                set, !positions.empty() && positions.front().asked != positions.back().asked);
        case Picture::Histogram:
            return histogramPicture(set);
        case Picture::Reads:
            return readsPicture(*value);
        case Picture::Gain:
            return gainPicture(*value);
        case Picture::Classes:
            return classesPicture(*value);
        case Picture::Time:
            break;
    }
    return {};
}

void SpeculationView::Private::showTable(const QStringList& header, const QStringList& tips,
                                         const std::vector<std::vector<NumberCell>>& rows) {
    filling = true;
    table->setHeader(header);
    if (header.size() > kFewColumns) {  // stretched, the names would push the numbers out of sight
        table->horizontalHeader()->setSectionResizeMode(0, QHeaderView::ResizeToContents);
    }
    for (int c = 0; c < tips.size(); ++c) {
        table->horizontalHeaderItem(c)->setToolTip(plainToolTip(tips[c]));
    }
    table->setRows(rows);
    filling = false;
}

void SpeculationView::Private::showPicture() {
    const Picture shown = q->picture();
    sets->setVisible(shown == Picture::Positions || shown == Picture::Histogram);
    if (shown == Picture::Time) {
        picture = {};
        chart->setValue(value);
        charts->setCurrentIndex(kChartPage);
        const SpeculationTable numbers = setsTable(*value);
        showTable(numbers.header, numbers.headerTips, numbers.rows);
    } else {
        picture = makePicture();
        empty->setText(picture.empty);
        plot->setAccessibleName(pictures->currentText());
        plot->setPicture(picture);
        plot->setSelectedLayer(selection->layer().value_or(-1));
        charts->setCurrentIndex(picture.empty.isEmpty() ? kPlotPage : kEmptyPage);
        showTable(picture.header, picture.headerTips, picture.rows);
    }
    table->setVisible(picture.empty.isEmpty());
}

void SpeculationView::Private::compute() {
    const QString text = messageText();
    const bool filled = hasDrafts() && state != State::NoModel;
    pages->setCurrentIndex(filled ? kContentPage : kMessagePage);
    message->setText(text);
    if (!filled) {
        q->setAccessibleDescription(text);
        return;
    }
    fillSets();
    showPicture();
    const QString about = picture.note.isEmpty() ? speculationHeadline(*value) : picture.note;
    note->setText(text.isEmpty() ? about : text + u' ' + about);
    note->setToolTip(plainToolTip(ruleText()));
    const QString summary = speculationHeadline(*value);
    chart->setAccessibleDescription(summary);
    plot->setAccessibleDescription(about);
    q->setAccessibleDescription(summary);
}

SpeculationView::SpeculationView(Selection* selection, QWidget* parent)
    : DockView(parent), d(std::make_unique<Private>(this, selection)) {
    setFocusProxy(d->pictures);
    setAccessibleName(tr("Speculation"));
}

SpeculationView::~SpeculationView() = default;

void SpeculationView::setState(State state) {
    if (state != d->state) {
        d->state = state;
        changed();
    }
}

SpeculationView::State SpeculationView::state() const {
    return d->state;
}

void SpeculationView::setRule(const QString& rule) {
    if (rule != d->rule) {
        d->rule = rule;
        changed();
    }
}

void SpeculationView::setValue(std::shared_ptr<const SpeculationValue> value) {
    d->value = std::move(value);
    changed();
}

void SpeculationView::setPicture(Picture picture) {
    d->pictures->setCurrentIndex(static_cast<int>(picture));
    changed();
}

SpeculationView::Picture SpeculationView::picture() const {
    return static_cast<Picture>(std::max(0, d->pictures->currentIndex()));
}

QString SpeculationView::message() const {
    return d->messageText();
}

QString SpeculationView::noteText() const {
    return d->note->text();
}

QString SpeculationView::tableText(QChar separator) const {
    return d->table->exactText(separator);
}

void SpeculationView::compute() {
    d->compute();
}

void SpeculationView::changeEvent(QEvent* event) {
    DockView::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && d) {
        changed();
    }
}

}  // namespace gatescope
