// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "app/session_parts.h"

namespace gatescope {

class FindBar;
class PartBar;
class Selection;
class TranscriptLegend;
class TranscriptView;

/// A conversation to read: the transcript, above it the search and which part of the session this
/// is, below it what its underlines and tints mean.
class TranscriptPane final : public QWidget {
    Q_OBJECT

  public:
    explicit TranscriptPane(Selection* selection, QWidget* parent = nullptr);

    TranscriptView* transcript() const { return m_transcript; }
    TranscriptLegend* legend() const { return m_legend; }
    FindBar* findBar() const { return m_find; }
    PartBar* part() const { return m_part; }

    /// What the marks stand for; empty: nothing is marked.
    void setMarkText(const QString& text);
    /// Which part of the session is shown; null: all of it.
    void setPart(const SessionExtent* part);

  Q_SIGNALS:
    /// By the bar, or by scrolling to an edge.
    void partWanted(gatescope::SessionParts::Part which);

  private:
    void connectParts();
    void refreshLegend();

    TranscriptView* m_transcript;
    TranscriptLegend* m_legend;
    FindBar* m_find;
    PartBar* m_part;
    QString m_markText;
};

}  // namespace gatescope
