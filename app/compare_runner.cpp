// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/compare_runner.h"

#include "engine/decode/conversation.h"
#include "engine/error.h"
#include "engine/model/decoder.h"
#include "engine/session/compared_session.h"
#include "engine/session/model_session.h"
#include "engine/session/session_recorder.h"

namespace gatescope {
namespace {

constexpr int kTitleChars = 60;

class ProgressSink final : public GenerationSink {
  public:
    ProgressSink(CompareProgress progress, const std::function<void(const CompareProgress&)>& tell)
        : m_progress(progress), m_tell(tell) {}
    void onToken(const TokenEvent&, std::string_view) override {
        ++m_progress.tokens;
        m_tell(m_progress);
    }

  private:
    CompareProgress m_progress;
    const std::function<void(const CompareProgress&)>& m_tell;
};

std::string titleOf(const CompareRunSpec& spec) {
    const QString text = spec.prompt.simplified();
    const QString cut =
        text.size() > kTitleChars ? text.left(kTitleChars - 1) + QChar(0x2026) : text;
    return (spec.label.isEmpty() ? cut : spec.label + QStringLiteral(": ") + cut).toStdString();
}

}  // namespace

CompareRunner::CompareRunner(ModelLender& lender, SessionLog& log,
                             std::shared_ptr<const Interventions> interventions,
                             std::function<void(const CompareProgress&)> progress,
                             std::stop_token stop)
    : m_lender(lender),
      m_log(log),
      m_interventions(std::move(interventions)),
      m_progress(std::move(progress)),
      m_stop(std::move(stop)) {}

std::vector<CompareRunOutcome> CompareRunner::run(const std::vector<CompareRunSpec>& specs) {
    std::vector<CompareRunOutcome> outcomes(specs.size());
    for (std::size_t i = 0; i < specs.size(); ++i) {
        if (m_stop.stop_requested()) {
            throw Cancelled();
        }
        m_progress({i, 0, specs[i].settings.maxNewTokens});
        try {
            outcomes[i].sessions = specs[i].stored
                                       ? sessionsFromText(specs[i].sessions.toStdString())
                                       : std::vector{answer(i, specs[i])};
        } catch (const Cancelled&) {
            throw;
        } catch (const std::exception& error) {
            outcomes[i].error = QString::fromUtf8(error.what());
        }
    }
    m_log.flush();
    return outcomes;
}

LoadedModel& CompareRunner::modelOf(const CompareRunSpec& spec) {
    LoadOptions options = m_lender.options();
    if (!spec.device.isEmpty()) {
        options.device.name = spec.device.toStdString();
    }
    if (spec.precision) {
        options.device.precision = spec.precision;
    }
    if (spec.cacheType) {
        options.cacheType = spec.cacheType;
    }
    const bool changed = !spec.device.isEmpty() || spec.precision || spec.cacheType;
    return m_lender.lend(spec.modelDir.toStdString(), options, changed);
}

std::int64_t CompareRunner::answer(std::size_t index, const CompareRunSpec& spec) {
    LoadedModel& model = modelOf(spec);
    // A prefix that the cache still holds would not be routed again, and be missing in the counts.
    model.decoder().truncate(0);
    Conversation conversation(model);
    const Conversation::Prepared prepared = conversation.prepare(spec.prompt.toStdString());
    GenerationParams params = conversation.completed(spec.settings.params(model.config().hasMtp()));
    if (spec.interventions) {
        params.interventions = m_interventions;
    }
    const std::int64_t session = m_log.beginSession(sessionInfo(model, titleOf(spec)));
    m_log.addTag(session, "compare");
    m_log.addUserTurn(session, spec.prompt.toStdString());
    const int turn = m_log.beginAnswer(session, params, prepared.droppedMessages);
    m_log.promptTokens(session, turn, prepared.ids);
    ProgressSink shown({index, 0, params.maxNewTokens}, m_progress);
    SessionRecorder recorder(m_log, session, turn, shown);
    const GenerationResult result = conversation.answer(prepared, params, recorder, m_stop);
    m_log.endAnswer(session, turn, result);
    if (result.finish == Finish::Cancelled) {
        throw Cancelled();
    }
    return session;
}

}  // namespace gatescope
