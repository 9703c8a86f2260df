// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/bias_view.h"

#include <QCheckBox>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QSignalBlocker>
#include <QStackedWidget>
#include <QTabWidget>
#include <QToolTip>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "views/bias_chart.h"
#include "views/bias_drift_text.h"
#include "views/bias_shadow_bar.h"
#include "views/bias_table.h"
#include "views/bias_time_chart.h"
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
constexpr int kBarsPage = 0;
constexpr int kTimePage = 1;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::size_t rowsOf(const RoutingShape& shape) {
    return shape.layers.size() + (shape.mtpLayer >= 0 ? 1 : 0);
}

bool hasBias(const BiasViewValue& value) {
    const auto experts = static_cast<std::size_t>(std::max(0, value.shape.experts));
    return experts > 0 && !value.biasByRow.empty() &&
           value.biasByRow.size() == rowsOf(value.shape) &&
           std::all_of(value.biasByRow.begin(), value.biasByRow.end(),
                       [&](const auto& row) { return row.size() == experts; });
}

}  // namespace

class BiasView::Private final : public QObject {
  public:
    Private(BiasView* view, Selection* shared);

    void makeHead(QVBoxLayout* layout);
    void makePages(QVBoxLayout* layout);
    void connectAll();
    void installExports();

    void compute();
    void showMessage(const QString& text);
    void fillLayers();
    void showApplied();
    void showKind();
    void showBars();
    void showTimes();
    void fillTable();
    void showSelection();

    int layerOf(std::size_t at) const {
        const RoutingShape& shape = value->shape;
        return at < shape.layers.size() ? shape.layers[at] : shape.mtpLayer;
    }
    bool isMtp(std::size_t at) const { return at >= value->shape.layers.size(); }
    std::optional<std::size_t> rowOf(std::optional<int> layer) const;
    bool overTime() const;
    std::vector<int> order() const;
    QString barText(int expert) const;
    QString timeText(int expert, int time) const;
    QString layerText() const { return tr("layer %1").arg(routerName(layerOf(row), isMtp(row))); }
    void pointAt(const QString& text, QWidget* chart);

    BiasView* q;
    Selection* selection;
    QStackedWidget* pages = nullptr;
    QLabel* message = nullptr;
    QWidget* appliedBar = nullptr;
    QLabel* appliedLabel = nullptr;
    QPushButton* reset = nullptr;
    QComboBox* kinds = nullptr;
    QComboBox* layers = nullptr;
    QCheckBox* sorted = nullptr;
    QCheckBox* times = nullptr;
    BiasShadowBar* shadowBar = nullptr;
    QPushButton* compare = nullptr;
    QLabel* note = nullptr;
    QTabWidget* tabs = nullptr;
    QStackedWidget* charts = nullptr;
    BiasChart* bars = nullptr;
    BiasTimeChart* timeChart = nullptr;
    NumberTable* table = nullptr;

    std::shared_ptr<const BiasViewValue> value;
    std::size_t row = 0;
    std::vector<double> bias;   ///< of the row, mean removed
    std::vector<double> drift;  ///< of the row and kind; empty: none
    BiasTimeChart::Content timeContent;
    QString pointed;
    bool filling = false;
};

BiasView::Private::Private(BiasView* view, Selection* shared) : q(view), selection(shared) {
    message = makeMessageLabel(q);
    auto* content = new QWidget(q);
    auto* layout = new QVBoxLayout(content);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(kGrid / 2);
    makeHead(layout);
    makePages(layout);
    pages = new QStackedWidget(q);
    pages->addWidget(message);
    pages->addWidget(content);
    auto* outer = new QVBoxLayout(q);
    outer->setContentsMargins(0, 0, 0, 0);
    outer->addWidget(pages);
    connectAll();
    installExports();
}

void BiasView::Private::makeHead(QVBoxLayout* layout) {
    appliedBar = new QWidget(q);
    appliedBar->setAutoFillBackground(true);
    appliedBar->setBackgroundRole(QPalette::AlternateBase);
    appliedLabel = new QLabel(appliedBar);
    appliedLabel->setTextFormat(Qt::PlainText);
    appliedLabel->setWordWrap(true);
    reset = new QPushButton(tr("Back to the model's own bias"), appliedBar);
    auto* appliedLayout = new QVBoxLayout(appliedBar);  // a dock is often narrow
    appliedLayout->setContentsMargins(kGrid, kGrid / 2, kGrid, kGrid / 2);
    appliedLayout->setSpacing(kGrid / 2);
    appliedLayout->addWidget(appliedLabel);
    appliedLayout->addWidget(reset, 0, Qt::AlignLeft);
    layout->addWidget(appliedBar);

    kinds = new QComboBox(q);
    for (const auto kind : {BiasDriftKind::TrainingHistory, BiasDriftKind::Shadow,
                            BiasDriftKind::Applied, BiasDriftKind::Checkpoint}) {
        kinds->addItem(kindName(kind), static_cast<int>(kind));
    }
    kinds->setCurrentIndex(kinds->findData(static_cast<int>(BiasDriftKind::Shadow)));
    kinds->setAccessibleName(tr("Kind of drift"));
    kinds->setToolTip(plainToolTip(
        tr("Training history: how balancing moved the bias, as the model folder tells.\n"
           "Shadow: where the training rule would move it on this traffic; the run does not "
           "change.\nApplied: the model really runs with another bias.\n"
           "Between checkpoints: another model's bias minus this one's.")));
    layers = new QComboBox(q);
    layers->setAccessibleName(tr("Layer"));
    sorted = new QCheckBox(tr("Sorted"), q);
    sorted->setToolTip(plainToolTip(tr("experts by bias instead of by number")));
    times = new QCheckBox(tr("Over time"), q);
    times->setChecked(true);
    auto* first = new QHBoxLayout;
    first->setSpacing(kGrid);
    first->addWidget(kinds);
    first->addWidget(layers);
    first->addStretch(1);
    shadowBar = new BiasShadowBar(q);
    compare = new QPushButton(tr("Compare with another checkpoint…"), q);
    note = makeNoteLabel(q);
    auto* head = new QVBoxLayout;
    head->setContentsMargins(kGrid, kGrid, kGrid, 0);
    head->setSpacing(kGrid / 2);
    head->addLayout(first);
    head->addWidget(shadowBar);
    head->addWidget(compare, 0, Qt::AlignLeft);
    layout->addLayout(head);
}

void BiasView::Private::makePages(QVBoxLayout* layout) {
    bars = new BiasChart(q);
    bars->setAccessibleName(tr("Correction bias and its drift by expert"));
    timeChart = new BiasTimeChart(q);
    timeChart->setAccessibleName(tr("Correction bias over time"));
    charts = new QStackedWidget(q);
    charts->addWidget(bars);
    charts->addWidget(timeChart);
    auto* picture = new QWidget(q);
    auto* pictureLayout = new QVBoxLayout(picture);
    pictureLayout->setContentsMargins(0, 0, 0, 0);
    pictureLayout->setSpacing(0);
    auto* noteLayout = new QVBoxLayout;
    noteLayout->setContentsMargins(kGrid, kGrid / 2, kGrid, 0);
    noteLayout->addWidget(note);
    pictureLayout->addLayout(noteLayout);
    pictureLayout->addWidget(charts, 1);
    table = new NumberTable(biasTableHeader(), q);
    table->setFirstColumnNumeric(false);
    table->setAccessibleName(tr("What the bias decides"));
    tabs = new QTabWidget(q);
    tabs->setDocumentMode(true);
    auto* options = new QWidget(q);
    auto* optionsLayout = new QHBoxLayout(options);
    optionsLayout->setContentsMargins(0, 0, kGrid, kGrid / 2);
    optionsLayout->setSpacing(kGrid);
    optionsLayout->addWidget(times);
    optionsLayout->addWidget(sorted);
    tabs->setCornerWidget(options);
    tabs->addTab(picture, tr("Bias and drift"));
    tabs->addTab(table, tr("What it decides"));
    layout->addWidget(tabs, 1);
}

void BiasView::Private::connectAll() {
    connect(selection, &Selection::changed, this, [this] { showSelection(); });
    connect(kinds, &QComboBox::currentIndexChanged, this, [this] { q->changed(); });
    connect(layers, &QComboBox::currentIndexChanged, this, [this](int index) {
        if (!filling && index >= 0) {
            selection->setLayer(layers->itemData(index).toInt());
            q->changed();
        }
    });
    connect(sorted, &QCheckBox::toggled, this, [this] { q->changed(); });
    connect(times, &QCheckBox::toggled, this, [this] { q->changed(); });
    connect(reset, &QPushButton::clicked, q, &BiasView::resetRequested);
    connect(compare, &QPushButton::clicked, q, &BiasView::checkpointRequested);
    connect(shadowBar, &BiasShadowBar::applyRequested, q, &BiasView::applyRequested);
    connect(shadowBar, &BiasShadowBar::paramsChanged, q, &BiasView::shadowParamsChanged);
    connect(bars, &BiasChart::expertPointed, this,
            [this](int expert) { pointAt(expert < 0 ? QString() : barText(expert), bars); });
    connect(timeChart, &BiasTimeChart::pointed, this, [this](int expert, int time) {
        pointAt(expert < 0 || time < 0 ? QString() : timeText(expert, time), timeChart);
    });
    const auto choose = [this](int expert) { selection->setCell(layerOf(row), expert); };
    connect(bars, &BiasChart::expertChosen, this, choose);
    connect(timeChart, &BiasTimeChart::expertChosen, this, choose);
    connect(table, &QTableWidget::currentCellChanged, this, [this](int at) {
        if (!filling && value && at >= 0 && static_cast<std::size_t>(at) < rowsOf(value->shape)) {
            selection->setLayer(layerOf(static_cast<std::size_t>(at)));
        }
    });
}

void BiasView::Private::installExports() {
    ViewExport what;
    what.name = QStringLiteral("bias");
    what.failed = [this](const QString& text) { Q_EMIT q->failed(text); };
    what.value = [this] { return pointed; };
    what.table = [this](QChar separator) { return q->expertText(separator); };
    what.plot = bars;
    installExportMenu(bars, what);
    what.plot = timeChart;
    installExportMenu(timeChart, what);
    what.name = QStringLiteral("bias-decided");
    what.plot = bars;
    what.value = [this] { return table->currentExact(); };
    what.table = [this](QChar separator) { return q->tableText(separator); };
    installExportMenu(table, what);
}

void BiasView::Private::pointAt(const QString& text, QWidget* chart) {
    pointed = text;
    if (chart->underMouse() && !text.isEmpty()) {
        QToolTip::showText(QCursor::pos(), plainToolTip(text), chart);
    }
    Q_EMIT q->hoverText(text);
}

std::optional<std::size_t> BiasView::Private::rowOf(std::optional<int> layer) const {
    for (std::size_t r = 0; layer && value && r < rowsOf(value->shape); ++r) {
        if (layerOf(r) == *layer) {
            return r;
        }
    }
    return std::nullopt;
}

void BiasView::Private::showMessage(const QString& text) {
    message->setText(text);
    pages->setCurrentIndex(kMessagePage);
    q->setAccessibleDescription(text);
}

void BiasView::Private::compute() {
    if (!value) {
        showMessage(
            tr("No model is open. Open a model folder: this shows the correction bias of "
               "its routers and what it decides."));
        return;
    }
    if (!hasBias(*value)) {
        showMessage(
            tr("This model's routers have no correction bias: the affinities alone choose. "
               "Open a DeepSeek-V3-class model to see one."));
        return;
    }
    pages->setCurrentIndex(kContentPage);
    row = rowOf(selection->layer()).value_or(std::min(row, rowsOf(value->shape) - 1));
    filling = true;
    fillLayers();
    fillTable();
    filling = false;
    showApplied();
    showKind();
    showBars();
    showTimes();
    charts->setCurrentIndex(overTime() ? kTimePage : kBarsPage);
    bars->setSelected(selection->expert());
    timeChart->setSelected(selection->expert());
}

void BiasView::Private::fillLayers() {
    const auto rows = static_cast<int>(rowsOf(value->shape));
    bool same = layers->count() == rows;
    for (int r = 0; r < rows && same; ++r) {
        same = layers->itemData(r).toInt() == layerOf(static_cast<std::size_t>(r));
    }
    if (!same) {
        layers->clear();
        for (int r = 0; r < rows; ++r) {
            const auto at = static_cast<std::size_t>(r);
            layers->addItem(tr("Layer %1").arg(routerName(layerOf(at), isMtp(at))), layerOf(at));
        }
    }
    layers->setCurrentIndex(static_cast<int>(row));
}

void BiasView::Private::showApplied() {
    appliedBar->setVisible(value->applied != nullptr);
    appliedLabel->setText(
        tr("The model runs with an applied bias: %1").arg(visibleText(value->appliedLabel, 160)));
}

void BiasView::Private::showKind() {
    const BiasDriftKind kind = q->kind();
    drift = driftOf(*value, kind, row);
    if (drift.size() != value->biasByRow[row].size()) {
        drift.clear();
    }
    shadowBar->setVisible(kind == BiasDriftKind::Shadow);
    shadowBar->setCanApply(kind == BiasDriftKind::Shadow && !drift.empty());
    compare->setVisible(kind == BiasDriftKind::Checkpoint);
    const bool hasTimes = kind == BiasDriftKind::TrainingHistory || kind == BiasDriftKind::Shadow;
    times->setVisible(hasTimes && !drift.empty());
    times->setText(kind == BiasDriftKind::Shadow ? tr("Over batches") : tr("Over time"));
    sorted->setVisible(!overTime());
    note->setText(driftNote(*value, kind, row));
    q->setAccessibleDescription(note->text());
}

bool BiasView::Private::overTime() const {
    const BiasDriftKind kind = q->kind();
    const bool hasTimes = kind == BiasDriftKind::TrainingHistory || kind == BiasDriftKind::Shadow;
    return hasTimes && !drift.empty() && times->isChecked();
}

std::vector<int> BiasView::Private::order() const {
    std::vector<int> out(bias.size());
    std::iota(out.begin(), out.end(), 0);
    if (sorted->isChecked()) {
        std::stable_sort(out.begin(), out.end(), [this](int a, int b) {
            return bias[static_cast<std::size_t>(a)] > bias[static_cast<std::size_t>(b)];
        });
    }
    return out;
}

void BiasView::Private::showBars() {
    const auto& own = value->biasByRow[row];
    bias = centred({own.begin(), own.end()});
    BiasChart::Content content;
    content.byBias = sorted->isChecked();
    content.driftName = drift.empty() ? QString() : kindAxis(q->kind());
    for (const int expert : order()) {
        const auto e = static_cast<std::size_t>(expert);
        content.bars.push_back({expert, bias[e], drift.empty() ? kNaN : drift[e]});
    }
    bars->setContent(content);
}

void BiasView::Private::showTimes() {
    if (!overTime()) {
        return;
    }
    timeContent = {};
    timeContent.bias.resize(bias.size());
    const auto add = [this](double time, std::span<const float> values, double maxVio) {
        timeContent.times.push_back(time);
        timeContent.maxVio.push_back(maxVio);
        const std::vector<double> shown = centred({values.begin(), values.end()});
        for (std::size_t e = 0; e < shown.size() && e < timeContent.bias.size(); ++e) {
            timeContent.bias[e].push_back(shown[e]);
        }
    };
    if (q->kind() == BiasDriftKind::Shadow) {
        timeContent.timeName = tr("shadow batch");
        timeContent.biasName = tr("shadow bias − mean");
        for (const ShadowPoint& point : value->shadow->rows[row].history) {
            add(static_cast<double>(point.batches), *point.bias, point.maxVio);
        }
    } else {
        const BiasHistory& history = *value->history;
        timeContent.timeName = tr("training step");
        timeContent.biasName = tr("trained bias − mean");
        for (std::size_t s = 0; s < history.snapshots(); ++s) {
            add(history.steps[s], history.biasAt(s, static_cast<int>(row)),
                history.maxVio(s, static_cast<int>(row)));
        }
    }
    timeChart->setContent(timeContent);
}

void BiasView::Private::fillTable() {
    table->setRows(value->diagnostics ? biasTableRows(*value->diagnostics)
                                      : std::vector<std::vector<NumberCell>>{});
    if (static_cast<int>(row) < table->rowCount()) {
        table->setCurrentCell(static_cast<int>(row), std::max(0, table->currentColumn()));
    }
}

void BiasView::Private::showSelection() {
    const auto wanted = rowOf(selection->layer());
    if (wanted && *wanted != row) {
        q->changed();
        return;
    }
    bars->setSelected(selection->expert());
    timeChart->setSelected(selection->expert());
}

QString BiasView::Private::barText(int expert) const {
    const auto e = static_cast<std::size_t>(expert);
    QString out = tr("%1 · expert %2 · bias %3 · minus the layer's mean %4")
                      .arg(layerText(), QString::number(expert),
                           allDigits(value->biasByRow[row][e]), allDigits(bias[e]));
    if (!drift.empty()) {
        out += QStringLiteral(" · %1 %2").arg(kindAxis(q->kind()), allDigits(drift[e]));
    }
    return out;
}

QString BiasView::Private::timeText(int expert, int time) const {
    const auto t = static_cast<std::size_t>(time);
    const auto e = static_cast<std::size_t>(expert);
    return tr("%1 · expert %2 · %3 %4 · %5 %6 · MaxVio %7")
        .arg(layerText(), QString::number(expert), timeContent.timeName,
             integerText(static_cast<std::int64_t>(timeContent.times[t])), timeContent.biasName,
             allDigits(timeContent.bias[e][t]), allDigits(timeContent.maxVio[t]));
}

BiasView::BiasView(Selection* selection, QWidget* parent)
    : DockView(parent), d(std::make_unique<Private>(this, selection)) {
    setAccessibleName(tr("Bias"));
    setFocusProxy(d->bars);
}

BiasView::~BiasView() = default;

void BiasView::setValue(std::shared_ptr<const BiasViewValue> value) {
    d->value = std::move(value);
    changed();
}

void BiasView::setShadowParams(const ShadowParams& params) {
    d->shadowBar->setParams(params);
}

ShadowParams BiasView::shadowParams() const {
    return d->shadowBar->params();
}

void BiasView::setKind(BiasDriftKind kind) {
    d->kinds->setCurrentIndex(d->kinds->findData(static_cast<int>(kind)));
}

BiasDriftKind BiasView::kind() const {
    return static_cast<BiasDriftKind>(d->kinds->currentData().toInt());
}

QString BiasView::tableText(QChar separator) const {
    QString out;
    if (d->value && d->value->applied) {
        out = tableField(d->appliedLabel->text(), separator) + u'\n';
    }
    return out + d->table->exactText(separator);
}

QString BiasView::expertText(QChar separator) const {
    if (!d->value || !hasBias(*d->value) || d->bias.empty()) {
        return {};
    }
    QString out;
    if (d->value->applied) {
        out = tableField(d->appliedLabel->text(), separator) + u'\n';
    }
    QStringList header{tr("layer"), tr("expert"), tr("bias"), tr("bias − mean")};
    if (!d->drift.empty()) {
        header += kindName(kind());
    }
    for (QString& field : header) {
        field = tableField(field, separator);
    }
    out += header.join(separator) + u'\n';
    for (std::size_t e = 0; e < d->bias.size(); ++e) {
        QStringList fields{routerName(d->layerOf(d->row), d->isMtp(d->row)), QString::number(e),
                           allDigits(d->value->biasByRow[d->row][e]), allDigits(d->bias[e])};
        if (!d->drift.empty()) {
            fields += allDigits(d->drift[e]);
        }
        out += fields.join(separator) + u'\n';
    }
    return out;
}

void BiasView::compute() {
    d->compute();
}

}  // namespace gatescope
