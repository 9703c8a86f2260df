// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kernels/cpu/thread_pool.h"
#include "kernels/device.h"

namespace gatescope {

/// The CPU backend and the oracle of every other one: float32 accumulation, weights used where they
/// are mapped, the same result for any number of threads.
class CpuDevice final : public Device {
  public:
    /// `threads` in all; 0: one per core.
    explicit CpuDevice(int threads = 0) : m_pool(threads) {}

    std::string describe() const override;

    void* allocate(std::size_t bytes) override;
    void release(void* memory) noexcept override;
    void upload(void* device, const void* host, std::size_t bytes) override;
    void download(void* host, const void* device, std::size_t bytes) override;
    void synchronize() override {}
    Weight place(const Weight& host) override { return host; }

    void embed(Matrix out, const Weight& table, const std::int32_t* ids) override;
    void rmsNorm(Matrix out, ConstMatrix in, const float* weight, float eps) override;
    void matmul(Matrix out, ConstMatrix in, const Weight& weight) override;
    void rotary(Matrix q, const AttentionShape& shape, const float* cosSin) override;
    void latentAppend(LatentCacheView cache, std::int64_t first, ConstMatrix kv,
                      const AttentionShape& shape, const float* norm, float eps,
                      const float* cosSin) override;
    void absorbedAttention(Matrix out, ConstMatrix q, const Weight& kvB, LatentCacheView cache,
                           std::int64_t first, const AttentionShape& shape) override;
    void expandedAttention(Matrix out, ConstMatrix q, const Weight& kvB, LatentCacheView cache,
                           std::int64_t first, const AttentionShape& shape) override;
    void route(Routing routing, ConstMatrix logits, const float* bias,
               const RouteParams& params) override;
    void expertFfn(Matrix out, ConstMatrix in, const Routing& routing,
                   const ExpertWeights& experts) override;
    void swiglu(Matrix out, ConstMatrix gate, ConstMatrix up) override;
    void clear(Matrix out) override;
    void add(Matrix out, ConstMatrix in) override;

  private:
    ThreadPool m_pool;
};

}  // namespace gatescope
