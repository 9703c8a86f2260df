// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/interventions_composer.h"

#include <QComboBox>
#include <QEvent>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QRegularExpression>
#include <QShortcut>
#include <QVBoxLayout>
#include <algorithm>
#include <map>
#include <set>

#include "engine/error.h"
#include "views/formats.h"
#include "views/selection.h"
#include "views/theme.h"

namespace gatescope {

namespace {

constexpr int kLargestNumber = 65535;

Error sentence(const QString& text) {
    return Error(text.toStdString());
}

/// What `part` changes, on top of what `into` already does: the later one counts.
void merge(Interventions& into, const Interventions& part) {
    if (!part.biasLabel.empty()) {
        into.biasLabel = part.biasLabel;
    }
    const auto unite = [](std::vector<int>& all, const std::vector<int>& more) {
        std::set<int> united(all.begin(), all.end());
        united.insert(more.begin(), more.end());
        all.assign(united.begin(), united.end());
    };
    for (const LayerIntervention& layer : part.layers) {
        auto at = std::find_if(into.layers.begin(), into.layers.end(),
                               [&](const auto& other) { return other.layer == layer.layer; });
        if (at == into.layers.end()) {
            at = into.layers.insert(into.layers.end(), LayerIntervention{.layer = layer.layer});
        }
        unite(at->off, layer.off);
        unite(at->forced, layer.forced);
        at->topK = layer.topK ? layer.topK : at->topK;
        at->topkGroups = layer.topkGroups ? layer.topkGroups : at->topkGroups;
        at->biasOff = at->biasOff || layer.biasOff;
        at->bias = layer.bias.empty() ? at->bias : layer.bias;
    }
}

Interventions merged(const std::vector<Interventions>& parts) {
    Interventions all;
    for (const Interventions& part : parts) {
        merge(all, part);
    }
    std::sort(all.layers.begin(), all.layers.end(),
              [](const auto& a, const auto& b) { return a.layer < b.layer; });
    return all;
}

/// The reverse: one part for each change, with the layers that share it.
std::vector<Interventions> split(const Interventions& all) {
    std::map<std::string, Interventions> parts;
    for (const LayerIntervention& layer : all.layers) {
        const auto add = [&](auto&& set) {
            LayerIntervention one{.layer = layer.layer};
            set(one);
            if (one.empty()) {
                return;
            }
            Interventions part{one.bias.empty() ? std::string() : all.biasLabel, {one}};
            // The description without its layers names the change.
            const std::string text = describe(part);
            Interventions& known = parts[text.substr(0, text.rfind(" in "))];
            known.biasLabel = part.biasLabel;
            known.layers.push_back(std::move(one));
        };
        add([&](LayerIntervention& one) { one.biasOff = layer.biasOff; });
        add([&](LayerIntervention& one) { one.bias = layer.bias; });
        add([&](LayerIntervention& one) { one.topK = layer.topK; });
        add([&](LayerIntervention& one) { one.topkGroups = layer.topkGroups; });
        add([&](LayerIntervention& one) { one.off = layer.off; });
        add([&](LayerIntervention& one) { one.forced = layer.forced; });
    }
    std::vector<Interventions> out;
    for (auto& [text, part] : parts) {
        out.push_back(std::move(part));
    }
    return out;
}

}  // namespace

std::vector<int> parseNumbers(const QString& text, const QString& what) {
    static const QRegularExpression form(
        QStringLiteral("^\\s*(\\d+)\\s*(?:[-\u2013]\\s*(\\d+)\\s*)?$"));
    std::set<int> numbers;
    for (const QString& part : text.split(u',', Qt::SkipEmptyParts)) {
        const QRegularExpressionMatch match = form.match(part);
        bool firstOk = match.hasMatch();
        bool lastOk = firstOk;
        const int first = firstOk ? match.captured(1).toInt(&firstOk) : 0;
        const int last = match.captured(2).isEmpty() ? first : match.captured(2).toInt(&lastOk);
        if (!firstOk || !lastOk || first > last || last > kLargestNumber) {
            throw sentence(InterventionsComposer::tr("%1: \u201C%2\u201D is no number or range "
                                                     "such as 3-10")
                               .arg(what, visibleText(part.trimmed(), 24)));
        }
        for (int number = first; number <= last; ++number) {
            numbers.insert(number);
        }
    }
    return {numbers.begin(), numbers.end()};
}

InterventionsComposer::InterventionsComposer(Selection* selection, QWidget* parent)
    : QWidget(parent), m_selection(selection) {
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(kGrid, kGrid, kGrid, kGrid);
    layout->setSpacing(kGrid / 2);
    makeForm();
    makeList();
    connect(m_change, &QComboBox::currentIndexChanged, this, [this] { showFields(); });
    connect(m_where, &QComboBox::currentIndexChanged, this, [this] { showFields(); });
    connect(m_value, &QLineEdit::textEdited, this, [this] { m_expertsTyped = true; });
    connect(m_value, &QLineEdit::textChanged, this, [this] { check(); });
    connect(m_layers, &QLineEdit::textChanged, this, [this] { check(); });
    connect(m_value, &QLineEdit::returnPressed, this, [this] { add(); });
    connect(m_layers, &QLineEdit::returnPressed, this, [this] { add(); });
    connect(m_add, &QPushButton::clicked, this, [this] { add(); });
    connect(m_remove, &QPushButton::clicked, this, [this] { removeCurrent(); });
    connect(m_clear, &QPushButton::clicked, this, [this] { clear(); });
    connect(m_selection, &Selection::changed, this, [this] { followSelection(); });
    restyle();
    followSelection();
    showFields();
}

void InterventionsComposer::makeForm() {
    m_change = new QComboBox(this);
    m_change->addItem(tr("Experts off"), ExpertsOff);
    m_change->addItem(tr("Experts forced on"), ExpertsForced);
    m_change->addItem(tr("Experts per token (top-k)"), TopK);
    m_change->addItem(tr("Kept groups"), KeptGroups);
    m_change->addItem(tr("Bias off"), BiasOff);
    m_change->setAccessibleName(tr("What to change"));
    m_value = new QLineEdit(this);
    m_where = new QComboBox(this);
    m_where->addItem(tr("in all MoE layers"), AllLayers);
    m_where->addItem(QString(), SelectedLayer);
    m_where->addItem(tr("in layers"), TypedLayers);
    m_where->setAccessibleName(tr("In which layers"));
    m_where->setToolTip(
        plainToolTip(tr("All MoE layers of the main model. The MTP layer has its own router and is "
                        "changed only when it is selected or its number is typed; it moves drafts, "
                        "never the text.")));
    m_layers = new QLineEdit(this);
    m_layers->setAccessibleName(tr("Layers"));
    for (QComboBox* box : {m_change, m_where}) {
        box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
        box->setMinimumContentsLength(16);
    }
    m_add = new QPushButton(tr("Add"), this);
    m_problem = new QLabel(this);
    m_problem->setTextFormat(Qt::PlainText);
    m_problem->setWordWrap(true);
    auto* grid = new QGridLayout;
    grid->setSpacing(kGrid / 2);
    grid->addWidget(m_change, 0, 0);
    grid->addWidget(m_value, 0, 1, 1, 2);
    grid->addWidget(m_where, 1, 0);
    grid->addWidget(m_layers, 1, 1);
    grid->addWidget(m_add, 1, 2);
    grid->setColumnStretch(1, 1);
    auto* outer = static_cast<QVBoxLayout*>(layout());
    outer->addLayout(grid);
    outer->addWidget(m_problem);
}

void InterventionsComposer::makeList() {
    m_list = new QListWidget(this);
    m_list->setAccessibleName(tr("Changes put together"));
    m_list->setWordWrap(true);
    m_list->setMinimumHeight(6 * kGrid);
    m_remove = new QPushButton(tr("Remove"), this);
    m_clear = new QPushButton(tr("Clear"), this);
    auto* side = new QVBoxLayout;
    side->setSpacing(kGrid / 2);
    side->addWidget(m_remove);
    side->addWidget(m_clear);
    side->addStretch(1);
    auto* row = new QHBoxLayout;
    row->setSpacing(kGrid / 2);
    row->addWidget(m_list, 1);
    row->addLayout(side);
    static_cast<QVBoxLayout*>(layout())->addLayout(row, 1);
    auto* remove = new QShortcut(QKeySequence::Delete, m_list);
    remove->setContext(Qt::WidgetShortcut);
    connect(remove, &QShortcut::activated, this, [this] { removeCurrent(); });
}

void InterventionsComposer::setShape(const RoutingShape& shape) {
    m_shape = shape;
    m_expertsTyped = false;
    m_value->clear();
    m_layers->clear();
    setParts({});
    followSelection();
    showFields();
}

void InterventionsComposer::setComposed(const Interventions& interventions) {
    try {
        if (!interventions.empty()) {
            checkInterventions(interventions, m_shape);
        }
        setParts(split(interventions));
        check();
    } catch (const Error& error) {
        m_problem->setText(visibleText(QString::fromUtf8(error.what())));
        m_problem->show();
    }
}

void InterventionsComposer::followSelection() {
    const auto layer = m_selection->layer();
    m_where->setItemText(SelectedLayer, layer ? tr("in the selected layer (%1)").arg(*layer)
                                              : tr("in the selected layer"));
    const int change = m_change->currentData().toInt();
    const auto expert = m_selection->expert();
    if (expert && !m_expertsTyped && (change == ExpertsOff || change == ExpertsForced)) {
        m_value->setText(QString::number(*expert));
    }
    check();
}

void InterventionsComposer::showFields() {
    const int change = m_change->currentData().toInt();
    const bool experts = change == ExpertsOff || change == ExpertsForced;
    m_value->setVisible(change != BiasOff);
    m_value->setAccessibleName(m_change->currentText());
    m_value->setPlaceholderText(
        experts
            ? tr("expert ids: 3, 8-11")
            : (change == TopK ? tr("model: %1").arg(m_shape.topK)
                              : tr("model: %1 of %2").arg(m_shape.topkGroups).arg(m_shape.groups)));
    m_layers->setVisible(m_where->currentData().toInt() == TypedLayers);
    if (!m_shape.layers.empty()) {
        m_layers->setPlaceholderText(
            tr("%1-%2").arg(m_shape.layers.front()).arg(m_shape.layers.back()));
    }
    check();
}

std::vector<int> InterventionsComposer::typedLayers() const {
    switch (m_where->currentData().toInt()) {
        case AllLayers:
            return m_shape.layers;
        case SelectedLayer:
            if (!m_selection->layer()) {
                throw sentence(tr("No layer is selected: click one in the routing map."));
            }
            return {*m_selection->layer()};
        default:
            return parseNumbers(m_layers->text(), tr("Layers"));
    }
}

Interventions InterventionsComposer::typed() const {
    const int change = m_change->currentData().toInt();
    const std::vector<int> numbers =
        change == BiasOff ? std::vector<int>{} : parseNumbers(m_value->text(), tr("Value"));
    const bool number = change == TopK || change == KeptGroups;
    if (number && numbers.size() > 1) {
        throw sentence(tr("Value: one number, please."));
    }
    Interventions part;
    if (change != BiasOff && numbers.empty()) {
        return part;
    }
    for (const int layer : typedLayers()) {
        LayerIntervention one{.layer = layer};
        switch (change) {
            case ExpertsOff:
                one.off = numbers;
                break;
            case ExpertsForced:
                one.forced = numbers;
                break;
            case TopK:
                one.topK = numbers.front();
                break;
            case KeptGroups:
                one.topkGroups = numbers.front();
                break;
            default:
                one.biasOff = true;
        }
        part.layers.push_back(std::move(one));
    }
    return part;
}

void InterventionsComposer::check() {
    QString problem;
    bool complete = false;
    try {
        const Interventions part = typed();
        complete = !part.layers.empty();
        if (complete) {
            Interventions all = m_composed;
            merge(all, part);
            checkInterventions(all, m_shape);
        }
    } catch (const Error& error) {
        complete = false;
        problem = visibleText(QString::fromUtf8(error.what()));
    }
    m_add->setEnabled(complete);
    m_problem->setText(problem);
    m_problem->setVisible(!problem.isEmpty());
    m_remove->setEnabled(!m_parts.empty());
    m_clear->setEnabled(!m_parts.empty());
}

void InterventionsComposer::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (m_clear != nullptr && event->type() == QEvent::PaletteChange) {
        restyle();
    }
}

void InterventionsComposer::restyle() {
    QPalette red = palette();
    red.setColor(QPalette::WindowText, themeColours(palette()).error);
    red.setColor(QPalette::Text, themeColours(palette()).error);
    m_problem->setPalette(red);
}

void InterventionsComposer::add() {
    check();
    if (!m_add->isEnabled()) {
        return;
    }
    auto parts = m_parts;
    parts.push_back(typed());
    m_expertsTyped = false;
    m_value->clear();
    setParts(std::move(parts));
    m_list->setCurrentRow(m_list->count() - 1);
}

void InterventionsComposer::removeCurrent() {
    const int row = m_list->currentRow() < 0 ? m_list->count() - 1 : m_list->currentRow();
    if (row < 0) {
        return;
    }
    auto parts = m_parts;
    parts.erase(parts.begin() + row);
    setParts(std::move(parts));
    m_list->setCurrentRow(std::min(row, m_list->count() - 1));
}

void InterventionsComposer::clear() {
    setParts({});
}

void InterventionsComposer::setParts(std::vector<Interventions> parts) {
    // Taking one away may leave others that do not fit without it (k raised for a forced expert).
    const Interventions all = merged(parts);
    try {
        if (!all.empty()) {
            checkInterventions(all, m_shape);
        }
    } catch (const Error& error) {
        m_problem->setText(visibleText(QString::fromUtf8(error.what())));
        m_problem->show();
        return;
    }
    m_parts = std::move(parts);
    m_composed = all;
    m_list->clear();
    for (const Interventions& part : m_parts) {
        const QString text = visibleText(QString::fromStdString(describe(part, &m_shape)));
        auto* item = new QListWidgetItem(text, m_list);
        item->setToolTip(plainToolTip(text));
    }
    check();
    Q_EMIT composedChanged();
}

}  // namespace gatescope
