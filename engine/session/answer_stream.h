// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/session/session_log.h"

namespace gatescope {

/// An answer without its tokens and steps.
struct StreamedAnswer {
    int turn = 0;
    bool replaced = false;  ///< taken back
    std::string settingsJson;
    std::uint64_t seed = 0;
    std::string finish;  ///< "interrupted" where it never ended
    std::int64_t promptTokens = 0;
    std::int64_t answerTokens = 0;
    std::string prompt;  ///< the last message of a user before it
};

/// Reads sessions of any length step by step, in the memory of a step; all that one object sees is
/// from the moment at which it was made. One object belongs to one thread at a time.
class AnswerStream {
  public:
    explicit AnswerStream(const std::filesystem::path& file);  ///< throws Error
    ~AnswerStream();

    /// Numbers of the sessions that are not deleted, ascending.
    std::vector<std::int64_t> sessions();
    struct Head {
        SessionInfo info;
        std::int64_t createdMs = 0;
    };
    /// Throws Error if the session is not there, or deleted.
    Head head(std::int64_t session);
    std::vector<StreamedAnswer> answers(std::int64_t session);

    /// In order; a step is valid during the call. `layers`: MoE layers of the model. Throws Error
    /// naming session and turn where something is damaged.
    void forEachStep(std::int64_t session, int turn, std::size_t layers,
                     const std::function<void(const StepTrace&)>& visit);

  private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace gatescope
