// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/live_feed.h"

#include <utility>

namespace gatescope {
namespace {

constexpr std::chrono::milliseconds kFrameInterval{34};

}  // namespace

LiveFeed::LiveFeed(std::function<void()> notify) : m_notify(std::move(notify)) {}

void LiveFeed::push(TokenPiece token) {
    {
        const std::scoped_lock lock(m_mutex);
        m_batch.tokens.push_back(std::move(token));
    }
    announce();
}

void LiveFeed::push(std::shared_ptr<const StepTrace> step) {
    {
        const std::scoped_lock lock(m_mutex);
        m_batch.steps.push_back(std::move(step));
    }
    announce();
}

bool LiveFeed::frameDue() {
    const auto now = std::chrono::steady_clock::now();
    if (now - m_lastFrame < kFrameInterval) {
        return false;
    }
    m_lastFrame = now;
    return true;
}

void LiveFeed::publish(std::shared_ptr<const LiveFrame> frame) {
    {
        const std::scoped_lock lock(m_mutex);
        m_frame = std::move(frame);
    }
    announce();
}

void LiveFeed::announce() {
    {
        const std::scoped_lock lock(m_mutex);
        if (std::exchange(m_announced, true)) {
            return;
        }
    }
    m_notify();
}

FeedBatch LiveFeed::takeBatch() {
    const std::scoped_lock lock(m_mutex);
    m_announced = false;
    return std::exchange(m_batch, {});
}

std::shared_ptr<const LiveFrame> LiveFeed::takeFrame() {
    const std::scoped_lock lock(m_mutex);
    return std::exchange(m_frame, nullptr);
}

}  // namespace gatescope
