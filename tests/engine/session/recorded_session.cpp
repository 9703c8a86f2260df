// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/session/recorded_session.h"

#include "engine/decode/conversation.h"
#include "engine/model/loaded_model.h"
#include "engine/session/session_recorder.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope::test {

namespace {

class NoSink : public GenerationSink {};

std::int64_t beginDemo(SessionLog& log, const LoadedModel& model, const std::string& title) {
    SessionInfo info;
    info.title = title;
    info.modelName = model.name();
    info.modelPath = model.dir().string();
    info.modelFingerprint = model.fingerprint();
    info.configJson = model.configJson();
    info.device = model.deviceName();
    info.precision = model.precisionName();
    info.shape = model.routingShape();
    return log.beginSession(info);
}

void ask(SessionLog& log, std::int64_t session, Conversation& conversation, const std::string& text,
         GenerationParams params) {
    log.addUserTurn(session, text);
    const Conversation::Prepared prepared = conversation.prepare(text);
    params.maxNewTokens = 24;
    params.alternatives = 3;
    const int turn = log.beginAnswer(session, params, 0);
    log.promptTokens(session, turn, prepared.ids);
    NoSink shown;
    SessionRecorder recorder(log, session, turn, shown);
    log.endAnswer(session, turn, conversation.answer(prepared, params, recorder, {}));
}

void record(const std::filesystem::path& file) {
    const auto model = LoadedModel::load(GATESCOPE_DEMO_MODEL_DIR);
    const auto log = SessionLog::open(file);
    GenerationParams drafted;
    drafted.speculate = Speculate::Mtp;
    drafted.drafts = 2;
    const std::int64_t first = beginDemo(*log, *model, "A story & <b>more</b>");
    Conversation conversation(*model);
    ask(*log, first, conversation, "Once upon a time", drafted);
    drafted.sampling.temperature = 0.9F;
    drafted.sampling.seed = 7;
    ask(*log, first, conversation, "And then?", drafted);
    const std::int64_t second = beginDemo(*log, *model, "=cmd|code");
    Conversation other(*model);
    ask(*log, second, other, "def add(a, b):", {});
    Arbitrary arbitrary(3);
    const std::int64_t third = log->beginSession(arbitrary.info());
    log->addUserTurn(third, arbitrary.text());
    const int turn = log->beginAnswer(third, arbitrary.params(), 1);
    for (int i = 0; i < 5; ++i) {
        log->token(third, turn, arbitrary.token());
        log->step(third, turn, arbitrary.step());
    }
}

}  // namespace

const std::filesystem::path& recordedSession() {
    static const TempFolder folder;
    static const std::filesystem::path file = [] {
        record(folder / "recorded.db");
        return folder / "recorded.db";
    }();
    return file;
}

}  // namespace gatescope::test
