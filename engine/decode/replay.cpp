// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/replay.h"

#include <algorithm>

#include "engine/error.h"
#include "engine/model/decoder.h"
#include "engine/model/kept_cache.h"
#include "engine/model/mtp_module.h"
#include "engine/trace/step_recorder.h"

namespace gatescope {

namespace {

/// One replay over a decoder.
class Replay {
  public:
    Replay(Decoder& decoder, const ReplayRequest& request,
           const std::function<bool(std::int32_t)>& isSpecial, std::stop_token stop)
        : m_decoder(decoder),
          m_request(request),
          m_stop(std::move(stop)),
          m_recorder(
              decoder.runShape(),
              [&decoder](int layer) { return decoder.runRouting().rule(layer); }, isSpecial, true) {
    }

    ReplayedToken run() {
        check();
        const auto position = static_cast<std::int64_t>(m_request.position);
        m_mtp = m_request.mtp && position + 1 < size() ? m_decoder.mtp() : nullptr;
        const auto common = commonLength();
        const auto start = firstToCompute(common);
        m_recorder.beginStep(0);
        if (common > position) {
            computeInside(start, common);
        } else {
            m_decoder.truncate(start, std::min(start, validPairs(common)));
            passes();
        }
        return result(position + 1 - start);
    }

  private:
    std::int64_t size() const { return static_cast<std::int64_t>(m_request.ids.size()); }

    void check() const {
        if (m_decoder.routingShape().layers.empty())
            throw Error("the model has no routed experts: there is nothing to replay");
        if (m_request.position < 0 || m_request.position >= size())
            throw Error(fmt::format("replay: position {} of a context of {} tokens",
                                    m_request.position, size()));
        if (m_request.position >= m_decoder.maxContext())
            throw Error(fmt::format("replay: position {}, but the context holds {} tokens",
                                    m_request.position, m_decoder.maxContext()));
    }

    std::int64_t commonLength() const {
        const auto cached = m_decoder.tokens();
        return std::mismatch(cached.begin(), cached.end(), m_request.ids.begin(),
                             m_request.ids.end())
                   .first -
               cached.begin();
    }

    // Pair t used token t + 1.
    static std::int64_t pairsOf(std::int64_t tokens) {
        return std::max<std::int64_t>(0, tokens - 1);
    }

    std::int64_t validPairs(std::int64_t common) const {
        const auto* module = m_decoder.mtp();
        return module ? std::min(module->length(), pairsOf(common)) : 0;
    }

    std::int64_t firstToCompute(std::int64_t common) const {
        const auto start = std::min<std::int64_t>(common, m_request.position);
        return m_mtp ? std::min(start, validPairs(common)) : start;
    }

    // In a cache that holds the token: the positions from `start` on, and all as it was.
    void computeInside(std::int64_t start, std::int64_t common) {
        KeptCache kept(m_decoder, start, m_request.position + std::int64_t{1});
        try {
            m_decoder.truncate(start, m_mtp ? start : validPairs(common));
            passes();
        } catch (...) {
            kept.restore(pairsOf(common));
            throw;
        }
        kept.restore(pairsOf(common));
    }

    static bool decoded(Phase phase) { return phase == Phase::Decode || phase == Phase::Rejected; }

    AttentionPath pathOf(std::int64_t position) const {
        const auto phases = m_request.phases;
        if (position < static_cast<std::int64_t>(phases.size()))
            return decoded(phases[static_cast<std::size_t>(position)]) ? AttentionPath::Absorbed
                                                                       : AttentionPath::Expanded;
        // A token after a decoded one that has not passed yet was generated, too.
        const bool generated = !phases.empty() && decoded(phases.back()) &&
                               position == static_cast<std::int64_t>(phases.size());
        return generated ? AttentionPath::Absorbed : AttentionPath::Expanded;
    }

    // A prompt's pass takes its pairs along, all but the last one's: that waits for the first token
    // of the answer.
    AttentionPath pairPathOf(std::int64_t pair) const {
        const bool expanded =
            pathOf(pair) == AttentionPath::Expanded && pathOf(pair + 1) == AttentionPath::Expanded;
        return expanded ? AttentionPath::Expanded : AttentionPath::Absorbed;
    }

    // Everything up to the token, its own pass alone: only that one is looked at.
    void passes() {
        const auto position = static_cast<std::int64_t>(m_request.position);
        for (auto at = m_decoder.length(); at <= position;) {
            const auto last = at == position ? position + 1 : position;
            auto end = at + 1;
            while (end < std::min(last, at + m_decoder.maxPass()) && pathOf(end) == pathOf(at))
                ++end;
            pass(at, end, at == position);
            at = end;
        }
    }

    void pass(std::int64_t at, std::int64_t end, bool wanted) {
        const auto tokens =
            m_request.ids.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(end - at));
        const auto path = pathOf(at);
        if (wanted)
            m_recorder.beginMain(at, tokens,
                                 path == AttentionPath::Absorbed ? Phase::Decode : Phase::Prefill);
        // The last row's logits show values that are not finite.
        m_decoder.forward(tokens, options(path, wanted));
        for (auto pair = at; m_mtp && pair < end;) {
            auto stop = pair + 1;
            while (stop < end && pairPathOf(stop) == pairPathOf(pair)) ++stop;
            pairs(pair, stop, at, wanted);
            pair = stop;
        }
    }

    // Pairs [first, last) from the states of a pass that began at `passFirst`.
    void pairs(std::int64_t first, std::int64_t last, std::int64_t passFirst, bool wanted) {
        const auto next = m_request.ids.subspan(static_cast<std::size_t>(first) + 1,
                                                static_cast<std::size_t>(last - first));
        if (wanted) m_recorder.beginMtp(first, next, Phase::Draft);
        m_mtp->forward(m_decoder.states().slice(first - passFirst, last - first), next,
                       options(pairPathOf(first), wanted));
    }

    ForwardOptions options(AttentionPath path, bool wanted) {
        return {path, wanted ? LogitsOf::Last : LogitsOf::None, TopRequest{.k = 1},
                wanted ? &m_recorder : nullptr, m_stop};
    }

    ReplayedToken result(std::int64_t computed) {
        StepTrace trace = m_recorder.take();
        ReplayedToken out;
        out.main = std::move(trace.tokens.at(0));
        if (!trace.mtp.empty()) out.mtp = std::move(trace.mtp[0]);
        out.computed = computed;
        return out;
    }

    Decoder& m_decoder;
    const ReplayRequest& m_request;
    std::stop_token m_stop;
    StepRecorder m_recorder;
    MtpModule* m_mtp = nullptr;
};

}  // namespace

ReplayedToken replayToken(Decoder& decoder, const ReplayRequest& request,
                          const std::function<bool(std::int32_t id)>& isSpecial,
                          std::stop_token stop) {
    return Replay(decoder, request, isSpecial, std::move(stop)).run();
}

}  // namespace gatescope
