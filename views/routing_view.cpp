// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/routing_view.h"

#include <QAction>
#include <QCheckBox>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QStackedWidget>
#include <QTimer>
#include <QToolTip>
#include <QVBoxLayout>
#include <QWidgetAction>
#include <algorithm>
#include <array>
#include <utility>

#include "views/formats.h"
#include "views/message_label.h"
#include "views/routing_map.h"
#include "views/routing_texts.h"
#include "views/selection.h"
#include "views/theme.h"
#include "views/view_export.h"

namespace gatescope {

namespace {

constexpr int kMessagePage = 0;
constexpr int kMapPage = 1;
constexpr int kRoomForPhases = 64 * kGrid;  // narrower views count the phases, not name them
constexpr int kNoteIntervalMs = 250;        // a text that changes faster cannot be read
constexpr double kSmallestZ = 4;            // half the range of the scales, at least
constexpr double kSmallestDifference = 0.5;
constexpr std::array kModeOrder{RoutingMode::RelativeLoad, RoutingMode::GateMass,
                                RoutingMode::ZScore, RoutingMode::Difference,
                                RoutingMode::ThisToken};

}  // namespace

class RoutingView::Private final : public QObject {
  public:
    Private(RoutingView* view, Selection* shared);

    void buildModes();
    void buildPhases();
    QCheckBox* phaseBox(QWidget* list, unsigned bit, const QString& name, const QString& tip);
    void buildOptions();
    void buildPages();
    void compute();
    void showControls();
    void showPhases();
    MapScale scale() const;
    void showSelection();
    void showNote();
    void inputChanged();
    bool grows(const RoutingLoad* next) const;
    bool hasPicture() const { return pages->currentIndex() == kMapPage; }
    /// Of what is shown, which may be older than `input`.
    RoutingTexts texts() const { return {shown, values}; }

    RoutingView* q;
    Selection* selection;
    QComboBox* modes = nullptr;
    QPushButton* phaseButton = nullptr;
    std::array<QCheckBox*, kPhaseCount + 1> phaseBoxes{};  ///< the last: special tokens
    QPushButton* optionButton = nullptr;
    QAction* sortAction = nullptr;
    QAction* pinAction = nullptr;
    QAction* unpinAction = nullptr;
    QLabel* note = nullptr;
    QStackedWidget* pages = nullptr;
    QLabel* message = nullptr;
    RoutingMap* map = nullptr;

    RoutingInput input;
    RoutingInput shown;
    RoutingValues values;
    bool outdated = true;   ///< `shown` is not `input`
    bool onlyGrew = false;  ///< nothing but the counts, since `shown`
    QTimer noteTimer;       ///< runs for a quarter of a second after each note
    bool noteOutdated = false;
    bool refreshing = false;
    QString pointed;
};

RoutingView::Private::Private(RoutingView* view, Selection* shared) : q(view), selection(shared) {
    map = new RoutingMap(q);
    map->setAccessibleName(tr("Routing heatmap"));
    buildModes();
    buildPhases();
    buildOptions();
    buildPages();
    noteTimer.setSingleShot(true);
    noteTimer.setInterval(kNoteIntervalMs);
    connect(&noteTimer, &QTimer::timeout, this, [this] {
        if (noteOutdated && hasPicture()) {
            showNote();
        }
    });
    connect(selection, &Selection::changed, this, [this] {
        if (!outdated) {
            showSelection();
        }
    });
    connect(map, &RoutingMap::cellChosen, this,
            [this](int layer, int expert) { selection->setCell(layer, expert); });
    connect(map, &RoutingMap::cellPointed, this, [this](int layer, int expert) {
        pointed = q->cellText(layer, expert);
        if (!refreshing || QToolTip::isVisible()) {  // new numbers bring no tip back
            map->showTip(map->underMouse() ? pointed : QString());
        }
        Q_EMIT q->hoverText(pointed);
    });
}

void RoutingView::Private::buildModes() {
    modes = new QComboBox(q);
    modes->setObjectName(QStringLiteral("mode"));
    modes->setAccessibleName(tr("What the heatmap shows"));
    modes->setMinimumWidth(11 * kGrid);  // gives way in a narrow dock
    for (const RoutingMode mode : kModeOrder) {
        modes->addItem(RoutingTexts::modeName(mode), static_cast<int>(mode));
        modes->setItemData(modes->count() - 1, plainToolTip(RoutingTexts::modeTip(mode)),
                           Qt::ToolTipRole);
    }
    connect(modes, &QComboBox::activated, this, [this](int index) {
        q->setMode(static_cast<Mode>(modes->itemData(index).toInt()));
        Q_EMIT q->settingsChanged();
    });
}

QCheckBox* RoutingView::Private::phaseBox(QWidget* list, unsigned bit, const QString& name,
                                          const QString& tip) {
    auto* box = new QCheckBox(name, list);
    box->setToolTip(plainToolTip(tip));
    connect(box, &QCheckBox::clicked, this, [this, bit](bool on) {
        q->setPhases(on ? input.phases | bit : input.phases & ~bit);
        Q_EMIT q->settingsChanged();
    });
    list->layout()->addWidget(box);
    return box;
}

void RoutingView::Private::buildPhases() {
    auto* menu = new QMenu(q);
    auto* list = new QWidget(menu);
    auto* layout = new QVBoxLayout(list);
    layout->setContentsMargins(kGrid, kGrid, kGrid, kGrid);
    for (int phase = 0; phase < kPhaseCount; ++phase) {
        auto* box = phaseBox(list, 1U << static_cast<unsigned>(phase),
                             RoutingTexts::phaseName(phase), RoutingTexts::phaseTip(phase));
        box->setObjectName(QStringLiteral("phase%1").arg(phase));
        phaseBoxes[static_cast<std::size_t>(phase)] = box;
    }
    layout->addSpacing(kGrid);
    phaseBoxes.back() =
        phaseBox(list, kSpecialTokens, tr("Special tokens"), RoutingTexts::specialTip());
    phaseBoxes.back()->setObjectName(QStringLiteral("special"));
    auto* action = new QWidgetAction(menu);  // check boxes: the menu stays open for several
    action->setDefaultWidget(list);
    menu->addAction(action);
    phaseButton = new QPushButton(q);
    phaseButton->setObjectName(QStringLiteral("phases"));
    phaseButton->setAccessibleName(tr("Phases that count"));
    phaseButton->setMenu(menu);
    phaseButton->setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
}

void RoutingView::Private::buildOptions() {
    auto* menu = new QMenu(q);
    menu->setToolTipsVisible(true);
    const auto add = [&](const QString& text, Qt::Key key, const QString& tip) {
        QAction* action = menu->addAction(text);
        action->setToolTip(plainToolTip(tip));
        action->setShortcut(QKeySequence(key));
        action->setShortcutContext(Qt::WidgetShortcut);
        map->addAction(action);
        return action;
    };
    sortAction = add(tr("&Sort experts by load"), Qt::Key_S,
                     tr("Every layer by itself, the most often chosen expert of the chosen phases "
                        "first. Otherwise by id."));
    sortAction->setObjectName(QStringLiteral("sort"));
    sortAction->setCheckable(true);
    connect(sortAction, &QAction::triggered, this, [this](bool on) {
        q->setOrder(on ? Order::ByLoad : Order::ById);
        Q_EMIT q->settingsChanged();
    });
    menu->addSeparator();
    pinAction = add(tr("&Pin as reference"), Qt::Key_P,
                    tr("Keeps the load of this moment: Difference compares with it what comes "
                       "after, or another session."));
    pinAction->setObjectName(QStringLiteral("pin"));
    connect(pinAction, &QAction::triggered, q, &RoutingView::pinReference);
    unpinAction = add(tr("&Unpin"), Qt::Key_U, tr("Forgets the reference."));
    unpinAction->setObjectName(QStringLiteral("unpin"));
    connect(unpinAction, &QAction::triggered, q, &RoutingView::unpinReference);
    optionButton =
        new QPushButton(tr("Options") + QStringLiteral("  "), q);  // room before the arrow
    optionButton->setObjectName(QStringLiteral("options"));
    optionButton->setAccessibleName(tr("Order of experts and reference"));
    optionButton->setMenu(menu);
    optionButton->setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
}

void RoutingView::Private::buildPages() {
    note = makeNoteLabel(q);
    note->setToolTip(plainToolTip(RoutingTexts::noteTip()));
    message = makeMessageLabel(q);
    pages = new QStackedWidget(q);
    pages->addWidget(message);
    pages->addWidget(map);

    auto* controls = new QHBoxLayout;
    controls->setSpacing(kGrid);
    controls->addWidget(modes);
    controls->addWidget(phaseButton);
    controls->addWidget(optionButton);
    controls->addStretch(1);
    auto* head = new QVBoxLayout;
    head->setContentsMargins(kGrid, kGrid, kGrid, 0);
    head->setSpacing(kGrid / 2);
    head->addLayout(controls);
    head->addWidget(note);
    auto* layout = new QVBoxLayout(q);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(kGrid / 2);
    layout->addLayout(head);
    layout->addWidget(pages, 1);

    auto* line = new QAction(map);
    line->setSeparator(true);
    map->addAction(line);
    ViewExport what;
    what.name = QStringLiteral("routing");
    what.plot = map;
    what.value = [this] {
        const auto at = map->cursor();
        return pointed.isEmpty() && at ? q->cellText(at->layer, at->expert) : pointed;
    };
    what.table = [this](QChar separator) { return q->tableText(separator); };
    what.failed = [this](const QString& text) { Q_EMIT q->failed(text); };
    installExportMenu(map, what);
}

/// Counters only grow; another session starts with an empty one.
bool RoutingView::Private::grows(const RoutingLoad* next) const {
    if (next == nullptr || !input.load) {
        return false;
    }
    const auto shrinks = [](const auto& after, const auto& before) {
        for (std::size_t i = 0; i < after.size(); ++i) {
            if (after[i].tokens < before[i].tokens || after[i].mtpTokens < before[i].mtpTokens) {
                return true;
            }
        }
        return false;
    };
    return !shrinks(next->phases, input.load->phases) &&
           !shrinks(next->special, input.load->special);
}

void RoutingView::Private::showPhases() {
    const bool brief = q->width() < kRoomForPhases;
    phaseButton->setText(RoutingTexts::phasesText(input.phases, brief) + QStringLiteral("  "));
    phaseButton->setToolTip(plainToolTip(RoutingTexts::phasesText(input.phases, false)));
}

void RoutingView::Private::showControls() {
    modes->setCurrentIndex(modes->findData(static_cast<int>(input.mode)));
    for (std::size_t i = 0; i < phaseBoxes.size(); ++i) {
        phaseBoxes[i]->setChecked((input.phases >> i & 1U) != 0);
    }
    showPhases();
    phaseButton->setEnabled(input.mode != Mode::ThisToken || input.order == Order::ByLoad);
    sortAction->setChecked(input.order == Order::ByLoad);
    pinAction->setEnabled(input.load != nullptr);
    unpinAction->setEnabled(input.reference != nullptr);
}

MapScale RoutingView::Private::scale() const {
    using Kind = MapScale::Kind;
    const QString name = texts().measure();
    switch (shown.mode) {
        case Mode::RelativeLoad:
        case Mode::GateMass:
            break;
        case Mode::ThisToken: {
            double largest = 0;
            for (const double value : values.values) {
                largest = std::max(largest, value);  // false for NaN: keeps the first
            }
            return {Kind::Weight, largest > 0 ? largest : 1, name};
        }
        case Mode::ZScore:
            return {Kind::Diverging, divergingLimit(values.values, kSmallestZ), name};
        case Mode::Difference:
            return {Kind::Diverging, divergingLimit(values.values, kSmallestDifference), name};
    }
    return {Kind::Relative, 1, name};
}

void RoutingView::Private::compute() {
    shown = input;
    outdated = false;
    const bool grew = std::exchange(onlyGrew, true);
    if (!grew) {
        showControls();
    }
    const bool known = shown.load && shown.load->shape.experts > 0;
    values = known ? routingValues(shown) : RoutingValues{};
    const QString empty = texts().empty();
    note->setVisible(empty.isEmpty());
    pages->setCurrentIndex(empty.isEmpty() ? kMapPage : kMessagePage);
    if (!empty.isEmpty()) {
        message->setText(empty);
        q->setAccessibleDescription(empty);
        if (!pointed.isEmpty()) {
            pointed.clear();
            Q_EMIT q->hoverText(pointed);
        }
        return;
    }
    map->setShape(shown.load->shape);
    map->setExperts(values.experts);
    map->setValues(values.values, scale());
    noteOutdated = true;
    if (!grew || !noteTimer.isActive()) {
        showSelection();
    }
    refreshing = true;
    map->refreshPointed();
    refreshing = false;
}

void RoutingView::Private::showSelection() {
    if (!hasPicture()) {
        return;
    }
    map->setSelected(selection->layer(), selection->expert());
    showNote();
}

void RoutingView::Private::showNote() {
    const QString text = texts().note(selection->layer());
    note->setText(text);
    map->setAccessibleDescription(text);
    q->setAccessibleDescription(text);
    noteOutdated = false;
    noteTimer.start();
}

void RoutingView::Private::inputChanged() {
    outdated = true;
    onlyGrew = false;
    q->changed();
}

RoutingView::RoutingView(Selection* selection, QWidget* parent)
    : DockView(parent), d(std::make_unique<Private>(this, selection)) {
    setFocusProxy(d->map);
    setAccessibleName(tr("Routing"));
    d->compute();
    d->outdated = true;
}

RoutingView::~RoutingView() = default;

void RoutingView::compute() {
    d->compute();
}

void RoutingView::setLoad(std::shared_ptr<const RoutingLoad> load) {
    const bool grows = d->grows(load.get());
    d->input.continuesReference = d->input.continuesReference && grows;
    d->input.load = std::move(load);
    d->outdated = true;
    d->onlyGrew = d->onlyGrew && grows;
    changed();
}

void RoutingView::setToken(std::shared_ptr<const RoutedToken> main,
                           std::shared_ptr<const RoutedToken> mtp) {
    d->input.mainToken = std::move(main);
    d->input.mtpToken = std::move(mtp);
    if (d->input.mode == Mode::ThisToken) {
        d->inputChanged();
    }
}

RoutingView::Mode RoutingView::mode() const {
    return d->input.mode;
}

void RoutingView::setMode(Mode mode) {
    const int number = static_cast<int>(mode);
    if (mode != d->input.mode && number >= 0 && number < kRoutingModes) {
        d->input.mode = mode;
        d->inputChanged();
    }
}

unsigned RoutingView::phases() const {
    return d->input.phases;
}

void RoutingView::setPhases(unsigned mask) {
    const unsigned known = mask & kAllTokens;
    if (known != d->input.phases) {
        d->input.phases = known;
        d->inputChanged();
    }
}

RoutingView::Order RoutingView::order() const {
    return d->input.order;
}

void RoutingView::setOrder(Order order) {
    if (order != d->input.order && (order == Order::ById || order == Order::ByLoad)) {
        d->input.order = order;
        d->inputChanged();
    }
}

std::shared_ptr<const RoutingLoad> RoutingView::reference() const {
    return d->input.reference;
}

void RoutingView::pinReference() {
    if (d->input.load) {
        d->input.reference = d->input.load;
        d->input.continuesReference = true;
        d->inputChanged();
    }
}

void RoutingView::unpinReference() {
    d->input.reference.reset();
    d->input.continuesReference = false;
    d->inputChanged();
}

QString RoutingView::cellText(int layer, int expert) const {
    return d->texts().cell(layer, expert);
}

QString RoutingView::tableText(QChar separator) const {
    return d->hasPicture() ? d->texts().table(separator) : QString();
}

void RoutingView::resizeEvent(QResizeEvent* event) {
    DockView::resizeEvent(event);
    d->showPhases();
}

}  // namespace gatescope
