// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/forced_run.h"

#include <algorithm>
#include <utility>

#include "engine/decode/next_token.h"
#include "engine/decode/untouched_afterwards.h"
#include "engine/error.h"
#include "engine/model/decoder.h"
#include "engine/model/loaded_model.h"
#include "engine/trace/step_recorder.h"

namespace gatescope {

namespace {

/// Whole rows of logits are large: so many at a time.
constexpr std::int64_t kPassWithLogits = 64;

class ForcedPasses {
  public:
    ForcedPasses(Decoder& decoder, const ForcedRequest& request,
                 const std::function<bool(std::int32_t)>& isSpecial)
        : m_decoder(decoder),
          m_request(request),
          m_recorder(
              decoder.runShape(),
              [&decoder](int layer) { return decoder.runRouting().rule(layer); }, isSpecial,
              false) {}

    template <class OnLogits, class OnTokens>
    std::vector<RoutedToken> run(const OnLogits& onLogits, const OnTokens& onTokens,
                                 const std::stop_token& stop) {
        std::vector<RoutedToken> out;
        const auto vocab = static_cast<std::size_t>(m_decoder.config().vocabSize);
        for (std::int64_t at = 0; at < size();) {
            const bool logits = onLogits && at >= m_request.firstWithLogits;
            const std::int64_t end = endOfPass(at, logits);
            const auto ids = m_request.ids.subspan(static_cast<std::size_t>(at),
                                                   static_cast<std::size_t>(end - at));
            m_recorder.beginStep(at);
            m_recorder.beginMain(at, ids, decoded(at) ? Phase::Decode : Phase::Prefill);
            m_decoder.forward(ids, {decoded(at) ? AttentionPath::Absorbed : AttentionPath::Expanded,
                                    logits ? LogitsOf::All : LogitsOf::None,
                                    {},
                                    &m_recorder,
                                    stop});
            for (std::int64_t row = 0; logits && row < end - at; ++row) {
                onLogits(static_cast<std::int32_t>(at + row), m_decoder.logits(row).first(vocab));
            }
            StepTrace step = m_recorder.take();
            std::move(step.tokens.begin(), step.tokens.end(), std::back_inserter(out));
            if (onTokens) onTokens(end - at);
            at = end;
        }
        return out;
    }

  private:
    std::int64_t size() const { return static_cast<std::int64_t>(m_request.ids.size()); }

    bool decoded(std::int64_t position) const {
        const auto at = static_cast<std::size_t>(position);
        if (at >= m_request.phases.size()) return false;
        return m_request.phases[at] == Phase::Decode || m_request.phases[at] == Phase::Rejected;
    }

    /// Passes hold positions of one kind only.
    std::int64_t endOfPass(std::int64_t at, bool logits) const {
        std::int64_t most = m_decoder.maxPass();
        if (logits) most = std::min(most, kPassWithLogits);
        std::int64_t last = std::min(size(), at + most);
        if (!logits && m_request.firstWithLogits > at) {
            last = std::min(last, m_request.firstWithLogits);
        }
        std::int64_t end = at + 1;
        while (end < last && decoded(end) == decoded(at)) ++end;
        return end;
    }

    Decoder& m_decoder;
    const ForcedRequest& m_request;
    StepRecorder m_recorder;
};

/// The tokens of an answer as far as they were routed, and how.
struct ForcedText {
    std::vector<std::int32_t> ids;
    std::vector<Phase> phases;
};

ForcedText textOf(const ComparedAnswer& answer) {
    ForcedText text;
    text.ids = answer.promptIds;
    for (const TokenEvent& token : answer.tokens) text.ids.push_back(token.id);
    text.phases.assign(answer.promptIds.size(), Phase::Prefill);
    text.phases.resize(text.ids.size(), Phase::Decode);
    for (const StepTrace& step : answer.steps) {
        for (const RoutedToken& token : step.tokens) {
            const auto at = static_cast<std::size_t>(token.position);
            if (token.position >= 0 && at < text.phases.size() && token.phase != Phase::Rejected) {
                text.phases[at] = token.phase;
            }
        }
    }
    return text;
}

class ForcedComparison {
  public:
    ForcedComparison(const ComparedRun& text, const ForcedOptions& options,
                     const Progress& progress, std::stop_token stop)
        : m_text(text), m_options(options), m_progress(progress), m_stop(std::move(stop)) {
        for (const ComparedAnswer& answer : text.answers) {
            m_texts.push_back(textOf(answer));
            m_total += 2 * static_cast<std::int64_t>(m_texts.back().ids.size());
        }
    }

    AlignedComparison run(const ForcedSide& a, const ForcedSide& b) {
        const ComparedRun first =
            side(a, [this](std::size_t, std::int32_t, std::span<const float> logits) {
                if (!m_logits) {
                    m_logits =
                        std::make_unique<KeptLogits>(static_cast<std::int64_t>(logits.size()));
                }
                m_logits->append(logits);
            });
        std::vector<NextTokenDifference> next;
        std::int64_t row = 0;
        const ComparedRun second =
            side(b, [&](std::size_t answer, std::int32_t position, std::span<const float> logits) {
                next.push_back(difference(answer, position, row++, logits));
            });
        return alignedComparison(first, second, next);
    }

  private:
    template <class OnLogits>
    ComparedRun side(const ForcedSide& side, const OnLogits& onLogits) {
        LoadedModel& model = side.model();
        checkVocabulary(side, model);
        m_doing = side.label;
        ComparedRun run;
        run.label = side.label;
        run.shape = model.routingShape();
        if (side.interventions) run.shape = runShape(run.shape, *side.interventions);
        const auto isSpecial = [&model](std::int32_t id) {
            return model.hasTokenizer() && model.tokenizer().isAdded(id);
        };
        for (std::size_t i = 0; i < m_texts.size(); ++i) {
            const ForcedText& text = m_texts[i];
            ForcedRequest request;
            request.ids = text.ids;
            request.phases = text.phases;
            request.interventions = side.interventions.get();
            request.firstWithLogits =
                std::max<std::int64_t>(0, static_cast<std::int64_t>(text.ids.size()) -
                                              std::max<std::int64_t>(1, m_options.maxPositions));
            ComparedAnswer& answer = run.answers.emplace_back();
            answer.session = m_text.answers[i].session;
            answer.turn = m_text.answers[i].turn;
            answer.promptIds = text.ids;
            answer.steps.emplace_back().tokens = forcedRun(
                model.decoder(), request, isSpecial,
                [&](std::int32_t position, std::span<const float> logits) {
                    onLogits(i, position, logits);
                },
                [this](std::int64_t tokens) { advance(tokens); }, m_stop);
        }
        return run;
    }

    void checkVocabulary(const ForcedSide& side, const LoadedModel& model) {
        const std::int64_t vocab = model.config().vocabSize;
        if (m_vocab > 0 && vocab != m_vocab) {
            throw Error(fmt::format("{}: its vocabulary has {} tokens, that of the other run {}",
                                    side.label, vocab, m_vocab));
        }
        m_vocab = vocab;
    }

    NextTokenDifference difference(std::size_t answer, std::int32_t position, std::int64_t row,
                                   std::span<const float> logits) {
        const std::vector<float> kept = m_logits->row(row);
        const NextTokenDistribution a(kept);
        const NextTokenDistribution b(logits);
        return {static_cast<int>(answer), position, a.divergenceFrom(b), a.top(), b.top()};
    }

    void advance(std::int64_t tokens) {
        m_done += tokens;
        if (m_progress && !m_progress(m_doing, static_cast<std::uint64_t>(m_done),
                                      static_cast<std::uint64_t>(m_total))) {
            throw Cancelled();
        }
    }

    const ComparedRun& m_text;
    const ForcedOptions& m_options;
    const Progress& m_progress;
    std::stop_token m_stop;
    std::vector<ForcedText> m_texts;
    std::unique_ptr<KeptLogits> m_logits;
    std::int64_t m_vocab = 0;
    std::string m_doing;
    std::int64_t m_done = 0;
    std::int64_t m_total = 0;
};

}  // namespace

std::vector<RoutedToken> forcedRun(
    Decoder& decoder, const ForcedRequest& request,
    const std::function<bool(std::int32_t id)>& isSpecial,
    const std::function<void(std::int32_t position, std::span<const float> logits)>& onLogits,
    const std::function<void(std::int64_t tokens)>& onTokens, std::stop_token stop) {
    const auto size = static_cast<std::int64_t>(request.ids.size());
    if (size > decoder.maxContext()) {
        throw Error(fmt::format("the text has {} tokens, but the context holds {}", size,
                                decoder.maxContext()));
    }
    const UntouchedAfterwards guard(decoder);
    if (request.interventions != nullptr) decoder.setInterventions(*request.interventions);
    return ForcedPasses(decoder, request, isSpecial).run(onLogits, onTokens, stop);
}

KeptLogits::KeptLogits(std::int64_t vocabSize) : m_file(std::tmpfile()), m_vocabSize(vocabSize) {
    if (!m_file) throw Error("the temporary folder: no file for logits can be made in it");
}

void KeptLogits::append(std::span<const float> logits) {
    const auto count = static_cast<std::size_t>(m_vocabSize);
    if (logits.size() != count) {
        throw Error(fmt::format("{} logits, expected {}", logits.size(), count));
    }
    if (fseeko(m_file.get(), 0, SEEK_END) != 0 ||
        std::fwrite(logits.data(), sizeof(float), count, m_file.get()) != count) {
        throw Error(fmt::format("the temporary folder: no room for the logits of {} positions",
                                m_rows + 1));
    }
    ++m_rows;
}

std::vector<float> KeptLogits::row(std::int64_t index) {
    const auto count = static_cast<std::size_t>(m_vocabSize);
    std::vector<float> out(count);
    const off_t offset = static_cast<off_t>(index) * m_vocabSize * off_t{sizeof(float)};
    if (fseeko(m_file.get(), offset, SEEK_SET) != 0 ||
        std::fread(out.data(), sizeof(float), count, m_file.get()) != count) {
        throw Error(
            fmt::format("the temporary folder: the logits of row {} cannot be read back", index));
    }
    return out;
}

std::shared_ptr<const Interventions> commonInterventions(const ComparedRun& run) {
    if (run.answers.empty()) return nullptr;
    const auto& first = run.answers.front().interventions;
    for (const ComparedAnswer& answer : run.answers) {
        const bool both = answer.interventions && first;
        if (both ? !(*answer.interventions == *first) : answer.interventions != first) {
            throw Error(
                fmt::format("{}: its answers changed routing in different ways: tokens "
                            "cannot be run under all of them",
                            run.label));
        }
    }
    return first;
}

AlignedComparison forcedComparison(const ComparedRun& text, const ForcedSide& a,
                                   const ForcedSide& b, const ForcedOptions& options,
                                   const Progress& progress, std::stop_token stop) {
    return ForcedComparison(text, options, progress, std::move(stop)).run(a, b);
}

}  // namespace gatescope
