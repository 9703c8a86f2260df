// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/report_form.h"

#include <QCheckBox>
#include <QComboBox>
#include <QFormLayout>
#include <QLineEdit>
#include <QSpinBox>
#include <QVBoxLayout>

#include "views/message_label.h"
#include "views/theme.h"

namespace gatescope {

namespace {

constexpr int kMostGpus = 4096;

QSpinBox* makeSpin(int value) {
    auto* spin = new QSpinBox;
    spin->setRange(1, kMostGpus);
    spin->setValue(value);
    spin->setEnabled(false);
    return spin;
}

}  // namespace

ReportForm::ReportForm(QWidget* parent)
    : QWidget(parent),
      m_sessions(new QLineEdit),
      m_against(new QLineEdit),
      m_prompts(new QComboBox),
      m_language(new QComboBox),
      m_special(new QCheckBox(tr("Count special &tokens, too"))),
      m_placement(new QCheckBox(tr("With an expert &placement"))),
      m_gpus(makeSpin(8)),
      m_nodes(makeSpin(1)) {
    m_sessions->setObjectName(QStringLiteral("sessions"));
    m_sessions->setPlaceholderText(tr("all"));
    m_against->setObjectName(QStringLiteral("against"));
    m_against->setPlaceholderText(tr("none"));
    m_prompts->setObjectName(QStringLiteral("prompts"));
    m_prompts->addItem(tr("left out"), static_cast<int>(PromptDetail::None));
    m_prompts->addItem(tr("as hashes"), static_cast<int>(PromptDetail::Hashes));
    m_prompts->addItem(tr("as they were written"), static_cast<int>(PromptDetail::Texts));
    m_prompts->setCurrentIndex(1);
    m_language->setObjectName(QStringLiteral("language"));
    m_language->addItem(QStringLiteral("English"));
    m_language->addItem(QStringLiteral("简体中文"));
    m_placement->setObjectName(QStringLiteral("placement"));
    m_gpus->setObjectName(QStringLiteral("gpus"));
    m_nodes->setObjectName(QStringLiteral("nodes"));
    lay();
    connectParts();
}

void ReportForm::lay() {
    auto* form = new QFormLayout;
    form->setRowWrapPolicy(QFormLayout::WrapAllRows);
    form->setVerticalSpacing(kGrid);
    form->addRow(tr("&Sessions, as in 1,3-5"), m_sessions);
    form->addRow(tr("Compared &with sessions"), m_against);
    form->addRow(tr("P&rompts"), m_prompts);
    form->addRow(tr("&Language of pages"), m_language);
    form->addRow(m_special);
    form->addRow(m_placement);
    form->addRow(tr("&GPUs"), m_gpus);
    form->addRow(tr("&Nodes"), m_nodes);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->addLayout(form);
    QLabel* note = makeNoteLabel();
    note->setText(
        tr("The placement has one redundant expert for each GPU; Tools > Plan expert "
           "placement has more to choose."));
    column->addWidget(note);
}

void ReportForm::connectParts() {
    connect(m_placement, &QCheckBox::toggled, m_gpus, &QWidget::setEnabled);
    connect(m_placement, &QCheckBox::toggled, m_nodes, &QWidget::setEnabled);
    for (QLineEdit* edit : {m_sessions, m_against}) {
        connect(edit, &QLineEdit::textEdited, this, &ReportForm::changed);
    }
    for (QComboBox* box : {m_prompts, m_language}) {
        connect(box, &QComboBox::currentIndexChanged, this, &ReportForm::changed);
    }
    for (QCheckBox* box : {m_special, m_placement}) {
        connect(box, &QCheckBox::toggled, this, &ReportForm::changed);
    }
    for (QSpinBox* spin : {m_gpus, m_nodes}) {
        connect(spin, &QSpinBox::valueChanged, this, &ReportForm::changed);
    }
}

void ReportForm::setSessions(const QString& sessions) {
    m_sessions->setText(sessions);
}

ReportInputs ReportForm::inputs() const {
    ReportInputs inputs;
    inputs.sessions = m_sessions->text().trimmed();
    inputs.against = m_against->text().trimmed();
    inputs.prompts = static_cast<PromptDetail>(m_prompts->currentData().toInt());
    inputs.language = m_language->currentIndex() == 0 ? ReportLanguage::English
                                                      : ReportLanguage::SimplifiedChinese;
    inputs.special = m_special->isChecked();
    inputs.placement = m_placement->isChecked();
    inputs.gpus = m_gpus->value();
    inputs.nodes = m_nodes->value();
    return inputs;
}

}  // namespace gatescope
