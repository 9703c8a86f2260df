// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/compare_setup.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>
#include <algorithm>

#include "app/compare_run_card.h"
#include "app/compare_sessions_dialog.h"
#include "engine/analysis/comparison.h"
#include "views/flow_layout.h"
#include "views/message_label.h"
#include "views/theme.h"

namespace gatescope {
namespace {

QString letterOf(std::size_t index) {
    return QString(QChar(u'A' + static_cast<char16_t>(index)));
}

}  // namespace

CompareSetup::CompareSetup(QWidget* parent)
    : QWidget(parent),
      m_form(new QWidget),
      m_add(new QPushButton(tr("&Add run"))),
      m_run(new QPushButton(tr("&Run all"))),
      m_hint(makeNoteLabel()) {
    m_run->setObjectName(QStringLiteral("runAll"));
    m_run->setToolTip(tr("Run all (Ctrl+Enter in a prompt)"));
    m_add->setObjectName(QStringLiteral("addRun"));
    makeCards();
    auto* buttons = new QHBoxLayout;
    buttons->setContentsMargins(2 * kGrid, 0, 2 * kGrid, kGrid);
    buttons->setSpacing(kGrid);
    buttons->addWidget(m_run);
    buttons->addWidget(m_add);
    buttons->addWidget(m_hint, 1);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(kGrid);
    column->addWidget(makeQuickStarts());
    auto* scroll = new QScrollArea;
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setWidget(m_form);
    scroll->setFocusPolicy(Qt::NoFocus);
    m_form->setAutoFillBackground(false);
    scroll->viewport()->setAutoFillBackground(false);
    column->addWidget(scroll, 1);
    column->addLayout(buttons);
    connect(m_add, &QPushButton::clicked, this, [this] {
        addCard(fresh(), m_cards.size());
        m_cards.back()->prompt()->setFocus(Qt::OtherFocusReason);
    });
    connect(m_run, &QPushButton::clicked, this, &CompareSetup::runRequested);
    startTwoPrompts();
}

QWidget* CompareSetup::makeQuickStarts() {
    auto* row = new QWidget;
    auto* flow = new FlowLayout(row);
    flow->setContentsMargins(2 * kGrid, kGrid, 2 * kGrid, 0);
    const auto add = [&](const QString& text, const QString& tip, void (CompareSetup::*start)()) {
        auto* button = new QPushButton(text);
        button->setFlat(true);
        button->setToolTip(tip);
        connect(button, &QPushButton::clicked, this, start);
        flow->addWidget(button);
    };
    add(tr("&Two prompts"), tr("The same settings, two prompts"), &CompareSetup::startTwoPrompts);
    add(tr("One prompt, two &settings"), tr("The same prompt; the second run has another seed"),
        &CompareSetup::startTwoSettings);
    add(tr("From s&essions…"), tr("Compare what is stored already"), &CompareSetup::chooseSessions);
    return row;
}

void CompareSetup::makeCards() {
    m_column = new QVBoxLayout(m_form);
    m_column->setContentsMargins(2 * kGrid, 0, 2 * kGrid, kGrid);
    m_column->setSpacing(2 * kGrid);
    m_column->addStretch(1);
}

CompareRunSpec CompareSetup::fresh() const {
    CompareRunSpec spec;
    spec.settings = m_context.settings;
    return spec;
}

void CompareSetup::addCard(const CompareRunSpec& spec, std::size_t at) {
    if (m_cards.size() >= kMostComparedRuns) {
        return;
    }
    auto* card = new CompareRunCard;
    card->setContext(m_context);
    card->setSpec(spec);
    m_column->insertWidget(static_cast<int>(at), card);
    m_cards.insert(m_cards.begin() + static_cast<std::ptrdiff_t>(at), card);
    connect(card, &CompareRunCard::removeRequested, this, [this, card] { removeCard(card); });
    connect(card, &CompareRunCard::duplicateRequested, this, [this, card] {
        const auto found = std::find(m_cards.begin(), m_cards.end(), card) - m_cards.begin();
        CompareRunSpec copy = card->spec();
        copy.label.clear();
        addCard(copy, static_cast<std::size_t>(found) + 1);
    });
    connect(card, &CompareRunCard::chooseSessionsRequested, this,
            [this, card] { showSessionsDialog(card); });
    connect(card, &CompareRunCard::runRequested, this, [this] {
        if (m_run->isEnabled()) {
            Q_EMIT runRequested();
        }
    });
    connect(card, &CompareRunCard::edited, this, &CompareSetup::refresh);
    refresh();
}

void CompareSetup::removeCard(CompareRunCard* card) {
    m_cards.erase(std::find(m_cards.begin(), m_cards.end(), card));
    m_column->removeWidget(card);
    card->hide();
    card->deleteLater();
    refresh();
}

void CompareSetup::refresh() {
    QStringList missing;
    for (std::size_t i = 0; i < m_cards.size(); ++i) {
        m_cards[i]->setLetter(letterOf(i));
        m_cards[i]->setRemovable(m_cards.size() > 2);
        const CompareRunSpec spec = m_cards[i]->spec();
        if ((spec.stored ? spec.sessions : spec.prompt).trimmed().isEmpty()) {
            missing += letterOf(i);
        }
    }
    m_add->setEnabled(!m_running && m_cards.size() < kMostComparedRuns);
    m_run->setEnabled(!m_running && m_cards.size() >= 2 && missing.isEmpty());
    m_hint->setText(m_running || missing.isEmpty()
                        ? QString()
                        : tr("Still empty: %1").arg(missing.join(QStringLiteral(", "))));
}

void CompareSetup::setContext(const CompareContext& context) {
    m_context = context;
    for (CompareRunCard* card : m_cards) {
        card->setContext(context);
    }
}

void CompareSetup::setSessions(std::vector<SessionListItem> sessions) {
    m_sessions = std::move(sessions);
}

void CompareSetup::setSpecs(const std::vector<CompareRunSpec>& specs) {
    while (!m_cards.empty()) {
        removeCard(m_cards.back());
    }
    for (const CompareRunSpec& spec : specs) {
        addCard(spec, m_cards.size());
    }
}

std::vector<CompareRunSpec> CompareSetup::specs() const {
    std::vector<CompareRunSpec> specs;
    for (const CompareRunCard* card : m_cards) {
        specs.push_back(card->spec());
    }
    return specs;
}

void CompareSetup::startTwoPrompts() {
    setSpecs({fresh(), fresh()});
    m_cards.front()->prompt()->setFocus(Qt::OtherFocusReason);
}

void CompareSetup::startTwoSettings() {
    CompareRunSpec a = fresh();
    if (!m_cards.empty()) {
        a.prompt = m_cards.front()->spec().prompt;
    }
    CompareRunSpec b = a;
    ++b.settings.sampling.seed;
    setSpecs({a, b});
    for (CompareRunCard* card : m_cards) {
        card->setSettingsShown(true);
    }
    m_cards.front()->prompt()->setFocus(Qt::OtherFocusReason);
}

void CompareSetup::chooseSessions() {
    showSessionsDialog(nullptr);
}

/// `only`: for one side; null: all sides.
void CompareSetup::showSessionsDialog(CompareRunCard* only) {
    auto* dialog = new CompareSessionsDialog(m_sessions, only == nullptr, this);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    connect(dialog, &QDialog::accepted, this, [this, dialog, only] {
        const QStringList sides = dialog->sides();
        if (only != nullptr && std::find(m_cards.begin(), m_cards.end(), only) != m_cards.end()) {
            only->sessions()->setText(sides.value(0));
            refresh();
            return;
        }
        std::vector<CompareRunSpec> specs;
        for (const QString& side : sides) {
            CompareRunSpec spec = fresh();
            spec.stored = true;
            spec.sessions = side;
            specs.push_back(spec);
        }
        setSpecs(specs);
        m_run->setFocus(Qt::OtherFocusReason);
    });
    dialog->open();
}

void CompareSetup::setRunning(bool running) {
    m_running = running;
    m_form->setEnabled(!running);
    refresh();
}

void CompareSetup::setStatus(std::size_t run, const QString& text, bool error) {
    if (run < m_cards.size()) {
        m_cards[run]->setStatus(text, error);
    }
}

void CompareSetup::clearStatus() {
    for (CompareRunCard* card : m_cards) {
        card->setStatus({});
    }
}

}  // namespace gatescope
