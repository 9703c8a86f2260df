// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/decode/generation.h"
#include "engine/session/session_query.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

/// What a session was run with; stored as it stands.
struct SessionInfo {
    std::string title;
    std::string modelName;
    std::string modelPath;
    std::string modelFingerprint;
    std::string configJson;
    std::string device;
    std::string precision = "exact";
    RoutingShape shape;
};

/// How long a deleted session can be restored.
inline constexpr std::int64_t kKeepDeletedMs = std::int64_t{30} * 24 * 60 * 60 * 1000;

/// The writing side of a session file: a lossless queue, its own thread and connection, one
/// transaction per flush and a flush at least every 100 ms. Every call returns at once (except
/// open, beginSession, flush and close); nothing is ever dropped. Thread-safe.
///
/// WAL, busy timeout, foreign keys, application_id and user_version are set; a damaged file is
/// renamed to NAME.corrupt-TIME and a fresh one begun (see notice()); a file from a newer version
/// is refused with an Error.
class SessionLog {
  public:
    /// Unix time in milliseconds. May jump: what one log writes never goes back in time, so that no
    /// duration is negative and sessions are listed as they were used. Called by any thread.
    using Clock = std::function<std::int64_t()>;

    /// Opens or creates the file. Throws Error naming the file and the cause. Without a clock the
    /// system's is taken.
    static std::unique_ptr<SessionLog> open(const std::filesystem::path& file, Clock clock = {});
    ~SessionLog();  ///< writes what is queued, then closes

    /// What opening had to do ("FILE was damaged and is kept as ..."); empty if nothing.
    const std::string& notice() const;

    /// Called on the writer's thread when writing fails (disk full, ...): one sentence, once until
    /// it goes well again. The queue is kept and tried again every second. Must not call flush().
    void onError(std::function<void(std::string)> handler);

    std::int64_t beginSession(const SessionInfo& info);  ///< the new session's number
    /// What beginBranch() made.
    struct Branch {
        std::int64_t session = 0;  ///< the new one's number
        std::string question;      ///< the message that it goes on from; not in it yet
    };
    /// A session that begins with a copy of everything before the question of `from`: turns,
    /// tokens, routing. Without a title it takes the other one's. Writes what is queued first.
    /// Throws Error if the turn is not in the file, or writing fails.
    Branch beginBranch(const SessionInfo& info, const SessionBranch& from);

    /// Changes of a session of this or an earlier run, in order with all that is written. They do
    /// not count as use: the session keeps its place among the last used ones. One that is not in
    /// the file is reported to the handler of onError.
    void setTitle(std::int64_t session, std::string title);
    void setTags(std::int64_t session, std::vector<std::string> tags);
    void addTag(std::int64_t session, std::string tag);
    void removeTag(std::int64_t session, std::string tag);
    void setPinned(std::int64_t session, bool pinned);
    /// Deletes with time to restore: the session is purged when the file is opened for writing
    /// kKeepDeletedMs later. What is still written to it is kept; a new turn restores it.
    void remove(std::int64_t session);
    void restore(std::int64_t session);

    /// A turn is one message. The user's is complete at once; the assistant's grows by tokens.
    /// Returns the turn's number within the session, from 0. The session may be one from an earlier
    /// run that is continued; throws Error if it is not in the file.
    int addUserTurn(std::int64_t session, std::string text);
    /// `givenTokens`: the answer begins with so many tokens that are not this run's choice.
    int beginAnswer(std::int64_t session, const GenerationParams& params, int droppedMessages,
                    int givenTokens = 0);
    void token(std::int64_t session, int turn, const TokenEvent& token);
    /// Prompt tokens of this answer as the model saw them, from position 0.
    void promptTokens(std::int64_t session, int turn, std::vector<std::int32_t> ids);
    void step(std::int64_t session, int turn, const StepTrace& step);
    void endAnswer(std::int64_t session, int turn, const GenerationResult& result);
    /// The answer is taken back by "regenerate": kept in the file, marked replaced.
    void replaceTurn(std::int64_t session, int turn);

    /// Returns when all that was queued before is committed. Throws Error if writing fails now; the
    /// entries then stay queued.
    void flush();

  private:
    struct Impl;
    explicit SessionLog(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> m_impl;
};

}  // namespace gatescope
