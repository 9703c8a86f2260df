// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMainWindow>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "app/session_parts.h"
#include "app/trace_store.h"
#include "app/transcript_writer.h"
#include "views/selection.h"

class QLabel;

namespace gatescope {

class HistoryReader;
class NoticeBar;
class SessionCounter;
class SessionDocks;
class SessionFeeder;
class TranscriptPane;

inline constexpr QSize kSessionWindowSize(1240, 800);

/// A stored session to read, with docks of its own. It has its own reader, selection, tokens and
/// counts, so that it works while the engine answers; nothing in it can change the session or ask
/// the model. What it shows is as the session was when it was opened.
class SessionWindow final : public QMainWindow {
    Q_OBJECT

  public:
    /// `model`: the one that is open, null for none; it tells texts and biases if the session was
    /// made with it. `stillWritten`: an answer is being written in the session.
    SessionWindow(const std::filesystem::path& file, std::int64_t session,
                  std::shared_ptr<const ModelFacts> model, bool stillWritten);
    ~SessionWindow() override;

    std::int64_t session() const { return m_session; }
    bool isLoaded() const { return m_loaded; }
    /// Null: the whole session is shown.
    const SessionExtent* part() const { return m_parts.shown(); }
    TranscriptPane* pane() const { return m_pane; }
    SessionDocks* docks() const { return m_docks; }
    NoticeBar* notices() const { return m_notices; }
    /// Why nothing of the session can be shown; empty: something is.
    QString message() const;
    Selection* selection() { return &m_selection; }
    const TraceStore& traces() const { return m_store; }

    void goToPart(SessionParts::Part which);
    /// Selects a token of an answer, as soon as the session is read. Nothing if it is not in the
    /// part that is shown.
    void selectToken(int turn, std::int64_t seq);

  private:
    void connectAll();
    void addSessionMenu();
    void addViewMenu();
    QAction* add(QMenu* menu, const QString& text, const QList<QKeySequence>& keys);
    void showStored(const std::shared_ptr<const StoredSession>& stored);
    void clear(const RoutingShape& shape);
    void showTitle(const QString& title);
    void showError(const QString& text);
    void loadFailed(const QString& error);
    void refreshActions();

    std::int64_t m_session;
    std::shared_ptr<const ModelFacts> m_model;  ///< null: not the session's
    bool m_loaded = false;
    std::optional<std::pair<int, std::int64_t>> m_wanted;  ///< turn and seq of selectToken()
    Selection m_selection;
    TraceStore m_store;
    SessionParts m_parts;
    HistoryReader* m_history;
    SessionCounter* m_counter;
    TranscriptPane* m_pane;
    NoticeBar* m_notices;
    QLabel* m_message;  ///< in place of the transcript
    TranscriptWriter m_writer;
    SessionDocks* m_docks;
    SessionFeeder* m_feeder;
    QAction* m_earlier = nullptr;
    QAction* m_later = nullptr;
    QAction* m_back = nullptr;
    QAction* m_forward = nullptr;
};

}  // namespace gatescope
