// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/decode/generation.h"
#include "engine/model/decoder.h"
#include "engine/trace/step_trace.h"
#include "kernels/device_buffer.h"

namespace gatescope {

class MtpModule;
class Sampler;
class StepRecorder;

/// Drafts with the model's MTP module and keeps the module's cache in step with the main model's: a
/// pair for every token. Pairs whose next token is not known yet, or that nobody needs yet, wait as
/// states of the main model; a text that goes on without drafts costs a copy per token.
class MtpDrafter {
  public:
    /// What one draft() needs to know.
    struct Request {
        int depth = 1;
        std::int32_t last = 0;  ///< the newest token, not yet in the main model's cache
        MtpRecycle recycle = MtpRecycle::Normed;
        /// Asked before every draft but the first, with those made so far: whether to go on.
        std::function<bool(std::span<const DraftedToken>)> goOn;
    };

    MtpDrafter(Decoder& decoder, const Sampler& sampler, StepRecorder* recorder);

    /// Runs pairs of a prompt's pass: states [T, h] of the last pass, and the tokens that follow.
    void prefill(ConstMatrix states, std::span<const std::int32_t> nextTokens,
                 const ForwardOptions& options);
    /// Keeps states of the main model's last pass, rows [firstRow, firstRow + count) of it.
    void keep(std::int64_t firstRow, std::int64_t count);
    /// Pairs whose states wait.
    std::int64_t waiting() const { return m_waiting; }
    /// More of them than steps with drafts ever leave.
    bool many() const { return m_waiting > kMaxDrafts + 1; }
    /// No more may wait: complete() is due.
    bool full() const { return m_waiting + kMaxDrafts + 1 > m_capacity; }

    /// Completes the pairs up to the newest token and drafts after it: `depth` tokens or fewer,
    /// each by the sampler from the module's own distribution. The module's cache then holds the
    /// true pairs only.
    std::vector<DraftedToken> draft(const Request& request, const ForwardOptions& options);
    /// Completes the pairs without drafting: only what later ones need of them, no routing.
    void complete(std::int32_t last, const ForwardOptions& options);

  private:
    /// The tokens that follow the waiting states; the newest one is `last`.
    std::vector<std::int32_t> waitingTokens(std::int32_t last) const;
    void runWaiting(std::int32_t last, const ForwardOptions& options);
    void forward(ConstMatrix states, std::span<const std::int32_t> nextTokens, Phase phase,
                 const ForwardOptions& options);
    DraftedToken chooseDraft(const ForwardOptions& options,
                             std::span<const std::int32_t> drafted) const;
    ConstMatrix recycled(MtpRecycle recycle) const;
    float* row(std::int64_t index) { return m_states.data() + index * m_width; }

    Decoder& m_decoder;
    MtpModule& m_mtp;
    const Sampler& m_sampler;
    StepRecorder* m_recorder;
    std::int64_t m_width;
    std::int64_t m_capacity;
    DeviceBuffer<float> m_states;  ///< [capacity, h] of positions m_mtp.length() on
    std::int64_t m_waiting = 0;
    ConstMatrix m_mainState;  ///< of the newest position, [1, h]
};

}  // namespace gatescope
