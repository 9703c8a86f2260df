// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/live_feed.h"

#include <utility>

namespace gatescope {
namespace {

constexpr std::chrono::milliseconds kFrameInterval{34};
constexpr std::chrono::milliseconds kTablesInterval{250};

bool isDue(std::chrono::steady_clock::time_point& last, std::chrono::milliseconds interval) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last < interval) {
        return false;
    }
    last = now;
    return true;
}

}  // namespace

void fillFrame(LiveFrame& frame, const TrafficAnalysis& analysis, const FrameWants& wants) {
    frame.load = analysis.load().snapshot();
    if (wants.bias && analysis.knowsBias()) {
        frame.bias = std::make_shared<const BiasDiagnostics>(analysis.bias().value());
        frame.shadow = std::make_shared<const ShadowValue>(analysis.shadow().value());
    }
    const TrafficAnalysis::Relations* relations = analysis.relations();
    const int row = wants.layerRow;
    if (relations != nullptr && row >= 0 && row < frame.load->rows()) {
        std::optional<TransitionValue> next;
        if (row < relations->transitions.rows()) {
            next = relations->transitions.value(row);
        }
        LayerProfile layer = layerProfile(relations->coactivation.value(row),
                                          next ? &*next : nullptr, relations->reads.value(row));
        if (next) {
            layer.next.shifted = relations->transitions.recentBaseline(row);
        }
        frame.layer = std::make_shared<const LayerProfile>(std::move(layer));
    }
}

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

void LiveFeed::hold() {
    const std::scoped_lock lock(m_mutex);
    m_held = true;
}

void LiveFeed::release() {
    const std::scoped_lock lock(m_mutex);
    m_held = false;
}

bool LiveFeed::frameDue() {
    return isDue(m_lastFrame, kFrameInterval);
}

bool LiveFeed::tablesDue() {
    return isDue(m_lastTables, kTablesInterval);
}

void LiveFeed::publish(std::shared_ptr<const LiveFrame> frame) {
    {
        const std::scoped_lock lock(m_mutex);
        m_frame = std::move(frame);
    }
    announce();
}

FrameWants LiveFeed::wants() const {
    const std::scoped_lock lock(m_mutex);
    return m_wants;
}

void LiveFeed::setWants(const FrameWants& wants) {
    const std::scoped_lock lock(m_mutex);
    m_wants = wants;
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
    return m_held ? FeedBatch() : std::exchange(m_batch, {});
}

std::shared_ptr<const LiveFrame> LiveFeed::takeFrame() {
    const std::scoped_lock lock(m_mutex);
    return std::exchange(m_frame, nullptr);
}

}  // namespace gatescope
