// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/transcript_pane.h"

#include <QVBoxLayout>

#include "app/part_bar.h"
#include "views/find_bar.h"
#include "views/transcript_legend.h"
#include "views/transcript_view.h"

namespace gatescope {

TranscriptPane::TranscriptPane(Selection* selection, QWidget* parent)
    : QWidget(parent),
      m_transcript(new TranscriptView(selection)),
      m_legend(new TranscriptLegend),
      m_find(new FindBar(m_transcript)),
      m_part(new PartBar) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(m_find);
    column->addWidget(m_part);
    column->addWidget(m_transcript, 1);
    column->addWidget(m_legend);
    connect(m_transcript, &TranscriptView::contentsShown, this, &TranscriptPane::refreshLegend);
    connect(m_transcript, &TranscriptView::contentsShown, m_find, &FindBar::refresh);
    connectParts();
}

void TranscriptPane::connectParts() {
    using Part = SessionParts::Part;
    const auto want = [this](Part which) { return [this, which] { Q_EMIT partWanted(which); }; };
    connect(m_part, &PartBar::firstWanted, this, want(Part::First));
    connect(m_part, &PartBar::earlierWanted, this, want(Part::Earlier));
    connect(m_part, &PartBar::laterWanted, this, want(Part::Later));
    connect(m_part, &PartBar::newestWanted, this, want(Part::Newest));
    connect(m_transcript, &TranscriptView::beginningReached, this, want(Part::Earlier));
    connect(m_transcript, &TranscriptView::endReached, this, want(Part::Later));
}

void TranscriptPane::setPart(const SessionExtent* part) {
    m_part->setPart(part);
    m_find->setScope(part != nullptr ? partText(*part) : QString());
}

void TranscriptPane::setMarkText(const QString& text) {
    m_markText = text;
    refreshLegend();
}

void TranscriptPane::refreshLegend() {
    m_legend->setDrafts(
        m_transcript->hasDrafts() && m_transcript->colour() == TranscriptView::Colour::Acceptance,
        m_transcript->hasBonus());
    const int marked = m_markText.isEmpty() ? 0 : m_transcript->markedShown();
    m_legend->setMarked(m_markText.isEmpty() ? QString()
                                             : m_markText + tr(" · %1 tokens").arg(marked));
}

}  // namespace gatescope
