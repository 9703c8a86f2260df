// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/replay_controller.h"

#include "app/chat_controller.h"
#include "app/engine_task.h"
#include "app/trace_store.h"
#include "engine/model/decoder.h"
#include "engine/model/loaded_model.h"

namespace gatescope {
namespace {

constexpr std::size_t kKept = 256;  // replayed tokens; a full-size one takes 60 KB

}  // namespace

ReplayController::ReplayController(EngineClient* engine, ChatController* chat,
                                   const TraceStore* store, QObject* parent)
    : QObject(parent), m_engine(engine), m_chat(chat), m_store(store) {}

QString ReplayController::whyNot(std::int32_t number) const {
    if (m_chat->model() == nullptr || m_chat->state() == ChatState::Closed) {
        return tr("The model that made this session is not open.");
    }
    if (m_store->partial()) {
        return tr("Only a part of its answer is loaded, and this needs all that came before it.");
    }
    if (m_store->contextPosition(number) < 0) {
        return tr("Its context is gone: older messages were dropped since.");
    }
    const auto failed = m_failed.find(number);
    return failed != m_failed.end() ? failed->second : QString();
}

ReplayController::State ReplayController::stateOf(std::int32_t number) const {
    State state;
    if (const auto found = m_replayed.find(number); found != m_replayed.end()) {
        state.scores = WhyValue::Scores::Known;
        state.replayed = found->second;
        return state;
    }
    state.reason = whyNot(number);
    state.scores = !state.reason.isEmpty() ? WhyValue::Scores::CannotReplay
                   : m_running == number   ? WhyValue::Scores::Recomputing
                                           : WhyValue::Scores::NotKept;
    return state;
}

void ReplayController::replay(std::int32_t number) {
    if (m_running == number || !whyNot(number).isEmpty()) {
        return;
    }
    m_stop.request_stop();  // only the newest one is looked at
    m_stop = std::stop_source();
    m_running = number;
    const std::int32_t position = m_store->contextPosition(number);
    std::vector<Phase> phases;
    for (std::int32_t other = 0; other < m_store->size(); ++other) {
        const TraceStore::Entry* entry = m_store->entry(other);
        if (m_store->contextPosition(other) >= 0) {
            phases.push_back(entry->main != nullptr ? entry->main->phase : Phase::Prefill);
        }
    }
    runOnEngine(
        m_engine, this,
        [ids = m_store->contextIds(), phases, position, stop = m_stop.get_token(),
         interventions = m_chat->interventions()](LoadedModel& model) {
            model.decoder().setInterventions(interventions ? *interventions : Interventions());
            ReplayRequest request;
            request.ids = ids;
            request.position = position;
            request.phases = phases;
            return replayToken(
                model.decoder(), request,
                [&model](std::int32_t id) { return model.tokenizer().isAdded(id); }, stop);
        },
        [this, number, session = m_session](const std::shared_ptr<const ReplayedToken>& token) {
            if (session != m_session) {
                return;
            }
            if (m_running == number) {
                m_running.reset();
            }
            if (m_replayed.size() >= kKept) {
                m_replayed.erase(m_replayed.begin());
            }
            m_replayed[number] = token;
            Q_EMIT changed();
        },
        [this, number, session = m_session](const QString& error) {
            if (session != m_session) {
                return;
            }
            if (m_running == number) {
                m_running.reset();
            }
            if (!error.isEmpty()) {
                m_failed[number] = error;
            }
            Q_EMIT changed();
        });
    Q_EMIT changed();
}

void ReplayController::clear() {
    ++m_session;
    m_stop.request_stop();
    m_running.reset();
    m_replayed.clear();
    m_failed.clear();
}

}  // namespace gatescope
