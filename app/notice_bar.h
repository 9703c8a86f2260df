// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QLabel;

namespace gatescope {

/// A message above the chat that stays until it is closed or replaced; never in the way. Shown as
/// plain text: it may name files and hold errors.
class NoticeBar final : public QWidget {
    Q_OBJECT

  public:
    enum class Kind { Info, Error };

    explicit NoticeBar(QWidget* parent = nullptr);

    /// An empty text hides the bar.
    void showNotice(Kind kind, const QString& text);
    QString text() const;

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    QLabel* m_text;
    Kind m_kind = Kind::Info;
};

}  // namespace gatescope
