// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <cstdint>
#include <optional>
#include <vector>

class QLabel;
class QLineEdit;
class QListView;
class QSortFilterProxyModel;
class QStandardItemModel;

namespace gatescope {

/// One line of the list.
struct SessionListItem {
    std::int64_t id = 0;
    QString title;
    QString model;
    std::int64_t updatedMs = 0;  ///< Unix time in milliseconds
    std::int64_t tokens = 0;     ///< generated

    bool operator==(const SessionListItem&) const = default;
};

/// "today 18:52", "yesterday 9:05", "14 Oct", "2025-10-14".
QString whenText(std::int64_t unixMs, std::int64_t nowMs);

/// The stored sessions with a filter box; a click or Enter opens one.
class SessionListView final : public QWidget {
    Q_OBJECT

  public:
    explicit SessionListView(QWidget* parent = nullptr);

    /// Newest first. The selection and the scroll place stay where they are.
    void setSessions(const std::vector<SessionListItem>& sessions);
    void setCurrent(std::optional<std::int64_t> session);
    /// Instead of the list, e.g. why the session file could not be read. Empty: the list.
    void setMessage(const QString& message);
    int shownCount() const;
    QLineEdit* filter() const { return m_filter; }
    QListView* list() const { return m_list; }

  Q_SIGNALS:
    void opened(std::int64_t session);
    void newSessionRequested();

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    void refreshEmpty();
    void markCurrent();

    QLineEdit* m_filter;
    QListView* m_list;
    QLabel* m_empty;
    QStandardItemModel* m_model;
    QSortFilterProxyModel* m_shown;
    std::vector<SessionListItem> m_sessions;
    std::optional<std::int64_t> m_current;
    QString m_message;
};

}  // namespace gatescope
