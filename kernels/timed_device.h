// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kernels/forwarding_device.h"

namespace gatescope {

/// All calls of one operation with weights of one shape.
struct OperationTime {
    std::string
        name;  ///< "absorbedAttention", "matmul [7168, 16384]" (rows, columns of the weight)
    std::int64_t calls = 0;
    double seconds = 0;
};

/// What was issued between start() and stop().
struct TimedPass {
    double seconds = 0;                     ///< from start to stop
    std::vector<OperationTime> operations;  ///< longest first
    /// Of the operations whose name begins with `name`.
    double secondsOf(const std::string& name) const;
};

/// Times the operations of another device one by one, on that device's own clock. While it does, a
/// step is issued operation by operation and not recorded, so the whole takes longer than it would.
/// Otherwise every call is handed on as it is.
class TimedDevice final : public ForwardingDevice {
  public:
    using ForwardingDevice::ForwardingDevice;

    void start();
    TimedPass stop();

    void runStep(const StepKey& key, const std::function<void()>& operations) override;

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

  private:
    struct Call {
        std::string name;
        std::size_t begin;
        std::size_t end;
    };
    template <typename Operation>
    void timed(const char* name, const Operation& operation, const Weight* weight = nullptr);

    bool m_timing = false;
    std::size_t m_start = 0;
    std::vector<Call> m_calls;
};

}  // namespace gatescope
