// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QElapsedTimer>
#include <QWidget>

class QLabel;
class QProgressBar;

namespace gatescope {

/// Progress of loading a model, with the time left and a way out.
class LoadingBar final : public QWidget {
    Q_OBJECT

  public:
    explicit LoadingBar(QWidget* parent = nullptr);

    void start(const QString& what);
    void setProgress(const QString& what, quint64 done, quint64 total);
    void finish() { hide(); }

  Q_SIGNALS:
    void cancelled();

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    QLabel* m_text;
    QProgressBar* m_bar;
    QElapsedTimer m_since;
    QString m_title;
};

}  // namespace gatescope
