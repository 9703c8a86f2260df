// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/answer_sink.h"

#include <algorithm>

namespace gatescope {
namespace {

constexpr std::chrono::milliseconds kSpeedWindow{1500};

bool before(const RoutedToken& token, std::size_t position) {
    return token.position >= 0 && static_cast<std::size_t>(token.position) < position;
}

/// Of the MTP layer in this many positions: a pair needs the next token too.
std::size_t pairs(std::size_t positions) {
    return positions > 0 ? positions - 1 : 0;
}

}  // namespace

void PromptRouting::keep(const StepTrace& step, std::size_t counted, std::size_t promptTokens) {
    const auto copy = [](const RoutedToken& token, std::vector<RoutedToken>& to) {
        to.push_back(token);
        to.back().routing.scores.reset();
    };
    for (const RoutedToken& token : step.tokens) {
        if (token.phase == Phase::Prefill && before(token, promptTokens) &&
            !before(token, counted)) {
            copy(token, main);
        }
    }
    for (const RoutedToken& token : step.mtp) {
        if (before(token, pairs(promptTokens)) && !before(token, pairs(counted))) {
            copy(token, mtp);
        }
    }
}

AnswerSink::AnswerSink(LiveFeed& feed, TrafficAnalysis& analysis, std::size_t counted,
                       std::size_t prompt)
    : m_feed(feed),
      m_analysis(analysis),
      m_counted(counted),
      m_prompt(prompt),
      m_countedBefore(analysis.seconds()) {}

void AnswerSink::onPrefill(std::int64_t done, std::int64_t total) {
    m_frame.prefillDone = done;
    m_frame.prefillTotal = total;
    publishIfDue();
}

void AnswerSink::onToken(const TokenEvent& token, std::string_view text) {
    m_text += text;
    if (token.step != kGivenStep) {
        noteSpeed();
    }
    m_feed.push(TokenPiece{token, std::string(text)});
}

void AnswerSink::noteSpeed() {
    ++m_frame.generated;
    const auto now = std::chrono::steady_clock::now();
    m_times.push_back(now);
    while (m_times.front() + kSpeedWindow < now) {
        m_times.pop_front();
    }
}

void AnswerSink::onStep(const StepTrace& step) {
    addFresh(m_analysis, step, m_counted);
    m_promptRouting.keep(step, m_counted, m_prompt);
    m_total.forwardNs += step.timing.forwardNs;
    m_total.draftNs += step.timing.draftNs;
    m_total.sampleNs += step.timing.sampleNs;
    m_total.recorderNs += step.timing.recorderNs;
    m_frame.cache = step.cache;
    m_feed.push(std::make_shared<const StepTrace>(step));
    publishIfDue();
}

void addFresh(TrafficAnalysis& analysis, const StepTrace& step, std::size_t counted) {
    const auto main = [counted](const RoutedToken& token) {
        return token.phase == Phase::Prefill && before(token, counted);
    };
    const auto pair = [counted](const RoutedToken& token) { return before(token, pairs(counted)); };
    if (std::none_of(step.tokens.begin(), step.tokens.end(), main) &&
        std::none_of(step.mtp.begin(), step.mtp.end(), pair)) {
        analysis.add(step);
        return;
    }
    StepTrace fresh = step;
    std::erase_if(fresh.tokens, main);
    std::erase_if(fresh.mtp, pair);
    analysis.add(fresh);
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
        publish(m_feed.tablesDue() ? m_feed.wants() : FrameWants());
    }
}

void AnswerSink::publish() {
    publish(m_feed.wants());
}

void AnswerSink::publish(const FrameWants& wants) {
    auto frame = std::make_shared<LiveFrame>(m_frame);
    fillFrame(*frame, m_analysis, wants);
    frame->tokensPerSecond = tokensPerSecond();
    const std::int64_t total =
        m_total.forwardNs + m_total.draftNs + m_total.sampleNs + m_total.recorderNs;
    if (total > 0) {
        const auto engine = static_cast<double>(total);
        frame->recorderShare = static_cast<double>(m_total.recorderNs) / engine;
        frame->analysisShare = (m_analysis.seconds() - m_countedBefore) * 1e9 / engine;
    }
    m_feed.publish(std::move(frame));
}

}  // namespace gatescope
