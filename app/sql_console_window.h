// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QThread>
#include <QWidget>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>

#include "engine/session/saved_queries.h"
#include "views/sql_console_view.h"

namespace gatescope {

/// The SQL console on a session file, in a window of its own. Queries run in a thread of their own;
/// closing the window ends the running one.
class SqlConsoleWindow final : public QWidget {
    Q_OBJECT

  public:
    /// `queries`: the file of saved queries.
    SqlConsoleWindow(std::filesystem::path sessions, std::filesystem::path queries,
                     QWidget* parent);
    ~SqlConsoleWindow() override;

    /// What :session means unless a person types another number.
    void setSession(std::optional<std::int64_t> session);
    SqlConsoleView* view() const { return m_view; }

  protected:
    void closeEvent(QCloseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

  private:
    void run(const QString& sql, const SqlValues& values);
    void cancel();
    void fillQueries();
    void fillSchema();
    void change(const std::function<void(SavedQueries&)>& work);

    std::filesystem::path m_file;
    SavedQueries m_queries;
    SqlConsoleView* m_view;
    QThread m_thread;
    QObject* m_worker;  ///< lives in the thread
    std::stop_source m_stop;
};

}  // namespace gatescope
