// SPDX-License-Identifier: Apache-2.0
#include "kernels/timed_device.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/cpu/cpu_device.h"

namespace gatescope {
namespace {

/// Counts the passes that reach it as such.
class CountingDevice final : public ForwardingDevice {
  public:
    using ForwardingDevice::ForwardingDevice;
    void runStep(const StepKey& key, const std::function<void()>& operations) override {
        ++steps;
        ForwardingDevice::runStep(key, operations);
    }
    int steps = 0;
};

class TimedDeviceTest : public testing::Test {
  protected:
    /// Two products and a norm, as one step.
    void step() {
        m_device.runStep({}, [this] {
            const Matrix in(m_in.data(), 1, 3);
            m_device.matmul({m_out.data(), 1, 2}, in, m_weight);
            m_device.matmul({m_out.data(), 1, 2}, in, m_weight);
            m_device.rmsNorm(in, in, m_norm.data(), 1e-6F);
        });
    }

    CpuDevice m_cpu{1};
    CountingDevice m_counting{m_cpu};
    TimedDevice m_device{m_counting};
    std::vector<float> m_in{1, 2, 3};
    std::vector<float> m_out{0, 0};
    std::vector<float> m_norm{1, 1, 1};
    std::vector<float> m_values{1, 0, 0, 0, 1, 0};
    Weight m_weight{.dtype = DType::F32, .rows = 2, .cols = 3, .data = m_values.data()};
};

TEST_F(TimedDeviceTest, SumsByOperationAndShape) {
    m_device.start();
    step();
    const TimedPass pass = m_device.stop();
    ASSERT_EQ(pass.operations.size(), 2u);
    double sum = 0;
    for (const OperationTime& operation : pass.operations) {
        EXPECT_EQ(operation.calls, operation.name == "matmul [2, 3]" ? 2 : 1);
        EXPECT_GE(operation.seconds, 0);
        sum += operation.seconds;
    }
    EXPECT_LE(sum, pass.seconds);
    EXPECT_GE(pass.operations[0].seconds, pass.operations[1].seconds);
    EXPECT_EQ(pass.secondsOf("matmul") + pass.secondsOf("rmsNorm"), sum);
    EXPECT_EQ(m_out, (std::vector<float>{1, 2}));
}

TEST_F(TimedDeviceTest, StepsAreRecordedOnlyWhileNothingIsTimed) {
    step();
    EXPECT_EQ(m_counting.steps, 1);
    m_device.start();
    step();
    EXPECT_EQ(m_counting.steps, 1);
    EXPECT_EQ(m_device.stop().operations.size(), 2u);
    step();
    EXPECT_EQ(m_counting.steps, 2);
    m_device.start();
    EXPECT_TRUE(m_device.stop().operations.empty());
}

}  // namespace
}  // namespace gatescope
