// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/trace_feeder.h"

namespace gatescope {

class ChatController;
class ChatPane;
class EngineClient;
class ReplayController;

/// Feeds the docks of the chat's own session: frames and affinities come from the engine.
class DockFeeder final : public TraceFeeder {
    Q_OBJECT

  public:
    DockFeeder(const TraceViews& views, ChatPane* pane, ChatController* chat, Selection* selection,
               const TraceStore* store, EngineClient* engine, ReplayController* replay,
               QObject* parent = nullptr);

    void clear() override;

  protected:
    KeptScores scoresOf(std::int32_t number) const override;
    std::vector<float> biasOf(std::int32_t number, int layer) const override;
    void want(const FrameWants& wants) override;
    void describeSpeculation(SpeculationView* view) const override;

  private:
    ChatController* m_chat;
    EngineClient* m_engine;
    ReplayController* m_replay;
};

}  // namespace gatescope
