// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QLabel;
class QPushButton;
class QToolButton;

namespace gatescope {

struct SessionExtent;

/// Above the transcript of a session of which only a part is shown: which part, and the ways to the
/// others. Gone while the whole session is shown.
class PartBar final : public QWidget {
    Q_OBJECT

  public:
    explicit PartBar(QWidget* parent = nullptr);

    /// Null: the whole session is shown.
    void setPart(const SessionExtent* part);
    /// Not while an answer is written.
    void setUsable(bool usable);
    QString text() const;

  Q_SIGNALS:
    void firstWanted();
    void earlierWanted();
    void laterWanted();
    void newestWanted();

  private:
    void refresh();

    QLabel* m_text;
    QToolButton* m_first;
    QPushButton* m_earlier;
    QPushButton* m_later;
    QToolButton* m_newest;
    bool m_begin = true;
    bool m_end = true;
    bool m_usable = true;
};

/// "tokens 996 001–1 000 000 of 1 000 000", tokens counted from 1.
QString partText(const SessionExtent& part);

}  // namespace gatescope
