// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "kernels/matrix.h"
#include "kernels/weight.h"

namespace gatescope {

/// Sizes of multi-head latent attention. Symbols as in the DeepSeek-V2/V3 reports.
struct AttentionShape {
    int heads = 0;               ///< H
    std::int64_t nopeDim = 0;    ///< dn, qk_nope_head_dim
    std::int64_t ropeDim = 0;    ///< dr, qk_rope_head_dim (even)
    std::int64_t valueDim = 0;   ///< dv, v_head_dim
    std::int64_t latentDim = 0;  ///< kv_lora_rank
    float scale = 1;             ///< softmax scale, YaRN's mscale included

    std::int64_t queryDim() const { return nopeDim + ropeDim; }
    std::int64_t latentWidth() const { return latentDim + ropeDim; }
};

/// The latent cache of one layer: blocks of `blockPositions` rows, each row the normalised c_kv
/// [latentDim] and then the rotated k_pe [ropeDim], float32.
struct LatentCacheView {
    float* const* blocks = nullptr;
    int blockPositions = 0;
    std::int64_t width = 0;

    float* row(std::int64_t position) const {
        return blocks[position / blockPositions] + (position % blockPositions) * width;
    }
};

/// How a router chooses; names as in config.json.
struct RouteParams {
    int experts = 0;          ///< E
    int topK = 0;             ///< k
    int groups = 1;           ///< n_group
    int topkGroups = 1;       ///< topk_group
    bool sigmoid = true;      ///< scoring_func: sigmoid or softmax
    bool groupTopTwo = true;  ///< group score: sum of the two largest choices, or the maximum
    bool limitGroups = true;  ///< false for topk_method greedy
    bool normTopkProb = true;
    bool scaleNormalised = true;  ///< V3 scales normalised weights too, V2 only the others
    float scalingFactor = 1;      ///< routed_scaling_factor
};

/// Routing of T tokens in one layer.
struct Routing {
    float* scores = nullptr;      ///< [T, E] affinities: sigmoid or softmax of the logits, no bias
    std::int32_t* ids = nullptr;  ///< [T, k] chosen experts, largest choice score first
    float* weights = nullptr;     ///< [T, k] gate weights in that order, factor included
    std::int64_t tokens = 0;
    int topK = 0;
};

/// The routed experts of one layer; all of one size and dtype family.
struct ExpertWeights {
    std::span<const Weight> gate;  ///< E x [Im, h]
    std::span<const Weight> up;    ///< E x [Im, h]
    std::span<const Weight> down;  ///< E x [h, Im]
};

/// Where the decoder's operations run. One forward pass is written against this interface, so a
/// further device means kernels only. Calls are issued in order by one thread; results are ready
/// after synchronize() (or download()).
///
/// Every operation's result for one token does not depend on how many tokens are computed with it,
/// nor on the number of threads: the order of every sum is fixed. Speculative decoding relies on
/// it.
class Device {
  public:
    virtual ~Device() = default;

    /// For people: "cpu, 2 threads, AVX3".
    virtual std::string describe() const = 0;

    virtual void* allocate(std::size_t bytes) = 0;
    virtual void release(void* memory) noexcept = 0;
    virtual void upload(void* device, const void* host, std::size_t bytes) = 0;
    virtual void download(void* host, const void* device, std::size_t bytes) = 0;
    virtual void synchronize() = 0;
    /// Makes a weight in host memory usable here; the CPU uses it where it lies.
    virtual Weight place(const Weight& host) = 0;

    /// out[t] = table[ids[t]]; out [T, h].
    virtual void embed(Matrix out, const Weight& table, const std::int32_t* ids) = 0;
    /// out[t] = in[t] / sqrt(mean(in[t]^2) + eps) * weight; weight float32 [cols]. May be in place.
    virtual void rmsNorm(Matrix out, ConstMatrix in, const float* weight, float eps) = 0;
    /// out[t][n] = sum_k in[t][k] weight[n][k]; out [T, N], in [T, K], weight [N, K].
    virtual void matmul(Matrix out, ConstMatrix in, const Weight& weight) = 0;
    /// Rotates the last ropeDim values of every head of q [T, H * (dn + dr)] in adjacent pairs.
    /// cosSin [T, dr]: cos and sin of pair 0, of pair 1, ...
    virtual void rotary(Matrix q, const AttentionShape& shape, const float* cosSin) = 0;
    /// Stores rows [first, first + T): kv [T, latentDim + dr] is the output of kv_a_proj_with_mqa;
    /// its first part is RMS-normed with `norm` and eps, its second rotated.
    virtual void latentAppend(LatentCacheView cache, std::int64_t first, ConstMatrix kv,
                              const AttentionShape& shape, const float* norm, float eps,
                              const float* cosSin) = 0;
    /// Causal attention of T queries at positions [first, first + T) over the cache rows
    /// [0, first + T). out [T, H * dv], q [T, H * (dn + dr)] rotated, kvB [H * (dn + dv),
    /// latentDim]. Absorbed: works on the latent rows themselves (decode).
    virtual void absorbedAttention(Matrix out, ConstMatrix q, const Weight& kvB,
                                   LatentCacheView cache, std::int64_t first,
                                   const AttentionShape& shape) = 0;
    /// The same result by expanding keys and values block by block (prefill).
    virtual void expandedAttention(Matrix out, ConstMatrix q, const Weight& kvB,
                                   LatentCacheView cache, std::int64_t first,
                                   const AttentionShape& shape) = 0;
    /// Chooses experts from router logits [T, E]. bias [E] or null.
    virtual void route(Routing routing, ConstMatrix logits, const float* bias,
                       const RouteParams& params) = 0;
    /// out[t] += sum_j weights[t][j] down(silu(gate(in[t])) * up(in[t])) over the chosen experts,
    /// in ascending order of expert. out, in [T, h].
    virtual void expertFfn(Matrix out, ConstMatrix in, const Routing& routing,
                           const ExpertWeights& experts) = 0;
    /// out = silu(gate) * up. May be in place.
    virtual void swiglu(Matrix out, ConstMatrix gate, ConstMatrix up) = 0;
    /// out = 0.
    virtual void clear(Matrix out) = 0;
    /// out += in.
    virtual void add(Matrix out, ConstMatrix in) = 0;
};

}  // namespace gatescope
