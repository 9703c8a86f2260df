// SPDX-License-Identifier: Apache-2.0
#include "engine/model/decoder_weights.h"

#include "engine/checkpoint/tensor_schema.h"
#include "engine/error.h"

namespace gatescope {

namespace {

// Binds tensors and places them on the device.
class Placer {
  public:
    Placer(WeightBinder& binder, const ModelConfig& config, Device& device)
        : m_binder(binder), m_config(config), m_device(device) {}

    Weight matrix(const TensorSpec& spec) { return m_device.place(m_binder.matrix(spec)); }
    /// The fallback stands in for an optional duplicate the file lacks.
    Weight matrixOr(const TensorSpec& spec, const Weight& fallback) {
        return m_binder.has(spec) ? matrix(spec) : fallback;
    }
    DeviceVector vector(const TensorSpec& spec) { return {m_device, m_binder.vector(spec)}; }
    DeviceVector vector(const std::optional<TensorSpec>& spec) {
        return {m_device, spec ? m_binder.vector(*spec) : std::vector<float>{}};
    }
    MlpWeights mlp(const MlpTensors& t) { return {matrix(t.gate), matrix(t.up), matrix(t.down)}; }

    AttentionWeights attention(const AttentionTensors& t) {
        return {.qA = t.queryA ? matrix(*t.queryA) : Weight{},
                .q = matrix(t.query ? *t.query : *t.queryB),
                .kvA = matrix(t.kvA),
                .kvB = matrix(t.kvB),
                .o = matrix(t.output),
                .qANorm = vector(t.queryANorm),
                .kvANorm = vector(t.kvANorm)};
    }

    std::unique_ptr<MoeWeights> moe(int layer) {
        const auto router = routerTensors(m_config, layer);
        auto moe = std::make_unique<MoeWeights>(MoeWeights{.router = matrix(router.weight),
                                                           .bias = vector(router.bias),
                                                           .gate = {},
                                                           .up = {},
                                                           .down = {},
                                                           .shared = {}});
        for (int e = 0; e < m_config.nRoutedExperts; ++e) {
            const auto expert = mlp(expertTensors(m_config, layer, e));
            moe->gate.push_back(expert.gate);
            moe->up.push_back(expert.up);
            moe->down.push_back(expert.down);
        }
        if (m_config.nSharedExperts > 0) moe->shared = mlp(sharedExpertTensors(m_config, layer));
        return moe;
    }

    LayerWeights layer(int index, bool isMoe) {
        const auto tensors = attentionTensors(m_config, index);
        return {.inputNorm = vector(tensors.inputNorm),
                .postAttentionNorm = vector(tensors.postNorm),
                .attention = attention(tensors),
                .mlp = isMoe ? MlpWeights{} : mlp(denseMlpTensors(m_config, index)),
                .moe = isMoe ? moe(index) : nullptr};
    }

    std::unique_ptr<MtpWeights> mtp(const DecoderWeights& main) {
        const int index = m_config.mtpLayer();
        const auto tensors = mtpTensors(m_config, index);
        return std::make_unique<MtpWeights>(
            MtpWeights{.embeddingNorm = vector(tensors.embeddingNorm),
                       .hiddenNorm = vector(tensors.hiddenNorm),
                       .project = matrix(tensors.projection),
                       .embedding = matrixOr(tensors.embedding, main.embedding),
                       .layer = layer(index, m_config.isMoeLayer(index)),
                       .headNorm = vector(tensors.headNorm),
                       .head = matrixOr(tensors.head, main.head)});
    }

  private:
    WeightBinder& m_binder;
    const ModelConfig& m_config;
    Device& m_device;
};

}  // namespace

DecoderWeights::DecoderWeights(const WeightSource& source, Device& device, const Progress& progress)
    : binder(source),
      embedding(device.place(binder.matrix(embeddingTensor(source.config())))),
      head(device.place(binder.matrix(headTensor(source.config())))),
      norm(device, binder.vector(finalNormTensor(source.config()))) {
    const auto& config = source.config();
    Placer placer(binder, config, device);
    const auto total = static_cast<std::uint64_t>(tensorLayers(config));
    for (int i = 0; i < config.numHiddenLayers; ++i) {
        if (progress && !progress("checking weights", layers.size(), total)) throw Cancelled();
        layers.push_back(placer.layer(i, config.isMoeLayer(i)));
    }
    if (config.hasMtp()) mtp = placer.mtp(*this);
    if (progress && !progress("checking weights", total, total)) throw Cancelled();
}

const std::vector<float>& DecoderWeights::routerBias(int layer) const {
    static const std::vector<float> none;
    const auto index = static_cast<std::size_t>(layer);
    const MoeWeights* moe = nullptr;
    if (index < layers.size()) {
        moe = layers[index].moe.get();
    } else if (mtp && index == layers.size()) {
        moe = mtp->layer.moe.get();
    }
    return moe ? moe->bias.host() : none;
}

}  // namespace gatescope
