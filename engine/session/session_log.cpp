// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_log.h"

#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <utility>

#include "engine/error.h"
#include "engine/session/log_queue.h"
#include "engine/session/purge.h"
#include "engine/session/session_branch.h"
#include "engine/session/session_file.h"
#include "engine/session/settings_json.h"
#include "engine/session/sql.h"
#include "engine/session/unfinished.h"

namespace gatescope {

namespace {

std::int64_t systemMs() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::int64_t insertSession(SQLite::Database& database, const SessionInfo& info, std::int64_t now) {
    SQLite::Statement insert(
        database,
        "INSERT INTO sessions (created_ms, updated_ms, title, model_name, model_path, "
        "model_fingerprint, config_json, device, precision, shape_json) "
        "VALUES (?,?,?,?,?,?,?,?,?,?)");
    execute(insert, now, now, info.title, info.modelName, info.modelPath, info.modelFingerprint,
            info.configJson, info.device, info.precision, shapeToJson(info.shape));
    return database.getLastInsertRowid();
}

}  // namespace

struct SessionLog::Impl {
    Impl(const std::filesystem::path& path, Clock source)
        : clock(source ? std::move(source) : Clock(systemMs)),
          file(plainPath(path)),
          notice(prepareSessionFile(file)),
          control(openForWriting(file)),
          queue(file) {}

    /// Never less than what it told before: clocks are set back.
    std::int64_t nowMs() {
        const std::lock_guard lock(clockMutex);
        return lastMs = std::max(lastMs, clock());
    }

    /// Gives out the session's next turn number. A session this log did not begin itself (one that
    /// is being continued) is looked up in the file the first time.
    int takeTurn(std::int64_t session);
    void queueEntry(std::int64_t session, int turn, decltype(LogEntry::what) what, bool now) {
        queue.push({session, turn, nowMs(), std::move(what)}, now);
    }

    Clock clock;
    std::mutex clockMutex;  ///< guards lastMs
    std::int64_t lastMs = 0;
    std::filesystem::path file;
    std::string notice;
    std::mutex controlMutex;  ///< guards control and nextTurn
    SQLite::Database control;
    std::map<std::int64_t, int> nextTurn;
    LogQueue queue;  ///< last: its thread ends before the rest goes
};

int SessionLog::Impl::takeTurn(std::int64_t session) {
    const std::lock_guard lock(controlMutex);
    const auto known = nextTurn.find(session);
    if (known != nextTurn.end()) {
        return known->second++;
    }
    try {
        SQLite::Statement select(control,
                                 "SELECT (SELECT coalesce(max(turn) + 1, 0) FROM turns "
                                 "WHERE session = s.id) FROM sessions s WHERE s.id = ?");
        bindAll(select, session);
        if (!select.executeStep()) {
            throw fileError(file.string(), fmt::format("session {}", session),
                            "there is no such session");
        }
        const int turn = select.getColumn(0).getInt();
        nextTurn[session] = turn + 1;
        return turn;
    } catch (const SQLite::Exception& cause) {
        throw sessionError(file, cause);
    }
}

std::unique_ptr<SessionLog> SessionLog::open(const std::filesystem::path& file, Clock clock) {
    try {  // making it, too: tables may be there and not be what they should
        auto impl = std::make_unique<Impl>(file, std::move(clock));
        completeUnfinishedTexts(impl->control);
        purgeDeleted(impl->control, impl->nowMs() - kKeepDeletedMs);
        return std::unique_ptr<SessionLog>(new SessionLog(std::move(impl)));
    } catch (const SQLite::Exception& cause) {
        throw sessionError(plainPath(file), cause);
    }
}

SessionLog::SessionLog(std::unique_ptr<Impl> impl) : m_impl(std::move(impl)) {}

SessionLog::~SessionLog() = default;

const std::string& SessionLog::notice() const {
    return m_impl->notice;
}

void SessionLog::onError(std::function<void(std::string)> handler) {
    m_impl->queue.onError(std::move(handler));
}

std::int64_t SessionLog::beginSession(const SessionInfo& info) {
    const std::lock_guard lock(m_impl->controlMutex);
    try {
        SQLite::Transaction transaction(m_impl->control, SQLite::TransactionBehavior::IMMEDIATE);
        const std::int64_t session = insertSession(m_impl->control, info, m_impl->nowMs());
        transaction.commit();
        m_impl->nextTurn[session] = 0;
        return session;
    } catch (const SQLite::Exception& cause) {
        throw sessionError(m_impl->file, cause);
    }
}

SessionLog::Branch SessionLog::beginBranch(const SessionInfo& info, const SessionBranch& from) {
    flush();
    const std::lock_guard lock(m_impl->controlMutex);
    try {
        SQLite::Transaction transaction(m_impl->control, SQLite::TransactionBehavior::IMMEDIATE);
        const std::int64_t session = insertSession(m_impl->control, info, m_impl->nowMs());
        CopiedBranch copied = copyBranch(m_impl->control, from, session);
        transaction.commit();
        m_impl->nextTurn[session] = copied.turns;
        return {session, std::move(copied.question)};
    } catch (const SQLite::Exception& cause) {
        throw sessionError(m_impl->file, cause);
    } catch (const Error& cause) {
        throw fileError(m_impl->file.string(), fmt::format("session {}", from.session),
                        cause.what());
    }
}

void SessionLog::setTitle(std::int64_t session, std::string title) {
    m_impl->queueEntry(session, 0, TitleEntry{std::move(title)}, false);
}

void SessionLog::setTags(std::int64_t session, std::vector<std::string> tags) {
    m_impl->queueEntry(session, 0, TagsEntry{std::move(tags), {}, true}, true);
}

void SessionLog::addTag(std::int64_t session, std::string tag) {
    m_impl->queueEntry(session, 0, TagsEntry{{std::move(tag)}, {}, false}, true);
}

void SessionLog::removeTag(std::int64_t session, std::string tag) {
    m_impl->queueEntry(session, 0, TagsEntry{{}, {std::move(tag)}, false}, true);
}

void SessionLog::setPinned(std::int64_t session, bool pinned) {
    m_impl->queueEntry(session, 0, PinEntry{pinned}, true);
}

void SessionLog::remove(std::int64_t session) {
    m_impl->queueEntry(session, 0, DeleteEntry{true}, true);
}

void SessionLog::restore(std::int64_t session) {
    m_impl->queueEntry(session, 0, DeleteEntry{false}, true);
}

int SessionLog::addUserTurn(std::int64_t session, std::string text) {
    const int turn = m_impl->takeTurn(session);
    m_impl->queueEntry(session, turn, UserTurnEntry{std::move(text)}, true);
    return turn;
}

int SessionLog::beginAnswer(std::int64_t session, const GenerationParams& params,
                            int droppedMessages, int givenTokens) {
    const int turn = m_impl->takeTurn(session);
    m_impl->queueEntry(session, turn, AnswerEntry{params, droppedMessages, givenTokens}, false);
    return turn;
}

void SessionLog::token(std::int64_t session, int turn, const TokenEvent& token) {
    m_impl->queueEntry(session, turn, TokenEntry{token}, false);
}

void SessionLog::promptTokens(std::int64_t session, int turn, std::vector<std::int32_t> ids) {
    m_impl->queueEntry(session, turn, PromptEntry{std::move(ids)}, false);
}

void SessionLog::step(std::int64_t session, int turn, const StepTrace& step) {
    m_impl->queueEntry(session, turn, StepEntry{step}, false);
}

void SessionLog::endAnswer(std::int64_t session, int turn, const GenerationResult& result) {
    m_impl->queueEntry(session, turn, EndEntry{result}, true);
}

void SessionLog::replaceTurn(std::int64_t session, int turn) {
    m_impl->queueEntry(session, turn, ReplaceEntry{}, true);
}

void SessionLog::flush() {
    m_impl->queue.flush();
}

}  // namespace gatescope
