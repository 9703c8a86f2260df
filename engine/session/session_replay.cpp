// SPDX-License-Identifier: Apache-2.0
#include "engine/session/session_replay.h"

#include <algorithm>
#include <span>
#include <utility>

#include "engine/decode/conversation.h"
#include "engine/decode/generator.h"
#include "engine/error.h"
#include "engine/model/decoder.h"
#include "engine/model/loaded_model.h"
#include "engine/session/compared_session.h"
#include "engine/session/settings_json.h"

namespace gatescope {

namespace {

/// Collects an answer, and tells how far it is.
class ReplaySink final : public GenerationSink {
  public:
    ReplaySink(ComparedAnswer& answer, const Progress& progress, std::stop_source& stop,
               std::int64_t done, std::int64_t total)
        : m_answer(answer), m_progress(progress), m_stop(stop), m_done(done), m_total(total) {}

    void onToken(const TokenEvent& token, std::string_view) override {
        m_answer.tokens.push_back(token);
        ++m_done;
        tell();
    }
    void onStep(const StepTrace& step) override { m_answer.steps.push_back(step); }
    void onPrefill(std::int64_t, std::int64_t) override { tell(); }

  private:
    void tell() {
        if (m_progress && !m_progress("replay", static_cast<std::uint64_t>(m_done),
                                      static_cast<std::uint64_t>(std::max(m_done, m_total)))) {
            m_stop.request_stop();
        }
    }

    ComparedAnswer& m_answer;
    const Progress& m_progress;
    std::stop_source& m_stop;
    std::int64_t m_done;
    std::int64_t m_total;
};

/// "cpu, 2 threads, AVX2" without what changes no number.
std::string withoutThreads(const std::string& device) {
    const std::size_t word = device.find(" thread");
    const std::size_t comma = device.rfind(',', word);
    if (word == std::string::npos || comma == std::string::npos) return device;
    const std::size_t end = std::min(device.find(',', word), device.size());
    return device.substr(0, comma) + device.substr(end);
}

std::string cacheTypeOf(const ComparedRun& run) {
    for (const ComparedAnswer& answer : run.answers) {
        for (const StepTrace& step : answer.steps) return step.cache.dtype;
    }
    return {};
}

class Replay {
  public:
    Replay(LoadedModel& model, const StoredSession& session, const Progress& progress)
        : m_model(model), m_session(session), m_progress(progress) {}

    SessionReplay run(const std::stop_token& stop) {
        if (m_session.info.modelFingerprint != m_model.fingerprint()) {
            throw Error(fmt::format("session {}: it is of another model, {}, not of {}",
                                    m_session.summary.id, m_session.info.modelName,
                                    m_model.name()));
        }
        const std::stop_callback link(stop, [this] { m_stop.request_stop(); });
        m_out.stored = comparedRun(std::span(&m_session, 1), "stored");
        prepareReplayed();
        for (const ComparedAnswer& answer : m_out.stored.answers) {
            m_total += static_cast<std::int64_t>(answer.tokens.size());
        }
        m_model.decoder().truncate(0);
        for (const StoredTurn& turn : m_session.turns) {
            if (turn.role == Role::Assistant && !turn.replaced) runAnswer(turn);
        }
        m_out.comparison = alignedComparison(m_out.stored, m_out.replayed);
        nameOtherConditions();
        return std::move(m_out);
    }

  private:
    void prepareReplayed() {
        ComparedRun& replayed = m_out.replayed;
        replayed.label = "replayed";
        replayed.title = m_out.stored.title;
        replayed.modelName = m_model.name();
        replayed.modelPath = m_model.dir().string();
        replayed.modelFingerprint = m_model.fingerprint();
        replayed.device = m_model.deviceName();
        replayed.precision = m_model.precisionName();
        replayed.settings = m_out.stored.settings;
        replayed.interventions = m_out.stored.interventions;
        replayed.shape = m_out.stored.shape;
    }

    void runAnswer(const StoredTurn& turn) {
        const ComparedAnswer& stored = m_out.stored.answers[m_out.replayed.answers.size()];
        GenerationParams params = settingsFromJson(turn.paramsJson);
        params.record = true;
        const bool withoutEnds = params.stopTokens.empty() && params.vocabLimit == 0;
        if (withoutEnds && m_model.hasTokenizer()) {
            params = chatParams(m_model, std::move(params));  // early sessions did not store them
        }
        const bool cutShort = !turn.result || turn.result->finish == Finish::Cancelled;
        if (cutShort) {
            params.maxNewTokens =
                std::min(params.maxNewTokens, static_cast<int>(stored.tokens.size()));
        }
        ComparedAnswer& answer = m_out.replayed.answers.emplace_back();
        answer.session = stored.session;
        answer.turn = stored.turn;
        answer.prompt = stored.prompt;
        answer.promptIds = stored.promptIds;
        answer.interventions = stored.interventions;
        if (stored.promptIds.empty() || (cutShort && stored.tokens.empty())) return;
        // A branch begins with tokens that were not this run's choice.
        const auto given = turn.tokens.begin() +
                           std::clamp<std::ptrdiff_t>(turn.givenTokens, 0, std::ssize(turn.tokens));
        m_drafts |= params.speculate != Speculate::Off;
        ReplaySink sink(answer, m_progress, m_stop, m_done, m_total);
        answer.result =
            generate(m_model.decoder(), m_model.hasTokenizer() ? &m_model.tokenizer() : nullptr,
                     answer.promptIds, params, sink, m_stop.get_token(), nullptr,
                     std::span(turn.tokens.begin(), given));
        if (answer.result->finish == Finish::Cancelled) throw Cancelled();
        m_done += static_cast<std::int64_t>(answer.tokens.size());
    }

    void nameOtherConditions() {
        const auto differ = [this](const char* what, const std::string& stored,
                                   const std::string& now) {
            if (stored == now) return;
            m_out.otherConditions.push_back(
                fmt::format("{}: {} when it was stored, {} now", what, stored, now));
        };
        differ("device", withoutThreads(m_out.stored.device),
               withoutThreads(m_out.replayed.device));
        differ("precision", m_out.stored.precision, m_out.replayed.precision);
        const std::string dtype = cacheTypeOf(m_out.stored);
        if (!dtype.empty()) {
            differ("cache", dtype, m_model.decoder().cacheUse().dtype);
        }
        if (m_drafts && m_model.precisionName() != "exact") {
            m_out.otherConditions.emplace_back(
                "precision fast: how many drafts share a pass changes rounding");
        }
    }

    LoadedModel& m_model;
    const StoredSession& m_session;
    const Progress& m_progress;
    std::stop_source m_stop;
    SessionReplay m_out;
    bool m_drafts = false;
    std::int64_t m_done = 0;
    std::int64_t m_total = 0;
};

}  // namespace

SessionReplay replaySession(LoadedModel& model, const StoredSession& session,
                            const Progress& progress, std::stop_token stop) {
    return Replay(model, session, progress).run(stop);
}

}  // namespace gatescope
