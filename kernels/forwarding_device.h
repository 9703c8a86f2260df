// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "kernels/device.h"

namespace gatescope {

/// Hands every call on to another device, which must outlive it. What derives from it changes the
/// calls it cares about.
class ForwardingDevice : public Device {
  public:
    explicit ForwardingDevice(Device& device) : m_device(device) {}

    std::string describe() const override { return m_device.describe(); }
    Precision precision() const override { return m_device.precision(); }
    std::span<const CacheType> cacheTypes() const override { return m_device.cacheTypes(); }
    std::int64_t preferredPass() const override { return m_device.preferredPass(); }
    std::optional<DeviceMemory> memory() const override { return m_device.memory(); }

    void* allocate(std::size_t bytes) override { return m_device.allocate(bytes); }
    void release(void* memory) noexcept override { m_device.release(memory); }
    void upload(void* device, const void* host, std::size_t bytes) override {
        m_device.upload(device, host, bytes);
    }
    void download(void* host, const void* device, std::size_t bytes) override {
        m_device.download(host, device, bytes);
    }
    void synchronize() override { m_device.synchronize(); }
    void copy(void* to, const void* from, std::size_t bytes) override {
        m_device.copy(to, from, bytes);
    }
    Weight place(const Weight& host) override { return m_device.place(host); }
    Weight random(const RandomFill& fill) override { return m_device.random(fill); }
    void runStep(const StepKey& key, const std::function<void()>& operations) override {
        m_device.runStep(key, operations);
    }
    std::size_t mark() override { return m_device.mark(); }
    double secondsBetween(std::size_t from, std::size_t to) override {
        return m_device.secondsBetween(from, to);
    }
    void clearMarks() override { m_device.clearMarks(); }

    void embed(Matrix out, const Weight& table, const std::int32_t* ids) override {
        m_device.embed(out, table, ids);
    }
    void rmsNorm(Matrix out, ConstMatrix in, const float* weight, float eps) override {
        m_device.rmsNorm(out, in, weight, eps);
    }
    void addRmsNorm(Matrix out, Matrix x, ConstMatrix block, const float* weight,
                    float eps) override {
        m_device.addRmsNorm(out, x, block, weight, eps);
    }
    void matmul(Matrix out, ConstMatrix in, const Weight& weight) override {
        m_device.matmul(out, in, weight);
    }
    void routerMatmul(Matrix out, ConstMatrix in, const Weight& weight) override {
        m_device.routerMatmul(out, in, weight);
    }
    void gatedMatmul(Matrix out, ConstMatrix in, const Weight& gate, const Weight& up) override {
        m_device.gatedMatmul(out, in, gate, up);
    }
    void rotary(Matrix q, const AttentionShape& shape, const float* cosSin) override {
        m_device.rotary(q, shape, cosSin);
    }
    void latentAppend(LatentCacheView cache, const StepPosition& position, ConstMatrix kv,
                      const AttentionShape& shape, const float* norm, float eps,
                      const float* cosSin) override {
        m_device.latentAppend(cache, position, kv, shape, norm, eps, cosSin);
    }
    void absorbedAttention(Matrix out, ConstMatrix q, const Weight& kvB, LatentCacheView cache,
                           const StepPosition& position, const AttentionShape& shape) override {
        m_device.absorbedAttention(out, q, kvB, cache, position, shape);
    }
    void expandedAttention(Matrix out, ConstMatrix q, const Weight& kvB, LatentCacheView cache,
                           const StepPosition& position, const AttentionShape& shape) override {
        m_device.expandedAttention(out, q, kvB, cache, position, shape);
    }
    void route(Routing routing, ConstMatrix logits, const float* bias,
               const RouteParams& params) override {
        m_device.route(routing, logits, bias, params);
    }
    void expertFfn(Matrix out, ConstMatrix in, const Routing& routing,
                   const ExpertWeights& experts) override {
        m_device.expertFfn(out, in, routing, experts);
    }
    void clear(Matrix out) override { m_device.clear(out); }
    void add(Matrix out, ConstMatrix in) override { m_device.add(out, in); }
    void topLogits(TopLogits top, ConstMatrix logits) override { m_device.topLogits(top, logits); }

  protected:
    Device& m_device;
};

}  // namespace gatescope
