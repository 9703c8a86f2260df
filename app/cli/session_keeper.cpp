// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/session_keeper.h"

#include <fmt/format.h>

#include <cstdio>

#include "engine/session/model_session.h"
#include "engine/session/session_recorder.h"

namespace gatescope::cli {
namespace {

constexpr std::size_t kTitleBytes = 60;

/// The first line, cut between characters.
std::string titleOf(const std::string& text) {
    std::string title = text.substr(0, text.find('\n'));
    if (title.size() <= kTitleBytes) return title;
    std::size_t end = kTitleBytes;
    while (end > 0 && (static_cast<unsigned char>(title[end]) & 0xC0) == 0x80) --end;
    return title.substr(0, end) + "...";
}

void note(const std::string& text) {
    std::fputs(fmt::format("gatescope-cli: {}\n", text).c_str(), stderr);
}

}  // namespace

void SessionKeeper::open(const std::filesystem::path& file) {
    m_log = SessionLog::open(file);
    m_log->onError(note);
    if (!m_log->notice().empty()) note(m_log->notice());
}

void SessionKeeper::ensureSession(const std::string& title) {
    if (m_session) return;
    m_session = m_log->beginSession(sessionInfo(*m_model, title));
}

void SessionKeeper::begin(const std::string& title) {
    m_session.reset();
    if (m_log) ensureSession(titleOf(title));
}

void SessionKeeper::addUserTurn(const std::string& text) {
    if (!m_log) return;
    ensureSession(titleOf(text));
    m_log->addUserTurn(*m_session, text);
}

GenerationResult SessionKeeper::keep(const std::vector<TokenId>& prompt,
                                     const GenerationParams& params, int droppedMessages,
                                     GenerationSink& shown, const Answer& answer) {
    if (!m_log) return answer(shown);
    ensureSession("token ids");
    m_answerTurn = m_log->beginAnswer(*m_session, params, droppedMessages);
    m_log->promptTokens(*m_session, m_answerTurn, prompt);
    SessionRecorder recorder(*m_log, *m_session, m_answerTurn, shown);
    GenerationResult result = answer(recorder);
    m_log->endAnswer(*m_session, m_answerTurn, result);
    return result;
}

void SessionKeeper::replaceAnswer() {
    if (m_log && m_session && m_answerTurn >= 0) m_log->replaceTurn(*m_session, m_answerTurn);
}

void SessionKeeper::flush() {
    if (m_log) m_log->flush();
}

}  // namespace gatescope::cli
