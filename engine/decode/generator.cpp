// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/generator.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <vector>

#include "engine/decode/sampler.h"
#include "engine/decode/token_stream.h"
#include "engine/error.h"
#include "engine/model/decoder.h"
#include "engine/model/mtp_module.h"
#include "engine/trace/step_recorder.h"

namespace gatescope {

namespace {

using Clock = std::chrono::steady_clock;

std::int64_t nsSince(Clock::time_point start) {
    return (Clock::now() - start) / std::chrono::nanoseconds(1);
}

double seconds(Clock::duration duration) {
    return std::chrono::duration<double>(duration).count();
}

/// One run of the generation loop.
class Run {
  public:
    Run(Decoder& decoder, const Tokenizer* tokenizer, std::span<const std::int32_t> prompt,
        const GenerationParams& params, GenerationSink& sink, std::stop_token stop)
        : m_decoder(decoder),
          m_mtp(params.speculate == Speculate::Mtp ? decoder.mtp() : nullptr),
          m_tokenizer(tokenizer),
          m_prompt(prompt),
          m_params(params),
          m_sink(sink),
          m_stop(std::move(stop)),
          m_sampler(params.sampling, params.vocabLimit, params.alternatives),
          m_top(m_sampler.enough()),
          m_stream(tokenizer, params) {
        if (params.record && decoder.config().nRoutedExperts > 0) makeRecorder();
    }

    GenerationResult run() {
        check();
        const auto start = Clock::now();
        try {
            prefill();
            m_decodeStart = Clock::now();
            decode();
        } catch (const Cancelled&) {
            m_result.finish = Finish::Cancelled;
        }
        const auto prefillEnd = m_decodeStart.value_or(Clock::now());
        m_result.timing.prefillSeconds = seconds(prefillEnd - start);
        m_result.timing.decodeSeconds = seconds(Clock::now() - prefillEnd);
        finish();
        return std::move(m_result);
    }

  private:
    static constexpr TopRequest kBest{.k = 1};

    void makeRecorder() {
        m_recorder.emplace(
            m_decoder.runShape(), [this](int layer) { return m_decoder.runRouting().rule(layer); },
            [this](std::int32_t id) {
                return m_stream.isEnd(id) || (m_tokenizer && m_tokenizer->isAdded(id));
            },
            m_params.keepScores);
    }

    void check() const {
        if (m_prompt.empty()) throw Error("the prompt is empty");
        if (static_cast<std::int64_t>(m_prompt.size()) > m_decoder.maxContext())
            throw Error(fmt::format("the prompt has {} tokens, but the context holds {}",
                                    m_prompt.size(), m_decoder.maxContext()));
        if (m_params.speculate == Speculate::Mtp && !m_decoder.mtp())
            throw Error("the model has no MTP module to draft with");
    }

    ForwardOptions options(AttentionPath path, LogitsOf logits, const TopRequest& top) {
        return {path, logits, top, m_recorder ? &*m_recorder : nullptr, m_stop};
    }

    // --- one step's trace -------------------------------------------------------------------

    void beginStep() {
        m_timing = {};
        if (m_recorder) m_recorder->beginStep(m_step);
    }

    void endStep(std::optional<DraftOutcome> draft = {}) {
        StepTrace trace;
        if (m_recorder) {
            if (draft) {
                draft->distinctExperts = m_recorder->distinctExperts();
                if (!draft->accepted) m_recorder->trace().tokens.back().phase = Phase::Rejected;
            }
            trace = m_recorder->take();
        }
        trace.step = m_step++;
        m_timing.recorderNs = trace.timing.recorderNs;
        trace.timing = m_timing;
        trace.draft = draft;
        trace.cache = m_decoder.cacheUse();
        m_result.timing.recorderSeconds += static_cast<double>(m_timing.recorderNs) * 1e-9;
        m_sink.onStep(trace);
    }

    void forwardMain(std::span<const std::int32_t> tokens, AttentionPath path, LogitsOf logits,
                     Phase phase) {
        if (m_recorder) m_recorder->beginMain(m_decoder.length(), tokens, phase);
        const auto start = Clock::now();
        m_decoder.forward(tokens, options(path, logits, m_top));
        m_timing.forwardNs += nsSince(start);
        ++m_result.speculation.mainForwards;
    }

    void forwardMtp(ConstMatrix states, std::span<const std::int32_t> nextTokens,
                    AttentionPath path, LogitsOf logits) {
        if (nextTokens.empty()) return;
        if (m_recorder) m_recorder->beginMtp(m_mtp->length(), nextTokens);
        const auto start = Clock::now();
        m_mtp->forward(states, nextTokens, options(path, logits, kBest));
        m_timing.draftNs += nsSince(start);
    }

    // --- prefill ----------------------------------------------------------------------------

    // Keeps what the cache shares with the prompt and returns where to begin. At least the last
    // token is computed, for its logits; drafting also needs the state before the first missing
    // pair.
    std::int64_t reuse() {
        const auto cached = m_decoder.tokens();
        const auto common =
            std::mismatch(cached.begin(), cached.end(), m_prompt.begin(), m_prompt.end()).first -
            cached.begin();
        const auto last = static_cast<std::int64_t>(m_prompt.size()) - 1;
        if (!m_mtp) {
            const auto start = std::min<std::int64_t>(common, last);
            m_decoder.truncate(start);
            return start;
        }
        const auto start = std::min({std::max<std::int64_t>(0, common - 1), last, m_mtp->length()});
        m_decoder.truncate(start, start);
        return start;
    }

    void prefill() {
        const auto total = static_cast<std::int64_t>(m_prompt.size());
        const auto start = reuse();
        m_result.timing.reusedTokens = start;
        for (const auto id : m_prompt) m_sampler.see(id);
        for (auto at = start; at < total; at += m_decoder.maxPass()) {
            const auto count = std::min(m_decoder.maxPass(), total - at);
            m_sink.onPrefill(at - start, total - start);
            prefillPass(at, count, at + count == total);
            m_result.timing.prefillTokens += count;
        }
        m_result.speculation.mainForwards = 1;  // a prompt in several passes still counts once
        m_sink.onPrefill(total - start, total - start);
    }

    void prefillPass(std::int64_t at, std::int64_t count, bool last) {
        beginStep();
        const auto tokens =
            m_prompt.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(count));
        forwardMain(tokens, AttentionPath::Expanded, last ? LogitsOf::Last : LogitsOf::None,
                    Phase::Prefill);
        if (m_mtp) {
            // The last pair waits for the first generated token.
            const auto pairs = last ? count - 1 : count;
            forwardMtp(
                m_decoder.states().slice(0, pairs),
                m_prompt.subspan(static_cast<std::size_t>(at) + 1, static_cast<std::size_t>(pairs)),
                AttentionPath::Expanded, LogitsOf::None);
        }
        if (!last) endStep();
    }

    // --- decode -----------------------------------------------------------------------------

    void decode() {
        if (m_params.maxNewTokens <= 0) {
            m_result.finish = Finish::Length;
            return endStep();
        }
        bool more = emit(0, {});
        endStep();
        m_pairRow = static_cast<std::int64_t>(m_decoder.states().rows) - 1;
        while (more) {
            if (m_decoder.length() >= m_decoder.maxContext()) {
                m_result.finish = Finish::Context;
                return;
            }
            const bool room = m_decoder.length() + 2 <= m_decoder.maxContext();
            more = m_mtp && room ? speculativeStep() : plainStep();
        }
    }

    bool plainStep() {
        beginStep();
        const std::array tokens{m_result.ids.back()};
        if (m_mtp) draft();
        forwardMain(tokens, AttentionPath::Absorbed, LogitsOf::Last, Phase::Decode);
        m_pairRow = 0;
        const bool more = emit(0, {});
        endStep();
        return more;
    }

    // Completes the MTP cache with the pairs that the last pass and the tokens chosen from it make,
    // and drafts the token after next: the most probable one, by the MTP module's probability.
    TopRow draft() {
        const auto known = m_decoder.length();
        const auto pairs = known - m_mtp->length();
        const auto all = static_cast<std::int64_t>(m_result.ids.size());
        // Token t + 1 of pair t: the last `pairs` chosen tokens.
        const auto next =
            std::span(m_result.ids)
                .subspan(static_cast<std::size_t>(all - pairs), static_cast<std::size_t>(pairs));
        forwardMtp(m_decoder.states().slice(m_pairRow, pairs), next, AttentionPath::Absorbed,
                   LogitsOf::Last);
        return m_mtp->top(0);
    }

    bool speculativeStep() {
        beginStep();
        DraftOutcome outcome;
        const TopRow drafted = draft();
        outcome.draftId = drafted.ids[0];
        outcome.draftProbability = drafted.probability(0);
        const std::array tokens{m_result.ids.back(), outcome.draftId};
        const auto before = m_decoder.length();
        forwardMain(tokens, AttentionPath::Absorbed, LogitsOf::All, Phase::Decode);
        m_pairRow = 0;
        ++m_result.speculation.steps;
        ++m_result.speculation.drafted;

        // The draft is an arg-max, so keeping it exactly when the sampled token equals it is
        // speculative sampling (Leviathan et al. 2023) with q = 1 at the draft, and needs no second
        // random number: the text is the one without drafts.
        bool more = emit(0, &outcome);
        if (outcome.accepted) {
            ++m_result.speculation.accepted;
            if (more) more = emit(1, {});
        } else {
            m_decoder.truncate(before + 1);
        }
        endStep(outcome);
        return more;
    }

    // Chooses a token from a row of the last pass's logits, tells the sink, and says whether
    // generation goes on.
    bool emit(std::int64_t row, DraftOutcome* draft) {
        const auto start = Clock::now();
        const auto drafted = draft ? draft->draftId : -1;
        auto choice = m_top.k > 0 ? m_sampler.choose(m_decoder.top(row), drafted)
                                  : m_sampler.choose(m_decoder.logits(row), drafted);
        TokenEvent event;
        event.position = static_cast<std::int32_t>(m_prompt.size() + m_result.ids.size());
        event.id = choice.id;
        event.bytes = m_stream.bytes(choice.id);
        event.probability = choice.probability;
        event.rawProbability = choice.rawProbability;
        event.alternatives = std::move(choice.alternatives);
        event.step = m_step;
        if (draft) {
            draft->targetProbability = choice.probabilityOfInterest;
            draft->accepted = choice.id == draft->draftId;
            event.draft =
                draft->accepted ? TokenEvent::Draft::Accepted : TokenEvent::Draft::Rejected;
            if (!draft->accepted) event.rejectedDraftId = draft->draftId;
        }
        m_result.ids.push_back(choice.id);
        auto shown = m_stream.push(choice.id);
        const bool more = goesOn(choice.id);
        if (!more) shown += m_stream.finish();
        m_timing.sampleNs += nsSince(start);
        m_sink.onToken(event, shown);
        return more;
    }

    bool goesOn(std::int32_t id) {
        if (m_stream.isEnd(id)) {
            m_result.finish = Finish::Stop;
        } else if (m_stream.stopStringMet()) {
            m_result.finish = Finish::StopString;
        } else if (static_cast<int>(m_result.ids.size()) >= m_params.maxNewTokens) {
            m_result.finish = Finish::Length;
        } else {
            return true;
        }
        return false;
    }

    void finish() {
        m_stream.finish();
        m_result.text = m_stream.text();
        m_result.timing.decodeTokens =
            std::max<std::int64_t>(0, static_cast<std::int64_t>(m_result.ids.size()) - 1);
        m_result.cache = m_decoder.cacheUse();
    }

    Decoder& m_decoder;
    MtpModule* m_mtp;
    const Tokenizer* m_tokenizer;
    std::span<const std::int32_t> m_prompt;
    const GenerationParams& m_params;
    GenerationSink& m_sink;
    std::stop_token m_stop;
    Sampler m_sampler;
    TopRequest m_top;  ///< the logits the sampler looks at
    TokenStream m_stream;
    std::optional<StepRecorder> m_recorder;
    GenerationResult m_result;
    StepTiming m_timing;
    std::optional<Clock::time_point> m_decodeStart;  ///< prefill is over
    std::int64_t m_step = 0;
    std::int64_t m_pairRow = 0;  ///< row of Decoder::states() the next MTP pair begins with
};

}  // namespace

GenerationResult generate(Decoder& decoder, const Tokenizer* tokenizer,
                          std::span<const std::int32_t> prompt, const GenerationParams& params,
                          GenerationSink& sink, std::stop_token stop) {
    decoder.setInterventions(params.interventions ? *params.interventions : Interventions{});
    return Run(decoder, tokenizer, prompt, params, sink, std::move(stop)).run();
}

}  // namespace gatescope
