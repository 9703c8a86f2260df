// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QElapsedTimer>
#include <QWidget>

class QLabel;
class QProgressBar;
class QPushButton;
class QStackedWidget;
class QToolButton;

namespace gatescope {

class CompareSetup;
class CompareView;
class Selection;

/// The Compare tab: what is compared, how far it is, and what came out.
class ComparePane final : public QWidget {
    Q_OBJECT

  public:
    explicit ComparePane(Selection* selection, QWidget* parent = nullptr);

    CompareSetup* setup() const { return m_setup; }
    CompareView* view() const { return m_view; }
    QPushButton* cancelButton() const { return m_cancel; }
    QPushButton* exportButton() const { return m_export; }

    /// The keyboard to what the page begins with.
    void focusNext();
    void showSetup();
    void showResult();
    bool isResultShown() const;
    /// Something runs: what, and how far (0 of 0: not known).
    void begin(const QString& what);
    void setProgress(const QString& what, qint64 done, qint64 total);
    /// Nothing runs any more; one sentence about it, or none.
    void end(const QString& message = {});
    bool isRunning() const { return m_running; }
    QString message() const;
    void setExportable(bool can);

  Q_SIGNALS:
    void cancelRequested();
    void exportRequested();

  private:
    QWidget* makeHead();
    void refreshPages();

    CompareSetup* m_setup;
    CompareView* m_view;
    QStackedWidget* m_pages;
    QToolButton* m_toSetup = nullptr;
    QToolButton* m_toResult = nullptr;
    QLabel* m_message = nullptr;
    QProgressBar* m_progress = nullptr;
    QPushButton* m_cancel = nullptr;
    QPushButton* m_export = nullptr;
    QElapsedTimer m_since;
    bool m_running = false;
};

}  // namespace gatescope
