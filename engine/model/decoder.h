// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "engine/model/decoder_layer.h"
#include "engine/model/decoder_weights.h"
#include "engine/model/expert_placement.h"
#include "engine/model/forward_observer.h"
#include "engine/model/latent_cache.h"
#include "engine/model/logits_reader.h"
#include "engine/model/rope.h"
#include "engine/model/run_routing.h"
#include "engine/model/step_context.h"
#include "engine/model/step_inputs.h"
#include "engine/model/step_routing.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

class KeptCache;
class MtpModule;

struct ForwardOptions {
    AttentionPath path = AttentionPath::Expanded;
    LogitsOf logits = LogitsOf::Last;
    TopRequest top{};
    ForwardObserver* observer = nullptr;  ///< may be null
    std::stop_token stop{};               ///< looked at before every layer
};

struct DecoderOptions {
    std::int64_t maxContext = 0;  ///< 0: max_position_embeddings
    CacheType cacheType = CacheType::F32;
    ExpertPlacement experts{};
};

/// What becomes of the cache when the interventions change: its positions were computed under the
/// ones before.
enum class CacheAfter : std::uint8_t {
    Emptied,
    Kept,  ///< later positions attend to it as it is: a bias that moves while a text goes on
};

/// The whole decoder of the DeepSeek-V2/V3 family over a Device, with its latent cache. One thread
/// at a time.
class Decoder {
  public:
    /// `source` and devices must outlive the decoder.
    Decoder(const WeightSource& source, Device& device, const DecoderOptions& options = {},
            const Progress& progress = {});
    ~Decoder();

    const ModelConfig& config() const { return m_config; }
    const RoutingShape& routingShape() const { return m_routingShape; }
    const DecoderWeights& weights() const { return *m_weights; }
    const Rope& rope() const { return m_rope; }
    Device& device() { return *m_device; }

    /// Positions in the cache; the next pass begins there.
    std::int64_t length() const { return m_cache.length(); }
    std::int64_t maxContext() const { return m_maxContext; }
    /// The longest pass; longer prompts are computed in several.
    std::int64_t maxPass() const { return m_maxPass; }
    /// MoE layers whose routed experts run on the host.
    int hostExpertLayers() const { return m_hostExpertLayers; }
    const LatentCache& cache() const { return m_cache; }
    /// The tokens the cache stands for, [length()].
    std::span<const std::int32_t> tokens() const { return m_tokens; }
    /// Forgets positions from `length` on (rejected drafts, an edited history) and MTP pairs from
    /// `pairs` on. Pair t used token t + 1: with the token at `length` about to change, length - 1
    /// pairs stay true.
    void truncate(std::int64_t length, std::int64_t pairs);
    void truncate(std::int64_t length) { truncate(length, length - 1); }
    /// The same of the main model alone: for positions that made no pair yet.
    void truncateMain(std::int64_t length);
    CacheUse cacheUse() const;

    /// From now on the routers choose under these; they stay until set again. Equal ones change
    /// nothing and keep the cache. Throws Error (see checkInterventions) and then changes nothing.
    void setInterventions(const Interventions& interventions,
                          CacheAfter cache = CacheAfter::Emptied);
    const Interventions& interventions() const { return m_runRouting.interventions(); }
    /// How the routers choose now, layer by layer.
    const RunRouting& runRouting() const { return m_runRouting; }
    /// routingShape() with k and kept groups of the present interventions: what the traces of a run
    /// under them fit. k is the largest of all layers.
    RoutingShape runShape() const { return m_runRouting.shape(); }

    /// Appends tokens (at most maxPass()). Throws Error (token out of range, context full, a value
    /// that is not finite) or Cancelled; the cache then ends where it ended before.
    void forward(std::span<const std::int32_t> tokens, const ForwardOptions& options);

    /// Logits of the last pass, [rows, vocab_size] in host memory; rows: 0, 1 or T by LogitsOf.
    std::span<const float> logits() const { return m_logits.whole(); }
    std::span<const float> logits(std::int64_t row) const { return m_logits.row(row); }
    /// The largest of them, where ForwardOptions::top asked for those instead.
    TopRow top(std::int64_t row) const { return m_logits.top(row); }
    /// Hidden states after the final norm of the last pass, [T, h] in device memory.
    ConstMatrix states() const { return m_states; }

    /// Null for a model without an MTP module.
    MtpModule* mtp() { return m_mtp.get(); }

  private:
    friend class MtpModule;
    friend class KeptCache;

    void checkTokens(std::span<const std::int32_t> tokens) const;
    void reserveCache(std::int64_t positions);
    /// What differs from pass to pass, uploaded for tokens at [first, ...).
    StepContext begin(std::span<const std::int32_t> tokens, const LatentCache& cache,
                      AttentionPath path);
    /// Runs a pass, recorded by the device where nothing keeps the host busy in between. Repeated
    /// from a recording, `operations` is not called: it may change nothing of this object.
    void runStep(StepKey key, const StepContext& step, const ForwardOptions& options,
                 const std::function<void()>& operations);
    /// Between layers: a long pass is not issued ahead of the device, so that a stop acts soon.
    void checkStop(const ForwardOptions& options, const StepContext& step) const;
    void runLayers(Matrix x, const ForwardOptions& options, StepContext& step);
    std::vector<float> onHost(ConstMatrix values) const;
    /// Shows rows in device memory to the observer.
    void showHidden(ForwardObserver* observer, int index, ConstMatrix hidden);
    [[noreturn]] void failNotFinite() const;

    const WeightSource* m_source;
    Device* m_device;
    ModelConfig m_config;
    RoutingShape m_routingShape;
    std::int64_t m_maxContext;
    std::int64_t m_maxPass;
    int m_hostExpertLayers;
    std::unique_ptr<DecoderWeights> m_weights;
    Rope m_rope;
    LayerParams m_layerParams;
    RunRouting m_runRouting;
    LatentCache m_cache;
    Workspace m_work;
    StepRouting m_routing;
    StepInputs m_inputs;
    DeviceBuffer<float> m_residual;     ///< [T, h]
    DeviceBuffer<float> m_layerNormed;  ///< [T, h] input of the running layer
    DeviceBuffer<float> m_finalNormed;  ///< [T, h]
    LogitsReader m_logits;
    std::vector<std::int32_t> m_tokens;
    Matrix m_states;
    std::unique_ptr<MtpModule> m_mtp;
};

}  // namespace gatescope
