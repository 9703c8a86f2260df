// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/scratch.h"
#include "kernels/device.h"

namespace gatescope::cuda {

class Blas;
class GraphCache;
class Staging;
class WeightArena;

/// One GPU through the CUDA runtime; operations are issued into one stream. Each operation stands
/// in a file of its own, named as its CPU twin.
class CudaDevice final : public Device {
  public:
    /// Throws DeviceError.
    CudaDevice(int ordinal, Precision precision);
    ~CudaDevice() override;

    std::string describe() const override;
    Precision precision() const override { return m_precision; }
    std::span<const CacheType> cacheTypes() const override;
    std::int64_t preferredPass() const override;
    std::optional<DeviceMemory> memory() const override;

    void* allocate(std::size_t bytes) override;
    void release(void* memory) noexcept override;
    void upload(void* device, const void* host, std::size_t bytes) override;
    void download(void* host, const void* device, std::size_t bytes) override;
    void synchronize() override;
    void copy(void* to, const void* from, std::size_t bytes) override;
    Weight place(const Weight& host) override;
    Weight random(const RandomFill& fill) override;
    void runStep(const StepKey& key, const std::function<void()>& operations) override;
    std::size_t mark() override;
    double secondsBetween(std::size_t from, std::size_t to) override;
    void clearMarks() override;

    void embed(Matrix out, const Weight& table, const std::int32_t* ids) override;
    void rmsNorm(Matrix out, ConstMatrix in, const float* weight, float eps) override;
    void addRmsNorm(Matrix out, Matrix x, ConstMatrix block, const float* weight,
                    float eps) override;
    void matmul(Matrix out, ConstMatrix in, const Weight& weight) override;
    void routerMatmul(Matrix out, ConstMatrix in, const Weight& weight) override;
    void gatedMatmul(Matrix out, ConstMatrix in, const Weight& gate, const Weight& up) override;
    void rotary(Matrix q, const AttentionShape& shape, const float* cosSin) override;
    void latentAppend(LatentCacheView cache, const StepPosition& position, ConstMatrix kv,
                      const AttentionShape& shape, const float* norm, float eps,
                      const float* cosSin) override;
    void absorbedAttention(Matrix out, ConstMatrix q, const Weight& kvB, LatentCacheView cache,
                           const StepPosition& position, const AttentionShape& shape) override;
    void expandedAttention(Matrix out, ConstMatrix q, const Weight& kvB, LatentCacheView cache,
                           const StepPosition& position, const AttentionShape& shape) override;
    void route(Routing routing, ConstMatrix logits, const float* bias,
               const RouteParams& params) override;
    void expertFfn(Matrix out, ConstMatrix in, const Routing& routing,
                   const ExpertWeights& experts) override;
    void clear(Matrix out) override;
    void add(Matrix out, ConstMatrix in) override;
    void topLogits(TopLogits top, ConstMatrix logits) override;

    /// Recorded steps that were repeated so far; for tests and measurements.
    std::size_t replays() const;

  private:
    /// Streaming multiprocessors.
    int multiprocessors() const { return m_multiprocessors; }
    /// The most dynamic shared memory a block may ask for, in bytes.
    std::size_t sharedBytesPerBlock() const { return m_sharedBytesPerBlock; }
    bool isFast() const { return m_precision == Precision::Fast; }
    /// At least `count` elements of T that keep their content until the slot is asked for again.
    /// Growing a slot makes recorded steps stale.
    template <typename T>
    T* scratch(Scratch slot, std::int64_t count) {
        return static_cast<T*>(scratchBytes(slot, static_cast<std::size_t>(count) * sizeof(T)));
    }
    void* scratchBytes(Scratch slot, std::size_t bytes);
    /// Memory that lives as long as the device.
    void* allocateForWeights(std::size_t bytes);
    /// A weight of that type and shape with room for padded rows; data and scales not yet written.
    Weight allocateWeight(const Weight& like);

    int m_ordinal;
    Precision m_precision;
    std::string m_name;
    std::size_t m_totalBytes = 0;
    int m_multiprocessors = 0;
    std::size_t m_sharedBytesPerBlock = 0;
    cudaStream_t m_stream = nullptr;
    /// Raised whenever memory a recorded step may point to was given back.
    std::uint64_t m_generation = 0;
    struct Buffer {
        void* data = nullptr;
        std::size_t bytes = 0;
    };
    std::array<Buffer, static_cast<std::size_t>(Scratch::Count)> m_scratch{};
    std::vector<cudaEvent_t> m_marks;
    std::size_t m_usedMarks = 0;
    std::unique_ptr<WeightArena> m_weights;
    std::unique_ptr<Staging> m_staging;
    std::unique_ptr<GraphCache> m_graphs;
    std::unique_ptr<Blas> m_blas;  ///< null where cuBLAS is not to be had
};

}  // namespace gatescope::cuda
