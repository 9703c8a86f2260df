// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <QWidget>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/session/session_query.h"
#include "views/session_list_model.h"

class QLabel;
class QLineEdit;
class QListView;
class QMenu;

namespace gatescope {

class SessionDelegate;
class SessionFilter;
class UndoBar;

/// The stored sessions: a search box with filters, the list, and what can be done with the selected
/// ones by menu or key. It shows what it is given for its query and asks for everything else.
class SessionListView final : public QWidget {
    Q_OBJECT

  public:
    explicit SessionListView(QWidget* parent = nullptr);

    /// What matches query(), in order. The selection and the scroll place stay where they are.
    void setSessions(std::vector<SessionListItem> sessions);
    void setFacets(const SessionFacets& facets);
    void setCurrent(std::optional<std::int64_t> session);
    /// Instead of the list, e.g. why the session file could not be read. Empty: the list.
    void setMessage(const QString& message);
    /// "Deleted 'x'", with a button that emits undoRequested().
    void offerUndo(const QString& text);

    SessionQuery query() const;
    int shownCount() const { return m_model->rowCount(); }
    std::vector<std::int64_t> selected() const;
    QLineEdit* filter() const { return m_search; }
    SessionFilter* filterButton() const { return m_filter; }
    QListView* list() const { return m_list; }
    UndoBar* undoBar() const { return m_undo; }
    /// What can be done with the selected sessions; filled anew at every call.
    QMenu* fillMenu();

  Q_SIGNALS:
    void opened(std::int64_t session);
    /// To be read in a window of its own.
    void openedInWindow(std::int64_t session);
    void newSessionRequested();
    /// query() is another one.
    void queryChanged();
    void renameRequested(std::int64_t session, const QString& title);
    void removeRequested(const std::vector<std::int64_t>& sessions);
    void restoreRequested(const std::vector<std::int64_t>& sessions);
    void pinRequested(const std::vector<std::int64_t>& sessions, bool pinned);
    /// Tags of one session, or one tag for several.
    void tagsRequested(const std::vector<std::int64_t>& sessions);
    void exportRequested(const std::vector<std::int64_t>& sessions);
    void compareRequested(const std::vector<std::int64_t>& sessions);
    void replayRequested(std::int64_t session);
    void undoRequested();

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    void makeList();
    void connectParts();
    void refreshEmpty();
    void markCurrent();
    bool listKey(int key, Qt::KeyboardModifiers modifiers);
    bool middleClick(const QEvent* event);
    void openInWindow(const QModelIndex& index);
    void togglePin();
    void askForQuery();
    bool showsDeleted() const;

    QLineEdit* m_search;
    SessionFilter* m_filter;
    QListView* m_list;
    QLabel* m_empty;
    QLabel* m_filtered;
    UndoBar* m_undo;
    SessionListModel* m_model;
    SessionDelegate* m_delegate;
    QMenu* m_menu;
    QTimer m_typing;
    std::optional<std::int64_t> m_current;
    QString m_message;
};

}  // namespace gatescope
