// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <vector>

#include "app/compare_run_spec.h"
#include "views/session_list_view.h"

class QLabel;
class QProgressBar;
class QPushButton;
class QVBoxLayout;

namespace gatescope {

class CompareRunCard;

/// Where a comparison is put together: two to eight runs, quick starts, run all, progress, cancel.
class CompareSetup final : public QWidget {
    Q_OBJECT

  public:
    explicit CompareSetup(QWidget* parent = nullptr);

    void setContext(const CompareContext& context);
    /// The log, newest first: what "From sessions…" offers.
    void setSessions(std::vector<SessionListItem> sessions);
    void setSpecs(const std::vector<CompareRunSpec>& specs);
    std::vector<CompareRunSpec> specs() const;
    CompareRunCard* card(std::size_t index) const { return m_cards[index]; }
    std::size_t count() const { return m_cards.size(); }
    QPushButton* runButton() const { return m_run; }

    void startTwoPrompts();
    void startTwoSettings();
    void chooseSessions();

    /// While runs are made nothing can be changed.
    void setRunning(bool running);
    void setStatus(std::size_t run, const QString& text, bool error = false);
    void clearStatus();

  Q_SIGNALS:
    void runRequested();

  private:
    QWidget* makeQuickStarts();
    void makeCards();
    void addCard(const CompareRunSpec& spec, std::size_t at);
    void removeCard(CompareRunCard* card);
    CompareRunSpec fresh() const;
    void refresh();
    void showSessionsDialog(CompareRunCard* only);

    CompareContext m_context;
    std::vector<SessionListItem> m_sessions;
    std::vector<CompareRunCard*> m_cards;
    QWidget* m_form;
    QVBoxLayout* m_column = nullptr;
    QPushButton* m_add;
    QPushButton* m_run;
    QLabel* m_hint;
    bool m_running = false;
};

}  // namespace gatescope
