// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QLabel;

namespace gatescope {

/// Stands above the chat for as long as the model runs with changed routing, says what is changed,
/// and takes it back with one click.
class ChangedRoutingBar final : public QWidget {
    Q_OBJECT

  public:
    explicit ChangedRoutingBar(QWidget* parent = nullptr);

    /// Empty: the routing is the model's own, and the bar is gone.
    void setChange(const QString& description);
    QString text() const;

  Q_SIGNALS:
    void resetRequested();

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    QLabel* m_text;
};

}  // namespace gatescope
