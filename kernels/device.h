// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "kernels/latent_layout.h"
#include "kernels/matrix.h"
#include "kernels/precision.h"
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

/// The latent cache of one layer: blocks of `blockPositions` rows, each as `layout` says.
struct LatentCacheView {
    std::byte* const* blocks = nullptr;  ///< the table itself is in the device's memory too
    int blockPositions = 0;
    LatentLayout layout;

    constexpr std::byte* row(std::int64_t position) const {
        return blocks[position / blockPositions] + position % blockPositions * layout.rowBytes();
    }
    /// Of an F32 cache.
    float* floatRow(std::int64_t position) const { return reinterpret_cast<float*>(row(position)); }
};

/// Where the T tokens of a pass stand in the context.
struct StepPosition {
    std::int64_t first = 0;  ///< position of the first token; the cache holds rows [0, first)
    /// The same number in the device's memory. A device that replays a recorded step reads it
    /// there, because `first` is what it was when the step was recorded.
    const std::int64_t* onDevice = nullptr;
    /// No replay of this step reaches beyond this context: first + T <= capacity.
    std::int64_t capacity = 0;
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

/// The routed experts of one layer; all of one size.
struct ExpertWeights {
    std::span<const Weight> gate;   ///< E x [Im, h]
    std::span<const Weight> up;     ///< E x [Im, h]
    std::span<const Weight> down;   ///< E x [h, Im]
    const Weight* table = nullptr;  ///< [3 E] gate, up, down once more, in the device's memory
};

/// What choosing a token takes of T rows of logits, in the device's memory.
struct TopLogits {
    std::int32_t* ids = nullptr;  ///< [T, k] of the k largest, largest first; ties to the lower id
    float* values = nullptr;      ///< [T, k] their logits
    float* logSum = nullptr;      ///< [T] ln sum exp over the whole row
    std::int32_t* finite = nullptr;  ///< [T] whether every logit of the row is finite
    int k = 0;                       ///< at most kMaxTopLogits and `limit`
    std::int64_t limit = 0;          ///< only ids below this compete
};
inline constexpr int kMaxTopLogits = 64;

/// Memory of a device, in bytes.
struct DeviceMemory {
    std::size_t free = 0;
    std::size_t total = 0;
};

/// What makes two passes the same sequence of operations on the same memory, but for the values
/// uploaded before. Equal keys of one device must mean equal operations.
struct StepKey {
    const void* owner = nullptr;  ///< the module that runs the pass
    const void* input = nullptr;  ///< device memory it starts from, where that varies
    std::int64_t tokens = 0;
    std::int64_t capacity = 0;  ///< as in StepPosition
    std::int64_t logitRows = 0;
    std::int64_t topLogits = 0;  ///< TopLogits::k
    std::int64_t topLimit = 0;   ///< TopLogits::limit
    /// Which choice rules and biases the routers run with: equal numbers mean the same ones, in the
    /// same memory.
    std::uint64_t routing = 0;
    bool absorbed = false;

    bool operator==(const StepKey&) const = default;
};

/// How random weights are made; see Device::random.
struct RandomFill {
    DType dtype = DType::BF16;
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    int blockRows = 128;  ///< of block scales (F8E4M3)
    int blockCols = 128;
    float deviation = 0;  ///< standard deviation of the values, block scale included
    std::uint64_t seed = 0;
};

/// Where the decoder's operations run. One forward pass is written against this interface, so a
/// further device means kernels only. Calls are issued in order by one thread; results are ready
/// after synchronize() (or download()). Operations and allocations throw DeviceError, and
/// DeviceMemoryError when memory runs out.
///
/// With Precision::Exact an operation's result for one token does not depend on how many tokens are
/// computed with it, nor on the number of threads: the order of every sum is fixed. Speculative
/// decoding relies on it.
class Device {
  public:
    virtual ~Device() = default;

    /// For people: "cpu, 2 threads, AVX3".
    virtual std::string describe() const = 0;
    virtual Precision precision() const = 0;
    /// Types the latent cache may have here, the default first.
    virtual std::span<const CacheType> cacheTypes() const = 0;
    /// Tokens of a pass that make good use of the device; longer prompts take several passes.
    virtual std::int64_t preferredPass() const = 0;
    /// Memory weights and caches compete for; nothing where that is the host's.
    virtual std::optional<DeviceMemory> memory() const = 0;

    virtual void* allocate(std::size_t bytes) = 0;
    virtual void release(void* memory) noexcept = 0;
    virtual void upload(void* device, const void* host, std::size_t bytes) = 0;
    virtual void download(void* host, const void* device, std::size_t bytes) = 0;
    virtual void synchronize() = 0;
    /// Copies inside the device.
    virtual void copy(void* to, const void* from, std::size_t bytes) = 0;
    /// Makes a weight in host memory usable here; the CPU uses it where it lies. What a device
    /// copies lives as long as the device.
    virtual Weight place(const Weight& host) = 0;
    /// A weight of normally distributed values that lives as long as the device. The same fill
    /// gives the same values on every call (but not on every device).
    virtual Weight random(const RandomFill& fill) = 0;

    /// Runs a pass. `operations` issues it, operation by operation; a device may record that and
    /// repeat the recording for equal keys instead of calling `operations` again. Everything that
    /// differs between two such passes must have been uploaded before.
    virtual void runStep(const StepKey& key, const std::function<void()>& operations) = 0;

    /// Notes this point in the sequence of operations, for measurements.
    virtual std::size_t mark() = 0;
    /// Time between two marks on the device's own clock; waits for the later one.
    virtual double secondsBetween(std::size_t from, std::size_t to) = 0;
    virtual void clearMarks() = 0;

    /// out[t] = table[ids[t]]; out [T, h].
    virtual void embed(Matrix out, const Weight& table, const std::int32_t* ids) = 0;
    /// out[t] = in[t] / sqrt(mean(in[t]^2) + eps) * weight; weight float32 [cols]. May be in place.
    virtual void rmsNorm(Matrix out, ConstMatrix in, const float* weight, float eps) = 0;
    /// x += block, then out = rmsNorm(x): a residual connection and the norm that follows it.
    virtual void addRmsNorm(Matrix out, Matrix x, ConstMatrix block, const float* weight,
                            float eps) = 0;
    /// out[t][n] = sum_k in[t][k] weight[n][k]; out [T, N], in [T, K], weight [N, K].
    virtual void matmul(Matrix out, ConstMatrix in, const Weight& weight) = 0;
    /// The same in float32 whatever the device's precision: a router's logits decide.
    virtual void routerMatmul(Matrix out, ConstMatrix in, const Weight& weight) = 0;
    /// out = silu(in gate^T) * (in up^T), the inner half of a SwiGLU MLP; gate and up [N, K].
    virtual void gatedMatmul(Matrix out, ConstMatrix in, const Weight& gate, const Weight& up) = 0;
    /// Rotates the last ropeDim values of every head of q [T, H * (dn + dr)] in adjacent pairs.
    /// cosSin [T, dr]: cos and sin of pair 0, of pair 1, ...
    virtual void rotary(Matrix q, const AttentionShape& shape, const float* cosSin) = 0;
    /// Stores rows [first, first + T): kv [T, latentDim + dr] is the output of kv_a_proj_with_mqa;
    /// its first part is RMS-normed with `norm` and eps, its second rotated.
    virtual void latentAppend(LatentCacheView cache, const StepPosition& position, ConstMatrix kv,
                              const AttentionShape& shape, const float* norm, float eps,
                              const float* cosSin) = 0;
    /// Causal attention of T queries at positions [first, first + T) over the cache rows
    /// [0, first + T). out [T, H * dv], q [T, H * (dn + dr)] rotated, kvB [H * (dn + dv),
    /// latentDim]. Absorbed: works on the latent rows themselves (decode).
    virtual void absorbedAttention(Matrix out, ConstMatrix q, const Weight& kvB,
                                   LatentCacheView cache, const StepPosition& position,
                                   const AttentionShape& shape) = 0;
    /// The same result by expanding keys and values block by block (prefill).
    virtual void expandedAttention(Matrix out, ConstMatrix q, const Weight& kvB,
                                   LatentCacheView cache, const StepPosition& position,
                                   const AttentionShape& shape) = 0;
    /// Chooses experts from router logits [T, E]. bias [E] or null.
    virtual void route(Routing routing, ConstMatrix logits, const float* bias,
                       const RouteParams& params) = 0;
    /// out[t] += sum_j weights[t][j] down(silu(gate(in[t])) * up(in[t])) over the chosen experts,
    /// in ascending order of expert. out, in [T, h].
    virtual void expertFfn(Matrix out, ConstMatrix in, const Routing& routing,
                           const ExpertWeights& experts) = 0;
    /// out = 0.
    virtual void clear(Matrix out) = 0;
    /// out += in.
    virtual void add(Matrix out, ConstMatrix in) = 0;
    /// The largest logits of every row [T, V] and what their probabilities are measured against.
    virtual void topLogits(TopLogits top, ConstMatrix logits) = 0;
};

}  // namespace gatescope
