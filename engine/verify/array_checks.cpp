// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <iterator>

#include "engine/decode/sampler.h"
#include "engine/verify/golden_deviations.h"
#include "engine/verify/model_checks.h"
#include "engine/verify/prompt_record.h"
#include "engine/verify/tolerances.h"

namespace gatescope {
namespace {

/// -ln p(token) under the softmax of a row, in float64.
double negativeLogLikelihood(std::span<const float> row, std::int32_t token) {
    return logSumExp(row) - row[static_cast<std::size_t>(token)];
}

/// The first number in a name: 3 of "cache.3.ckv".
int numberIn(const std::string& name) {
    const auto digit = name.find_first_of("0123456789");
    return digit == std::string::npos ? -1 : std::stoi(name.substr(digit));
}

class PathRun {
  public:
    PathRun(Decoder& decoder, const GoldenModel& golden, AttentionPath path, Tolerance tolerance)
        : m_decoder(decoder),
          m_golden(golden),
          m_path(path),
          m_tolerance(tolerance),
          m_vocab(static_cast<std::size_t>(decoder.config().vocabSize)) {
        const std::vector<int> layers = decoder.config().moeLayers();
        m_firstRouter = layers.empty() ? decoder.config().numHiddenLayers : layers.front();
    }

    void run(const CheckSink& sink) {
        for (const GoldenPrompt& prompt : m_golden.prompts) compare(prompt);
        const bool expanded = m_path == AttentionPath::Expanded;
        const std::string subject = m_golden.name + (expanded ? " expanded" : " absorbed");
        const CheckSink named = labelled(sink, m_tolerance);
        if (m_tolerance == Tolerance::Float32) {
            m_main.reportFloat32(subject, "", named);
            m_mtp.reportFloat32(subject, "MTP ", named);
            reportText(subject, named);
        } else {
            m_main.reportReduced(subject, "", reducedLimits(m_tolerance), named);
            m_mtp.reportReduced(subject, "MTP ", mtpLimits(m_tolerance), named);
        }
    }

  private:
    /// Only float32 arithmetic is held to the golden likelihoods and tokens.
    void reportText(const std::string& subject, const CheckSink& sink) const {
        if (!m_meanNll.empty()) {
            sink(m_meanNll.maxCheck(subject, "mean nll", Float32Class::meanNll));
        }
        if (!m_nll.empty()) sink(m_nll.maxCheck(subject, "nll max", Float32Class::logitsMax));
        if (!m_perplexity.empty()) {
            sink(m_perplexity.maxCheck(subject, "perplexity, relative", Float32Class::meanNll));
        }
        if (!m_greedy.empty()) sink(m_greedy.check(subject, "greedy, forced", "tokens"));
        if (!m_drafts.empty()) sink(m_drafts.check(subject, "drafts, forced", "tokens"));
        if (!m_correct.empty()) sink(m_correct.check(subject, "drafts correct", "drafts"));
    }

    /// The prompt, and the greedy answer as far as it is input.
    void compare(const GoldenPrompt& prompt) {
        std::vector<std::int32_t> tokens = prompt.tokens;
        if (!prompt.greedy.empty()) {
            tokens.insert(tokens.end(), prompt.greedy.begin(), std::prev(prompt.greedy.end()));
        }
        const PromptRecord record = recordPrompt(m_decoder, tokens, m_path);
        if (m_golden.arrays) compareArrays(prompt, record);
        if (prompt.facts) compareFacts(prompt, record);
    }

    void compareArrays(const GoldenPrompt& prompt, const PromptRecord& record) {
        for (const RecordedArray& array : arrays(record, m_decoder.config())) {
            compareArray(prompt.name + "." + array.name, array);
        }
        const std::string key = prompt.name + ".greedy_logits";
        if (const auto golden = m_golden.arrays->floats(key)) {
            const std::size_t skip = (prompt.tokens.size() - 1) * m_vocab;
            m_main.addLogits(key, *golden, std::span(record.logits).subspan(skip), m_vocab);
        }
        if (const auto golden = m_golden.arrays->floats(prompt.name + ".nll")) {
            m_nll.add(prompt.name, *golden, nll(prompt, record));
        }
    }

    void compareArray(const std::string& key, const RecordedArray& array) {
        GoldenDeviations& part = partOf(array.name);
        if (array.integer) {
            const auto width = static_cast<std::size_t>(array.shape.back());
            if (const auto golden = m_golden.arrays->ints(key)) {
                part.addChoices(key, *golden, array.ints, width);
            }
            return;
        }
        const auto golden = m_golden.arrays->floats(key);
        if (!golden) return;
        if (array.name.ends_with("logits")) {
            part.addLogits(key, *golden, array.floats, m_vocab);
        } else {
            deviationOf(array.name).add(key, *golden, array.floats);
        }
        compareBeforeRouting(key, array, *golden);
    }

    void compareBeforeRouting(const std::string& key, const RecordedArray& array,
                              const std::vector<float>& golden) {
        const int number = numberIn(array.name);
        if (number > m_firstRouter) return;
        if (array.name.starts_with("cache.")) {
            m_main.cacheBeforeRouting.add(key, golden, array.floats);
        }
        // hidden.0 is the embedding, which nothing can round.
        if (array.name.starts_with("hidden.") && number > 0) {
            m_main.hiddenBeforeRouting.add(key, golden, array.floats);
        }
    }

    GoldenDeviations& partOf(const std::string& name) {
        return name.starts_with("mtp.") ? m_mtp : m_main;
    }

    Deviation& deviationOf(const std::string& name) {
        GoldenDeviations& part = partOf(name);
        if (name.ends_with(".scores")) return part.scores;
        if (name.ends_with(".weights")) return part.weights;
        return name.find("cache.") != std::string::npos ? part.cache : part.hidden;
    }

    std::span<const float> row(const std::vector<float>& logits, std::size_t index) const {
        return std::span(logits).subspan(index * m_vocab, m_vocab);
    }

    /// [N - 1] of the prompt's own tokens.
    std::vector<float> nll(const GoldenPrompt& prompt, const PromptRecord& record) const {
        std::vector<float> values;
        for (std::size_t t = 0; t + 1 < prompt.tokens.size(); ++t) {
            values.push_back(static_cast<float>(
                negativeLogLikelihood(row(record.logits, t), prompt.tokens[t + 1])));
        }
        return values;
    }

    void compareFacts(const GoldenPrompt& prompt, const PromptRecord& record) {
        compareArgMax(prompt, "argmax", record.logits, record.tokens, m_main.argMax);
        compareArgMax(prompt, "mtp_argmax", record.mtpLogits, record.pairs, m_mtp.argMax);
        const std::size_t last = prompt.tokens.size() - 1;
        for (std::size_t i = 0; i < prompt.greedy.size(); ++i) {
            m_greedy.add(fmt::format("{} token {}", prompt.name, i),
                         argMax(row(record.logits, last + i)) == prompt.greedy[i]);
        }
        compareDrafts(prompt, record);
        compareLikelihood(prompt, record);
    }

    void compareArgMax(const GoldenPrompt& prompt, std::string_view key,
                       const std::vector<float>& logits, std::int64_t rows, Mismatches& out) {
        const auto list = prompt.facts->find(key);
        if (!list) return;
        const std::vector<std::int32_t> golden = tokenList(*list);
        for (std::size_t t = 0; t < golden.size(); ++t) {
            out.add(fmt::format("{} row {}", prompt.name, t),
                    static_cast<std::int64_t>(t) < rows && argMax(row(logits, t)) == golden[t]);
        }
    }

    /// drafts[i]: what the module predicts for greedy[i + 1] after seeing greedy[i].
    void compareDrafts(const GoldenPrompt& prompt, const PromptRecord& record) {
        const auto list = prompt.facts->find("drafts");
        if (!list) return;
        const std::vector<std::int32_t> golden = tokenList(*list);
        const auto correct = prompt.facts->find("draft_correct");
        const std::size_t last = prompt.tokens.size() - 1;
        for (std::size_t i = 0; i < golden.size(); ++i) {
            const std::string where = fmt::format("{} draft {}", prompt.name, i);
            const bool known = static_cast<std::int64_t>(last + i) < record.pairs;
            const std::int32_t draft = known ? argMax(row(record.mtpLogits, last + i)) : -1;
            m_drafts.add(where, draft == golden[i]);
            if (!correct || i + 1 >= prompt.greedy.size()) continue;
            m_correct.add(where, (draft == prompt.greedy[i + 1]) == correct->at(i).boolean());
        }
    }

    void compareLikelihood(const GoldenPrompt& prompt, const PromptRecord& record) {
        const auto mean = prompt.facts->find("mean_nll");
        const auto perplexity = prompt.facts->find("perplexity");
        if ((!mean && !perplexity) || prompt.tokens.size() < 2) return;
        double sum = 0;
        for (const float value : nll(prompt, record)) sum += value;
        const double average = sum / static_cast<double>(prompt.tokens.size() - 1);
        if (mean) m_meanNll.note(prompt.name, std::abs(average - mean->number()));
        if (perplexity) {
            m_perplexity.note(prompt.name, std::abs(std::exp(average) / perplexity->number() - 1));
        }
    }

    Decoder& m_decoder;
    const GoldenModel& m_golden;
    AttentionPath m_path;
    Tolerance m_tolerance;
    int m_firstRouter;  ///< the first layer with a router
    std::size_t m_vocab;
    GoldenDeviations m_main;
    GoldenDeviations m_mtp;
    Deviation m_nll;
    Deviation m_meanNll;
    Deviation m_perplexity;
    Mismatches m_greedy;
    Mismatches m_drafts;
    Mismatches m_correct;
};

}  // namespace

void checkArrays(Decoder& decoder, const GoldenModel& golden, Tolerance tolerance,
                 const CheckSink& sink) {
    PathRun(decoder, golden, AttentionPath::Expanded, tolerance).run(sink);
    PathRun(decoder, golden, AttentionPath::Absorbed, tolerance).run(sink);
}

}  // namespace gatescope
