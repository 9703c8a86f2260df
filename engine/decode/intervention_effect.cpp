// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/intervention_effect.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "engine/decode/generator.h"
#include "engine/decode/next_token.h"
#include "engine/decode/untouched_afterwards.h"
#include "engine/error.h"
#include "engine/model/decoder.h"
#include "engine/text/tokenizer.h"

namespace gatescope {

namespace {

/// Whole rows of logits are large: so many at a time.
constexpr std::int64_t kComparedPass = 64;

/// The experts chosen in every main MoE layer, position after position.
class ChoiceKeeper final : public ForwardObserver {
  public:
    struct Layer {
        std::int64_t topK = 0;
        std::vector<std::int32_t> ids;  ///< [positions * topK]
    };

    bool wantsRouting() const override { return true; }
    void onRouting(const LayerRouting& routing) override {
        auto& layer = m_layers[routing.layer];
        layer.topK = routing.topK;
        layer.ids.insert(layer.ids.end(), routing.ids, routing.ids + routing.tokens * routing.topK);
    }
    const std::map<int, Layer>& layers() const { return m_layers; }

  private:
    std::map<int, Layer> m_layers;
};

/// Choices of `now` that `before` did not make at the same position.
std::int64_t newChoices(const ChoiceKeeper::Layer& before, const ChoiceKeeper::Layer& now) {
    std::int64_t count = 0;
    const auto positions = static_cast<std::int64_t>(now.ids.size()) / now.topK;
    for (std::int64_t t = 0; t < positions; ++t) {
        const auto first = before.ids.begin() + t * before.topK;
        for (std::int64_t j = 0; j < now.topK; ++j) {
            const auto id = now.ids[static_cast<std::size_t>(t * now.topK + j)];
            count += std::find(first, first + before.topK, id) == first + before.topK ? 1 : 0;
        }
    }
    return count;
}

/// Where two texts part, never inside a character.
std::size_t commonBytes(const std::string& a, const std::string& b) {
    const auto differ = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
    auto common = static_cast<std::size_t>(differ - a.begin());
    const auto insideCharacter = [&](const std::string& text) {
        return common < text.size() && (static_cast<unsigned char>(text[common]) & 0xC0) == 0x80;
    };
    while (common > 0 && (insideCharacter(a) || insideCharacter(b))) --common;
    return common;
}

/// One comparison.
class Comparison {
  public:
    using OnLogits = std::function<void(std::int64_t position, std::span<const float> logits)>;

    Comparison(Decoder& decoder, const Tokenizer* tokenizer, std::span<const std::int32_t> prompt,
               std::span<const std::int32_t> answer, const EffectOptions& options,
               const Progress& progress, std::stop_token stop)
        : m_decoder(decoder),
          m_tokenizer(tokenizer),
          m_prompt(prompt),
          m_tokens(prompt.begin(), prompt.end()),
          m_options(options),
          m_progress(progress),
          m_link(std::move(stop), Stop{&m_stop}) {
        m_tokens.insert(m_tokens.end(), answer.begin(), answer.end());
        m_first =
            std::max<std::int64_t>(0, length() - std::max<std::int64_t>(1, options.maxPositions));
    }

    InterventionEffect run(const Interventions& interventions) {
        check(interventions);
        m_effect.interventions = interventions;
        m_effect.description = describe(interventions, &m_decoder.routingShape());
        m_effect.promptTokens = static_cast<std::int64_t>(m_prompt.size());
        const UntouchedAfterwards guard(m_decoder);
        runUntouched();
        runIntervened(interventions);
        summarise();
        return std::move(m_effect);
    }

  private:
    struct Stop {
        std::stop_source* source;
        void operator()() const { source->request_stop(); }
    };

    /// Tells how far a continuation is, and nothing else.
    class TextProgress final : public GenerationSink {
      public:
        explicit TextProgress(Comparison& comparison) : m_comparison(comparison) {}
        void onToken(const TokenEvent&, std::string_view) override { m_comparison.advance(1); }

      private:
        Comparison& m_comparison;
    };

    std::int64_t length() const { return static_cast<std::int64_t>(m_tokens.size()); }

    void check(const Interventions& interventions) const {
        if (m_prompt.empty()) throw Error("the prompt is empty");
        if (length() > m_decoder.maxContext())
            throw Error(fmt::format("prompt and answer have {} tokens, but the context holds {}",
                                    length(), m_decoder.maxContext()));
        if (!interventions.empty()) checkInterventions(interventions, m_decoder.routingShape());
    }

    void advance(std::int64_t tokens) {
        m_done += tokens;
        const auto total = 2 * (length() + std::max(0, m_options.maxNewTokens));
        if (m_progress && !m_progress(m_doing, static_cast<std::uint64_t>(m_done),
                                      static_cast<std::uint64_t>(total)))
            m_stop.request_stop();
    }

    void teacherForced(ChoiceKeeper& choices, const OnLogits& onLogits) {
        const auto vocab = static_cast<std::size_t>(m_decoder.config().vocabSize);
        for (std::int64_t at = 0; at < length();) {
            const bool compared = at >= m_first;
            const auto most = compared ? std::min(kComparedPass, m_decoder.maxPass())
                                       : std::min(m_first - at, m_decoder.maxPass());
            const auto count = std::min(most, length() - at);
            m_decoder.forward(std::span(m_tokens).subspan(static_cast<std::size_t>(at),
                                                          static_cast<std::size_t>(count)),
                              {AttentionPath::Expanded,
                               compared ? LogitsOf::All : LogitsOf::None,
                               {},
                               &choices,
                               m_stop.get_token()});
            for (std::int64_t row = 0; compared && row < count; ++row)
                onLogits(at + row, m_decoder.logits(row).first(vocab));
            at += count;
            advance(count);
        }
    }

    GenerationResult continuation(const Interventions& interventions) {
        GenerationParams params;
        params.sampling = m_options.sampling;
        params.maxNewTokens = m_options.maxNewTokens;
        params.stopTokens = m_options.stopTokens;
        params.vocabLimit = m_options.vocabLimit;
        params.record = false;
        params.interventions = std::make_shared<const Interventions>(interventions);
        TextProgress sink(*this);
        auto result = generate(m_decoder, m_tokenizer, m_prompt, params, sink, m_stop.get_token());
        if (result.finish == Finish::Cancelled) throw Cancelled();
        return result;
    }

    void runUntouched() {
        m_doing = "the untouched model";
        const auto rows = static_cast<std::size_t>(length() - m_first);
        m_logits.reserve(rows * static_cast<std::size_t>(m_decoder.config().vocabSize));
        teacherForced(m_before, [this](std::int64_t, std::span<const float> logits) {
            m_logits.insert(m_logits.end(), logits.begin(), logits.end());
        });
        if (m_options.maxNewTokens <= 0) return;
        auto result = continuation({});
        m_effect.idsBefore = std::move(result.ids);
        m_effect.textBefore = std::move(result.text);
    }

    void runIntervened(const Interventions& interventions) {
        m_doing = "with the interventions";
        m_decoder.truncate(0);
        m_decoder.setInterventions(interventions);
        ChoiceKeeper now;
        teacherForced(now, [this](std::int64_t position, std::span<const float> logits) {
            compare(position, NextTokenDistribution(logits));
        });
        for (const int layer : m_decoder.routingShape().layers)
            addLayer(layer, m_before.layers().at(layer), now.layers().at(layer));
        if (m_options.maxNewTokens <= 0) return;
        auto result = continuation(interventions);
        m_effect.idsAfter = std::move(result.ids);
        m_effect.textAfter = std::move(result.text);
    }

    void compare(std::int64_t position, const NextTokenDistribution& after) {
        const auto vocab = static_cast<std::size_t>(m_decoder.config().vocabSize);
        const auto row = static_cast<std::size_t>(position - m_first);
        const NextTokenDistribution before(
            std::span<const float>(m_logits).subspan(row * vocab, vocab));
        PositionEffect effect;
        effect.position = static_cast<std::int32_t>(position);
        effect.token = m_tokens[static_cast<std::size_t>(position)];
        effect.bytes = bytes(effect.token);
        effect.kl = before.divergenceFrom(after);
        effect.topBefore = before.top();
        effect.topAfter = after.top();
        effect.topBeforeBytes = bytes(effect.topBefore);
        effect.topAfterBytes = bytes(effect.topAfter);
        effect.topBeforeProbability = static_cast<float>(before.probability(effect.topBefore));
        effect.topAfterProbability = static_cast<float>(after.probability(effect.topAfter));
        if (position + 1 < length()) {
            const auto next = m_tokens[static_cast<std::size_t>(position) + 1];
            effect.nextBefore = before.probability(next);
            effect.nextAfter = after.probability(next);
        }
        m_effect.positions.push_back(std::move(effect));
    }

    void addLayer(int layer, const ChoiceKeeper::Layer& before, const ChoiceKeeper::Layer& now) {
        LayerEffect effect;
        effect.layer = layer;
        for (const auto& changed : m_effect.interventions.layers)
            effect.intervened |= changed.layer == layer && !changed.empty();
        effect.choices = static_cast<std::int64_t>(now.ids.size());
        effect.changedShare =
            static_cast<double>(newChoices(before, now)) / static_cast<double>(effect.choices);
        m_effect.layers.push_back(effect);
    }

    void summarise() {
        double sum = 0;
        for (const auto& effect : m_effect.positions) {
            sum += effect.kl;
            m_effect.topChanged += effect.topChanged() ? 1 : 0;
            if (m_effect.maxKlPosition >= 0 && effect.kl <= m_effect.maxKl) continue;
            m_effect.maxKl = effect.kl;
            m_effect.maxKlPosition = effect.position;
        }
        m_effect.meanKl = sum / static_cast<double>(m_effect.positions.size());
        const auto& a = m_effect.idsBefore;
        const auto& b = m_effect.idsAfter;
        if (a != b)
            m_effect.firstDifference =
                std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
        m_effect.commonBytes = commonBytes(m_effect.textBefore, m_effect.textAfter);
    }

    std::string bytes(std::int32_t id) const {
        return m_tokenizer ? std::string(m_tokenizer->bytes(id)) : std::string();
    }

    Decoder& m_decoder;
    const Tokenizer* m_tokenizer;
    std::span<const std::int32_t> m_prompt;
    std::vector<std::int32_t> m_tokens;  ///< prompt and answer
    const EffectOptions& m_options;
    const Progress& m_progress;
    std::stop_source m_stop;
    std::stop_callback<Stop> m_link;
    std::int64_t m_first = 0;     ///< first position whose distribution is compared
    std::vector<float> m_logits;  ///< [positions compared, V] of the untouched model
    ChoiceKeeper m_before;
    InterventionEffect m_effect;
    std::string_view m_doing;
    std::int64_t m_done = 0;
};

}  // namespace

InterventionEffect compareIntervention(Decoder& decoder, const Tokenizer* tokenizer,
                                       std::span<const std::int32_t> prompt,
                                       std::span<const std::int32_t> answer,
                                       const Interventions& interventions,
                                       const EffectOptions& options, const Progress& progress,
                                       std::stop_token stop) {
    return Comparison(decoder, tokenizer, prompt, answer, options, progress, std::move(stop))
        .run(interventions);
}

}  // namespace gatescope
