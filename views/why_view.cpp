// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/why_view.h"

#include <QEvent>
#include <QLabel>
#include <QPointer>
#include <QShowEvent>
#include <QSplitter>
#include <QStackedWidget>
#include <QToolTip>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/analysis/choice.h"
#include "engine/error.h"
#include "views/formats.h"
#include "views/group_strip.h"
#include "views/message_label.h"
#include "views/number_table.h"
#include "views/selection.h"
#include "views/theme.h"
#include "views/view_export.h"
#include "views/why_chart.h"

namespace gatescope {

namespace {

constexpr int kMessagePage = 0;
constexpr int kContentPage = 1;
constexpr double kLargeBias = 1.0;  // affinities lie in 0..1
const QString kDot = QStringLiteral(" · ");

bool fits(const WhyValue& value) {
    const RoutingShape& shape = value.shape;
    const TokenRouting& routing = value.token.routing;
    if (shape.experts <= 0 || shape.topK <= 0 || value.row < 0 || value.row >= routing.rows()) {
        return false;
    }
    const auto rows = static_cast<std::size_t>(routing.rows());
    const auto choices = rows * static_cast<std::size_t>(shape.topK);
    const auto experts = static_cast<std::size_t>(shape.experts);
    return routing.experts.size() == choices && routing.weights.size() == choices &&
           routing.biasDecided.size() == rows &&
           (value.bias.empty() || value.bias.size() == experts) &&
           (!routing.scores || routing.scores->size() == rows * experts);
}

NumberCell numberCell(float value, const QString& toolTip = {}) {
    return {threeDigits(static_cast<double>(value)), allDigits(value), toolTip, {}};
}

NumberCell rankCell(int rank, const QString& dropped) {
    return rank > 0 ? NumberCell{QString::number(rank), {}, {}, {}}
                    : NumberCell{QString(QChar(0x2013)), {}, dropped, {}};
}

}  // namespace

class WhyView::Private final : public QObject {
  public:
    Private(WhyView* view, Selection* shared);

    void changed();
    void compute();
    void showMessage(const QString& text);
    void showRanking();
    void showStored();
    void setHeadline(const QString& groups, int decided, const QString& extra);
    std::vector<std::vector<NumberCell>> rankingRows() const;
    std::vector<NumberCell> rankingRow(const ExpertRank& rank) const;
    std::vector<int> listedExperts() const;
    int choiceOf(int expert) const;  ///< index among the stored choices, -1
    float weightAt(int choice) const;
    std::size_t choiceIndex(int choice) const {
        return static_cast<std::size_t>(value->row) * static_cast<std::size_t>(topK()) +
               static_cast<std::size_t>(choice);
    }
    int topK() const { return value->shape.topK; }
    bool isMtp() const { return value->layer == value->shape.mtpLayer; }
    bool storedDiffers() const;
    double biasOffset() const;
    QString expertText(int expert) const;
    void select(int expert) { selection->setCell(value->layer, expert); }
    void showSelection();
    void restyle();

    WhyView* q;
    Selection* selection;
    QStackedWidget* pages = nullptr;
    QLabel* message = nullptr;
    QLabel* head = nullptr;
    QLabel* biasLine = nullptr;
    QLabel* note = nullptr;
    GroupStrip* strip = nullptr;
    WhyChart* chart = nullptr;
    NumberTable* table = nullptr;

    std::shared_ptr<const WhyValue> value;
    ChoiceRanking ranking;    ///< empty when no affinities are kept
    std::vector<int> listed;  ///< experts of the table's rows
    QString pointed;
    bool stale = true;
    bool filling = false;
    int computations = 0;
};

WhyView::Private::Private(WhyView* view, Selection* shared) : q(view), selection(shared) {
    message = makeMessageLabel(q);
    head = new QLabel(q);
    head->setTextFormat(Qt::PlainText);
    head->setWordWrap(true);
    head->setTextInteractionFlags(Qt::TextSelectableByMouse);
    biasLine = new QLabel(q);
    biasLine->setTextFormat(Qt::PlainText);
    biasLine->setWordWrap(true);
    note = makeNoteLabel(q);
    strip = new GroupStrip(q);
    chart = new WhyChart(q);
    chart->setAccessibleName(tr("Choice scores"));
    table = new NumberTable({tr("expert")}, q);
    table->setFirstColumnNumeric(true);
    table->setAccessibleName(tr("Experts and their ranks"));

    auto* headLayout = new QVBoxLayout;
    headLayout->setContentsMargins(kGrid, kGrid, kGrid, 0);
    headLayout->setSpacing(kGrid / 2);
    for (QWidget* widget : {static_cast<QWidget*>(head), static_cast<QWidget*>(biasLine),
                            static_cast<QWidget*>(note), static_cast<QWidget*>(strip)}) {
        headLayout->addWidget(widget);
    }
    auto* splitter = new QSplitter(Qt::Vertical, q);
    splitter->setChildrenCollapsible(false);
    splitter->addWidget(chart);
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
    pages = new QStackedWidget(q);
    pages->addWidget(message);
    pages->addWidget(content);
    auto* outer = new QVBoxLayout(q);
    outer->setContentsMargins(0, 0, 0, 0);
    outer->addWidget(pages);

    connect(selection, &Selection::changed, this, [this] { showSelection(); });
    connect(chart, &WhyChart::expertChosen, this, [this](int expert) { select(expert); });
    connect(chart, &WhyChart::expertPointed, this, [this](int expert) {
        pointed = expert >= 0 ? expertText(expert) : QString();
        if (chart->underMouse() && !pointed.isEmpty()) {
            QToolTip::showText(QCursor::pos(), plainToolTip(pointed), chart);
        }
        Q_EMIT q->hoverText(pointed);
    });
    connect(table, &QTableWidget::currentCellChanged, this, [this](int row) {
        if (!filling && row >= 0 && row < static_cast<int>(listed.size())) {
            select(listed[static_cast<std::size_t>(row)]);
        }
    });
    ViewExport what;
    what.name = QStringLiteral("why-this-expert");
    what.plot = chart;
    what.value = [this] { return pointed.isEmpty() ? table->currentExact() : pointed; };
    what.table = [this](QChar separator) { return q->tableText(separator); };
    what.failed = [this](const QString& text) { Q_EMIT q->failed(text); };
    installExportMenu(chart, what);
    installExportMenu(table, what);
    restyle();
}

void WhyView::Private::restyle() {
    QPalette purple = q->palette();
    purple.setColor(QPalette::WindowText, themeColours(q->palette()).bias);
    purple.setColor(QPalette::Text, themeColours(q->palette()).bias);
    biasLine->setPalette(purple);
}

void WhyView::Private::changed() {
    stale = true;
    if (q->isVisible()) {
        compute();
    }
}

void WhyView::Private::showMessage(const QString& text) {
    message->setText(text);
    pages->setCurrentIndex(kMessagePage);
    q->setAccessibleDescription(text);
    ranking = {};
    listed.clear();
    head->clear();
    biasLine->clear();
    filling = true;
    table->setRows({});
    filling = false;
}

void WhyView::Private::compute() {
    stale = false;
    ++computations;
    if (!value) {
        showMessage(
            tr("Select a token in the transcript and a layer in the routing heatmap: this "
               "shows why its experts were chosen."));
        return;
    }
    if (!fits(*value)) {
        showMessage(value->token.routing.rows() == 0
                        ? tr("This token has not passed the router: the last token of an answer is "
                             "routed when the conversation goes on.")
                        : tr("The recorded routing of this token does not fit the open model."));
        return;
    }
    ranking = {};
    pages->setCurrentIndex(kContentPage);
    filling = true;
    try {
        if (value->token.routing.scores) {
            const auto experts = static_cast<std::size_t>(value->shape.experts);
            const std::span<const float> all(*value->token.routing.scores);
            ranking = rankChoices(
                value->shape, all.subspan(static_cast<std::size_t>(value->row) * experts, experts),
                value->bias);
            showRanking();
        } else {
            showStored();
        }
    } catch (const Error& error) {
        showMessage(QString::fromUtf8(error.what()));
    }
    filling = false;
    q->setAccessibleDescription(q->headline());
    showSelection();
}

void WhyView::Private::setHeadline(const QString& groups, int decided, const QString& extra) {
    const QString layer =
        isMtp() ? tr("MTP layer %1").arg(value->layer) : tr("layer %1").arg(value->layer);
    QStringList parts{
        tr("token %1 %2")
            .arg(QString::number(value->token.position), quotedToken(value->tokenBytes, 40)),
        layer};
    if (!groups.isEmpty()) {
        parts += groups;
    }
    head->setText(parts.join(kDot));
    biasLine->setVisible(value->shape.hasBias);
    biasLine->setText(
        decided == 0 ? tr("the bias decided none of the %1").arg(topK())
                     : tr("%1 of %2 chosen only because of the bias").arg(decided).arg(topK()));
    note->setText(extra);
    note->setVisible(!extra.isEmpty());
}

bool WhyView::Private::storedDiffers() const {
    for (int j = 0; j < topK(); ++j) {
        const int expert = value->token.routing.experts[choiceIndex(j)];
        if (expert >= value->shape.experts ||
            !ranking.experts[static_cast<std::size_t>(expert)].chosen) {
            return true;
        }
    }
    return false;
}

double WhyView::Private::biasOffset() const {
    if (value->bias.empty()) {
        return 0;
    }
    const auto [low, high] = std::minmax_element(value->bias.begin(), value->bias.end());
    if (static_cast<double>(*low) < kLargeBias && static_cast<double>(*high) > -kLargeBias) {
        return 0;
    }
    return std::accumulate(value->bias.begin(), value->bias.end(), 0.0) /
           static_cast<double>(value->bias.size());
}

void WhyView::Private::showRanking() {
    const RoutingShape& shape = value->shape;
    QString groups;
    if (shape.groups > 1) {
        QStringList numbers;
        for (const int group : ranking.keptGroups) {
            numbers += QString::number(group);
        }
        groups = tr("groups kept %1").arg(numbers.join(u' '));
    }
    const double offset = biasOffset();
    QStringList notes;
    if (storedDiffers()) {
        notes +=
            tr("The recorded choice differs from what affinities and bias give here; ranks "
               "are worked out again, weights are the recorded ones.");
    }
    if (offset != 0) {
        notes += tr("The chart shows b minus its mean %1: a constant changes no choice.")
                     .arg(threeDigits(offset));
    }
    setHeadline(groups, ranking.biasDecided, notes.join(u' '));
    strip->setVisible(shape.groups > 1);
    strip->setGroups(ranking.groupScores, ranking.keptGroups,
                     shape.hasBias ? tr("score: sum of the two largest s + b in the group")
                                   : tr("score: the largest s in the group"));
    WhyChart::Content content;
    content.chosen = topK();
    content.margin = static_cast<double>(ranking.margin);
    content.baseName = tr("affinity s");
    content.biasName = value->bias.empty() ? QString()
                       : offset != 0       ? tr("bias b − mean")
                                           : tr("bias b");
    for (const int expert : ranking.order) {
        const ExpertRank& rank = ranking.experts[static_cast<std::size_t>(expert)];
        const double bias = value->bias.empty() ? 0 : static_cast<double>(rank.bias) - offset;
        content.bars.push_back({expert, static_cast<double>(rank.score), bias, rank.chosen});
    }
    chart->setContent(content);
    if (value->bias.empty()) {
        table->setHeader({tr("expert"), tr("s"), tr("rank"), tr("weight")});
    } else {
        table->setHeader({tr("expert"), tr("s"), tr("b"), tr("s + b"), tr("rank"), tr("without b"),
                          tr("weight")});
    }
    listed = listedExperts();
    table->setRows(rankingRows());
}

std::vector<int> WhyView::Private::listedExperts() const {
    // The chosen, as many runner-ups, and those the bias kept out.
    const auto shown = std::min(ranking.order.size(), static_cast<std::size_t>(2 * topK()));
    std::vector<int> out(ranking.order.begin(),
                         ranking.order.begin() + static_cast<std::ptrdiff_t>(shown));
    for (const ExpertRank& rank : ranking.experts) {
        const bool keptOut =
            !rank.chosen && rank.rankWithoutBias > 0 && rank.rankWithoutBias <= topK();
        if (keptOut && std::find(out.begin(), out.end(), rank.expert) == out.end()) {
            out.push_back(rank.expert);
        }
    }
    return out;
}

std::vector<NumberCell> WhyView::Private::rankingRow(const ExpertRank& rank) const {
    const QString dropped = tr("group %1 was not kept").arg(rank.group);
    const int choice = choiceOf(rank.expert);
    NumberCell weight{QString(QChar(0x2013)), {}, tr("not chosen"), {}};
    if (choice >= 0) {
        weight = numberCell(weightAt(choice));
    }
    std::vector<NumberCell> row{{QString::number(rank.expert), {}, {}, {}}, numberCell(rank.score)};
    if (!value->bias.empty()) {
        row.push_back({signedDigits(static_cast<double>(rank.bias)), allDigits(rank.bias), {}, {}});
        row.push_back(numberCell(rank.choice));
    }
    row.push_back(rankCell(rank.rank, dropped));
    if (!value->bias.empty()) {
        row.push_back(rankCell(rank.rankWithoutBias,
                               tr("with b = 0 group %1 would not be kept").arg(rank.group)));
    }
    row.push_back(weight);
    const ThemeColours colours = themeColours(q->palette());
    for (NumberCell& cell : row) {
        cell.colour = rank.biasDecided ? colours.bias : rank.chosen ? QColor() : colours.muted;
    }
    return row;
}

std::vector<std::vector<NumberCell>> WhyView::Private::rankingRows() const {
    std::vector<std::vector<NumberCell>> rows;
    for (const int expert : listed) {
        rows.push_back(rankingRow(ranking.experts[static_cast<std::size_t>(expert)]));
    }
    return rows;
}

void WhyView::Private::showStored() {
    const TokenRouting& routing = value->token.routing;
    const std::uint32_t decided = routing.biasDecided[static_cast<std::size_t>(value->row)];
    const ThemeColours colours = themeColours(q->palette());
    int count = 0;
    WhyChart::Content content;
    content.chosen = topK();
    content.margin = std::numeric_limits<double>::quiet_NaN();
    content.baseName = tr("gate weight");
    QStringList header{tr("expert"), tr("choice"), tr("weight")};
    if (value->shape.hasBias) {
        header += tr("by bias only");
    }
    std::vector<std::vector<NumberCell>> rows;
    listed.clear();
    for (int j = 0; j < topK(); ++j) {
        const int expert = routing.experts[choiceIndex(j)];
        const bool byBias = j < 32 && (decided >> j & 1U) != 0;
        count += byBias ? 1 : 0;
        content.bars.push_back({expert, static_cast<double>(weightAt(j)), 0, true});
        listed.push_back(expert);
        rows.push_back({{QString::number(expert), {}, {}, {}},
                        {QString::number(j + 1), {}, {}, {}},
                        numberCell(weightAt(j))});
        if (value->shape.hasBias) {
            rows.back().push_back({byBias ? tr("yes") : tr("no"), {}, {}, {}});
        }
        for (NumberCell& cell : rows.back()) {
            cell.colour = byBias ? colours.bias : QColor();
        }
    }
    const auto margin = static_cast<double>(routing.margins[static_cast<std::size_t>(value->row)]);
    setHeadline(tr("margin %1").arg(threeDigits(margin)), count,
                tr("The affinities of all experts are kept only for recent tokens; this is what "
                   "was stored of the choice."));
    strip->hide();
    chart->setContent(content);
    table->setHeader(header);
    table->setRows(rows);
}

int WhyView::Private::choiceOf(int expert) const {
    for (int j = 0; j < topK(); ++j) {
        if (value->token.routing.experts[choiceIndex(j)] == expert) {
            return j;
        }
    }
    return -1;
}

float WhyView::Private::weightAt(int choice) const {
    return value->token.routing.weights[choiceIndex(choice)];
}

QString WhyView::Private::expertText(int expert) const {
    QString text = tr("expert %1").arg(expert);
    if (!ranking.experts.empty()) {
        const ExpertRank& rank = ranking.experts[static_cast<std::size_t>(expert)];
        text += kDot + tr("s %1").arg(allDigits(rank.score));
        if (!value->bias.empty()) {
            text += kDot + tr("b %1").arg(allDigits(rank.bias)) + kDot +
                    tr("s + b %1").arg(allDigits(rank.choice));
        }
        text += kDot + tr("rank %1").arg(rank.rank);
        if (rank.biasDecided) {
            text += kDot + tr("chosen only because of the bias");
        }
    }
    const int choice = choiceOf(expert);
    return choice < 0 ? text : text + kDot + tr("weight %1").arg(allDigits(weightAt(choice)));
}

void WhyView::Private::showSelection() {
    if (stale || listed.empty()) {
        return;
    }
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
    : QWidget(parent), d(std::make_unique<Private>(this, selection)) {
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::Base);
    setFocusProxy(d->chart);
    setAccessibleName(tr("Why this expert"));
}

WhyView::~WhyView() = default;

void WhyView::setValue(std::shared_ptr<const WhyValue> value) {
    d->value = std::move(value);
    d->changed();
}

QString WhyView::headline() const {
    if (d->pages->currentIndex() == kMessagePage) {
        return d->message->text();
    }
    return d->biasLine->isHidden() ? d->head->text() : d->head->text() + kDot + d->biasLine->text();
}

QString WhyView::tableText(QChar separator) const {
    return d->table->exactText(separator);
}

int WhyView::computations() const {
    return d->computations;
}

void WhyView::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    if (d->stale) {
        d->compute();
    }
}

void WhyView::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && d) {
        d->restyle();
        d->changed();  // the table's colours
    }
}

}  // namespace gatescope
