// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <iterator>

#include "engine/decode/sampler.h"
#include "engine/verify/deviation.h"
#include "engine/verify/model_checks.h"
#include "engine/verify/prompt_record.h"
#include "engine/verify/tolerances.h"

namespace gatescope {
namespace {

/// Deviations of one model on one attention path, main model or MTP module.
struct Comparison {
    Deviation logits;
    Deviation hidden;
    Deviation cache;
    Deviation scores;
    Deviation weights;
    Mismatches experts;
    Mismatches argMax;

    void report(const std::string& subject, const std::string& prefix,
                const CheckSink& sink) const {
        const auto deviation = [&](const Deviation& d, const char* quantity, double limit) {
            if (!d.empty()) sink(d.maxCheck(subject, prefix + quantity, limit));
        };
        deviation(logits, "logits max", Float32Class::logitsMax);
        if (!logits.empty()) {
            sink(logits.rmsCheck(subject, prefix + "logits rms", Float32Class::logitsRms));
        }
        if (!argMax.empty()) sink(argMax.check(subject, prefix + "arg-max", "rows"));
        deviation(hidden, "hidden states max", Float32Class::hiddenMax);
        deviation(cache, "latent cache max", Float32Class::cacheMax);
        if (!experts.empty()) sink(experts.check(subject, prefix + "expert ids", "choices"));
        deviation(scores, "gate scores max", Float32Class::gateMax);
        deviation(weights, "gate weights max", Float32Class::gateMax);
    }
};

/// -ln p(token) under the softmax of a row, in float64.
double negativeLogLikelihood(std::span<const float> row, std::int32_t token) {
    const double top = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const float logit : row) sum += std::exp(logit - top);
    return std::log(sum) + top - row[static_cast<std::size_t>(token)];
}

class PathRun {
  public:
    PathRun(LoadedModel& model, const GoldenModel& golden, AttentionPath path)
        : m_model(model),
          m_golden(golden),
          m_path(path),
          m_vocab(static_cast<std::size_t>(model.config().vocabSize)) {}

    void run(const CheckSink& sink) {
        for (const GoldenPrompt& prompt : m_golden.prompts) compare(prompt);
        const bool expanded = m_path == AttentionPath::Expanded;
        const std::string subject = m_golden.name + (expanded ? " expanded" : " absorbed");
        m_main.report(subject, "", sink);
        m_mtp.report(subject, "MTP ", sink);
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

  private:
    /// The prompt, and the greedy answer as far as it is input.
    void compare(const GoldenPrompt& prompt) {
        std::vector<std::int32_t> tokens = prompt.tokens;
        if (!prompt.greedy.empty()) {
            tokens.insert(tokens.end(), prompt.greedy.begin(), std::prev(prompt.greedy.end()));
        }
        const PromptRecord record = recordPrompt(m_model.decoder(), tokens, m_path);
        if (m_golden.arrays) compareArrays(prompt, record);
        if (prompt.facts) compareFacts(prompt, record);
    }

    void compareArrays(const GoldenPrompt& prompt, const PromptRecord& record) {
        for (const RecordedArray& array : arrays(record, m_model.config())) {
            compareArray(prompt.name + "." + array.name, array);
        }
        const std::string key = prompt.name + ".greedy_logits";
        if (const auto golden = m_golden.arrays->floats(key)) {
            const std::size_t skip = (prompt.tokens.size() - 1) * m_vocab;
            m_main.logits.add(key, *golden, std::span(record.logits).subspan(skip));
        }
        if (const auto golden = m_golden.arrays->floats(prompt.name + ".nll")) {
            m_nll.add(prompt.name, *golden, nll(prompt, record));
        }
    }

    void compareArray(const std::string& key, const RecordedArray& array) {
        if (array.integer) {
            const auto golden = m_golden.arrays->ints(key);
            if (golden) partOf(array.name).experts.add<std::int32_t>(key, *golden, array.ints);
            return;
        }
        const auto golden = m_golden.arrays->floats(key);
        if (golden) deviationOf(array.name).add(key, *golden, array.floats);
    }

    Comparison& partOf(const std::string& name) {
        return name.starts_with("mtp.") ? m_mtp : m_main;
    }

    Deviation& deviationOf(const std::string& name) {
        Comparison& part = partOf(name);
        if (name.ends_with("logits")) return part.logits;
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

    LoadedModel& m_model;
    const GoldenModel& m_golden;
    AttentionPath m_path;
    std::size_t m_vocab;
    Comparison m_main;
    Comparison m_mtp;
    Deviation m_nll;
    Deviation m_meanNll;
    Deviation m_perplexity;
    Mismatches m_greedy;
    Mismatches m_drafts;
    Mismatches m_correct;
};

}  // namespace

void checkArrays(LoadedModel& model, const GoldenModel& golden, const CheckSink& sink) {
    PathRun(model, golden, AttentionPath::Expanded).run(sink);
    PathRun(model, golden, AttentionPath::Absorbed).run(sink);
}

}  // namespace gatescope
