// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "tests/simt/shim_test.h"

namespace simt::test {

/// An argument with pointers inside.
struct Slice {
    const float* data;
    int count;
};

template <typename Visit>
void forEachPointer(const Slice& slice, const Visit& visit) {
    visit(slice.data);
}

namespace {

using testing::HasSubstr;

class SimtMemory : public ShimTest {};

TEST_F(SimtMemory, NewMemoryIsNotANumber) {
    const DeviceArray<float> values(100);
    for (const float v : values.host()) EXPECT_TRUE(std::isnan(v));
}

TEST_F(SimtMemory, TheDeviceIsAsLargeAsItIsSaidToBe) {
    options().deviceMemoryBytes = 1000;
    void* first = nullptr;
    void* second = nullptr;
    ASSERT_EQ(cudaMalloc(&first, 600), cudaSuccess);
    EXPECT_EQ(cudaMalloc(&second, 401), cudaErrorMemoryAllocation);
    EXPECT_EQ(second, nullptr);
    EXPECT_STREQ(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory");
    EXPECT_EQ(cudaMalloc(&second, 400), cudaSuccess);
    std::size_t free = 1;
    std::size_t total = 0;
    EXPECT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
    EXPECT_EQ(free, 0u);
    EXPECT_EQ(total, 1000u);
    EXPECT_EQ(cudaFree(first), cudaSuccess);
    EXPECT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
    EXPECT_EQ(free, 600u);
    EXPECT_EQ(cudaFree(second), cudaSuccess);
    EXPECT_EQ(cudaMalloc(&first, std::size_t{1} << 63), cudaErrorMemoryAllocation);
}

TEST_F(SimtMemory, OnlyWhatWasAllocatedIsFreed) {
    const DeviceArray<int> array(4);
    int local = 0;
    EXPECT_EQ(cudaFree(nullptr), cudaSuccess);
    EXPECT_EQ(cudaFree(&local), cudaErrorInvalidValue);
    EXPECT_EQ(cudaFree(array.data() + 1), cudaErrorInvalidValue);
    EXPECT_EQ(cudaFreeHost(array.data()), cudaErrorInvalidValue);
    void* pinned = nullptr;
    ASSERT_EQ(cudaMallocHost(&pinned, 16), cudaSuccess);
    EXPECT_EQ(cudaFree(pinned), cudaErrorInvalidValue);
    EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
    EXPECT_EQ(cudaFreeHost(pinned), cudaErrorInvalidValue);
}

TEST_F(SimtMemory, CopiesCheckBothEnds) {
    const DeviceArray<int> a(std::vector<int>{1, 2, 3, 4});
    const DeviceArray<int> b(4);
    std::vector<int> host(8);
    EXPECT_EQ(cudaMemcpy(b.data(), a.data(), 16, cudaMemcpyDeviceToDevice), cudaSuccess);
    EXPECT_EQ(b.host(), a.host());
    EXPECT_EQ(cudaMemcpy(host.data(), a.data() + 2, 8, cudaMemcpyDefault), cudaSuccess);
    EXPECT_EQ(host[1], 4);
    EXPECT_EQ(cudaMemcpy(host.data(), a.data(), 17, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
    EXPECT_EQ(cudaMemcpy(a.data() + 3, host.data(), 8, cudaMemcpyHostToDevice),
              cudaErrorInvalidValue);
    EXPECT_EQ(cudaMemcpy(host.data(), host.data() + 4, 16, cudaMemcpyHostToDevice),
              cudaErrorInvalidValue);
    EXPECT_THAT(cudaGetErrorString(cudaErrorInvalidValue),
                HasSubstr("the destination is not device memory"));
    EXPECT_EQ(cudaMemcpy(b.data(), a.data(), 16, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    EXPECT_THAT(cudaGetErrorString(cudaErrorInvalidValue), HasSubstr("the source is not host"));
    EXPECT_EQ(cudaMemset(b.data(), 0, 16), cudaSuccess);
    EXPECT_EQ(b.host(), std::vector<int>(4));
    EXPECT_EQ(cudaMemset(b.data(), 0, 17), cudaErrorInvalidValue);
    EXPECT_EQ(cudaMemset(host.data(), 0, 4), cudaErrorInvalidValue);
    EXPECT_EQ(cudaMemsetAsync(host.data(), 0, 4, nullptr), cudaErrorInvalidValue);
}

TEST_F(SimtMemory, RowsAreCopiedWithTheirPitch) {
    const DeviceArray<int> device(std::vector<int>(12));
    const std::vector<int> host{1, 2, 3, 4, 5, 6};
    constexpr std::size_t kRow = 2 * sizeof(int);
    ASSERT_EQ(cudaMemcpy2DAsync(device.data() + 1, 2 * kRow, host.data(), kRow, kRow, 3,
                                cudaMemcpyHostToDevice, nullptr),
              cudaSuccess);
    EXPECT_EQ(device.host(), (std::vector<int>{0, 1, 2, 0, 0, 3, 4, 0, 0, 5, 6, 0}));
    EXPECT_EQ(cudaMemcpy2DAsync(device.data() + 3, 2 * kRow, host.data(), kRow, kRow, 3,
                                cudaMemcpyHostToDevice, nullptr),
              cudaErrorInvalidValue)
        << "the last row ends outside";
    EXPECT_EQ(
        cudaMemcpy2D(device.data(), kRow / 2, host.data(), kRow, kRow, 1, cudaMemcpyHostToDevice),
        cudaErrorInvalidValue);
}

__global__ void readPointer(const float* values) {
    (void)values;
}
__global__ void readSlice(int first, Slice slice) {
    (void)first;
    (void)slice;
}

TEST_F(SimtMemory, KernelsTakeNoHostPointers) {
    const DeviceArray<float> device(4);
    float host = 0;
    EXPECT_EQ(failure(readPointer, 1, device.data()), "");
    EXPECT_EQ(failure(readPointer, 1, device.data() + 4), "") << "the end of the memory";
    EXPECT_EQ(failure(readPointer, 1, nullptr), "");
    EXPECT_THAT(failure(readPointer, 1, &host),
                HasSubstr("kernel 'kernel': host pointer (or freed memory) passed to a kernel "
                          "(argument 1)"));
    EXPECT_EQ(failure(readSlice, 1, 0, Slice{device.data(), 4}), "");
    EXPECT_THAT(failure(readSlice, 1, 0, Slice{&host, 1}), HasSubstr("(argument 2)"));
}

TEST_F(SimtMemory, KernelsTakePinnedAndRegisteredMemory) {
    float* pinned = nullptr;
    ASSERT_EQ(cudaMallocHost(&pinned, 16), cudaSuccess);
    EXPECT_EQ(failure(readPointer, 1, pinned), "");
    EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
    std::vector<float> host(4);
    ASSERT_EQ(cudaHostRegister(host.data(), 16, cudaHostRegisterDefault), cudaSuccess);
    EXPECT_EQ(cudaHostRegister(host.data() + 1, 4, cudaHostRegisterDefault),
              cudaErrorHostMemoryAlreadyRegistered);
    EXPECT_EQ(failure(readPointer, 1, host.data()), "");
    EXPECT_EQ(cudaHostUnregister(host.data()), cudaSuccess);
    EXPECT_NE(failure(readPointer, 1, host.data()), "");
    EXPECT_EQ(cudaHostUnregister(host.data()), cudaErrorHostMemoryNotRegistered);
}

TEST_F(SimtMemory, DevicesDoNotShareMemory) {
    options().deviceCount = 2;
    const DeviceArray<float> first(4);
    ASSERT_EQ(cudaSetDevice(1), cudaSuccess);
    EXPECT_THAT(failure(readPointer, 1, first.data()),
                HasSubstr("memory of device 0 passed to a kernel on device 1"));
    cudaStream_t stream = nullptr;
    ASSERT_EQ(cudaStreamCreate(&stream), cudaSuccess);
    ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
    EXPECT_EQ(launch("read", readPointer, 1, 1, 0, stream, first.data()),
              cudaErrorInvalidResourceHandle);
    EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

}  // namespace

}  // namespace simt::test
