// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime.h>
#include <gtest/gtest.h>
#include <simt/launch.h>
#include <simt/options.h>

#include <string>
#include <vector>

namespace simt::test {

/// Restores the options; complains about what a test left behind.
class ShimTest : public testing::Test {
  protected:
    void SetUp() override {
        options() = {};
        m_before = statistics();
    }
    void TearDown() override {
        options() = {};
        const Statistics now = statistics();
        EXPECT_EQ(now.deviceAllocations, m_before.deviceAllocations);
        EXPECT_EQ(now.hostAllocations, m_before.hostAllocations);
        EXPECT_EQ(now.streams, m_before.streams);
        EXPECT_EQ(now.events, m_before.events);
        EXPECT_EQ(now.graphs, m_before.graphs);
        EXPECT_EQ(now.executables, m_before.executables);
        cudaGetLastError();
    }

  private:
    Statistics m_before;
};

/// Device memory of `count` values.
template <typename T>
class DeviceArray {
  public:
    explicit DeviceArray(std::size_t count) : m_count(count) {
        EXPECT_EQ(cudaMalloc(&m_data, count * sizeof(T)), cudaSuccess);
    }
    explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
        EXPECT_EQ(cudaMemcpy(m_data, values.data(), m_count * sizeof(T), cudaMemcpyHostToDevice),
                  cudaSuccess);
    }
    ~DeviceArray() { cudaFree(m_data); }
    DeviceArray(const DeviceArray&) = delete;
    DeviceArray& operator=(const DeviceArray&) = delete;

    T* data() const { return m_data; }
    std::vector<T> host() const {
        std::vector<T> values(m_count);
        EXPECT_EQ(cudaMemcpy(values.data(), m_data, m_count * sizeof(T), cudaMemcpyDeviceToHost),
                  cudaSuccess);
        return values;
    }

  private:
    T* m_data = nullptr;
    std::size_t m_count;
};

/// Starts a kernel of one block and expects it to succeed.
template <typename... Params>
void run(void (*kernel)(Params...), unsigned threads, std::type_identity_t<Params>... args) {
    const cudaError_t error = launch("kernel", kernel, 1, threads, 0, nullptr, args...);
    ASSERT_EQ(error, cudaSuccess) << cudaGetErrorString(error);
}

/// Starts a kernel of one block and returns why it failed; empty if it did not.
template <typename... Params>
std::string failure(void (*kernel)(Params...), unsigned threads,
                    std::type_identity_t<Params>... args) {
    const cudaError_t error = launch("kernel", kernel, 1, threads, 0, nullptr, args...);
    if (error == cudaSuccess) return {};
    EXPECT_EQ(error, cudaErrorLaunchFailure);
    return cudaGetErrorString(error);
}

}  // namespace simt::test
