// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/interventions_view.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QStackedWidget>
#include <QTabWidget>
#include <QVBoxLayout>
#include <cmath>

#include "views/formats.h"
#include "views/intervention_chart.h"
#include "views/intervention_texts.h"
#include "views/interventions_composer.h"
#include "views/message_label.h"
#include "views/number_table.h"
#include "views/theme.h"
#include "views/view_export.h"

namespace gatescope {

namespace {

constexpr int kMessagePage = 0;
constexpr int kContentPage = 1;

/// A strip that cannot be overlooked: a line of text and one button.
class Bar final : public QWidget {
  public:
    Bar(const QString& button, QWidget* parent) : QWidget(parent) {
        m_text = new QLabel(this);
        m_text->setTextFormat(Qt::PlainText);
        m_text->setWordWrap(true);
        m_button = new QPushButton(button, this);
        auto* layout = new QHBoxLayout(this);
        layout->setContentsMargins(kGrid + kGrid / 2, kGrid / 2, kGrid, kGrid / 2);
        layout->addWidget(m_text, 1);
        layout->addWidget(m_button, 0, Qt::AlignVCenter);
        hide();
    }
    void setText(const QString& text, const QString& full) {
        m_text->setText(text);
        m_text->setToolTip(plainToolTip(full));
        setVisible(!full.isEmpty());
    }
    QPushButton* button() const { return m_button; }

  protected:
    void paintEvent(QPaintEvent*) override {
        QPainter painter(this);
        const QColor accent = themeColours(palette()).accent;
        QColor tint = accent;
        tint.setAlphaF(0.16F);
        painter.fillRect(rect(), tint);
        painter.fillRect(QRect(0, 0, kGrid / 2, height()), accent);
    }

  private:
    QLabel* m_text;
    QPushButton* m_button;
};

QString natsText(double value) {
    return threeDigits(value) + QChar(0xA0) + InterventionsView::tr("nats");
}

QWidget* makePage(QLabel* note, QWidget* content, QWidget* parent) {
    auto* page = new QWidget(parent);
    auto* layout = new QVBoxLayout(page);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(kGrid / 2);
    auto* head = new QVBoxLayout;
    head->setContentsMargins(kGrid, kGrid, kGrid, 0);
    head->addWidget(note);
    layout->addLayout(head);
    layout->addWidget(content, 1);
    return page;
}

}  // namespace

class InterventionsView::Private final : public QObject {
  public:
    Private(InterventionsView* view, Selection* shared);

    void makeChangesPage();
    void makeEffectPages();
    void connectSignals();
    void enableButtons();
    void compute();
    void computeEffect();
    QString nextTokenNote() const;
    QString textNote() const;
    std::vector<std::vector<NumberCell>> rows() const;

    InterventionsView* q;
    Selection* selection;
    Bar* activeBar = nullptr;
    Bar* busyBar = nullptr;
    QStackedWidget* pages = nullptr;
    QLabel* message = nullptr;
    QTabWidget* tabs = nullptr;
    InterventionsComposer* composer = nullptr;
    QPushButton* compare = nullptr;
    QPushButton* apply = nullptr;
    QLabel* tokenNote = nullptr;
    QLabel* textsNote = nullptr;
    QLabel* choicesNote = nullptr;
    InterventionChart* chart = nullptr;
    InterventionTexts* texts = nullptr;
    NumberTable* table = nullptr;
    std::shared_ptr<const RoutingShape> shape;
    std::shared_ptr<const InterventionEffect> effect;
    bool busy = false;
    QString pointed;
};

InterventionsView::Private::Private(InterventionsView* view, Selection* shared)
    : q(view), selection(shared) {
    activeBar = new Bar(tr("Back to the untouched model"), q);
    busyBar = new Bar(tr("Stop"), q);
    message = makeMessageLabel(q);
    message->setText(
        tr("No model is open. Open a model folder: this changes how it chooses its "
           "experts and shows what that does to its answers."));
    tabs = new QTabWidget(q);
    tabs->setDocumentMode(true);
    makeChangesPage();
    makeEffectPages();
    pages = new QStackedWidget(q);
    pages->addWidget(message);
    pages->addWidget(tabs);
    auto* outer = new QVBoxLayout(q);
    outer->setContentsMargins(0, 0, 0, 0);
    outer->setSpacing(0);
    outer->addWidget(activeBar);
    outer->addWidget(busyBar);
    outer->addWidget(pages, 1);
    connectSignals();
    enableButtons();
}

void InterventionsView::Private::makeChangesPage() {
    auto* page = new QWidget(q);
    composer = new InterventionsComposer(selection, page);
    compare = new QPushButton(tr("Compare with the untouched run"), page);
    compare->setToolTip(plainToolTip(
        tr("Runs prompt and answer through the model twice, untouched and changed, and lets both "
           "continue the prompt. The chat is not touched.")));
    apply = new QPushButton(tr("Use in the chat"), page);
    apply->setToolTip(plainToolTip(
        tr("Further answers are computed with these changes. They are named in the window, in the "
           "session and in every export; one click goes back.")));
    auto* buttons = new QHBoxLayout;
    buttons->setContentsMargins(kGrid, 0, kGrid, kGrid);
    buttons->setSpacing(kGrid / 2);
    buttons->addWidget(compare);
    buttons->addWidget(apply);
    buttons->addStretch(1);
    auto* layout = new QVBoxLayout(page);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(composer, 1);
    layout->addLayout(buttons);
    tabs->addTab(page, tr("Changes"));
}

void InterventionsView::Private::makeEffectPages() {
    tokenNote = makeNoteLabel(q);
    textsNote = makeNoteLabel(q);
    choicesNote = makeNoteLabel(q);
    chart = new InterventionChart(q);
    chart->setAccessibleName(tr("Divergence of the next token by position"));
    texts = new InterventionTexts(q);
    table = new NumberTable({QString(), tr("value"), tr("n")}, q);
    table->setAccessibleName(tr("What the changes did, in numbers"));
    tabs->addTab(makePage(tokenNote, chart, q), tr("Next token"));
    tabs->addTab(makePage(textsNote, texts, q), tr("Text"));
    tabs->addTab(makePage(choicesNote, table, q), tr("Choices"));
    ViewExport what;
    what.name = QStringLiteral("interventions");
    what.plot = chart;
    what.value = [this] { return pointed.isEmpty() ? table->currentExact() : pointed; };
    what.table = [this](QChar separator) { return q->tableText(separator); };
    what.failed = [this](const QString& text) { Q_EMIT q->failed(text); };
    installExportMenu(chart, what);
    installExportMenu(table, what);
}

void InterventionsView::Private::connectSignals() {
    connect(composer, &InterventionsComposer::composedChanged, this, [this] { enableButtons(); });
    connect(compare, &QPushButton::clicked, this,
            [this] { Q_EMIT q->compareRequested(composer->composed()); });
    connect(apply, &QPushButton::clicked, this,
            [this] { Q_EMIT q->applyRequested(composer->composed()); });
    connect(activeBar->button(), &QPushButton::clicked, this,
            [this] { Q_EMIT q->resetRequested(); });
    connect(busyBar->button(), &QPushButton::clicked, this,
            [this] { Q_EMIT q->cancelRequested(); });
    connect(chart, &InterventionChart::pointed, this, [this](const QString& text) {
        pointed = text;
        Q_EMIT q->hoverText(text);
    });
    connect(chart, &InterventionChart::activated, this,
            [this](std::int32_t position) { selection->setPosition(position); });
    connect(selection, &Selection::changed, this,
            [this] { chart->setCursorPosition(selection->position()); });
    connect(table, &QTableWidget::currentCellChanged, this,
            [this] { Q_EMIT q->hoverText(table->currentExact()); });
    connect(table, &QTableWidget::cellActivated, this, [this](int row, int) {
        const auto at = row - (table->rowCount() - static_cast<int>(effect->layers.size()));
        if (at >= 0) {
            selection->setLayer(effect->layers[static_cast<std::size_t>(at)].layer);
        }
    });
}

void InterventionsView::Private::enableButtons() {
    const bool any = !composer->composed().empty();
    compare->setEnabled(any && !busy);
    apply->setEnabled(any && !busy);
    const bool shown = effect != nullptr;
    for (int tab = 1; tab < tabs->count(); ++tab) {
        tabs->setTabEnabled(tab, shown);
        tabs->setTabToolTip(
            tab, shown ? QString()
                       : plainToolTip(tr("Put changes together and compare with the untouched "
                                         "run: the result appears here.")));
    }
}

void InterventionsView::Private::compute() {
    pages->setCurrentIndex(shape ? kContentPage : kMessagePage);
    q->setAccessibleDescription(shape ? QString() : message->text());
    if (effect) {
        computeEffect();
    }
}

void InterventionsView::Private::computeEffect() {
    chart->setEffect(effect);
    chart->setCursorPosition(selection->position());
    texts->setEffect(*effect);
    table->setRows(rows());
    tokenNote->setText(nextTokenNote());
    textsNote->setText(textNote());
    const QString what = visibleText(QString::fromStdString(effect->description), 160);
    choicesNote->setText(what);
    const QString tip =
        plainToolTip(visibleText(QString::fromStdString(effect->description)) + u'\n' +
                     tr("KL(untouched || changed) of the next token's distribution over the whole "
                        "vocabulary, in "
                        "nats: every position sees the same tokens before it in both runs."));
    for (QLabel* note : {tokenNote, textsNote, choicesNote}) {
        note->setToolTip(tip);
    }
    q->setAccessibleDescription(tokenNote->text());
}

QString InterventionsView::Private::nextTokenNote() const {
    const auto n = static_cast<std::int64_t>(effect->positions.size());
    return tr("%1 \u00B7 mean KL %2, largest %3 at position %4 \u00B7 n = %5 positions")
        .arg(visibleText(QString::fromStdString(effect->description), 160),
             natsText(effect->meanKl), threeDigits(effect->maxKl),
             QString::number(effect->maxKlPosition), integerText(n));
}

QString InterventionsView::Private::textNote() const {
    const auto before = static_cast<std::int64_t>(effect->idsBefore.size());
    const auto after = static_cast<std::int64_t>(effect->idsAfter.size());
    if (before == 0 && after == 0) {
        return tr("No text was generated for this comparison.");
    }
    if (effect->firstDifference < 0) {
        return tr("The same text: all %1 tokens after the prompt agree.").arg(integerText(before));
    }
    return tr("After the prompt, %1 tokens agree; the marked text differs (%2 and %3 tokens).")
        .arg(integerText(effect->firstDifference), integerText(before), integerText(after));
}

std::vector<std::vector<NumberCell>> InterventionsView::Private::rows() const {
    const auto n = static_cast<std::int64_t>(effect->positions.size());
    std::vector<std::vector<NumberCell>> out;
    const auto add = [&out](const QString& name, const QString& tip, const NumberCell& value,
                            std::int64_t count) {
        out.push_back({{name, {}, tip, {}},
                       {value.text, value.exact, tip, {}},
                       {integerText(count), QString::number(count), tip, {}}});
    };
    const QString klTip =
        tr("KL(untouched || changed) of the next token, over the whole vocabulary; n: positions");
    add(tr("Mean KL"), klTip, {natsText(effect->meanKl), allDigits(effect->meanKl), {}, {}}, n);
    add(tr("Largest KL"), klTip, {natsText(effect->maxKl), allDigits(effect->maxKl), {}, {}}, n);
    const double share =
        n > 0 ? static_cast<double>(effect->topChanged) / static_cast<double>(n) : std::nan("");
    add(tr("Most probable token changed"),
        tr("positions after which another token is the most probable; n: positions"),
        {percentText(share), integerText(effect->topChanged), {}, {}}, n);
    for (const LayerEffect& layer : effect->layers) {
        add(layer.intervened ? tr("Layer %1, changed here").arg(layer.layer)
                             : tr("Layer %1").arg(layer.layer),
            tr("choices of this layer that the untouched model does not make at the same position; "
               "n: choices made"),
            {percentText(layer.changedShare), allDigits(layer.changedShare), {}, {}},
            layer.choices);
    }
    return out;
}

InterventionsView::InterventionsView(Selection* selection, QWidget* parent)
    : DockView(parent), d(std::make_unique<Private>(this, selection)) {
    setFocusProxy(d->tabs);
    setAccessibleName(tr("Interventions"));
}

InterventionsView::~InterventionsView() = default;

void InterventionsView::setShape(std::shared_ptr<const RoutingShape> shape) {
    d->shape = shape && shape->experts > 0 ? std::move(shape) : nullptr;
    d->composer->setShape(d->shape ? *d->shape : RoutingShape{});
    setEffect(nullptr);
}

void InterventionsView::setActive(const QString& description) {
    d->activeBar->setText(tr("The chat runs with: %1").arg(visibleText(description, 160)),
                          visibleText(description));
}

void InterventionsView::setBusy(const QString& progress) {
    d->busy = !progress.isEmpty();
    d->busyBar->setText(visibleText(progress, 160), progress);
    d->enableButtons();
}

void InterventionsView::setEffect(std::shared_ptr<const InterventionEffect> effect) {
    const bool first = effect && d->tabs->currentIndex() == 0;
    d->effect = std::move(effect);
    d->enableButtons();
    if (!d->effect) {
        d->tabs->setCurrentIndex(0);
    } else if (first) {
        d->tabs->setCurrentIndex(1);
    }
    changed();
}

const Interventions& InterventionsView::composed() const {
    return d->composer->composed();
}

void InterventionsView::setComposed(const Interventions& interventions) {
    d->composer->setComposed(interventions);
    d->tabs->setCurrentIndex(0);
}

QString InterventionsView::tableText(QChar separator) const {
    if (!d->effect) {
        return {};
    }
    const QString label = tableField(QString::fromStdString(d->effect->description), separator);
    QString text = label + u'\n' + d->table->exactText(separator);
    text += u'\n' +
            QStringList{tr("position"),       tr("KL, nats"),         tr("top id untouched"),
                        tr("top id changed"), tr("p next untouched"), tr("p next changed")}
                .join(separator) +
            u'\n';
    for (const PositionEffect& at : d->effect->positions) {
        text += QStringList{QString::number(at.position),  allDigits(at.kl),
                            QString::number(at.topBefore), QString::number(at.topAfter),
                            allDigits(at.nextBefore),      allDigits(at.nextAfter)}
                    .join(separator) +
                u'\n';
    }
    return text;
}

void InterventionsView::compute() {
    d->compute();
}

}  // namespace gatescope
