// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "views/why_value.h"

class QCheckBox;
class QLabel;
class QPushButton;
class QTimer;

namespace gatescope {

/// Says where a token's affinities are when they are not in memory, and asks for them.
class WhyReplayBar final : public QWidget {
    Q_OBJECT

  public:
    explicit WhyReplayBar(QWidget* parent = nullptr);

    /// Scores::Known hides the bar.
    void setState(WhyValue::Scores scores, const QString& reason);
    /// Asks after a short rest, unless another state comes first. Without automatic replay: not.
    void askSoon();

    void setAutomatic(bool on);
    bool automatic() const;
    QString text() const;

  Q_SIGNALS:
    void wanted();
    void automaticChanged(bool on);

  private:
    QLabel* m_text = nullptr;
    QPushButton* m_button = nullptr;
    QCheckBox* m_automatic = nullptr;
    QTimer* m_timer = nullptr;
};

}  // namespace gatescope
