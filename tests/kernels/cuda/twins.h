// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cpu/cpu_device.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/device_buffer.h"
#include "tests/kernels/reference.h"

#ifdef GATESCOPE_SIMT
#include <simt/options.h>
#endif

// Every CUDA operation is compared with its CPU twin. The same tests run on the CPU through the
// SIMT shim (GATESCOPE_SIMT) and on a real GPU.

namespace gatescope::test {

/// Skips the running test where there is no GPU; does nothing under the shim.
#ifdef GATESCOPE_SIMT
#define GATESCOPE_NEEDS_GPU() (void)0
#else
#define GATESCOPE_NEEDS_GPU()                                            \
    do {                                                                 \
        int devices = 0;                                                 \
        if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) \
            GTEST_SKIP() << "no GPU here";                               \
    } while (false)
#endif

/// Runs `body` once on a GPU, and under the shim once for each of several orders in which the lanes
/// of a warp and the warps of a block take turns: a missing barrier shows as a difference.
inline void forEachLaneOrder(const std::function<void()>& body) {
#ifdef GATESCOPE_SIMT
#ifdef __SANITIZE_ADDRESS__
    const unsigned orders = 1;  // where memory is touched does not depend on the order
#else
    const unsigned orders = 3;
#endif
    for (unsigned seed = 0; seed < orders; ++seed) {
        simt::options().laneOrderSeed = seed;
        SCOPED_TRACE("lane order " + std::to_string(seed));
        body();
    }
    simt::options().laneOrderSeed = 0;
#else
    body();
#endif
}

/// Device memory with a copy of some values.
template <typename T>
class OnDevice {
  public:
    OnDevice(Device& device, const std::vector<T>& values) : m_device(&device), m_buffer(device) {
        m_size = values.size();
        m_buffer.require(std::max<std::size_t>(1, m_size));
        device.upload(m_buffer.data(), values.data(), m_size * sizeof(T));
    }
    T* data() const { return m_buffer.data(); }
    std::vector<T> host() const {
        std::vector<T> values(m_size);
        m_device->synchronize();
        m_device->download(values.data(), m_buffer.data(), m_size * sizeof(T));
        return values;
    }

  private:
    Device* m_device;
    DeviceBuffer<T> m_buffer;
    std::size_t m_size = 0;
};

/// The largest absolute difference; infinite where the sizes differ or a value is not finite.
inline double maxDifference(const std::vector<float>& a, const std::vector<float>& b) {
    if (a.size() != b.size()) return INFINITY;
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double d = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
        worst = std::max(worst, std::isfinite(d) ? d : INFINITY);
    }
    return worst;
}

/// sqrt(sum (a - b)^2 / sum a^2), a measure for reduced precision; infinite as above.
inline double relativeRms(const std::vector<float>& expected, const std::vector<float>& actual) {
    if (expected.size() != actual.size()) return INFINITY;
    double difference = 0;
    double size = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const double e = expected[i];
        difference += (e - actual[i]) * (e - actual[i]);
        size += e * e;
    }
    const double result = size == 0 ? std::sqrt(difference) : std::sqrt(difference / size);
    return std::isfinite(result) ? result : INFINITY;
}

}  // namespace gatescope::test
