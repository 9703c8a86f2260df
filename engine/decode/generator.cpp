// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/generator.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <vector>

#include "engine/decode/mtp_drafter.h"
#include "engine/decode/ngram_lookup.h"
#include "engine/decode/sampler.h"
#include "engine/decode/speculation_policy.h"
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
        std::span<const TokenEvent> given, const GenerationParams& params, GenerationSink& sink,
        std::stop_token stop, SpeculationMemory& memory)
        : m_decoder(decoder),
          m_memory(memory),
          m_policy(params, memory),
          m_tokenizer(tokenizer),
          m_context(contextOf(prompt, given)),
          m_prompt(m_context),
          m_given(given),
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
        takeGiven();
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
        m_result.timing.decodeSeconds = seconds(m_decodeEnd.value_or(Clock::now()) - prefillEnd);
        finish();
        return std::move(m_result);
    }

  private:
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
        if (m_params.maxNewTokens < static_cast<std::int64_t>(m_given.size()))
            throw Error(fmt::format("the answer is given {} tokens, but may have {}",
                                    m_given.size(), m_params.maxNewTokens));
        if (static_cast<std::int64_t>(m_prompt.size()) > m_decoder.maxContext())
            throw Error(fmt::format("the prompt has {} tokens, but the context holds {}",
                                    m_prompt.size(), m_decoder.maxContext()));
        if (m_params.speculate == Speculate::Mtp && !m_decoder.mtp())
            throw Error("the model has no MTP module to draft with");
        if (m_params.drafts < 0 || m_params.drafts > kMaxDrafts)
            throw Error(fmt::format("{} drafts per step: 1 to {} can be verified", m_params.drafts,
                                    kMaxDrafts));
    }

    static std::vector<std::int32_t> contextOf(std::span<const std::int32_t> prompt,
                                               std::span<const TokenEvent> given) {
        std::vector<std::int32_t> ids(prompt.begin(), prompt.end());
        for (const TokenEvent& token : given) ids.push_back(token.id);
        return ids;
    }

    // The beginning of the answer that is not this run's choice.
    void takeGiven() {
        for (const TokenEvent& token : m_given) {
            TokenEvent event = token;
            event.position = nextPosition();
            event.bytes = m_stream.bytes(token.id);
            event.draft = TokenEvent::Draft::None;
            event.rejectedDraftId = -1;
            event.step = kGivenStep;
            m_result.ids.push_back(token.id);
            m_sink.onToken(event, m_stream.push(token.id));
        }
    }

    std::int32_t nextPosition() const {
        return static_cast<std::int32_t>(m_prompt.size() - m_given.size() + m_result.ids.size());
    }

    ForwardOptions options(AttentionPath path, LogitsOf logits) {
        return {path, logits, m_top, m_recorder ? &*m_recorder : nullptr, m_stop};
    }

    // --- one step's trace -------------------------------------------------------------------

    void beginStep() {
        m_timing = {};
        if (m_recorder) m_recorder->beginStep(m_step);
    }

    void endStep(std::optional<SpeculativeStep> speculation = {}) {
        StepTrace trace;
        if (m_recorder) {
            if (speculation) m_recorder->countExperts(*speculation);
            trace = m_recorder->take();
        }
        trace.step = m_step++;
        m_timing.recorderNs = trace.timing.recorderNs;
        trace.timing = m_timing;
        trace.speculation = std::move(speculation);
        trace.cache = m_decoder.cacheUse();
        m_result.timing.recorderSeconds += static_cast<double>(m_timing.recorderNs) * 1e-9;
        m_sink.onStep(trace);
    }

    void forwardMain(std::span<const std::int32_t> tokens, AttentionPath path, LogitsOf logits,
                     Phase phase) {
        if (m_recorder) m_recorder->beginMain(m_decoder.length(), tokens, phase);
        const auto start = Clock::now();
        m_decoder.forward(tokens, options(path, logits));
        m_timing.forwardNs += nsSince(start);
        ++m_result.speculation.mainForwards;
    }

    // --- prefill ----------------------------------------------------------------------------

    // The module serves this run if it is asked for; Auto leaves it alone where it was seen to
    // lose, but for every eighth answer, and where the prompt would have to be computed again for
    // its sake.
    bool wantsMtp(std::int64_t common) {
        const auto answer = m_memory.beginAnswer();
        const auto* mtp = m_decoder.mtp();
        if (!mtp || m_policy.maxDepth() == 0) return false;
        if (m_params.speculate == Speculate::Mtp) return true;
        if (m_params.speculate != Speculate::Auto) return false;
        constexpr std::int64_t kRetry = 8;
        constexpr std::int64_t kMostAgain = 2048;
        return common - mtp->length() <= kMostAgain &&
               (!m_memory.mtpLoses() || answer % kRetry == 0);
    }

    // Keeps what the cache shares with the prompt and returns where to begin. At least the last
    // token is computed, for its logits; drafting also needs the state before the first missing
    // pair.
    std::int64_t reuse() {
        const auto cached = m_decoder.tokens();
        const auto common =
            std::mismatch(cached.begin(), cached.end(), m_prompt.begin(), m_prompt.end()).first -
            cached.begin();
        const auto last = static_cast<std::int64_t>(m_prompt.size()) - 1;
        if (!wantsMtp(common)) {
            const auto start = std::min<std::int64_t>(common, last);
            m_decoder.truncate(start);
            return start;
        }
        m_mtp.emplace(m_decoder, m_sampler, m_recorder ? &*m_recorder : nullptr);
        const auto start =
            std::min({std::max<std::int64_t>(0, common - 1), last, m_decoder.mtp()->length()});
        m_decoder.truncate(start, start);
        return start;
    }

    void prefill() {
        const auto total = static_cast<std::int64_t>(m_prompt.size());
        const auto start = reuse();
        m_result.timing.reusedTokens = start;
        for (const auto id : m_prompt) see(id);
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
            const auto start = Clock::now();
            m_mtp->prefill(
                m_decoder.states().slice(0, pairs),
                m_prompt.subspan(static_cast<std::size_t>(at) + 1, static_cast<std::size_t>(pairs)),
                options(AttentionPath::Expanded, LogitsOf::None));
            if (last) m_mtp->keep(pairs, 1);
            m_timing.draftNs += nsSince(start);
        }
        if (!last) endStep();
    }

    // A token of the text: the penalty and the lookup know it.
    void see(std::int32_t id) {
        m_sampler.see(id);
        if (looksUp()) m_lookup.push(id);
    }

    bool looksUp() const {
        return m_params.speculate == Speculate::Lookup || m_params.speculate == Speculate::Auto;
    }

    // --- decode -----------------------------------------------------------------------------

    void decode() {
        if (static_cast<std::int64_t>(m_result.ids.size()) >= m_params.maxNewTokens) {
            m_result.finish = Finish::Length;
            return endStep();
        }
        bool more = emit(0, nullptr);
        endStep();
        while (more) {
            if (m_decoder.length() >= m_decoder.maxContext()) {
                m_result.finish = Finish::Context;
                break;
            }
            more = step();
        }
        completePairs();
    }

    // Plan, draft, verify, judge.
    bool step() {
        beginStep();
        const auto waiting = m_mtp ? m_mtp->waiting() : 0;
        auto drafted = makeDrafts();
        std::vector<std::int32_t> tokens{m_result.ids.back()};
        if (drafted)
            for (const auto& draft : drafted->drafts) tokens.push_back(draft.id);
        const auto before = m_decoder.length();
        forwardMain(tokens, AttentionPath::Absorbed, LogitsOf::All, Phase::Decode);
        const bool more = judge(drafted ? &*drafted : nullptr);
        const auto kept = 1 + std::int64_t{drafted ? drafted->accepted : 0};
        dropRejected(before, kept, static_cast<std::int64_t>(tokens.size()));
        m_policy.learn(drafted, static_cast<int>(tokens.size()), waiting, m_timing);
        endStep(std::move(drafted));
        return more;
    }

    // Drafts behind the end of the answer would be for nothing, but for the one a step may make.
    int draftRoom() const {
        const auto context = m_decoder.maxContext() - m_decoder.length() - 1;
        const auto answer = m_params.maxNewTokens - static_cast<int>(m_result.ids.size()) - 1;
        const int least = m_params.speculate == Speculate::Auto ? 0 : 1;
        return static_cast<int>(std::min<std::int64_t>(context, std::max(least, answer)));
    }

    std::optional<SpeculativeStep> makeDrafts() {
        const auto start = Clock::now();
        const auto match = looksUp() ? m_lookup.longest() : NgramLookup::Match{};
        SpeculationPolicy::Possible possible;
        possible.depth = draftRoom();
        possible.mtp = m_mtp.has_value();
        possible.matchLength = match.length;
        possible.waitingPairs = m_mtp ? m_mtp->waiting() : 0;
        const auto plan = m_policy.plan(possible);
        std::optional<SpeculativeStep> made;
        if (!plan.plain()) {
            made.emplace();
            made->source = plan.source;
        }
        if (made && plan.source == DraftSource::Mtp) {
            made->drafts = draftByMtp(plan.depth);
        } else if (m_mtp && m_mtp->full()) {
            completeWaiting();
        }
        if (made && plan.source == DraftSource::Lookup) {
            made->matchLength = match.length;
            for (const auto id : m_lookup.continuation(match, plan.depth))
                made->drafts.push_back({id, 1, std::numeric_limits<float>::quiet_NaN()});
        }
        m_timing.draftNs += nsSince(start);
        return made;
    }

    std::vector<DraftedToken> draftByMtp(int depth) {
        MtpDrafter::Request request;
        request.depth = depth;
        request.last = m_result.ids.back();
        request.recycle = m_params.mtpRecycle;
        request.goOn = [this](std::span<const DraftedToken> drafts) {
            return m_policy.goOn(drafts);
        };
        return m_mtp->draft(request, options(AttentionPath::Absorbed, LogitsOf::Last));
    }

    void completeWaiting() {
        m_mtp->complete(m_result.ids.back(), options(AttentionPath::Absorbed, LogitsOf::None));
    }

    // Pairs that nobody needed yet: without them the next answer would compute the main model's
    // part of this one again.
    void completePairs() {
        if (!m_mtp || !m_mtp->many()) return;
        m_decodeEnd = Clock::now();
        completeWaiting();
    }

    // Emits the tokens a pass decides, from its first row on: accepted drafts, then the token that
    // replaces a rejected one or the bonus token. Cut off where the answer ends.
    bool judge(SpeculativeStep* drafted) {
        const auto count = static_cast<std::size_t>(drafted ? drafted->drafted() : 0);
        bool more = true;
        bool accepted = true;
        for (std::size_t i = 0; i <= count && more && accepted; ++i) {
            if (i == count) {
                more = emit(static_cast<std::int64_t>(i), nullptr, count > 0);
                break;
            }
            more = emit(static_cast<std::int64_t>(i), &drafted->drafts[i]);
            accepted = m_result.ids.back() == drafted->drafts[i].id;
            if (accepted) ++drafted->accepted;
            if (!more && accepted) drafted->drafts.resize(i + 1);
        }
        countStep(drafted);
        return more;
    }

    void countStep(const SpeculativeStep* drafted) {
        auto& stats = m_result.speculation;
        if (!drafted) {
            ++stats.plainSteps;
            return;
        }
        ++stats.steps;
        stats.drafted += drafted->drafted();
        stats.accepted += drafted->accepted;
        ++stats.outcomes[static_cast<std::size_t>(drafted->drafted())]
                        [static_cast<std::size_t>(drafted->accepted)];
    }

    // Of `count` positions the first `kept` stay.
    void dropRejected(std::int64_t before, std::int64_t kept, std::int64_t count) {
        if (m_mtp) {
            const auto start = Clock::now();
            m_mtp->keep(0, kept);
            m_timing.draftNs += nsSince(start);
        }
        if (kept == count) return;
        m_decoder.truncateMain(before + kept);
        if (m_recorder) m_recorder->reject(static_cast<std::size_t>(kept));
    }

    // Chooses a token from a row of the last pass's logits, tells the sink, and says whether
    // generation goes on. A draft is kept exactly when the main model's own draw is that token:
    // see Sampler.
    bool emit(std::int64_t row, DraftedToken* draft, bool bonus = false) {
        const auto start = Clock::now();
        const auto drafted = draft ? draft->id : -1;
        auto choice = m_top.k > 0 ? m_sampler.choose(m_decoder.top(row), drafted)
                                  : m_sampler.choose(m_decoder.logits(row), drafted);
        TokenEvent event;
        event.position = nextPosition();
        event.id = choice.id;
        event.bytes = m_stream.bytes(choice.id);
        event.probability = choice.probability;
        event.rawProbability = choice.rawProbability;
        event.alternatives = std::move(choice.alternatives);
        event.step = m_step;
        if (bonus) event.draft = TokenEvent::Draft::Bonus;
        if (draft) {
            draft->targetProbability = choice.probabilityOfInterest;
            const bool accepted = choice.id == draft->id;
            event.draft = accepted ? TokenEvent::Draft::Accepted : TokenEvent::Draft::Rejected;
            if (!accepted) event.rejectedDraftId = draft->id;
        }
        if (looksUp()) m_lookup.push(choice.id);
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
            std::max(std::int64_t{0}, std::ssize(m_result.ids) - std::ssize(m_given) - 1);
        m_result.cache = m_decoder.cacheUse();
    }

    Decoder& m_decoder;
    SpeculationMemory& m_memory;
    SpeculationPolicy m_policy;
    const Tokenizer* m_tokenizer;
    std::vector<std::int32_t> m_context;
    std::span<const std::int32_t> m_prompt;  ///< with the tokens given
    std::span<const TokenEvent> m_given;
    const GenerationParams& m_params;
    GenerationSink& m_sink;
    std::stop_token m_stop;
    Sampler m_sampler;
    TopRequest m_top;  ///< the logits the sampler looks at
    TokenStream m_stream;
    std::optional<StepRecorder> m_recorder;
    std::optional<MtpDrafter> m_mtp;  ///< where the module serves this run
    NgramLookup m_lookup;
    GenerationResult m_result;
    StepTiming m_timing;
    std::optional<Clock::time_point> m_decodeStart;  ///< prefill is over
    std::optional<Clock::time_point> m_decodeEnd;
    std::int64_t m_step = 0;
};

}  // namespace

GenerationResult generate(Decoder& decoder, const Tokenizer* tokenizer,
                          std::span<const std::int32_t> prompt, const GenerationParams& params,
                          GenerationSink& sink, std::stop_token stop, SpeculationMemory* memory,
                          std::span<const TokenEvent> given) {
    decoder.setInterventions(params.interventions ? *params.interventions : Interventions{});
    SpeculationMemory fresh;
    return Run(decoder, tokenizer, prompt, given, params, sink, std::move(stop),
               memory ? *memory : fresh)
        .run();
}

}  // namespace gatescope
