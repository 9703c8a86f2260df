// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/session/session_query.h"

namespace gatescope {

class ChatController;
class EngineClient;
class HistoryReader;
class SessionListView;
class SessionLog;

/// What the session list asks for: queries go to the reader, changes to the log behind what the
/// engine writes, so that nothing overtakes anything.
class SessionActions final : public QObject {
    Q_OBJECT

  public:
    SessionActions(EngineClient* engine, HistoryReader* history, ChatController* chat,
                   SessionListView* list, QObject* parent);

    void rename(std::int64_t session, const QString& title);
    /// Deletes with an offer to undo. The one that is being answered in is refused.
    void remove(std::vector<std::int64_t> sessions);
    void restore(const std::vector<std::int64_t>& sessions);
    void pin(const std::vector<std::int64_t>& sessions, bool pinned);
    /// Of one session: all its tags; of several: one more tag for each.
    void setTags(const std::vector<std::int64_t>& sessions, const QStringList& tags);

  private:
    void show(const std::vector<SessionSummary>& sessions);
    void askForTags(const std::vector<std::int64_t>& sessions);
    void undo();
    const SessionSummary* summaryOf(std::int64_t session) const;
    void change(std::function<void(SessionLog&)> what);

    EngineClient* m_engine;
    HistoryReader* m_history;
    ChatController* m_chat;
    SessionListView* m_list;
    std::shared_ptr<const std::vector<SessionSummary>> m_shown;
    std::vector<std::int64_t> m_removed;  ///< last: what undo brings back
};

}  // namespace gatescope
