// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/dock_feeder.h"

#include "app/chat_controller.h"
#include "app/chat_pane.h"
#include "app/engine_client.h"
#include "app/replay_controller.h"
#include "app/trace_store.h"
#include "engine/model/applied_bias.h"
#include "views/speculation_view.h"
#include "views/tokens_view.h"
#include "views/why_view.h"

namespace gatescope {

DockFeeder::DockFeeder(const TraceViews& views, ChatPane* pane, ChatController* chat,
                       Selection* selection, const TraceStore* store, EngineClient* engine,
                       ReplayController* replay, QObject* parent)
    : TraceFeeder(views, pane->conversation(), selection, store, parent),
      m_chat(chat),
      m_engine(engine),
      m_replay(replay) {
    connect(replay, &ReplayController::changed, this, [this] { refreshWhy(); });
    connect(views.why, &WhyView::replayRequested, replay, &ReplayController::replay);
    connect(views.tokens, &TokensView::followRequested, chat, &ChatController::setFollowing);
    connect(chat, &ChatController::followingChanged, views.tokens,
            [view = views.tokens, chat] { view->setFollowing(chat->following()); });
    connect(chat, &ChatController::interventionsChanged, this, [this] { refreshWhy(); });
}

void DockFeeder::clear() {
    m_replay->clear();
    TraceFeeder::clear();
}

TraceFeeder::KeptScores DockFeeder::scoresOf(std::int32_t number) const {
    const ReplayController::State state = m_replay->stateOf(number);
    return {state.scores, state.reason, state.replayed};
}

std::vector<float> DockFeeder::biasOf(std::int32_t, int layer) const {
    const ModelFacts* model = m_chat->model();
    if (model == nullptr || m_chat->state() == ChatState::Closed) {
        return {};  // a stored session of another model: its bias is not at hand
    }
    const auto row = static_cast<std::size_t>(rowOf(layer));  // -1 is beyond the end
    if (row >= model->bias.size()) {
        return {};
    }
    const auto& changed = m_chat->interventions();
    return changed ? biasUnder(*changed, model->shape, model->bias)[row] : model->bias[row];
}

void DockFeeder::want(const FrameWants& wants) {
    m_engine->want(wants);
}

void DockFeeder::describeSpeculation(SpeculationView* view) const {
    using State = SpeculationView::State;
    const bool module = store()->shape().mtpLayer >= 0;
    const ChatSettings& settings = m_chat->settings();
    view->setRule(settings.ruleText());
    view->setState(store()->shape().experts == 0                     ? State::NoModel
                   : settings.speculate == Speculate::Off            ? State::Off
                   : settings.speculate == Speculate::Mtp && !module ? State::NoModule
                                                                     : State::On);
}

}  // namespace gatescope
