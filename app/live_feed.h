// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/engine_messages.h"

namespace gatescope {

/// A generated token with the text that may be shown because of it.
struct TokenPiece {
    TokenEvent event;
    std::string text;
};

struct FeedBatch {
    std::vector<TokenPiece> tokens;
    std::vector<std::shared_ptr<const StepTrace>> steps;
};

/// What of a frame somebody looks at: what nobody sees is not put together.
struct FrameWants {
    bool bias = false;
    int layerRow = -1;  ///< row of RoutingLoad whose LayerProfile is shown; -1: none
    bool operator==(const FrameWants&) const = default;
};

/// Takes from the counters what a frame shows.
void fillFrame(LiveFrame& frame, const TrafficAnalysis& analysis, const FrameWants& wants);

/// The way from the engine's thread to the window's. Tokens and steps are lossless and come in
/// batches; of the frames only the newest is kept. However fast the engine is, at most one
/// notification is waiting, so a slow window costs neither memory nor lag.
class LiveFeed {
  public:
    /// `notify` is called on the engine's thread when there is something new and the last
    /// notification was taken.
    explicit LiveFeed(std::function<void()> notify);

    void push(TokenPiece token);
    void push(std::shared_ptr<const StepTrace> step);

    /// Tokens and steps from here on wait until release(): they belong to an answer the window does
    /// not know of yet, and a batch that is on its way must not take them along.
    void hold();

    /// True at most 30 times a second: making a frame costs copying the counters.
    bool frameDue();
    /// True at most four times a second: for values that people read as tables.
    bool tablesDue();
    void publish(std::shared_ptr<const LiveFrame> frame);
    FrameWants wants() const;

    /// For the window.
    void release();
    void setWants(const FrameWants& wants);
    /// For the window: what arrived since the last call. The frame is null if there is no newer
    /// one.
    FeedBatch takeBatch();
    std::shared_ptr<const LiveFrame> takeFrame();

  private:
    void announce();

    std::function<void()> m_notify;
    mutable std::mutex m_mutex;
    FrameWants m_wants;
    FeedBatch m_batch;
    std::shared_ptr<const LiveFrame> m_frame;
    bool m_announced = false;
    bool m_held = false;
    std::chrono::steady_clock::time_point m_lastFrame{};  ///< these: engine's thread only
    std::chrono::steady_clock::time_point m_lastTables{};
};

}  // namespace gatescope
