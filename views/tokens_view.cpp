// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens_view.h"

#include <QEvent>
#include <QLabel>
#include <QPushButton>
#include <QSlider>
#include <QStackedWidget>
#include <QToolTip>
#include <QVBoxLayout>
#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/analysis/token_overlap.h"
#include "engine/error.h"
#include "views/formats.h"
#include "views/message_label.h"
#include "views/number_table.h"
#include "views/selection.h"
#include "views/theme.h"
#include "views/tokens_chart.h"
#include "views/tokens_strip.h"
#include "views/view_export.h"

namespace gatescope {

namespace {

constexpr int kMessagePage = 0;
constexpr int kContentPage = 1;
constexpr int kComparePage = 1;
const QString kDot = QStringLiteral(" · ");

/// The row where the choice was closest, -1 without a margin.
int closestRow(const TokenCell& cell) {
    int best = -1;
    const int rows = cell.main ? cell.main->routing.rows() : 0;
    for (int row = 0; row < rows; ++row) {
        const auto at = [&](int r) {
            return cell.main->routing.margins[static_cast<std::size_t>(r)];
        };
        if (!std::isnan(at(row)) && (best < 0 || at(row) < at(best))) {
            best = row;
        }
    }
    return best;
}

int biasDecided(const TokenCell& cell) {
    int count = 0;
    if (cell.main) {
        for (const std::uint32_t bits : cell.main->routing.biasDecided) {
            count += std::popcount(bits);
        }
    }
    return count;
}

}  // namespace

class TokensView::Private final : public QObject {
  public:
    Private(TokensView* view, Selection* shared);

    void compute();
    void showCurrent();
    void compare();
    void setPinned(std::optional<TokenCell> cell);
    void togglePin();
    void stepTo(int index);
    void choose(int index);
    int indexOf(std::int32_t number) const;  ///< -1: not there
    bool pinStays() const;
    QString kindText(const TokenCell& cell) const;
    QString cellText(const TokenCell& cell) const;
    QString name(const TokenCell& cell) const {
        return QStringLiteral("%1 %2").arg(QString::number(cell.number),
                                           quotedToken(cell.bytes, 20));
    }

    TokensView* q;
    Selection* selection;
    QStackedWidget* pages = nullptr;
    QLabel* message = nullptr;
    TokensStrip* strip = nullptr;
    QSlider* slider = nullptr;
    QLabel* place = nullptr;
    QPushButton* follow = nullptr;
    QPushButton* pin = nullptr;
    QLabel* about = nullptr;
    QStackedWidget* comparePages = nullptr;
    QLabel* compareMessage = nullptr;
    QLabel* compareHead = nullptr;
    TokensChart* chart = nullptr;

    int count = 0;
    std::function<TokenCell(int)> cellAt;
    RoutingShape shape;
    std::optional<TokenCell> pinned;
    std::optional<TokenOverlap> overlap;
    std::optional<SelectionPoint> stepped;  ///< where stepping put the selection last
    QString pointed;
    bool filling = false;

  private:
    QWidget* makeContent();
    QLayout* makeControls();
    QWidget* makeComparison();
    void connectAll();
    void installExports();
    void point(const QString& text, QWidget* at);
};

TokensView::Private::Private(TokensView* view, Selection* shared) : q(view), selection(shared) {
    message = makeMessageLabel(q);
    message->setText(
        tr("No tokens yet. Ask something or open a session: this shows its tokens one by one."));
    strip = new TokensStrip(q);
    pages = new QStackedWidget(q);
    pages->addWidget(message);
    pages->addWidget(makeContent());
    auto* outer = new QVBoxLayout(q);
    outer->setContentsMargins(0, 0, 0, 0);
    outer->addWidget(pages);
    connectAll();
    installExports();
}

QLayout* TokensView::Private::makeControls() {
    slider = new QSlider(Qt::Horizontal, q);
    slider->setAccessibleName(tr("Place in the conversation"));
    slider->setMinimumWidth(8 * kGrid);
    place = new QLabel(q);
    place->setTextFormat(Qt::PlainText);
    follow = new QPushButton(tr("Follow"), q);
    follow->setCheckable(true);
    follow->setToolTip(plainToolTip(tr("Stay at the newest token while an answer is written.")));
    pin = new QPushButton(tr("Pin"), q);
    pin->setCheckable(true);
    pin->setToolTip(plainToolTip(
        tr("Keep this token and compare its experts with those of the current one (P).")));
    auto* controls = new QHBoxLayout;
    controls->setSpacing(kGrid);
    controls->addWidget(slider, 1);
    controls->addWidget(place);
    controls->addWidget(follow);
    controls->addWidget(pin);
    return controls;
}

QWidget* TokensView::Private::makeComparison() {
    compareMessage = makeMessageLabel(q);
    compareHead = makeNoteLabel(q);
    compareHead->setToolTip(plainToolTip(
        tr("Overlap: |S_A ∩ S_B| / k, mean over the main layers; two independent uniform choices "
           "share k / E.\nGate mass moved: ½ Σ |g_A − g_B|, of the mass of one token.")));
    chart = new TokensChart(q);
    chart->setAccessibleName(tr("Pinned and current token by layer"));
    auto* filled = new QWidget(q);
    auto* layout = new QVBoxLayout(filled);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(kGrid / 2);
    auto* head = new QVBoxLayout;
    head->setContentsMargins(kGrid, 0, kGrid, 0);
    head->addWidget(compareHead);
    layout->addLayout(head);
    layout->addWidget(chart, 1);
    comparePages = new QStackedWidget(q);
    comparePages->addWidget(compareMessage);
    comparePages->addWidget(filled);
    return comparePages;
}

QWidget* TokensView::Private::makeContent() {
    about = makeNoteLabel(q);
    auto* head = new QVBoxLayout;
    head->setContentsMargins(kGrid, kGrid, kGrid, 0);
    head->setSpacing(kGrid);
    head->addWidget(strip);
    head->addLayout(makeControls());
    head->addWidget(about);
    auto* content = new QWidget(q);
    auto* layout = new QVBoxLayout(content);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(kGrid / 2);
    layout->addLayout(head);
    layout->addWidget(makeComparison(), 1);
    return content;
}

void TokensView::Private::connectAll() {
    connect(selection, &Selection::changed, this, [this] {
        if (q->isSeen()) {
            showCurrent();
        } else {
            q->changed();
        }
    });
    connect(strip, &TokensStrip::chosen, this, [this](int index) { choose(index); });
    connect(strip, &TokensStrip::stepped, this, [this](int index) { stepTo(index); });
    connect(strip, &TokensStrip::pinWanted, this, [this] { togglePin(); });
    connect(strip, &TokensStrip::pointed, this, [this](int index) {
        point(index < 0 ? QString() : cellText(strip->cell(index)), strip);
    });
    connect(slider, &QSlider::valueChanged, this, [this](int index) {
        if (!filling) {
            stepTo(index);
        }
    });
    connect(follow, &QPushButton::clicked, q, &TokensView::followRequested);
    connect(pin, &QPushButton::clicked, this, [this] { togglePin(); });
    connect(chart, &TokensChart::pointed, this, [this](const QString& text) {
        pointed = text;
        Q_EMIT q->hoverText(text);
    });
    connect(chart, &TokensChart::layerChosen, this,
            [this](int layer) { selection->setLayer(layer); });
}

void TokensView::Private::installExports() {
    ViewExport tokens;
    tokens.name = QStringLiteral("tokens");
    tokens.plot = chart;
    tokens.value = [this] { return pointed.isEmpty() ? about->text() : pointed; };
    tokens.table = [this](QChar separator) { return q->tableText(separator); };
    tokens.failed = [this](const QString& text) { Q_EMIT q->failed(text); };
    installExportMenu(strip, tokens);
    ViewExport comparison = tokens;
    comparison.name = QStringLiteral("tokens-compared");
    comparison.table = [this](QChar separator) { return q->comparisonText(separator); };
    installExportMenu(chart, comparison);
}

void TokensView::Private::point(const QString& text, QWidget* at) {
    pointed = text;
    if (text.isEmpty()) {
        QToolTip::hideText();
    } else if (at->underMouse()) {
        QToolTip::showText(QCursor::pos(), plainToolTip(text), at);
    }
    Q_EMIT q->hoverText(text);
}

int TokensView::Private::indexOf(std::int32_t number) const {
    if (number >= 0 && number < count && cellAt(number).number == number) {
        return number;  // numbers are usually the indices
    }
    int low = 0;
    int high = count;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (cellAt(middle).number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && cellAt(low).number == number ? low : -1;
}

bool TokensView::Private::pinStays() const {
    const int index = indexOf(pinned->number);
    return index >= 0 && cellAt(index).id == pinned->id;
}

void TokensView::Private::compute() {
    pages->setCurrentIndex(count == 0 ? kMessagePage : kContentPage);
    if (count == 0) {
        strip->setTokens(0, {});
        setPinned({});
        q->setAccessibleDescription(message->text());
        return;
    }
    strip->setTokens(count, cellAt);
    filling = true;
    slider->setRange(0, count - 1);
    slider->setPageStep(std::max(1, std::min(10, count / 10)));
    filling = false;
    if (pinned && !pinStays()) {
        setPinned({});  // that token was taken back
    }
    showCurrent();
}

void TokensView::Private::showCurrent() {
    if (count == 0) {
        return;
    }
    const auto position = selection->position();
    const int index = position ? indexOf(*position) : -1;
    strip->setCurrent(index);
    strip->setPinned(pinned ? indexOf(pinned->number) : -1);
    filling = true;
    slider->setValue(std::max(0, index));
    filling = false;
    place->setText(index < 0 ? tr("%1 tokens").arg(integerText(count))
                             : tr("%1 of %2").arg(integerText(index + 1), integerText(count)));
    about->setText(index < 0 ? tr("No token is selected: click one, or step with ← and →.")
                             : cellText(strip->cell(index)));
    pin->setEnabled(index >= 0 || pinned);
    pin->setChecked(pinned.has_value());
    pin->setText(pinned ? tr("Unpin") : tr("Pin"));
    q->setAccessibleDescription(about->text());
    chart->setSelected(selection->layer());
    compare();
}

void TokensView::Private::compare() {
    overlap.reset();
    const int index = strip->current();
    QString why;
    if (!pinned) {
        why = tr("Pin a token (P) to compare its experts with those of the current one.");
    } else if (index < 0 || strip->cell(index).number == pinned->number) {
        why = tr("Token %1 is pinned. Step to another one to compare their experts.")
                  .arg(name(*pinned));
    } else if (!pinned->main || !strip->cell(index).main) {
        why = tr("One of the two tokens has not passed the router: there is nothing to compare.");
    } else {
        try {
            overlap = tokenOverlap(shape, *pinned->main, *strip->cell(index).main);
        } catch (const Error& error) {
            why = visibleText(QString::fromUtf8(error.what()));
        }
    }
    comparePages->setCurrentIndex(overlap ? kComparePage : kMessagePage);
    compareMessage->setText(why);
    if (!overlap) {
        return;
    }
    compareHead->setText(
        tr("%1 and %2: mean overlap %3, chance %4; gate mass moved %5 of %6; n = %7 layers")
            .arg(name(*pinned), name(strip->cell(index)), threeDigits(overlap->meanShare),
                 threeDigits(overlap->chance), threeDigits(overlap->meanMassMoved),
                 threeDigits(overlap->meanMass))
            .arg(overlap->layers.size()));
    chart->setOverlap(*overlap);
}

void TokensView::Private::setPinned(std::optional<TokenCell> cell) {
    pinned = std::move(cell);
    if (!pinned) {
        overlap.reset();
    }
}

void TokensView::Private::togglePin() {
    if (pinned) {
        setPinned({});
    } else if (strip->current() >= 0) {
        setPinned(strip->cell(strip->current()));
    }
    showCurrent();
}

void TokensView::Private::choose(int index) {
    selection->setPosition(strip->cell(index).number);
}

/// A run of steps is one entry in the selection's history.
void TokensView::Private::stepTo(int index) {
    SelectionPoint point = selection->current();
    const bool goesOn = stepped == point;
    point.position = strip->cell(index).number;
    stepped = point;
    if (goesOn) {
        selection->replace(point);
    } else {
        selection->set(point);
    }
    Q_EMIT q->hoverText(about->text());
}

QString TokensView::Private::kindText(const TokenCell& cell) const {
    const QString kind = cell.prompt ? tr("prompt") : tr("generated");
    return cell.special ? tr("%1, special").arg(kind) : kind;
}

QString TokensView::Private::cellText(const TokenCell& cell) const {
    QStringList parts{
        tr("token %1 %2").arg(QString::number(cell.number), quotedToken(cell.bytes, 40)),
        tr("id %1").arg(cell.id), kindText(cell)};
    if (!std::isnan(cell.probability)) {
        parts += tr("probability %1").arg(allDigits(cell.probability));
    }
    if (cell.draft != TokenEvent::Draft::None) {
        parts += draftText(cell);
    }
    const int row = closestRow(cell);
    if (!cell.main) {
        parts += tr("not routed yet");
    } else if (row >= 0 && row < static_cast<int>(shape.layers.size())) {
        parts += tr("smallest margin %1 in layer %2")
                     .arg(allDigits(cell.main->routing.margins[static_cast<std::size_t>(row)]))
                     .arg(shape.layers[static_cast<std::size_t>(row)]);
    }
    if (cell.main && shape.hasBias) {
        parts += tr("bias decided %1 of %2 choices")
                     .arg(biasDecided(cell))
                     .arg(cell.main->routing.experts.size());
    }
    return parts.join(kDot);
}

TokensView::TokensView(Selection* selection, QWidget* parent)
    : DockView(parent), d(std::make_unique<Private>(this, selection)) {
    setFocusProxy(d->strip);
    setAccessibleName(tr("Tokens"));
}

TokensView::~TokensView() = default;

void TokensView::setShape(const RoutingShape& shape) {
    d->shape = shape;
    d->setPinned({});
    changed();
}

void TokensView::setTokens(int count, std::function<TokenCell(int index)> cellAt) {
    d->count = cellAt ? std::max(0, count) : 0;
    d->cellAt = std::move(cellAt);
    changed();
}

void TokensView::setFollowing(bool following) {
    d->follow->setChecked(following);
}

void TokensView::setGrowing(bool growing) {
    d->follow->setVisible(growing);
}

bool TokensView::following() const {
    return d->follow->isChecked();
}

std::optional<std::int32_t> TokensView::pinned() const {
    return d->pinned ? std::optional(d->pinned->number) : std::nullopt;
}

QString TokensView::tableText(QChar separator) const {
    QStringList lines;
    const auto add = [&](const QStringList& fields) {
        QStringList quoted;
        for (const QString& field : fields) {
            quoted += tableField(field, separator);
        }
        lines += quoted.join(separator);
    };
    add({tr("number"), tr("id"), tr("token"), tr("kind"), tr("probability"), tr("draft"),
         tr("smallest margin"), tr("in layer"), tr("bias decided")});
    for (int i = 0; i < d->count; ++i) {
        const TokenCell cell = d->cellAt(i);
        const int row = closestRow(cell);
        const bool known = row >= 0 && row < static_cast<int>(d->shape.layers.size());
        const auto at = static_cast<std::size_t>(std::max(0, row));
        add({QString::number(cell.number), QString::number(cell.id),
             gatescope::tokenText(cell.bytes), d->kindText(cell),
             std::isnan(cell.probability) ? QString() : allDigits(cell.probability),
             draftText(cell), known ? allDigits(cell.main->routing.margins[at]) : QString(),
             known ? QString::number(d->shape.layers[at]) : QString(),
             cell.main && d->shape.hasBias ? QString::number(biasDecided(cell)) : QString()});
    }
    return lines.join(u'\n') + u'\n';
}

QString TokensView::comparisonText(QChar separator) const {
    if (!d->overlap) {
        return {};
    }
    QStringList lines{QStringList{tr("layer"), tr("experts shared"), tr("overlap"), tr("chance"),
                                  tr("gate mass moved"), tr("gate mass")}
                          .join(separator)};
    for (const LayerOverlap& layer : d->overlap->layers) {
        lines += QStringList{QString::number(layer.layer), QString::number(layer.shared),
                             allDigits(layer.share),       allDigits(d->overlap->chance),
                             allDigits(layer.massMoved),   allDigits(layer.mass)}
                     .join(separator);
    }
    return lines.join(u'\n') + u'\n';
}

void TokensView::compute() {
    d->compute();
}

void TokensView::changeEvent(QEvent* event) {
    DockView::changeEvent(event);
    if (event->type() == QEvent::FontChange && d) {
        changed();
    }
}

}  // namespace gatescope
