// SPDX-License-Identifier: Apache-2.0
#include "engine/model/decoder_weights.h"

#include "engine/checkpoint/tensor_schema.h"
#include "engine/error.h"

namespace gatescope {

namespace {

// Binds tensors and places them on the device.
class Placer {
  public:
    Placer(WeightBinder& binder, const WeightSource& source, Device& device,
           const ExpertPlacement& placement, const Progress& progress)
        : m_binder(binder),
          m_source(source),
          m_config(source.config()),
          m_device(device),
          m_placement(placement),
          m_progress(progress),
          m_total(progress ? modelBytes(source).total() : 0) {}

    Weight matrix(const TensorSpec& spec) { return matrix(spec, m_device); }
    /// The fallback stands in for an optional duplicate the file lacks.
    Weight matrixOr(const TensorSpec& spec, const Weight& fallback) {
        return m_binder.has(spec) ? matrix(spec) : fallback;
    }
    DeviceVector vector(const TensorSpec& spec) { return {m_device, m_binder.vector(spec)}; }
    DeviceVector vector(const std::optional<TensorSpec>& spec) {
        return {m_device, spec ? m_binder.vector(*spec) : std::vector<float>{}};
    }
    MlpWeights mlp(const MlpTensors& t) { return mlp(t, m_device); }

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
                                                           .table = DeviceBuffer<Weight>(m_device),
                                                           .shared = {}});
        const bool onHost = m_placement.keepsOnHost(m_config, layer);
        moe->expertDevice = onHost ? m_placement.host : &m_device;
        for (int e = 0; e < m_config.nRoutedExperts; ++e) {
            const auto expert = mlp(expertTensors(m_config, layer, e), *moe->expertDevice);
            moe->gate.push_back(expert.gate);
            moe->up.push_back(expert.up);
            moe->down.push_back(expert.down);
        }
        if (!onHost) uploadTable(*moe);
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
    Weight matrix(const TensorSpec& spec, Device& device) {
        if (m_progress && !m_progress("loading weights", m_done, m_total)) throw Cancelled();
        m_done += tensorBytes(m_source, spec);
        if (const auto fill = m_source.randomFill(spec.name, spec.rows, spec.cols))
            return device.random(*fill);
        return device.place(m_binder.matrix(spec));
    }
    MlpWeights mlp(const MlpTensors& t, Device& device) {
        return {matrix(t.gate, device), matrix(t.up, device), matrix(t.down, device)};
    }
    void uploadTable(MoeWeights& moe) {
        std::vector<Weight> all;
        for (const auto* part : {&moe.gate, &moe.up, &moe.down})
            all.insert(all.end(), part->begin(), part->end());
        m_device.upload(moe.table.require(all.size()), all.data(), all.size() * sizeof(Weight));
    }

    WeightBinder& m_binder;
    const WeightSource& m_source;
    const ModelConfig& m_config;
    Device& m_device;
    const ExpertPlacement& m_placement;
    const Progress& m_progress;
    std::uint64_t m_total;
    std::uint64_t m_done = 0;
};

}  // namespace

DecoderWeights::DecoderWeights(const WeightSource& source, Device& device,
                               const ExpertPlacement& placement, const Progress& progress)
    : binder(source), norm(device, binder.vector(finalNormTensor(source.config()))) {
    const auto& config = source.config();
    Placer placer(binder, source, device, placement, progress);
    embedding = placer.matrix(embeddingTensor(config));
    // Tied weights are one matrix in two roles.
    const auto headSpec = headTensor(config);
    head = headSpec.name == embeddingTensor(config).name ? embedding : placer.matrix(headSpec);
    for (int i = 0; i < config.numHiddenLayers; ++i)
        layers.push_back(placer.layer(i, config.isMoeLayer(i)));
    if (config.hasMtp()) mtp = placer.mtp(*this);
}

const MoeWeights* DecoderWeights::moe(int layer) const {
    const auto index = static_cast<std::size_t>(layer);
    if (index < layers.size()) return layers[index].moe.get();
    return mtp && index == layers.size() ? mtp->layer.moe.get() : nullptr;
}

const std::vector<float>& DecoderWeights::routerBias(int layer) const {
    static const std::vector<float> none;
    const auto* weights = moe(layer);
    return weights ? weights->bias.host() : none;
}

}  // namespace gatescope
