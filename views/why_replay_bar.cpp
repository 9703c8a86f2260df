// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/why_replay_bar.h"

#include <QCheckBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QTimer>
#include <QVBoxLayout>

#include "views/formats.h"
#include "views/message_label.h"
#include "views/theme.h"

namespace gatescope {

namespace {
constexpr int kRestMs = 150;
}  // namespace

WhyReplayBar::WhyReplayBar(QWidget* parent) : QWidget(parent) {
    m_text = makeNoteLabel(this);
    m_button = new QPushButton(tr("Recompute now"), this);
    m_button->setToolTip(
        plainToolTip(tr("Runs the token through the model once more, after the "
                        "tokens before it. Nothing else changes.")));
    m_automatic = new QCheckBox(tr("recompute automatically"), this);
    m_automatic->setChecked(true);
    m_automatic->setToolTip(
        plainToolTip(tr("Whenever an older token is selected. What is no longer in the "
                        "cache must be computed again, which takes long for a long context.")));
    m_timer = new QTimer(this);
    m_timer->setSingleShot(true);
    m_timer->setInterval(kRestMs);

    auto* controls = new QHBoxLayout;
    controls->setSpacing(kGrid);
    controls->addWidget(m_button);
    controls->addWidget(m_automatic);
    controls->addStretch(1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(kGrid / 2);
    layout->addWidget(m_text);
    layout->addLayout(controls);

    connect(m_button, &QPushButton::clicked, this, &WhyReplayBar::wanted);
    connect(m_timer, &QTimer::timeout, this, &WhyReplayBar::wanted);
    connect(m_automatic, &QCheckBox::clicked, this, [this](bool on) {
        Q_EMIT automaticChanged(on);
        on ? askSoon() : m_timer->stop();
    });
    hide();
}

void WhyReplayBar::setState(WhyValue::Scores scores, const QString& reason) {
    using Scores = WhyValue::Scores;
    m_timer->stop();
    const QString stored =
        tr("The affinities of all experts are kept only for recent tokens; this "
           "is what was stored of the choice.");
    switch (scores) {
        case Scores::Known:
            m_text->clear();
            break;
        case Scores::Recomputing:
            m_text->setText(stored + u' ' + tr("Recomputing by replay…"));
            break;
        case Scores::NotKept:
            m_text->setText(stored);
            break;
        case Scores::CannotReplay:
            m_text->setText(reason.isEmpty() ? stored : stored + u' ' + visibleText(reason));
            break;
    }
    m_button->setVisible(scores == Scores::NotKept);
    m_automatic->setVisible(scores == Scores::NotKept || scores == Scores::Recomputing);
    setVisible(scores != Scores::Known);
}

void WhyReplayBar::askSoon() {
    if (automatic() && m_button->isVisibleTo(this)) {
        m_timer->start();
    }
}

void WhyReplayBar::setAutomatic(bool on) {
    m_automatic->setChecked(on);
    if (!on) {
        m_timer->stop();
    }
}

bool WhyReplayBar::automatic() const {
    return m_automatic->isChecked();
}

QString WhyReplayBar::text() const {
    return m_text->text();
}

}  // namespace gatescope
