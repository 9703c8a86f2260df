// SPDX-License-Identifier: Apache-2.0
#include "engine/verify/prompt_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/model/mtp_module.h"

namespace gatescope {
namespace {

void append(std::vector<float>& to, ConstMatrix rows) {
    for (std::int64_t r = 0; r < rows.rows; ++r) {
        to.insert(to.end(), rows.row(r), rows.row(r) + rows.cols);
    }
}

void append(RoutingRecord& to, const LayerRouting& routing) {
    const std::int64_t choices = routing.tokens * routing.topK;
    to.ids.insert(to.ids.end(), routing.ids, routing.ids + choices);
    to.weights.insert(to.weights.end(), routing.weights, routing.weights + choices);
    to.scores.insert(to.scores.end(), routing.scores,
                     routing.scores + routing.tokens * routing.experts);
}

class MainObserver final : public ForwardObserver {
  public:
    explicit MainObserver(PromptRecord& record) : m_record(record) {}
    bool wantsRouting() const override { return true; }
    bool wantsHidden() const override { return true; }
    void onRouting(const LayerRouting& routing) override {
        append(m_record.moe[routing.layer], routing);
    }
    void onHidden(int index, ConstMatrix hidden) override {
        append(m_record.hidden.at(static_cast<std::size_t>(index)), hidden);
    }
    void onNormed(ConstMatrix normed) override { append(m_record.normed, normed); }

  private:
    PromptRecord& m_record;
};

class MtpObserver final : public ForwardObserver {
  public:
    explicit MtpObserver(PromptRecord& record) : m_record(record) {}
    bool wantsRouting() const override { return true; }
    bool wantsHidden() const override { return true; }
    void onRouting(const LayerRouting& routing) override { append(m_record.mtpMoe, routing); }
    void onHidden(int /*index*/, ConstMatrix hidden) override {
        append(m_record.mtpHidden, hidden);
    }

  private:
    PromptRecord& m_record;
};

CacheRecord readCache(const LatentCache& cache, int layer) {
    const std::int64_t latentDim = cache.layout().latentDim;
    CacheRecord record;
    for (std::int64_t position = 0; position < cache.length(); ++position) {
        const std::vector<float> row = cache.read(layer, position);
        record.ckv.insert(record.ckv.end(), row.begin(), row.begin() + latentDim);
        record.kpe.insert(record.kpe.end(), row.begin() + latentDim, row.end());
    }
    return record;
}

}  // namespace

PromptRecord emptyRecord(const ModelConfig& config, std::int64_t tokens) {
    PromptRecord record;
    record.tokens = tokens;
    record.pairs = config.hasMtp() ? std::max<std::int64_t>(0, tokens - 1) : 0;
    record.hidden.resize(static_cast<std::size_t>(config.numHiddenLayers) + 1);
    record.cache.resize(static_cast<std::size_t>(config.numHiddenLayers));
    for (const int layer : config.moeLayers()) record.moe[layer];
    return record;
}

PromptRecord recordPrompt(Decoder& decoder, std::span<const std::int32_t> tokens,
                          AttentionPath path, const std::stop_token& stop) {
    const auto count = static_cast<std::int64_t>(tokens.size());
    PromptRecord record = emptyRecord(decoder.config(), count);
    MainObserver mainObserver(record);
    MtpObserver mtpObserver(record);
    const ForwardOptions mainOptions{path, LogitsOf::All, {}, &mainObserver, stop};
    const ForwardOptions mtpOptions{path, LogitsOf::All, {}, &mtpObserver, stop};
    MtpModule* mtp = decoder.mtp();

    decoder.truncate(0);
    const std::int64_t pass = path == AttentionPath::Expanded ? decoder.maxPass() : 1;
    for (std::int64_t first = 0; first < count; first += pass) {
        const std::int64_t size = std::min(pass, count - first);
        decoder.forward(
            tokens.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(size)),
            mainOptions);
        record.logits.insert(record.logits.end(), decoder.logits().begin(), decoder.logits().end());
        // The last token has no successor, so its state makes no pair.
        const std::int64_t pairs = std::min(size, count - 1 - first);
        if (mtp == nullptr || pairs <= 0) continue;
        mtp->forward(
            decoder.states().slice(0, pairs),
            tokens.subspan(static_cast<std::size_t>(first) + 1, static_cast<std::size_t>(pairs)),
            mtpOptions);
        record.mtpLogits.insert(record.mtpLogits.end(), mtp->logits().begin(), mtp->logits().end());
    }

    for (int layer = 0; layer < decoder.config().numHiddenLayers; ++layer) {
        record.cache[static_cast<std::size_t>(layer)] = readCache(decoder.cache(), layer);
    }
    if (mtp != nullptr) record.mtpCache = readCache(mtp->cache(), 0);
    return record;
}

std::vector<RecordedArray> arrays(const PromptRecord& record, const ModelConfig& config) {
    std::vector<RecordedArray> list;
    const auto add = [&list](std::string name, std::int64_t rows, std::int64_t cols,
                             std::span<const float> values) {
        list.push_back({std::move(name), false, {rows, cols}, values, {}});
    };
    const auto addRouting = [&](const std::string& prefix, std::int64_t rows,
                                const RoutingRecord& routing) {
        list.push_back({prefix + ".ids", true, {rows, config.numExpertsPerTok}, {}, routing.ids});
        add(prefix + ".weights", rows, config.numExpertsPerTok, routing.weights);
        add(prefix + ".scores", rows, config.nRoutedExperts, routing.scores);
    };
    const auto addCache = [&](const std::string& prefix, std::int64_t rows,
                              const CacheRecord& cache) {
        add(prefix + ".ckv", rows, config.kvLoraRank, cache.ckv);
        add(prefix + ".kpe", rows, config.qkRopeHeadDim, cache.kpe);
    };

    add("logits", record.tokens, config.vocabSize, record.logits);
    for (const auto& [layer, routing] : record.moe) {
        addRouting(fmt::format("moe.{}", layer), record.tokens, routing);
    }
    for (std::size_t i = 0; i < record.hidden.size(); ++i) {
        add(fmt::format("hidden.{}", i), record.tokens, config.hiddenSize, record.hidden[i]);
    }
    add("normed", record.tokens, config.hiddenSize, record.normed);
    for (std::size_t i = 0; i < record.cache.size(); ++i) {
        addCache(fmt::format("cache.{}", i), record.tokens, record.cache[i]);
    }
    if (record.pairs == 0) return list;
    add("mtp.logits", record.pairs, config.vocabSize, record.mtpLogits);
    add("mtp.hidden", record.pairs, config.hiddenSize, record.mtpHidden);
    if (config.isMoeLayer(config.mtpLayer())) addRouting("mtp.moe", record.pairs, record.mtpMoe);
    addCache("mtp.cache", record.pairs, record.mtpCache);
    return list;
}

}  // namespace gatescope
