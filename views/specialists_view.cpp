// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/specialists_view.h"

#include <QComboBox>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QMenu>
#include <QProgressBar>
#include <QPushButton>
#include <QStackedWidget>
#include <QTabWidget>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <limits>

#include "views/formats.h"
#include "views/message_label.h"
#include "views/selection.h"
#include "views/specialists_map.h"
#include "views/specialists_tables.h"
#include "views/theme.h"
#include "views/view_export.h"

namespace gatescope {

namespace {
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int kMessagePage = 0;
constexpr int kContentPage = 1;
const QString kDot = QStringLiteral(" · ");
}  // namespace

class SpecialistsView::Private final : public QObject {
  public:
    Private(SpecialistsView* view, Selection* shared);

    void buildControls(QVBoxLayout* head);
    void buildMessagePage();
    void buildTabs();
    QWidget* tokensPage();
    QWidget* specialistsPage();
    void installExports();
    void exportFrom(NumberTable* table, const QString& name);
    void compute();
    void showLayers();
    void showSelection();
    void showMap();
    void showTokens();
    void sortBy(int column);
    void showSpecialists();
    void choosePromptFile();
    void updateControls();
    QString emptyMessage() const;
    QString noteText() const;
    QString cellText(int domain, int expert) const;
    int row() const;  ///< of the layer shown
    std::optional<int> expert() const;
    void point(const QString& text) {
        pointed = text;
        Q_EMIT q->hoverText(text);
    }

    SpecialistsView* q;
    Selection* selection;
    QComboBox* layers = nullptr;
    QPushButton* runButton = nullptr;
    QAction* runDemo = nullptr;
    QPushButton* cancel = nullptr;
    QProgressBar* progress = nullptr;
    QLabel* note = nullptr;
    QLabel* problem = nullptr;
    QStackedWidget* pages = nullptr;
    QLabel* message = nullptr;
    QPushButton* demoButton = nullptr;
    QPushButton* fileButton = nullptr;
    QTabWidget* tabs = nullptr;
    SpecialistsMap* map = nullptr;
    NumberTable* specialists = nullptr;
    QLabel* specialistName = nullptr;
    QComboBox* kinds = nullptr;
    QLabel* tokensNote = nullptr;
    NumberTable* tokens = nullptr;
    NumberTable* replication = nullptr;

    std::shared_ptr<const SpecialisationValue> value;
    std::vector<std::size_t> order;  ///< of the specialists, as shown
    int sortColumn = -1;
    bool descending = true;
    bool modelOpen = false;
    bool demo = false;
    bool running = false;
    QString pointed;
};

SpecialistsView::Private::Private(SpecialistsView* view, Selection* shared)
    : q(view), selection(shared) {
    auto* head = new QVBoxLayout;
    head->setContentsMargins(kGrid, kGrid, kGrid, 0);
    head->setSpacing(kGrid / 2);
    buildControls(head);
    pages = new QStackedWidget(q);
    buildMessagePage();
    buildTabs();
    auto* outer = new QVBoxLayout(q);
    outer->setContentsMargins(0, 0, 0, 0);
    outer->setSpacing(kGrid / 2);
    outer->addLayout(head);
    outer->addWidget(pages, 1);
    installExports();
    connect(selection, &Selection::changed, this, [this] {
        if (q->isSeen()) {
            showSelection();
        } else {
            q->changed();
        }
    });
    updateControls();
}

void SpecialistsView::Private::buildControls(QVBoxLayout* head) {
    layers = new QComboBox(q);
    layers->setObjectName(QStringLiteral("layer"));
    layers->setAccessibleName(tr("Layer"));
    connect(layers, &QComboBox::activated, this, [this](int index) {
        selection->setCell(layers->itemData(index).toInt(), selection->expert());
    });
    auto* menu = new QMenu(q);
    runDemo = menu->addAction(tr("The demo model's domains"), this,
                              [this] { Q_EMIT q->runDemoRequested(); });
    menu->addAction(tr("A prompt file…"), this, [this] { choosePromptFile(); });
    runButton = new QPushButton(tr("Run prompts"), q);
    runButton->setObjectName(QStringLiteral("run"));
    runButton->setMenu(menu);
    runButton->setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
    progress = new QProgressBar(q);
    progress->setObjectName(QStringLiteral("progress"));
    progress->setAccessibleName(tr("Prompts run so far"));
    cancel = new QPushButton(tr("Cancel"), q);
    cancel->setObjectName(QStringLiteral("cancel"));
    cancel->setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
    connect(cancel, &QPushButton::clicked, this, [this] { Q_EMIT q->cancelRequested(); });
    auto* controls = new QHBoxLayout;
    controls->setSpacing(kGrid);
    controls->addWidget(layers);
    controls->addWidget(progress, 1);
    controls->addStretch(0);
    controls->addWidget(cancel);
    controls->addWidget(runButton);
    note = makeNoteLabel(q);
    problem = makeNoteLabel(q);
    problem->setObjectName(QStringLiteral("problem"));
    problem->setForegroundRole(QPalette::WindowText);
    problem->hide();
    head->addLayout(controls);
    head->addWidget(problem);
    head->addWidget(note);
}

void SpecialistsView::Private::buildMessagePage() {
    auto* page = new QWidget(q);
    auto* layout = new QVBoxLayout(page);
    layout->setContentsMargins(kGrid, kGrid, kGrid, kGrid);
    message = makeMessageLabel(page);
    demoButton = new QPushButton(tr("Run the demo model's domains"), page);
    demoButton->setObjectName(QStringLiteral("runDemo"));
    fileButton = new QPushButton(tr("Run a prompt file…"), page);
    fileButton->setObjectName(QStringLiteral("runFile"));
    fileButton->setToolTip(
        plainToolTip(tr("JSON Lines: {\"prompt\": text, \"domain\": text} on every line")));
    connect(demoButton, &QPushButton::clicked, this, [this] { Q_EMIT q->runDemoRequested(); });
    connect(fileButton, &QPushButton::clicked, this, [this] { choosePromptFile(); });
    message->setAlignment(Qt::AlignHCenter | Qt::AlignBottom);
    layout->addWidget(message, 1);
    layout->addWidget(demoButton, 0, Qt::AlignHCenter);
    layout->addWidget(fileButton, 0, Qt::AlignHCenter);
    layout->addStretch(1);
    pages->addWidget(page);
}

void SpecialistsView::Private::buildTabs() {
    tabs = new QTabWidget(q);
    tabs->setDocumentMode(true);
    map = new SpecialistsMap(q);
    map->setAccessibleName(tr("Lift of every expert over chance, by domain"));
    connect(map, &SpecialistsMap::cellPointed, this, [this](int domain, int expert) {
        const QString text = cellText(domain, expert);
        map->showTip(map->underMouse() ? text : QString());
        point(text);
    });
    connect(map, &SpecialistsMap::cellChosen, this,
            [this](int, int expert) { selection->setCell(value->layerOfRow(row()), expert); });
    replication = new NumberTable(replicationHeader(), q);
    replication->setFirstColumnNumeric(false);
    replication->setAccessibleName(tr("How alike the two halves of the prompts are"));
    tabs->addTab(map, tr("Domains"));
    tabs->addTab(specialistsPage(), tr("Specialists"));
    tabs->addTab(tokensPage(), tr("Tokens"));
    tabs->addTab(replication, tr("Replication"));
    pages->addWidget(tabs);
    for (NumberTable* table : {specialists, tokens, replication}) {
        connect(table, &QTableWidget::currentCellChanged, this,
                [this, table] { point(table->currentExact()); });
    }
}

QWidget* SpecialistsView::Private::specialistsPage() {
    auto* page = new QWidget(q);
    specialists = new NumberTable(specialistsHeader(), page);
    specialists->setObjectName(QStringLiteral("specialists"));
    specialists->setAccessibleName(tr("Specialists found"));
    specialists->horizontalHeader()->setSectionsClickable(true);
    connect(specialists->horizontalHeader(), &QHeaderView::sectionClicked, this,
            [this](int column) { sortBy(column); });
    const auto choose = [this](int at) {
        if (at < 0 || at >= static_cast<int>(order.size())) return;
        const Specialist& found = value->specialists[order[static_cast<std::size_t>(at)]];
        selection->setCell(found.layer, found.expert);
    };
    connect(specialists, &QTableWidget::cellClicked, this, choose);
    connect(specialists, &QTableWidget::cellActivated, this, choose);
    specialistName = makeNoteLabel(page);
    specialistName->setContentsMargins(kGrid, 0, kGrid, kGrid / 2);
    connect(specialists, &QTableWidget::currentCellChanged, this, [this](int at) {
        const bool known = at >= 0 && at < static_cast<int>(order.size());
        specialistName->setText(
            known ? nameText(value->specialists[order[static_cast<std::size_t>(at)]]) : QString());
    });
    auto* layout = new QVBoxLayout(page);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(kGrid / 2);
    layout->addWidget(specialists, 1);
    layout->addWidget(specialistName);
    return page;
}

QWidget* SpecialistsView::Private::tokensPage() {
    auto* page = new QWidget(q);
    kinds = new QComboBox(page);
    kinds->setAccessibleName(tr("Which token counts"));
    kinds->addItems({tr("Input token"), tr("Next token")});
    kinds->setItemData(0, plainToolTip(tr("the token that went through the layer")),
                       Qt::ToolTipRole);
    kinds->setItemData(1, plainToolTip(tr("the token that truly came after it")), Qt::ToolTipRole);
    connect(kinds, &QComboBox::activated, this, [this] { showTokens(); });
    tokensNote = makeNoteLabel(page);
    tokens = new NumberTable(tokensHeader(), page);
    tokens->setObjectName(QStringLiteral("tokens"));
    tokens->setAccessibleName(tr("Tokens the selected expert is chosen for"));
    auto* line = new QHBoxLayout;
    line->setContentsMargins(kGrid, kGrid / 2, kGrid, 0);
    line->setSpacing(kGrid);
    line->addWidget(kinds);
    line->addWidget(tokensNote, 1);
    auto* layout = new QVBoxLayout(page);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(kGrid / 2);
    layout->addLayout(line);
    layout->addWidget(tokens, 1);
    return page;
}

void SpecialistsView::Private::exportFrom(NumberTable* table, const QString& name) {
    ViewExport what;
    what.name = name;
    what.value = [table] { return table->currentExact(); };
    what.table = [table](QChar separator) { return table->exactText(separator); };
    what.failed = [this](const QString& text) { Q_EMIT q->failed(text); };
    installExportMenu(table, what);
}

void SpecialistsView::Private::installExports() {
    ViewExport what;
    what.name = QStringLiteral("domain-affinity");
    what.plot = map;
    what.value = [this] {
        const auto at = map->cursor();
        return pointed.isEmpty() && at ? cellText(at->domain, at->expert) : pointed;
    };
    what.table = [this](QChar separator) {
        return value ? affinityText(*value, row(), separator) : QString();
    };
    what.failed = [this](const QString& text) { Q_EMIT q->failed(text); };
    installExportMenu(map, what);
    exportFrom(specialists, QStringLiteral("specialists"));
    exportFrom(tokens, QStringLiteral("expert-tokens"));
    exportFrom(replication, QStringLiteral("replication"));
}

void SpecialistsView::Private::choosePromptFile() {
    const QString file = QFileDialog::getOpenFileName(q, tr("Run a prompt file"), QString(),
                                                      tr("Prompt sets (*.jsonl);;All files (*)"));
    if (!file.isEmpty()) Q_EMIT q->runRequested(file);
}

void SpecialistsView::Private::updateControls() {
    layers->setVisible(value != nullptr && !running);
    progress->setVisible(running);
    cancel->setVisible(running);
    runButton->setVisible(value != nullptr && modelOpen && !running);
    runDemo->setVisible(demo);
    demoButton->setVisible(modelOpen && demo && !running);
    fileButton->setVisible(modelOpen && !running);
}

QString SpecialistsView::Private::emptyMessage() const {
    if (running) return tr("Running the prompts. What the experts serve is shown at the end.");
    if (!modelOpen) {
        return tr(
            "No model is open. Open a model folder: this shows which experts serve which "
            "domain.");
    }
    return tr(
        "Which experts serve which domain? Run prompts of which is known what they are "
        "about.");
}

int SpecialistsView::Private::row() const {
    if (!value) return 0;
    const int selected = selection->layer() ? value->rowOfLayer(*selection->layer()) : -1;
    if (selected >= 0) return selected;
    return value->specialists.empty() ? 0 : value->specialists.front().row;
}

std::optional<int> SpecialistsView::Private::expert() const {
    const auto selected = selection->expert();
    return selected && *selected >= 0 && *selected < value->shape.experts ? selected : std::nullopt;
}

QString SpecialistsView::Private::noteText() const {
    std::int64_t all = 0;
    for (int domain = 0; domain < value->domainCount(); ++domain) all += value->tokens(0, domain);
    const auto replicated = std::count_if(value->specialists.begin(), value->specialists.end(),
                                          [](const Specialist& s) { return s.replicated; });
    return tr("%1 domains").arg(value->domainCount()) + kDot +
           tr("n = %1 tokens").arg(integerText(all)) + kDot +
           tr("%1 of %2 specialists replicated")
               .arg(integerText(replicated),
                    integerText(static_cast<std::int64_t>(value->specialists.size())));
}

QString SpecialistsView::Private::cellText(int domain, int expert) const {
    if (!value || domain < 0 || expert < 0 || domain >= value->domainCount() ||
        expert >= value->shape.experts) {
        return {};
    }
    const int at = row();
    const QString name =
        visibleText(QString::fromStdString(value->domains[static_cast<std::size_t>(domain)]), 40);
    const std::int64_t n = value->tokens(at, domain);
    QString text = tr("Layer %1, expert %2, %3: chosen for %4 of %5 tokens")
                       .arg(value->layerOfRow(at))
                       .arg(expert)
                       .arg(name, integerText(value->count(at, expert, domain)), integerText(n));
    if (n > 0) {
        text += tr(", lift %1 over chance %2 (halves %3 and %4)")
                    .arg(timesText(value->lift(at, expert, domain)), threeDigits(value->chance()),
                         timesText(value->lift(at, expert, domain, 0)),
                         timesText(value->lift(at, expert, domain, 1)));
    }
    return n < value->enoughTokens() ? text + tr("; not enough tokens") : text;
}

void SpecialistsView::Private::showLayers() {
    layers->clear();
    for (int at = 0; at < value->rows(); ++at) {
        const int layer = value->layerOfRow(at);
        const bool mtp = layer == value->shape.mtpLayer;
        layers->addItem((mtp ? tr("Layer %1 (MTP)") : tr("Layer %1")).arg(layer), layer);
    }
}

void SpecialistsView::Private::showMap() {
    const int at = row();
    QStringList names;
    std::vector<double> lift;
    for (int domain = 0; domain < value->domainCount(); ++domain) {
        names += QString::fromStdString(value->domains[static_cast<std::size_t>(domain)]);
        const bool enough = value->tokens(at, domain) >= value->enoughTokens();
        for (int e = 0; e < value->shape.experts; ++e) {
            lift.push_back(enough ? value->lift(at, e, domain) : kNaN);
        }
    }
    map->setLift(names, value->shape.experts, lift);
    map->setSelected(expert());
}

void SpecialistsView::Private::showTokens() {
    const auto chosen = expert();
    const int kind = std::max(0, kinds->currentIndex());
    if (!chosen) {
        tokensNote->setText(tr("Select an expert in the map or in the list."));
        tokens->setRows({});
        return;
    }
    const int at = row();
    const auto cell =
        static_cast<std::size_t>(at) * static_cast<std::size_t>(value->shape.experts) +
        static_cast<std::size_t>(*chosen);
    const auto& entries = value->vocabulary[static_cast<std::size_t>(kind)][cell];
    QString text = tr("Layer %1, expert %2").arg(value->layerOfRow(at)).arg(*chosen);
    if (entries.empty()) {
        text += kDot + tr("no token came at least %1 times and more often than by chance")
                           .arg(value->rule.leastVocabulary);
    }
    if (value->vocabularyFull) {
        text +=
            kDot + tr("only the first %1 tokens")
                       .arg(integerText(value->vocabularyTokens[static_cast<std::size_t>(kind)]));
    }
    tokensNote->setText(text);
    tokens->setRows(tokensRows(*value, entries));
}

void SpecialistsView::Private::showSelection() {
    if (!value) return;
    layers->setCurrentIndex(row());
    showMap();
    showTokens();
}

void SpecialistsView::Private::sortBy(int column) {
    descending = column == sortColumn ? !descending : column >= kFirstDescendingColumn;
    sortColumn = column;
    specialists->horizontalHeader()->setSortIndicatorShown(true);
    specialists->horizontalHeader()->setSortIndicator(
        column, descending ? Qt::DescendingOrder : Qt::AscendingOrder);
    showSpecialists();
}

void SpecialistsView::Private::showSpecialists() {
    order = sortedSpecialists(*value, sortColumn, descending);
    specialists->setRows(specialistsRows(*value, order, themeColours(q->palette()).muted));
    if (specialists->currentRow() < 0) {
        specialistName->setText(value->specialists.empty()
                                    ? tr("No expert favours one domain clearly enough.")
                                    : QString());
    }
}

void SpecialistsView::Private::compute() {
    pages->setCurrentIndex(value ? kContentPage : kMessagePage);
    note->setVisible(value != nullptr);
    updateControls();
    if (!value) {
        message->setText(emptyMessage());
        q->setAccessibleDescription(message->text());
        return;
    }
    note->setText(noteText());
    note->setToolTip(plainToolTip(ruleText(value->rule)));
    q->setAccessibleDescription(note->text());
    showLayers();
    showSpecialists();
    replication->setRows(replicationRows(*value));
    showSelection();
}

SpecialistsView::SpecialistsView(Selection* selection, QWidget* parent)
    : DockView(parent), d(std::make_unique<Private>(this, selection)) {
    setFocusProxy(d->map);
    setAccessibleName(tr("Specialists"));
}

SpecialistsView::~SpecialistsView() = default;

void SpecialistsView::setValue(std::shared_ptr<const SpecialisationValue> value) {
    if (d->value != value) d->specialists->setCurrentCell(-1, -1);
    d->value = std::move(value);
    changed();
}

void SpecialistsView::setModel(bool open, bool demo) {
    d->modelOpen = open;
    d->demo = demo;
    changed();
}

void SpecialistsView::setProgress(std::int64_t done, std::int64_t total, const QString& text) {
    const bool running = total > 0;
    if (running) {
        constexpr int kSteps = 1000;
        d->progress->setRange(0, kSteps);
        d->progress->setValue(
            static_cast<int>(static_cast<double>(done) / static_cast<double>(total) * kSteps));
        QString shown = tr("%1 of %2").arg(integerText(done), integerText(total));
        if (!text.isEmpty()) shown += kDot + visibleText(text, 80);
        d->progress->setFormat(shown.remove(u'%'));  // %p and the like are the bar's own
    }
    if (running == d->running) return;
    d->running = running;
    changed();
}

void SpecialistsView::setMessage(const QString& message) {
    d->problem->setText(visibleText(message));
    d->problem->setVisible(!message.isEmpty());
}

QString SpecialistsView::tableText(QChar separator) const {
    return d->specialists->exactText(separator);
}

void SpecialistsView::compute() {
    d->compute();
}

}  // namespace gatescope
