// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/routing_view.h"

#include <QCheckBox>
#include <QComboBox>
#include <QHBoxLayout>
#include <QMenu>
#include <QPointer>
#include <QPushButton>
#include <QShowEvent>
#include <QStackedWidget>
#include <QVBoxLayout>
#include <QWidgetAction>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "views/formats.h"
#include "views/message_label.h"
#include "views/number_table.h"
#include "views/routing_map.h"
#include "views/selection.h"
#include "views/theme.h"
#include "views/view_export.h"

namespace gatescope {

namespace {
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int kMessagePage = 0;
constexpr int kMapPage = 1;
const QString kDot = QStringLiteral(" · ");
}  // namespace

class RoutingView::Private final : public QObject {
  public:
    Private(RoutingView* view, Selection* shared) : q(view), selection(shared) {
        buildControls();
        buildPages();
        connect(selection, &Selection::changed, this, [this] { showSelection(); });
        connect(map, &RoutingMap::cellChosen, this,
                [this](int layer, int expert) { selection->setCell(layer, expert); });
        connect(map, &RoutingMap::cellPointed, this, [this](int layer, int expert) {
            pointed = q->cellText(layer, expert);
            map->showTip(map->underMouse() ? pointed : QString());
            Q_EMIT q->hoverText(pointed);
        });
    }

    void buildControls();
    void buildPages();
    void changed();  ///< compute now, or when shown
    void compute();
    void showSelection();
    void updateNote();
    QString emptyMessage() const;
    QString phasesText() const;
    QString noteText() const;
    std::vector<double> relativeValues() const;
    std::vector<double> massValues() const;
    std::vector<double> tokenValues(double* largest) const;
    const RoutedToken* tokenOf(int row) const;
    int tokenRow(int row) const { return isMtp(row) ? 0 : row; }
    bool isMtp(int row) const { return row >= static_cast<int>(load->shape.layers.size()); }
    QString loadText(int row, int expert) const;
    QString massText(int row, int expert) const;
    QString choiceText(int row, int expert) const;
    int valueRow(int layer) const { return load ? load->rowOfLayer(layer) : -1; }

    RoutingView* q;
    Selection* selection;
    QComboBox* modes = nullptr;
    QPushButton* phaseButton = nullptr;
    std::array<QCheckBox*, kPhaseCount> phaseBoxes{};
    QLabel* note = nullptr;
    QStackedWidget* pages = nullptr;
    QLabel* message = nullptr;
    RoutingMap* map = nullptr;

    std::shared_ptr<const RoutingLoad> load;
    std::shared_ptr<const RoutedToken> mainToken;
    std::shared_ptr<const RoutedToken> mtpToken;
    Mode mode = Mode::RelativeLoad;
    unsigned phases = kDefaultPhases;
    std::vector<double> values;  ///< [rows * E] as shown
    QString pointed;
    bool stale = true;
    int computations = 0;
};

void RoutingView::Private::buildControls() {
    modes = new QComboBox(q);
    modes->setObjectName(QStringLiteral("mode"));
    modes->setAccessibleName(tr("What the heatmap shows"));
    modes->addItems({tr("Relative load"), tr("Gate mass"), tr("This token")});
    modes->setItemData(0,
                       plainToolTip(tr("times chosen × E / (n × k): 1 is the fair share of a "
                                       "uniform router")),
                       Qt::ToolTipRole);
    modes->setItemData(1,
                       plainToolTip(tr("sum of gate weights × E / all gate weights of the layer: "
                                       "1 is the fair share")),
                       Qt::ToolTipRole);
    modes->setItemData(2, plainToolTip(tr("gate weights of the selected token in every layer")),
                       Qt::ToolTipRole);
    connect(modes, &QComboBox::activated, this, [this](int index) {
        q->setMode(static_cast<Mode>(index));
        Q_EMIT q->settingsChanged();
    });

    auto* menu = new QMenu(q);
    auto* list = new QWidget(menu);
    auto* layout = new QVBoxLayout(list);
    layout->setContentsMargins(kGrid, kGrid, kGrid, kGrid);
    const std::array names{tr("Prefill"), tr("Decode"), tr("Draft"), tr("Rejected")};
    const std::array tips{
        tr("prompt positions through the main model"),
        tr("generated positions through the main model, accepted drafts included"),
        tr("positions through the MTP layer"),
        tr("verified positions whose draft was rejected: read, but not output")};
    for (std::size_t i = 0; i < names.size(); ++i) {
        auto* box = new QCheckBox(names[i], list);
        box->setObjectName(QStringLiteral("phase%1").arg(i));
        box->setToolTip(plainToolTip(tips[i]));
        connect(box, &QCheckBox::clicked, this, [this, i](bool on) {
            q->setPhases(on ? phases | (1U << i) : phases & ~(1U << i));
            Q_EMIT q->settingsChanged();
        });
        phaseBoxes[i] = box;
        layout->addWidget(box);
    }
    auto* action = new QWidgetAction(menu);  // check boxes: the menu stays open for several
    action->setDefaultWidget(list);
    menu->addAction(action);
    phaseButton = new QPushButton(q);
    phaseButton->setObjectName(QStringLiteral("phases"));
    phaseButton->setAccessibleName(tr("Phases that count"));
    phaseButton->setMenu(menu);
    phaseButton->setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
}

void RoutingView::Private::buildPages() {
    note = makeNoteLabel(q);
    note->setToolTip(plainToolTip(
        tr("n: positions routed through this layer in the chosen phases.\n"
           "MaxVio: the largest relative load of a layer minus 1.\n"
           "Uniform router: mean MaxVio of a router that picks k of E experts at random for the "
           "same n. A short text looks unbalanced under any router.")));
    map = new RoutingMap(q);
    map->setAccessibleName(tr("Routing heatmap"));
    message = makeMessageLabel(q);
    pages = new QStackedWidget(q);
    pages->addWidget(message);
    pages->addWidget(map);

    auto* controls = new QHBoxLayout;
    controls->setSpacing(kGrid);
    controls->addWidget(modes);
    controls->addWidget(phaseButton);
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

const RoutedToken* RoutingView::Private::tokenOf(int row) const {
    const RoutedToken* token = isMtp(row) ? mtpToken.get() : mainToken.get();
    if (token == nullptr) {
        return nullptr;
    }
    // A token of another model must not be read with this model's shape.
    const auto rows = isMtp(row) ? std::size_t{1} : load->shape.layers.size();
    const TokenRouting& routing = token->routing;
    const auto choices = rows * static_cast<std::size_t>(load->shape.topK);
    const bool fits = static_cast<std::size_t>(routing.rows()) == rows &&
                      routing.experts.size() == choices && routing.weights.size() == choices;
    return fits ? token : nullptr;
}

std::vector<double> RoutingView::Private::relativeValues() const {
    std::vector<double> out;
    out.reserve(static_cast<std::size_t>(load->rows() * load->shape.experts));
    for (int row = 0; row < load->rows(); ++row) {
        for (int expert = 0; expert < load->shape.experts; ++expert) {
            out.push_back(load->relativeLoad(row, expert, phases));
        }
    }
    return out;
}

std::vector<double> RoutingView::Private::massValues() const {
    // RoutingLoad::relativeGateMass for a whole map: it sums a row for every cell, this once.
    const auto experts = static_cast<std::size_t>(load->shape.experts);
    std::vector<double> out(static_cast<std::size_t>(load->rows()) * experts, 0.0);
    for (const PhaseLoad* part : load->parts(phases)) {
        const auto& mass = part->gateMass;
        std::transform(mass.begin(), mass.end(), out.begin(), out.begin(), std::plus<>());
    }
    for (auto row = out.begin(); row != out.end(); row += static_cast<std::ptrdiff_t>(experts)) {
        const auto end = row + static_cast<std::ptrdiff_t>(experts);
        const double total = std::accumulate(row, end, 0.0);
        const double scale = total > 0 ? static_cast<double>(experts) / total : kNaN;
        std::for_each(row, end, [scale](double& value) { value *= scale; });
    }
    return out;
}

std::vector<double> RoutingView::Private::tokenValues(double* largest) const {
    const auto experts = static_cast<std::size_t>(load->shape.experts);
    const auto topK = static_cast<std::size_t>(load->shape.topK);
    std::vector<double> out(static_cast<std::size_t>(load->rows()) * experts, kNaN);
    for (int row = 0; row < load->rows(); ++row) {
        const RoutedToken* token = tokenOf(row);
        if (token == nullptr) {
            continue;
        }
        const auto first = static_cast<std::size_t>(row) * experts;
        std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(first), experts, 0.0);
        for (std::size_t j = 0; j < topK; ++j) {
            const std::size_t at = static_cast<std::size_t>(tokenRow(row)) * topK + j;
            const std::size_t expert = token->routing.experts[at];
            if (expert < experts) {
                out[first + expert] = static_cast<double>(token->routing.weights[at]);
                *largest = std::max(*largest, out[first + expert]);
            }
        }
    }
    return out;
}

QString RoutingView::Private::emptyMessage() const {
    if (!load || load->shape.experts <= 0) {
        return tr(
            "No model is open. Open a model folder: the heatmap shows which experts its "
            "tokens go to.");
    }
    if (mode == Mode::ThisToken) {
        const bool any = tokenOf(0) != nullptr ||
                         (load->shape.mtpLayer >= 0 && tokenOf(load->rows() - 1) != nullptr);
        return any ? QString()
                   : tr("Select a token in the transcript: the heatmap shows its experts in every "
                        "layer.");
    }
    std::int64_t chosen = 0;
    std::int64_t all = 0;
    for (const int row : {0, load->rows() - 1}) {
        chosen += load->tokens(row, phases);
        all += load->tokens(row, ~0U);
    }
    if (all == 0) {
        return tr("Ask something: the heatmap fills as tokens pass the router.");
    }
    return chosen > 0 ? QString()
                      : tr("No tokens in the chosen phases. Choose others in the menu above.");
}

QString RoutingView::Private::phasesText() const {
    QStringList names;
    for (std::size_t i = 0; i < phaseBoxes.size(); ++i) {
        if ((phases >> i & 1U) != 0) {
            names += names.isEmpty() ? phaseBoxes[i]->text() : phaseBoxes[i]->text().toLower();
        }
    }
    if (names.size() == kPhaseCount) {
        return tr("All phases");
    }
    return names.isEmpty() ? tr("No phase") : names.join(QStringLiteral(", "));
}

QString RoutingView::Private::noteText() const {
    if (mode == Mode::ThisToken) {
        const RoutedToken* token = mainToken ? mainToken.get() : mtpToken.get();
        return tr("token %1 · its %2 experts by gate weight in every layer")
            .arg(token->position)
            .arg(load->shape.topK);
    }
    int row = valueRow(selection->layer().value_or(-1));
    const bool isSelected = row >= 0;
    double observed = isSelected ? load->maxVio(row, phases) : kNaN;
    for (int r = 0; r < load->rows() && !isSelected; ++r) {
        // The MTP layer has an n of its own; the worst is looked for where n is the same.
        const double vio = isMtp(r) ? kNaN : load->maxVio(r, phases);
        if (std::isnan(observed) || vio > observed) {
            observed = vio;
            row = r;
        }
    }
    const std::int64_t n = load->tokens(row, phases);
    QString text = n == 1 ? tr("n = 1 token") : tr("n = %1 tokens").arg(integerText(n));
    if (n == 0) {
        return text + tr(" in layer %1").arg(load->layerOfRow(row));
    }
    const double null = uniformMaxVio(load->shape.experts, load->shape.topK, n);
    text += kDot + tr("a uniform router would show MaxVio %1 here").arg(threeDigits(null));
    const QString layer = isMtp(row) ? tr("MTP layer") : tr("layer %1").arg(load->layerOfRow(row));
    text += kDot + (isSelected ? tr("%1 shows %2") : tr("the worst, %1, shows %2"))
                       .arg(layer, threeDigits(observed));
    return text;
}

void RoutingView::Private::changed() {
    stale = true;
    if (q->isVisible()) {
        compute();
    }
}

void RoutingView::Private::compute() {
    stale = false;
    ++computations;
    for (std::size_t i = 0; i < phaseBoxes.size(); ++i) {
        phaseBoxes[i]->setChecked((phases >> i & 1U) != 0);
    }
    phaseButton->setText(phasesText() + QStringLiteral("  "));  // room before the arrow
    phaseButton->setEnabled(mode != Mode::ThisToken);
    modes->setCurrentIndex(static_cast<int>(mode));
    values.clear();
    const QString empty = emptyMessage();
    message->setText(empty);
    note->setVisible(empty.isEmpty());
    pages->setCurrentIndex(empty.isEmpty() ? kMapPage : kMessagePage);
    if (!empty.isEmpty()) {
        q->setAccessibleDescription(empty);
        return;
    }
    map->setShape(load->shape);
    double largest = 0;
    switch (mode) {
        case Mode::RelativeLoad:
            values = relativeValues();
            map->setRelativeValues(values, tr("relative load"));
            break;
        case Mode::GateMass:
            values = massValues();
            map->setRelativeValues(values, tr("relative gate mass"));
            break;
        case Mode::ThisToken:
            values = tokenValues(&largest);
            map->setWeights(values, largest, tr("gate weight"));
            break;
    }
    showSelection();
}

void RoutingView::Private::showSelection() {
    if (stale || !q->isVisible()) {
        stale = true;
        return;
    }
    map->setSelected(selection->layer(), selection->expert());
    updateNote();
}

void RoutingView::Private::updateNote() {
    if (!values.empty()) {
        const QString text = noteText();
        note->setText(text);
        map->setAccessibleDescription(text);
        q->setAccessibleDescription(text);
    }
}

QString RoutingView::Private::loadText(int row, int expert) const {
    const std::int64_t n = load->tokens(row, phases);
    if (n == 0) {
        return tr("no tokens in the chosen phases");
    }
    const std::int64_t count = load->count(row, expert, phases);
    const double p = static_cast<double>(load->shape.topK) / load->shape.experts;
    const double mean = static_cast<double>(n) * p;
    const double sigma = std::sqrt(mean * (1 - p));
    QString text =
        tr("load %1×").arg(QString::number(load->relativeLoad(row, expert, phases), 'g', 6)) +
        kDot + tr("chosen %1 times").arg(integerText(count));
    if (sigma > 0) {
        text += kDot + tr("z %1").arg(signedDigits((static_cast<double>(count) - mean) / sigma));
    }
    return text + kDot + tr("n = %1").arg(integerText(n));
}

QString RoutingView::Private::massText(int row, int expert) const {
    const double value = load->relativeGateMass(row, expert, phases);
    if (std::isnan(value)) {
        return tr("no tokens in the chosen phases");
    }
    return tr("gate mass %1×").arg(QString::number(value, 'g', 6)) + kDot +
           tr("chosen %1 times").arg(integerText(load->count(row, expert, phases))) + kDot +
           tr("n = %1").arg(integerText(load->tokens(row, phases)));
}

QString RoutingView::Private::choiceText(int row, int expert) const {
    const RoutedToken* token = tokenOf(row);
    if (token == nullptr) {
        return tr("this token has not passed the router here");
    }
    const int topK = load->shape.topK;
    for (int j = 0; j < topK; ++j) {
        const auto at = static_cast<std::size_t>(tokenRow(row) * topK + j);
        if (token->routing.experts[at] == expert) {
            return tr("weight %1").arg(allDigits(token->routing.weights[at])) + kDot +
                   tr("choice %1 of %2").arg(j + 1).arg(topK);
        }
    }
    return tr("not chosen by token %1").arg(token->position);
}

RoutingView::RoutingView(Selection* selection, QWidget* parent)
    : QWidget(parent), d(std::make_unique<Private>(this, selection)) {
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::Base);
    setFocusProxy(d->map);
    setAccessibleName(tr("Routing"));
    d->compute();
    d->computations = 0;
    d->stale = true;
}

RoutingView::~RoutingView() = default;

void RoutingView::setLoad(std::shared_ptr<const RoutingLoad> load) {
    d->load = std::move(load);
    d->changed();
}

void RoutingView::setToken(std::shared_ptr<const RoutedToken> main,
                           std::shared_ptr<const RoutedToken> mtp) {
    d->mainToken = std::move(main);
    d->mtpToken = std::move(mtp);
    if (d->mode == Mode::ThisToken) {
        d->changed();
    }
}

RoutingView::Mode RoutingView::mode() const {
    return d->mode;
}

void RoutingView::setMode(Mode mode) {
    if (mode != d->mode) {
        d->mode = mode;
        d->changed();
    }
}

unsigned RoutingView::phases() const {
    return d->phases;
}

void RoutingView::setPhases(unsigned mask) {
    const unsigned known = mask & kAllTokens;
    if (known != d->phases) {
        d->phases = known;
        d->changed();
    }
}

int RoutingView::computations() const {
    return d->computations;
}

QString RoutingView::cellText(int layer, int expert) const {
    if (!d->load || layer < 0) {
        return {};
    }
    const QString place = layer == d->load->shape.mtpLayer ? tr("MTP layer %1").arg(layer)
                                                           : tr("layer %1").arg(layer);
    const int row = d->valueRow(layer);
    if (row < 0) {
        return layer < d->load->shape.totalLayers ? place + kDot + tr("dense, no router")
                                                  : QString();
    }
    if (expert < 0 || expert >= d->load->shape.experts) {
        return {};
    }
    const QString text = d->mode == Mode::RelativeLoad ? d->loadText(row, expert)
                         : d->mode == Mode::GateMass   ? d->massText(row, expert)
                                                       : d->choiceText(row, expert);
    return place + kDot + tr("expert %1").arg(expert) + kDot + text;
}

QString RoutingView::tableText(QChar separator) const {
    if (!d->load || d->values.empty()) {
        return {};
    }
    QString out = QStringLiteral("layer") + separator + QStringLiteral("n");
    const int experts = d->load->shape.experts;
    for (int e = 0; e < experts; ++e) {
        out += separator + QStringLiteral("expert %1").arg(e);
    }
    out += u'\n';
    std::size_t at = 0;
    for (int row = 0; row < d->load->rows(); ++row) {
        const std::int64_t n = d->mode == Mode::ThisToken ? (d->tokenOf(row) != nullptr ? 1 : 0)
                                                          : d->load->tokens(row, d->phases);
        out += QString::number(d->load->layerOfRow(row)) + separator + QString::number(n);
        for (int e = 0; e < experts; ++e) {
            const double value = d->values[at++];
            out += separator;  // no value is an empty field
            out += std::isnan(value) ? QString() : allDigits(value);
        }
        out += u'\n';
    }
    return out;
}

void RoutingView::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    if (d->stale) {
        d->compute();
    }
}

}  // namespace gatescope
