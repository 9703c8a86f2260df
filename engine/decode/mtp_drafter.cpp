// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/mtp_drafter.h"

#include <array>
#include <limits>
#include <stdexcept>

#include "engine/decode/sampler.h"
#include "engine/model/mtp_module.h"
#include "engine/trace/step_recorder.h"

namespace gatescope {

MtpDrafter::MtpDrafter(Decoder& decoder, const Sampler& sampler, StepRecorder* recorder)
    : m_decoder(decoder),
      m_mtp(*decoder.mtp()),
      m_sampler(sampler),
      m_recorder(recorder),
      m_width(decoder.config().hiddenSize),
      m_capacity(decoder.maxPass()),
      m_states(decoder.device()) {
    m_states.require(static_cast<std::size_t>(m_capacity * m_width));
}

void MtpDrafter::forward(ConstMatrix states, std::span<const std::int32_t> nextTokens, Phase phase,
                         const ForwardOptions& options) {
    if (m_recorder) m_recorder->beginMtp(m_mtp.length(), nextTokens, phase);
    m_mtp.forward(states, nextTokens, options);
}

void MtpDrafter::prefill(ConstMatrix states, std::span<const std::int32_t> nextTokens,
                         const ForwardOptions& options) {
    if (!nextTokens.empty()) forward(states, nextTokens, Phase::Draft, options);
}

void MtpDrafter::keep(std::int64_t firstRow, std::int64_t count) {
    if (m_waiting + count > m_capacity) throw std::logic_error("MtpDrafter: complete() was due");
    const auto values = static_cast<std::size_t>(count * m_width);
    m_decoder.device().copy(row(m_waiting), m_decoder.states().row(firstRow),
                            values * sizeof(float));
    m_waiting += count;
}

// Pair t takes token t + 1: of the waiting ones the main model's cache holds all but the newest.
std::vector<std::int32_t> MtpDrafter::waitingTokens(std::int32_t last) const {
    const auto known = m_decoder.tokens().subspan(static_cast<std::size_t>(m_mtp.length()) + 1);
    std::vector<std::int32_t> next(known.begin(), known.end());
    next.push_back(last);
    return next;
}

// After plain steps only the last pair's prediction is wanted; after a verify step all pairs are
// run, so that the module's routing is on record for every token.
void MtpDrafter::runWaiting(std::int32_t last, const ForwardOptions& options) {
    const auto next = waitingTokens(last);
    const auto filled = many() ? m_waiting - 1 : 0;
    const ConstMatrix states(m_states.data(), m_waiting, m_width);
    const std::span tokens(next);
    if (filled > 0)
        m_mtp.fill(states.slice(0, filled), tokens.first(static_cast<std::size_t>(filled)),
                   options);
    forward(states.slice(filled, m_waiting - filled),
            tokens.subspan(static_cast<std::size_t>(filled)), Phase::Draft, options);
    m_waiting = 0;
}

void MtpDrafter::complete(std::int32_t last, const ForwardOptions& options) {
    if (m_waiting == 0) return;
    m_mtp.fill({m_states.data(), m_waiting, m_width}, waitingTokens(last), options);
    m_waiting = 0;
}

DraftedToken MtpDrafter::chooseDraft(const ForwardOptions& options,
                                     std::span<const std::int32_t> drafted) const {
    const auto choice = options.top.k > 0 ? m_sampler.draft(m_mtp.top(0), drafted)
                                          : m_sampler.draft(m_mtp.logits(0), drafted);
    // Greedy, the processed probability says nothing: the module's confidence stands there instead.
    const bool greedy = m_sampler.greedy();
    return {choice.id, greedy ? choice.rawProbability : choice.probability,
            std::numeric_limits<float>::quiet_NaN()};
}

ConstMatrix MtpDrafter::recycled(MtpRecycle recycle) const {
    const auto lastOf = [](ConstMatrix all) { return all.slice(all.rows - 1, 1); };
    switch (recycle) {
        case MtpRecycle::Normed:
            return lastOf(m_mtp.normedStates());
        case MtpRecycle::Raw:
            return lastOf(m_mtp.rawStates());
        case MtpRecycle::Main:
            break;
    }
    return m_mainState;
}

std::vector<DraftedToken> MtpDrafter::draft(const Request& request, const ForwardOptions& options) {
    m_mainState = ConstMatrix(row(m_waiting - 1), 1, m_width);
    runWaiting(request.last, options);
    const auto pairs = m_mtp.length();
    std::vector<DraftedToken> drafts{chooseDraft(options, {})};
    std::vector<std::int32_t> ids{drafts[0].id};
    try {
        while (static_cast<int>(drafts.size()) < request.depth &&
               (!request.goOn || request.goOn(drafts))) {
            const std::array next{ids.back()};
            forward(recycled(request.recycle), next, Phase::Rejected, options);
            drafts.push_back(chooseDraft(options, ids));
            ids.push_back(drafts.back().id);
        }
    } catch (...) {
        m_mtp.truncate(pairs);
        throw;
    }
    m_mtp.truncate(pairs);
    return drafts;
}

}  // namespace gatescope
