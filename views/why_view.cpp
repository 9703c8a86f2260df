// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/why_view.h"

#include <QEvent>
#include <QLabel>
#include <QScrollBar>
#include <QSplitter>
#include <QStackedWidget>
#include <QToolTip>
#include <QVBoxLayout>
#include <algorithm>
#include <limits>

#include "engine/error.h"
#include "views/formats.h"
#include "views/group_strip.h"
#include "views/message_label.h"
#include "views/number_table.h"
#include "views/selection.h"
#include "views/theme.h"
#include "views/view_export.h"
#include "views/why_chart.h"
#include "views/why_choice.h"
#include "views/why_replay_bar.h"

namespace gatescope {

namespace {

constexpr int kMessagePage = 0;
constexpr int kContentPage = 1;
constexpr int kScrollSteps = 10;   // per bar
constexpr int kWide = 60 * kGrid;  // room for all columns of the table
const QString kDot = QStringLiteral(" · ");

QLabel* makeHeadLabel(QWidget* parent) {
    auto* label = new QLabel(parent);
    label->setTextFormat(Qt::PlainText);
    label->setWordWrap(true);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse);
    return label;
}

}  // namespace

class WhyView::Private final : public QObject {
  public:
    Private(WhyView* view, Selection* shared);

    void compute();
    void showMessage(const QString& text);
    void showChoice();
    WhyChart::Content chartContent() const;
    WhyChart::Content storedContent() const;
    void select(int expert) { selection->setCell(value->layer, expert); }
    void showSelection();
    void point(int expert);
    void placeScroll();
    void placeColumns();
    void restyle();

    WhyView* q;
    Selection* selection;
    QStackedWidget* pages = nullptr;
    QLabel* message = nullptr;
    QLabel* head = nullptr;
    QLabel* biasLine = nullptr;
    QLabel* numbers = nullptr;
    QLabel* note = nullptr;
    WhyReplayBar* replay = nullptr;
    GroupStrip* strip = nullptr;
    WhyChart* chart = nullptr;
    QScrollBar* scroll = nullptr;
    NumberTable* table = nullptr;

    std::shared_ptr<const WhyValue> value;
    std::unique_ptr<WhyChoice> choice;  ///< null: a message is shown
    QString pointed;
    bool filling = false;

  private:
    QWidget* makeContent();
    void connectAll();
    void installExports();
};

WhyView::Private::Private(WhyView* view, Selection* shared) : q(view), selection(shared) {
    message = makeMessageLabel(q);
    head = makeHeadLabel(q);
    biasLine = makeHeadLabel(q);
    numbers = makeNoteLabel(q);
    note = makeNoteLabel(q);
    replay = new WhyReplayBar(q);
    strip = new GroupStrip(q);
    chart = new WhyChart(q);
    chart->setAccessibleName(tr("Choice scores"));
    scroll = new QScrollBar(Qt::Horizontal, q);
    scroll->setObjectName(QStringLiteral("chartScroll"));
    scroll->setAccessibleName(tr("Experts shown in the chart"));
    table = new NumberTable({tr("expert")}, q);
    table->setFirstColumnNumeric(true);
    table->setAccessibleName(tr("Experts and their ranks"));
    numbers->setToolTip(plainToolTip(
        tr("Margin: the k-th minus the (k+1)-th choice score inside the kept groups.\nGroup "
           "margin: the last kept minus the first dropped group score.\nSmaller than the numeric "
           "noise, another device or batch may choose otherwise.")));
    biasLine->setToolTip(plainToolTip(
        tr("An expert is chosen only because of the bias if it would not be with b = 0.\nWithin "
           "the groups: nor with b = 0 inside the groups that were kept.\nBy other groups: it "
           "would be with b = 0 inside them, but without the bias others are kept.")));
    pages = new QStackedWidget(q);
    pages->addWidget(message);
    pages->addWidget(makeContent());
    auto* outer = new QVBoxLayout(q);
    outer->setContentsMargins(0, 0, 0, 0);
    outer->addWidget(pages);
    connectAll();
    installExports();
    restyle();
}

QWidget* WhyView::Private::makeContent() {
    auto* headLayout = new QVBoxLayout;
    headLayout->setContentsMargins(kGrid, kGrid, kGrid, 0);
    headLayout->setSpacing(kGrid / 2);
    for (QWidget* widget :
         std::initializer_list<QWidget*>{head, biasLine, numbers, note, replay, strip}) {
        headLayout->addWidget(widget);
    }
    auto* picture = new QWidget(q);
    auto* pictureLayout = new QVBoxLayout(picture);
    pictureLayout->setContentsMargins(0, 0, 0, 0);
    pictureLayout->setSpacing(0);
    pictureLayout->addWidget(chart, 1);
    pictureLayout->addWidget(scroll);
    auto* splitter = new QSplitter(Qt::Vertical, q);
    splitter->setChildrenCollapsible(false);
    splitter->addWidget(picture);
    splitter->addWidget(table);
    splitter->setStretchFactor(0, 1);
    splitter->setStretchFactor(1, 1);
    splitter->setSizes({32 * kGrid, 28 * kGrid});
    auto* content = new QWidget(q);
    auto* layout = new QVBoxLayout(content);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(kGrid / 2);
    layout->addLayout(headLayout);
    layout->addWidget(splitter, 1);
    return content;
}

void WhyView::Private::connectAll() {
    connect(selection, &Selection::changed, this, [this] { showSelection(); });
    connect(chart, &WhyChart::expertChosen, this, [this](int expert) { select(expert); });
    connect(chart, &WhyChart::expertPointed, this, [this](int expert) { point(expert); });
    connect(chart, &WhyChart::rangeMoved, this, [this] { placeScroll(); });
    connect(scroll, &QScrollBar::valueChanged, this, [this](int at) {
        if (!filling) {
            chart->setFirstBar(static_cast<double>(at) / kScrollSteps);
        }
    });
    connect(table, &QTableWidget::currentCellChanged, this, [this](int row) {
        if (!filling && choice && row >= 0 && row < static_cast<int>(choice->listed().size())) {
            select(choice->listed()[static_cast<std::size_t>(row)]);
        }
    });
    connect(replay, &WhyReplayBar::wanted, this, [this] {
        if (value && q->isSeen()) {
            Q_EMIT q->replayRequested(value->token.position);
        }
    });
    connect(replay, &WhyReplayBar::automaticChanged, q, &WhyView::autoReplayChanged);
}

void WhyView::Private::installExports() {
    ViewExport what;
    what.name = QStringLiteral("why-this-expert");
    what.plot = chart;
    what.value = [this] { return pointed.isEmpty() ? table->currentExact() : pointed; };
    what.table = [this](QChar separator) { return q->tableText(separator); };
    what.failed = [this](const QString& text) { Q_EMIT q->failed(text); };
    installExportMenu(chart, what);
    installExportMenu(table, what);
}

void WhyView::Private::restyle() {
    QPalette purple = q->palette();
    purple.setColor(QPalette::WindowText, themeColours(q->palette()).bias);
    purple.setColor(QPalette::Text, themeColours(q->palette()).bias);
    biasLine->setPalette(purple);
}

void WhyView::Private::point(int expert) {
    pointed = expert >= 0 && choice ? choice->expertText(expert) : QString();
    if (chart->underMouse() && !pointed.isEmpty()) {
        QToolTip::showText(QCursor::pos(), plainToolTip(pointed), chart);
    }
    Q_EMIT q->hoverText(pointed);
}

void WhyView::Private::placeScroll() {
    const int hidden = chart->barCount() - chart->shownBars();
    filling = true;
    scroll->setRange(0, hidden * kScrollSteps);
    scroll->setPageStep(chart->shownBars() * kScrollSteps);
    scroll->setSingleStep(kScrollSteps);
    scroll->setValue(qRound(chart->firstBar() * kScrollSteps));
    scroll->setVisible(hidden > 0);
    filling = false;
}

/// In a narrow dock what the other columns, the picture and the tooltips say as well is left out.
void WhyView::Private::placeColumns() {
    for (int column = 0; column < table->columnCount(); ++column) {
        table->setColumnHidden(column, choice && choice->isSpare(column) && q->width() < kWide);
    }
}

void WhyView::Private::showMessage(const QString& text) {
    message->setText(text);
    pages->setCurrentIndex(kMessagePage);
    q->setAccessibleDescription(text);
    choice.reset();
    pointed.clear();
    replay->setState(WhyValue::Scores::Known, {});
    filling = true;
    table->setRows({});
    filling = false;
}

void WhyView::Private::compute() {
    if (!value) {
        showMessage(
            tr("Select a token in the transcript and a layer in the routing heatmap: this "
               "shows why its experts were chosen."));
        return;
    }
    if (!WhyChoice::fits(*value)) {
        showMessage(value->token.routing.rows() == 0
                        ? tr("This token has not passed the router: the last token of an answer is "
                             "routed when the conversation goes on.")
                        : tr("The recorded routing of this token does not fit the open model."));
        return;
    }
    try {
        choice = std::make_unique<WhyChoice>(value);
    } catch (const Error& error) {
        showMessage(QString::fromUtf8(error.what()));
        return;
    }
    pages->setCurrentIndex(kContentPage);
    filling = true;
    showChoice();
    filling = false;
    q->setAccessibleDescription(q->headline());
    showSelection();
}

void WhyView::Private::showChoice() {
    using Scores = WhyValue::Scores;
    const RoutingShape& shape = value->shape;
    head->setText(choice->tokenText());
    biasLine->setText(choice->biasText());
    biasLine->setVisible(shape.hasBias);
    numbers->setText(choice->numbersText());
    QStringList notes;
    const QString record = choice->recordText();
    if (!record.isEmpty()) {
        notes += record;
    }
    if (choice->ranked() && choice->biasOffset() != 0) {
        notes += tr("The chart shows b minus its mean %1: a constant changes no choice.")
                     .arg(threeDigits(choice->biasOffset()));
    }
    note->setText(notes.join(u' '));
    note->setVisible(!notes.isEmpty());
    const bool unknownBias = shape.hasBias && value->bias.empty();
    if (choice->ranked()) {
        replay->setState(Scores::Known, {});
    } else if (unknownBias) {
        replay->setState(Scores::CannotReplay, value->reason.isEmpty()
                                                   ? tr("The model's bias is not at hand.")
                                                   : value->reason);
    } else {
        replay->setState(value->scores == Scores::Known ? Scores::NotKept : value->scores,
                         value->reason);
        replay->askSoon();
    }
    strip->setVisible(choice->ranked() && shape.groups > 1);
    if (choice->ranked()) {
        strip->setGroups(choice->ranking(),
                         shape.hasBias ? tr("score: sum of the two largest s + b in the group")
                                       : tr("score: the largest s in the group"));
    }
    chart->setContent(choice->ranked() ? chartContent() : storedContent());
    const QStringList tips = choice->headerTips();
    table->setHeader(choice->header());
    for (int i = 0; i < static_cast<int>(tips.size()); ++i) {
        table->horizontalHeaderItem(i)->setToolTip(plainToolTip(tips[i]));
    }
    table->setRows(choice->rows(q->palette()));
    placeColumns();
}

WhyChart::Content WhyView::Private::chartContent() const {
    const ChoiceRanking& ranking = choice->ranking();
    const double offset = choice->biasOffset();
    WhyChart::Content content;
    content.chosen = choice->topK();
    content.kept = static_cast<int>(ranking.order.size());
    content.margin = static_cast<double>(ranking.margin);
    content.baseName = tr("affinity s");
    content.biasName = value->bias.empty() ? QString()
                       : offset != 0       ? tr("bias b − mean")
                                           : tr("bias b");
    for (const int expert : choice->all()) {
        const ExpertRank& rank = ranking.experts[static_cast<std::size_t>(expert)];
        WhyBar bar;
        bar.expert = expert;
        bar.base = static_cast<double>(rank.score);
        bar.bias = value->bias.empty() ? 0 : static_cast<double>(rank.bias) - offset;
        bar.chosen = rank.chosen;
        const bool otherwise = rank.rankWithoutBias > 0 && rank.rankWithoutBias <= choice->topK();
        bar.mark = rank.biasDecided            ? WhyBar::Mark::DecidedByBias
                   : otherwise && !rank.chosen ? WhyBar::Mark::KeptOutByBias
                                               : WhyBar::Mark::None;
        content.bars.push_back(bar);
    }
    return content;
}

WhyChart::Content WhyView::Private::storedContent() const {
    WhyChart::Content content;
    content.chosen = choice->topK();
    content.kept = content.chosen;
    content.margin = std::numeric_limits<double>::quiet_NaN();
    content.baseName = tr("gate weight");
    for (int j = 0; j < static_cast<int>(choice->listed().size()); ++j) {
        WhyBar bar;
        bar.expert = choice->chosenAt(j);
        bar.base = static_cast<double>(choice->weightAt(j));
        bar.chosen = true;
        bar.mark = choice->decidedByBias(j) ? WhyBar::Mark::DecidedByBias : WhyBar::Mark::None;
        content.bars.push_back(bar);
    }
    return content;
}

void WhyView::Private::showSelection() {
    if (!choice) {
        return;
    }
    const std::vector<int>& listed = choice->listed();
    const auto expert = selection->layer() == value->layer ? selection->expert() : std::nullopt;
    chart->setSelected(expert);
    const auto at = expert ? std::find(listed.begin(), listed.end(), *expert) : listed.end();
    filling = true;
    if (at == listed.end()) {
        table->setCurrentItem(nullptr);
        table->clearSelection();
    } else {
        table->setCurrentCell(static_cast<int>(at - listed.begin()),
                              std::max(0, table->currentColumn()));
    }
    filling = false;
}

WhyView::WhyView(Selection* selection, QWidget* parent)
    : DockView(parent), d(std::make_unique<Private>(this, selection)) {
    setFocusProxy(d->chart);
    setAccessibleName(tr("Why this expert"));
}

WhyView::~WhyView() = default;

void WhyView::setValue(std::shared_ptr<const WhyValue> value) {
    d->value = std::move(value);
    d->choice.reset();
    changed();
}

void WhyView::setAutoReplay(bool on) {
    d->replay->setAutomatic(on);
}

bool WhyView::autoReplay() const {
    return d->replay->automatic();
}

QString WhyView::headline() const {
    if (d->pages->currentIndex() == kMessagePage) {
        return d->message->text();
    }
    return d->biasLine->isHidden() ? d->head->text() : d->head->text() + kDot + d->biasLine->text();
}

QString WhyView::tableText(QChar separator) const {
    return d->choice ? d->choice->tableText(separator) : QString();
}

void WhyView::compute() {
    d->compute();
}

void WhyView::resizeEvent(QResizeEvent* event) {
    DockView::resizeEvent(event);
    d->placeColumns();
}

void WhyView::changeEvent(QEvent* event) {
    DockView::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && d) {
        d->restyle();
        changed();  // the table's colours
    }
}

}  // namespace gatescope
