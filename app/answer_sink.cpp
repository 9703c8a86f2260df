// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/answer_sink.h"

namespace gatescope {
namespace {

constexpr std::chrono::milliseconds kSpeedWindow{1500};

}  // namespace

AnswerSink::AnswerSink(LiveFeed& feed, RoutingLoadCounter& counter)
    : m_feed(feed), m_counter(counter) {}

void AnswerSink::onPrefill(std::int64_t done, std::int64_t total) {
    m_frame.prefillDone = done;
    m_frame.prefillTotal = total;
    publishIfDue();
}

void AnswerSink::onToken(const TokenEvent& token, std::string_view text) {
    m_text += text;
    ++m_frame.generated;
    const auto now = std::chrono::steady_clock::now();
    m_times.push_back(now);
    while (m_times.front() + kSpeedWindow < now) {
        m_times.pop_front();
    }
    m_feed.push(TokenPiece{token, std::string(text)});
}

void AnswerSink::onStep(const StepTrace& step) {
    m_counter.add(step);
    keepPrompt(step);
    m_total.forwardNs += step.timing.forwardNs;
    m_total.draftNs += step.timing.draftNs;
    m_total.sampleNs += step.timing.sampleNs;
    m_total.recorderNs += step.timing.recorderNs;
    m_frame.cache = step.cache;
    m_feed.push(std::make_shared<const StepTrace>(step));
    publishIfDue();
}

void AnswerSink::keepPrompt(const StepTrace& step) {
    const auto keep = [](const std::vector<RoutedToken>& from, std::vector<RoutedToken>& to) {
        for (const RoutedToken& token : from) {
            if (token.phase == Phase::Prefill) {
                to.push_back(token);
                to.back().routing.scores.reset();
            }
        }
    };
    keep(step.tokens, m_promptTokens);
    keep(step.mtp, m_promptMtpTokens);
}

double AnswerSink::tokensPerSecond() const {
    if (m_times.size() < 2) {
        return 0;
    }
    const std::chrono::duration<double> span = m_times.back() - m_times.front();
    return span.count() > 0 ? static_cast<double>(m_times.size() - 1) / span.count() : 0;
}

void AnswerSink::publishIfDue() {
    if (m_feed.frameDue()) {
        publish();
    }
}

void AnswerSink::publish() {
    auto frame = std::make_shared<LiveFrame>(m_frame);
    frame->load = m_counter.snapshot();
    frame->tokensPerSecond = tokensPerSecond();
    const std::int64_t total =
        m_total.forwardNs + m_total.draftNs + m_total.sampleNs + m_total.recorderNs;
    frame->recorderShare =
        total > 0 ? static_cast<double>(m_total.recorderNs) / static_cast<double>(total) : 0;
    m_feed.publish(std::move(frame));
}

}  // namespace gatescope
