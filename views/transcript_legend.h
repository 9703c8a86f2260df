// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <vector>

namespace gatescope {

/// One quiet line under the transcript that says what its underlines and tints mean. Only what is
/// on screen is explained; with nothing to explain the line is not there.
class TranscriptLegend final : public QWidget {
    Q_OBJECT

  public:
    explicit TranscriptLegend(QWidget* parent = nullptr);

    /// `bonus`: there are bonus tokens among them.
    void setDrafts(bool shown, bool bonus = false);
    /// "expert 17 in layer 4 · 23 tokens"; empty: nothing marked.
    void setMarked(const QString& text);
    QString text() const;

    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    enum class Sign { Accepted, Rejected, Bonus, Marked };
    struct Entry {
        Sign sign;
        QString text;
    };
    std::vector<Entry> entries() const;
    void refresh();

    bool m_drafts = false;
    bool m_bonus = false;
    QString m_marked;
};

}  // namespace gatescope
