// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/decode/generation.h"
#include "engine/model/loaded_model.h"
#include "engine/session/session_log.h"

namespace gatescope::cli {

/// Keeps what is said in a session file; without a file it only passes on. A session begins with
/// the first message.
class SessionKeeper {
  public:
    explicit SessionKeeper(const LoadedModel& model) : m_model(&model) {}

    /// Throws Error if the file cannot be used. Notices go to standard error.
    void open(const std::filesystem::path& file);
    bool isOpen() const { return m_log != nullptr; }

    /// Begins a session under this title instead of its first message.
    void begin(const std::string& title);
    void addUserTurn(const std::string& text);
    /// Runs `answer` with a sink that logs and hands on to `shown`; logs its result.
    using Answer = std::function<GenerationResult(GenerationSink&)>;
    GenerationResult keep(const std::vector<TokenId>& prompt, const GenerationParams& params,
                          int droppedMessages, GenerationSink& shown, const Answer& answer);
    /// The last answer is taken back.
    void replaceAnswer();
    /// What follows belongs to a new session.
    void startOver() { m_session.reset(); }
    /// The number of the session; nothing before the first message.
    std::optional<std::int64_t> session() const { return m_session; }
    /// All that was said is in the file when it returns.
    void flush();

  private:
    void ensureSession(const std::string& title);

    const LoadedModel* m_model;
    std::unique_ptr<SessionLog> m_log;
    std::optional<std::int64_t> m_session;
    int m_answerTurn = -1;
};

}  // namespace gatescope::cli
