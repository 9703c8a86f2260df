// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/placement_form.h"

#include <QCheckBox>
#include <QComboBox>
#include <QFileDialog>
#include <QFormLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QScopedValueRollback>
#include <QSpinBox>
#include <QStandardItemModel>
#include <algorithm>
#include <limits>

#include "views/formats.h"
#include "views/literal_text.h"
#include "views/message_label.h"
#include "views/placement_tables.h"
#include "views/theme.h"

namespace gatescope {

namespace {

constexpr int kMostGpus = 1 << 12;
constexpr int kMostLayers = 1 << 16;
constexpr int kDefaultGpus = 8;
constexpr auto kChosen = static_cast<int>(PlacementInputs::Traffic::ChosenSessions);

/// As many copies as give every GPU a slot more, or fill up where experts do not divide.
int usualRedundancy(int experts, int gpus) {
    const int rest = experts % gpus;
    return rest == 0 ? gpus : gpus - rest;
}

QComboBox* choice(const char* name) {
    auto* box = new QComboBox;
    box->setObjectName(QLatin1String(name));
    box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    return box;
}

}  // namespace

PlacementForm::PlacementForm(QWidget* parent)
    : QWidget(parent),
      m_rows(new QFormLayout(this)),
      m_traffic(choice("traffic")),
      m_loads(new QLineEdit),
      m_browseLoads(new QPushButton(tr("&Browse"))),
      m_facts(makeNoteLabel()),
      m_firstLayer(whole("firstLayer", -1, kMostLayers)),
      m_totalLayers(whole("totalLayers", 0, kMostLayers)),
      m_gpus(whole("gpus", 1, kMostGpus)),
      m_nodes(whole("nodes", 1, kMostGpus)),
      m_redundant(whole("redundant", 0, kMostGpus)),
      m_slots(makeNoteLabel()),
      m_groups(whole("groups", 1, kMostGpus)),
      m_stay(new QCheckBox(tr("&Experts of a group stay on one node"))),
      m_target(choice("target")),
      m_policy(choice("policy")),
      m_current(new QLineEdit),
      m_browseCurrent(new QPushButton(tr("Bro&wse…"))),
      m_expertBytes(whole("expertBytes", 0, std::numeric_limits<int>::max())) {
    m_rows->setContentsMargins(0, 0, 0, 0);
    m_rows->setHorizontalSpacing(kGrid);
    m_rows->setVerticalSpacing(kGrid);
    m_rows->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    addTraffic();
    addCluster();
    addPlan();
    connectInputs();
    refresh();
}

QSpinBox* PlacementForm::whole(const char* name, int low, int high) {
    auto* box = new QSpinBox;
    box->setObjectName(QLatin1String(name));
    box->setRange(low, high);
    box->setAlignment(Qt::AlignRight);
    return box;
}

void PlacementForm::addHeading(const QString& text) {
    auto* label = new QLabel(text);
    QFont bold = label->font();
    bold.setBold(true);
    label->setFont(bold);
    if (m_rows->rowCount() > 0) {
        label->setContentsMargins(0, kGrid, 0, 0);
    }
    m_rows->addRow(label);
}

QWidget* PlacementForm::addPath(QLineEdit* edit, QPushButton* button, bool folders) {
    auto* box = new QWidget;
    auto* row = new QHBoxLayout(box);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(kGrid);
    row->addWidget(edit, 1);
    row->addWidget(button);
    button->setAutoDefault(false);
    if (folders) {
        auto* menu = new QMenu(button);
        menu->addAction(tr("&File…"), this, [this, edit] { askForPath(edit, false); });
        menu->addAction(tr("F&older…"), this, [this, edit] { askForPath(edit, true); });
        button->setMenu(menu);
    } else {
        connect(button, &QPushButton::clicked, this, [this, edit] { askForPath(edit, false); });
    }
    return box;
}

void PlacementForm::addTraffic() {
    addHeading(tr("Traffic"));
    m_traffic->addItem(tr("All sessions"));
    m_traffic->addItem(QString());  // setChosenSessions() names it
    m_traffic->addItem(tr("Recorded by an engine"));
    m_rows->addRow(tr("&Traffic of"), m_traffic);
    m_loads->setObjectName(QStringLiteral("loads"));
    m_loads->setPlaceholderText(tr("file or folder"));
    m_loads->setToolTip(plainToolTip(
        tr("JSON [layer][expert], CSV, .npy, SGLang's recorder dump (.pt) or logical_count, "
           "TensorRT-LLM's statistics folder")));
    m_loadsRow = addPath(m_loads, m_browseLoads, true);
    m_rows->addRow(tr("&File or folder"), m_loadsRow);
    if (auto* label = qobject_cast<QLabel*>(m_rows->labelForField(m_loadsRow))) {
        label->setBuddy(m_loads);
    }
    m_loads->setAccessibleName(tr("File or folder of recorded loads"));
    m_rows->addRow(m_facts);
    m_firstLayer->setSpecialValueText(tr("not said"));
    m_firstLayer->setValue(-1);
    m_firstLayer->setToolTip(plainToolTip(
        tr("Absolute index of the first layer with experts, which these loads do not say: 3 in "
           "DeepSeek-V3. A shift ruins a placement without a word.")));
    m_rows->addRow(tr("First &layer"), m_firstLayer);
    m_totalLayers->setSpecialValueText(tr("up to the last"));
    m_totalLayers->setToolTip(
        plainToolTip(tr("Main layers of the model, dense ones included: 61 in DeepSeek-V3.")));
    m_rows->addRow(tr("T&otal layers"), m_totalLayers);
    setChosenSessions(0);
}

void PlacementForm::addCluster() {
    addHeading(tr("Cluster"));
    m_gpus->setValue(kDefaultGpus);
    m_rows->addRow(tr("&GPUs"), m_gpus);
    m_rows->addRow(tr("&Nodes"), m_nodes);
    m_redundant->setToolTip(
        plainToolTip(tr("Copies of experts in a layer beyond one of each: the slots of a layer are "
                        "its experts and these, and have to divide among the GPUs.")));
    m_rows->addRow(tr("&Redundant experts"), m_redundant);
    m_rows->addRow(QString(), m_slots);
    m_groups->setToolTip(plainToolTip(
        tr("Expert groups of the router (n_group): a token takes experts of few groups.")));
    m_rows->addRow(tr("Router gro&ups"), m_groups);
    m_stay->setObjectName(QStringLiteral("stay"));
    m_stay->setChecked(true);
    m_rows->addRow(m_stay);
}

void PlacementForm::addPlan() {
    addHeading(tr("Placement"));
    for (const PlacementTarget target :
         {PlacementTarget::Sglang, PlacementTarget::TensorRtLlm, PlacementTarget::Vllm,
          PlacementTarget::VllmAscend, PlacementTarget::Eplb}) {
        m_target->addItem(targetName(target), static_cast<int>(target));
    }
    m_target->setToolTip(plainToolTip(tr("Whose file is saved, and whose balance is on top")));
    m_rows->addRow(tr("Eng&ine"), m_target);
    const std::pair<PlacementPolicy, QString> policies[] = {
        {PlacementPolicy::Gatescope,
         tr("No two copies of an expert on a GPU; made for traffic it has not seen, by search.")},
        {PlacementPolicy::Eplb, tr("What DeepSeek's EPLB places.")}};
    for (const auto& [policy, tip] : policies) {
        m_policy->addItem(policyName(policy), static_cast<int>(policy));
        m_policy->setItemData(m_policy->count() - 1, plainToolTip(tip), Qt::ToolTipRole);
    }
    m_rows->addRow(tr("&Policy"), m_policy);
    m_current->setObjectName(QStringLiteral("current"));
    m_current->setPlaceholderText(tr("none"));
    m_current->setAccessibleName(tr("Current placement"));
    m_current->setToolTip(plainToolTip(
        tr("The placement in use, a file of any of the engines: says what has to be sent.")));
    QWidget* current = addPath(m_current, m_browseCurrent, false);
    m_rows->addRow(tr("Current place&ment"), current);
    if (auto* label = qobject_cast<QLabel*>(m_rows->labelForField(current))) {
        label->setBuddy(m_current);
    }
    m_browseCurrent->setAccessibleName(tr("Browse for the current placement"));
    m_browseLoads->setAccessibleName(tr("Browse for recorded loads"));
    m_expertBytes->setSpecialValueText(tr("not known"));
    m_expertBytes->setToolTip(
        plainToolTip(tr("Weights of one expert of one layer, for memory and what has to be sent")));
    m_rows->addRow(tr("B&ytes per expert"), m_expertBytes);
}

void PlacementForm::connectInputs() {
    const auto traffic = [this] {
        refresh();
        Q_EMIT trafficChanged();
    };
    const auto plan = [this] {
        if (!m_following) {
            refresh();
            Q_EMIT planChanged();
        }
    };
    connect(m_traffic, &QComboBox::currentIndexChanged, this, traffic);
    connect(m_loads, &QLineEdit::editingFinished, this, [this, traffic] {
        if (m_loads->isModified()) {
            m_loads->setModified(false);
            traffic();
        }
    });
    connect(m_current, &QLineEdit::editingFinished, this, [this, plan] {
        if (m_current->isModified()) {
            m_current->setModified(false);
            plan();
        }
    });
    connect(m_gpus, &QSpinBox::valueChanged, this, [this] { followFacts(); });
    const std::pair<QSpinBox*, bool*> own[] = {
        {m_redundant, &m_redundantSet}, {m_groups, &m_groupsSet}, {m_expertBytes, &m_bytesSet}};
    for (const auto& [box, set] : own) {
        connect(box, &QSpinBox::valueChanged, this,
                [this, set = set] { *set = *set || !m_following; });
    }
    for (QSpinBox* box :
         {m_firstLayer, m_totalLayers, m_gpus, m_nodes, m_redundant, m_groups, m_expertBytes}) {
        connect(box, &QSpinBox::valueChanged, this, plan);
    }
    connect(m_stay, &QCheckBox::toggled, this, plan);
    for (QComboBox* box : {m_target, m_policy}) {
        connect(box, &QComboBox::currentIndexChanged, this, plan);
    }
}

void PlacementForm::askForPath(QLineEdit* edit, bool folder) {
    auto* dialog = new QFileDialog(this, folder ? tr("Choose a folder") : tr("Choose a file"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(folder ? QFileDialog::Directory : QFileDialog::ExistingFile);
    connect(dialog, &QFileDialog::fileSelected, this, [edit](const QString& file) {
        edit->setText(file);
        edit->setModified(true);
        Q_EMIT edit->editingFinished();
    });
    dialog->open();
}

/// Enter ends an input here; the dialog around it saves only where its button has the focus.
void PlacementForm::keyPressEvent(QKeyEvent* event) {
    if (event->key() != Qt::Key_Return && event->key() != Qt::Key_Enter) {
        QWidget::keyPressEvent(event);
    }
}

void PlacementForm::setChosenSessions(std::size_t count) {
    const auto number = static_cast<int>(count);
    m_traffic->setItemText(kChosen, tr("Chosen sessions (%1)").arg(number));
    if (auto* items = qobject_cast<QStandardItemModel*>(m_traffic->model())) {
        items->item(kChosen)->setEnabled(count > 0 || m_traffic->currentIndex() == kChosen);
    }
}

void PlacementForm::setFacts(const std::optional<TrafficFacts>& facts) {
    m_known = facts;
    followFacts();
    refresh();
}

void PlacementForm::followFacts() {
    if (!m_known) {
        return;
    }
    const QScopedValueRollback following(m_following, true);
    if (!m_redundantSet) {
        m_redundant->setValue(usualRedundancy(m_known->experts, m_gpus->value()));
    }
    if (!m_groupsSet) {
        m_groups->setValue(m_known->groups);
    }
    if (!m_bytesSet) {
        constexpr std::int64_t kMost = std::numeric_limits<int>::max();
        m_expertBytes->setValue(static_cast<int>(std::min(m_known->expertBytes, kMost)));
    }
}

void PlacementForm::refresh() {
    const bool recorded = inputs().traffic == PlacementInputs::Traffic::Recorded;
    m_rows->setRowVisible(m_loadsRow, recorded);
    const bool layers = recorded && m_known && !m_known->layersKnown;
    m_rows->setRowVisible(m_firstLayer, layers);
    m_rows->setRowVisible(m_totalLayers, layers);
    m_facts->setText(m_known ? literalText(m_known->text) : QString());
    m_rows->setRowVisible(m_facts, m_known.has_value());
    m_rows->setRowVisible(m_slots, m_known.has_value());
    if (m_known) {
        const int all = m_known->experts + m_redundant->value();
        const int gpus = m_gpus->value();
        m_slots->setText(all % gpus == 0
                             ? tr("%1 slots on a layer, %2 on a GPU").arg(all).arg(all / gpus)
                             : tr("%1 slots on a layer").arg(all));
    }
    const int groups = m_groups->value();
    const int nodes = m_nodes->value();
    m_stay->setEnabled(groups > 1 && nodes > 1 && groups % nodes == 0);
    m_stay->setToolTip(plainToolTip(
        m_stay->isEnabled()
            ? tr("Routers that limit the nodes of a token need it. EPLB decides by itself.")
            : tr("Only where several nodes share the router's groups evenly.")));
}

PlacementInputs PlacementForm::inputs() const {
    PlacementInputs out;
    out.traffic = static_cast<PlacementInputs::Traffic>(m_traffic->currentIndex());
    out.loads = m_loads->text();
    PlacementRequest& request = out.request;
    const int experts = m_known ? m_known->experts : 0;
    request.shape = {experts + m_redundant->value(), m_gpus->value(), m_nodes->value(),
                     m_groups->value()};
    request.policy = static_cast<PlacementPolicy>(m_policy->currentData().toInt());
    request.anyNode = !m_stay->isChecked();
    if (m_known && !m_known->layersKnown) {
        request.firstLayer = m_firstLayer->value();
        request.totalLayers = m_totalLayers->value();
    } else if (m_known) {
        request.totalLayers = m_known->totalLayers;
    }
    request.expertBytes = m_expertBytes->value();
    out.current = m_current->text().trimmed();
    out.target = static_cast<PlacementTarget>(m_target->currentData().toInt());
    return out;
}

}  // namespace gatescope
