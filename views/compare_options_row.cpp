// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/compare_options_row.h"

#include <QAction>
#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QMenu>
#include <QSpinBox>
#include <QToolButton>

#include "views/flow_layout.h"
#include "views/formats.h"
#include "views/routing_texts.h"
#include "views/theme.h"

namespace gatescope {
namespace {

constexpr int kPermutations[] = {999, 9999, 99999};

}  // namespace

CompareOptionsRow::CompareOptionsRow(QWidget* parent)
    : QWidget(parent),
      m_tokens(new QToolButton),
      m_prefix(new QCheckBox(tr("After the common prefix"))),
      m_block(new QSpinBox),
      m_permutations(new QComboBox) {
    makeTokens();
    m_prefix->setObjectName(QStringLiteral("afterPrefix"));
    m_prefix->setToolTip(plainToolTip(
        tr("Leave out the tokens with which all prompts of both runs begin: their routing is the "
           "same by construction and dilutes every difference.")));
    m_block->setRange(1, 512);
    m_block->setPrefix(tr("Blocks of "));
    m_block->setKeyboardTracking(false);
    m_block->setAccessibleName(tr("Tokens in a block"));
    m_block->setToolTip(plainToolTip(
        tr("What is exchanged between the runs: neighbouring tokens are routed alike, so single "
           "ones would make everything look significant. With 6 answers or more on both sides "
           "whole answers are exchanged instead.")));
    for (const int count : kPermutations) {
        m_permutations->addItem(tr("%1 permutations").arg(integerText(count)), count);
    }
    m_permutations->setAccessibleName(tr("Permutations"));
    auto* row = new FlowLayout(this);
    row->addWidget(m_tokens);
    row->addWidget(m_block);
    row->addWidget(m_permutations);
    row->addWidget(m_prefix);
    connect(m_prefix, &QCheckBox::toggled, this, &CompareOptionsRow::report);
    connect(m_block, &QSpinBox::valueChanged, this, &CompareOptionsRow::report);
    connect(m_permutations, &QComboBox::activated, this, &CompareOptionsRow::report);
    showOptions();
}

void CompareOptionsRow::makeTokens() {
    m_tokens->setPopupMode(QToolButton::InstantPopup);
    m_tokens->setToolButtonStyle(Qt::ToolButtonTextOnly);
    m_tokens->setAccessibleName(tr("Tokens that are compared"));
    auto* menu = new QMenu(m_tokens);
    menu->setToolTipsVisible(true);
    const auto add = [&](const QString& text, const QString& tip) {
        QAction* action = menu->addAction(text);
        action->setCheckable(true);
        action->setToolTip(plainToolTip(tip));
        connect(action, &QAction::toggled, this, &CompareOptionsRow::report);
        return action;
    };
    for (std::size_t phase = 0; phase < m_phases.size(); ++phase) {
        const int number = static_cast<int>(phase);
        m_phases[phase] = add(RoutingTexts::phaseName(number), RoutingTexts::phaseTip(number));
    }
    menu->addSeparator();
    m_special = add(tr("special tokens"), RoutingTexts::specialTip());
    m_tokens->setMenu(menu);
    m_tokens->setToolTip(plainToolTip(
        tr("Which tokens are compared. Every kind is compared with the same kind of the other run "
           "only.")));
}

void CompareOptionsRow::setOptions(const ComparisonOptions& options) {
    m_options = options;
    showOptions();
}

void CompareOptionsRow::showOptions() {
    m_showing = true;
    for (std::size_t phase = 0; phase < m_phases.size(); ++phase) {
        m_phases[phase]->setChecked((m_options.phases & (1U << phase)) != 0);
    }
    m_special->setChecked((m_options.phases & kSpecialTokens) != 0);
    m_tokens->setText(RoutingTexts::phasesText(m_options.phases, true));
    m_prefix->setChecked(m_options.afterCommonPrefix);
    m_block->setValue(m_options.blockTokens);
    int index = m_permutations->findData(m_options.permutations);
    if (index < 0) {
        m_permutations->addItem(tr("%1 permutations").arg(integerText(m_options.permutations)),
                                m_options.permutations);
        index = m_permutations->count() - 1;
    }
    m_permutations->setCurrentIndex(index);
    m_showing = false;
}

void CompareOptionsRow::report() {
    if (m_showing) {
        return;
    }
    ComparisonOptions wanted = m_options;
    wanted.phases = m_special->isChecked() ? kSpecialTokens : 0;
    for (std::size_t phase = 0; phase < m_phases.size(); ++phase) {
        wanted.phases |= m_phases[phase]->isChecked() ? 1U << phase : 0U;
    }
    wanted.afterCommonPrefix = m_prefix->isChecked();
    wanted.blockTokens = m_block->value();
    wanted.permutations = m_permutations->currentData().toInt();
    m_options = wanted;
    m_tokens->setText(RoutingTexts::phasesText(m_options.phases, true));
    Q_EMIT optionsChanged(m_options);
}

}  // namespace gatescope
