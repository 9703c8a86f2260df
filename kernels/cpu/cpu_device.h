// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <deque>
#include <string>
#include <vector>

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
    Precision precision() const override { return Precision::Exact; }
    std::span<const CacheType> cacheTypes() const override;
    std::int64_t preferredPass() const override { return 512; }
    std::optional<DeviceMemory> memory() const override { return std::nullopt; }

    void* allocate(std::size_t bytes) override;
    void release(void* memory) noexcept override;
    void upload(void* device, const void* host, std::size_t bytes) override;
    void download(void* host, const void* device, std::size_t bytes) override;
    void synchronize() override {}
    void copy(void* to, const void* from, std::size_t bytes) override { upload(to, from, bytes); }
    Weight place(const Weight& host) override { return host; }
    Weight random(const RandomFill& fill) override;
    void runStep(const StepKey& /*key*/, const std::function<void()>& operations) override {
        operations();
    }
    std::size_t mark() override;
    double secondsBetween(std::size_t from, std::size_t to) override;
    void clearMarks() override { m_marks.clear(); }

    void embed(Matrix out, const Weight& table, const std::int32_t* ids) override;
    void rmsNorm(Matrix out, ConstMatrix in, const float* weight, float eps) override;
    void addRmsNorm(Matrix out, Matrix x, ConstMatrix block, const float* weight,
                    float eps) override;
    void matmul(Matrix out, ConstMatrix in, const Weight& weight) override;
    void routerMatmul(Matrix out, ConstMatrix in, const Weight& weight) override {
        matmul(out, in, weight);
    }
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

  private:
    ThreadPool m_pool;
    std::deque<std::vector<std::byte>> m_randomWeights;
    std::deque<std::vector<float>> m_randomScales;
    std::vector<std::chrono::steady_clock::time_point> m_marks;
};

}  // namespace gatescope
