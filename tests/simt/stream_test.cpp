// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <thread>

#include "tests/simt/shim_test.h"

namespace simt::test {

namespace {

using testing::HasSubstr;

__global__ void addKernel(int* values, int amount) {
    values[threadIdx.x] += amount;
}

/// A stream, one integer on the device, and what was recorded.
class SimtStream : public ShimTest {
  protected:
    void SetUp() override {
        ShimTest::SetUp();
        ASSERT_EQ(cudaStreamCreateWithFlags(&m_stream, cudaStreamNonBlocking), cudaSuccess);
        ASSERT_EQ(cudaMalloc(&m_value, sizeof(int)), cudaSuccess);
        ASSERT_EQ(cudaMemset(m_value, 0, sizeof(int)), cudaSuccess);
    }
    void TearDown() override {
        options() = {};
        EXPECT_EQ(cudaStreamDestroy(m_stream), cudaSuccess);
        EXPECT_EQ(cudaFree(m_value), cudaSuccess);
        ShimTest::TearDown();
    }

    cudaError_t add(int amount) {
        return launch("add", addKernel, 1, 1, 0, m_stream, m_value, amount);
    }
    int value() const {
        int result = -1;
        EXPECT_EQ(cudaMemcpy(&result, m_value, sizeof(int), cudaMemcpyDeviceToHost), cudaSuccess);
        return result;
    }
    void beginCapture(cudaStreamCaptureMode mode = cudaStreamCaptureModeThreadLocal) {
        ASSERT_EQ(cudaStreamBeginCapture(m_stream, mode), cudaSuccess);
    }
    cudaGraphExec_t endCapture() {
        cudaGraph_t graph = nullptr;
        cudaGraphExec_t executable = nullptr;
        EXPECT_EQ(cudaStreamEndCapture(m_stream, &graph), cudaSuccess);
        EXPECT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
        EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
        return executable;
    }

    cudaStream_t m_stream = nullptr;
    int* m_value = nullptr;
};

TEST_F(SimtStream, ACaptureRecordsAndDoesNothing) {
    beginCapture();
    EXPECT_EQ(add(1), cudaSuccess);
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    EXPECT_EQ(cudaStreamIsCapturing(m_stream, &status), cudaSuccess);
    EXPECT_EQ(status, cudaStreamCaptureStatusActive);
    cudaGraphExec_t executable = endCapture();
    EXPECT_EQ(cudaStreamIsCapturing(m_stream, &status), cudaSuccess);
    EXPECT_EQ(status, cudaStreamCaptureStatusNone);
    EXPECT_EQ(value(), 0);
    EXPECT_EQ(cudaGraphLaunch(executable, m_stream), cudaSuccess);
    EXPECT_EQ(value(), 1);
    EXPECT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);
}

TEST_F(SimtStream, AGraphRepeatsKernelsCopiesAndFillsInOrder) {
    int* other = nullptr;
    int host = 0;
    ASSERT_EQ(cudaMalloc(&other, sizeof(int)), cudaSuccess);
    beginCapture();
    int amount = 3;
    EXPECT_EQ(add(amount), cudaSuccess);
    amount = 100;  // arguments were taken by value
    EXPECT_EQ(cudaMemcpyAsync(other, m_value, sizeof(int), cudaMemcpyDeviceToDevice, m_stream),
              cudaSuccess);
    EXPECT_EQ(cudaMemsetAsync(m_value, 0, 2, m_stream), cudaSuccess);
    EXPECT_EQ(cudaMemcpyAsync(&host, other, sizeof(int), cudaMemcpyDeviceToHost, m_stream),
              cudaSuccess);
    EXPECT_EQ(cudaLaunchHostFunc(
                  m_stream, [](void* data) { *static_cast<int*>(data) *= 2; }, &host),
              cudaSuccess);
    cudaGraphExec_t executable = endCapture();
    const int start = 0x10000;
    for (int i = 1; i <= 3; ++i) {
        if (i == 2) {
            ASSERT_EQ(cudaMemcpy(m_value, &start, sizeof(int), cudaMemcpyHostToDevice),
                      cudaSuccess);
        }
        EXPECT_EQ(cudaGraphLaunch(executable, m_stream), cudaSuccess);
        EXPECT_EQ(cudaStreamSynchronize(m_stream), cudaSuccess);
        EXPECT_EQ(host, 2 * (i == 1 ? 3 : start + 3));
        EXPECT_EQ(value(), i == 1 ? 0 : start);
    }
    EXPECT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);
    EXPECT_EQ(cudaGraphLaunch(executable, m_stream), cudaErrorInvalidValue);
    EXPECT_EQ(cudaFree(other), cudaSuccess);
}

TEST_F(SimtStream, AGraphWhoseMemoryIsGoneDoesNotRun) {
    beginCapture();
    EXPECT_EQ(add(1), cudaSuccess);
    cudaGraphExec_t executable = endCapture();
    EXPECT_EQ(cudaFree(std::exchange(m_value, nullptr)), cudaSuccess);
    EXPECT_EQ(cudaGraphLaunch(executable, m_stream), cudaErrorLaunchFailure);
    EXPECT_THAT(cudaGetErrorString(cudaErrorLaunchFailure), HasSubstr("freed memory"));
    EXPECT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);
}

TEST_F(SimtStream, WhatACaptureForbidsEndsIt) {
    void* memory = nullptr;
    int host = 0;
    cudaEvent_t event = nullptr;
    ASSERT_EQ(cudaEventCreate(&event), cudaSuccess);
    const std::vector<std::function<cudaError_t()>> forbidden{
        [&] { return cudaMalloc(&memory, 16); },
        [&] { return cudaFree(m_value); },
        [&] { return cudaMallocHost(&memory, 16); },
        [&] { return cudaMemcpy(&host, m_value, sizeof(int), cudaMemcpyDeviceToHost); },
        [&] { return cudaMemset(m_value, 0, sizeof(int)); },
        [&] { return cudaStreamSynchronize(m_stream); },
        [&] { return cudaStreamQuery(m_stream); },
        [&] { return cudaDeviceSynchronize(); },
        [&] { return cudaEventQuery(event); },
        [&] { return cudaEventSynchronize(event); },
    };
    for (const auto& call : forbidden) {
        beginCapture(cudaStreamCaptureModeGlobal);
        EXPECT_EQ(call(), cudaErrorStreamCaptureUnsupported);
        EXPECT_EQ(add(1), cudaErrorStreamCaptureInvalidated);
        cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
        EXPECT_EQ(cudaStreamIsCapturing(m_stream, &status), cudaSuccess);
        EXPECT_EQ(status, cudaStreamCaptureStatusInvalidated);
        cudaGraph_t graph = nullptr;
        EXPECT_EQ(cudaStreamEndCapture(m_stream, &graph), cudaErrorStreamCaptureInvalidated);
        EXPECT_EQ(graph, nullptr);
        EXPECT_EQ(add(0), cudaSuccess) << "the stream is usable again";
    }
    EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
}

TEST_F(SimtStream, TheModeSaysWhoDisturbsACapture) {
    const auto fromAnotherThread = [] {
        cudaError_t error = cudaSuccess;
        std::thread([&] {
            void* memory = nullptr;
            error = cudaMalloc(&memory, 16);
            cudaFree(memory);
        }).join();
        return error;
    };
    cudaGraph_t graph = nullptr;
    beginCapture(cudaStreamCaptureModeThreadLocal);
    EXPECT_EQ(fromAnotherThread(), cudaSuccess);
    EXPECT_EQ(cudaGraphExecDestroy(endCapture()), cudaSuccess);
    beginCapture(cudaStreamCaptureModeGlobal);
    EXPECT_EQ(fromAnotherThread(), cudaErrorStreamCaptureUnsupported);
    EXPECT_EQ(cudaStreamEndCapture(m_stream, &graph), cudaErrorStreamCaptureInvalidated);
    beginCapture(cudaStreamCaptureModeRelaxed);
    void* memory = nullptr;
    EXPECT_EQ(cudaMalloc(&memory, 16), cudaSuccess);
    EXPECT_EQ(cudaFree(memory), cudaSuccess);
    EXPECT_EQ(cudaGraphExecDestroy(endCapture()), cudaSuccess);
}

TEST_F(SimtStream, CapturesBeginAndEndInPairs) {
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(m_stream, &graph), cudaErrorIllegalState);
    EXPECT_EQ(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeGlobal),
              cudaErrorStreamCaptureUnsupported);
    beginCapture();
    EXPECT_EQ(cudaStreamBeginCapture(m_stream, cudaStreamCaptureModeGlobal), cudaErrorIllegalState);
    EXPECT_EQ(cudaGraphExecDestroy(endCapture()), cudaSuccess);
}

TEST_F(SimtStream, EventsMeasureTime) {
    cudaEvent_t start = nullptr;
    cudaEvent_t end = nullptr;
    cudaEvent_t untimed = nullptr;
    float milliseconds = -1;
    ASSERT_EQ(cudaEventCreate(&start), cudaSuccess);
    ASSERT_EQ(cudaEventCreate(&end), cudaSuccess);
    ASSERT_EQ(cudaEventCreateWithFlags(&untimed, cudaEventDisableTiming), cudaSuccess);
    EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorInvalidResourceHandle);
    EXPECT_EQ(cudaEventRecord(start, m_stream), cudaSuccess);
    EXPECT_EQ(add(1), cudaSuccess);
    EXPECT_EQ(cudaEventRecord(end, m_stream), cudaSuccess);
    EXPECT_EQ(cudaEventRecord(untimed, m_stream), cudaSuccess);
    EXPECT_EQ(cudaEventSynchronize(end), cudaSuccess);
    EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaSuccess);
    EXPECT_GE(milliseconds, 0);
    EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, untimed), cudaErrorInvalidResourceHandle);
    beginCapture();
    EXPECT_EQ(cudaEventRecord(end, m_stream), cudaSuccess);
    EXPECT_EQ(cudaGraphExecDestroy(endCapture()), cudaSuccess);
    EXPECT_EQ(cudaEventSynchronize(end), cudaErrorCapturedEvent);
    for (cudaEvent_t event : {start, end, untimed}) EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
    EXPECT_EQ(cudaEventRecord(start, m_stream), cudaErrorInvalidResourceHandle);
}

TEST_F(SimtStream, DeferredWorkWaitsUntilSomethingWaitsForIt) {
    options().deferWork = true;
    EXPECT_EQ(add(1), cudaSuccess);
    EXPECT_EQ(value(), 0) << "this stream does not wait for the default stream, nor that for it";
    EXPECT_EQ(cudaStreamSynchronize(m_stream), cudaSuccess);
    EXPECT_EQ(value(), 1);

    int* pinned = nullptr;
    ASSERT_EQ(cudaMallocHost(&pinned, sizeof(int)), cudaSuccess);
    *pinned = 10;
    EXPECT_EQ(cudaMemcpyAsync(m_value, pinned, sizeof(int), cudaMemcpyHostToDevice, m_stream),
              cudaSuccess);
    *pinned = 20;  // too early: the copy reads it later
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    EXPECT_EQ(value(), 20);
    int pageable = 30;
    EXPECT_EQ(cudaMemcpyAsync(m_value, &pageable, sizeof(int), cudaMemcpyHostToDevice, m_stream),
              cudaSuccess);
    EXPECT_EQ(value(), 30);
    EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
}

TEST_F(SimtStream, CallsFailWhenATestWantsIt) {
    options().failAfter("add", 2, cudaErrorIllegalAddress);
    EXPECT_EQ(add(1), cudaSuccess);
    EXPECT_EQ(add(1), cudaSuccess);
    EXPECT_EQ(add(1), cudaErrorIllegalAddress);
    EXPECT_EQ(cudaPeekAtLastError(), cudaErrorIllegalAddress);
    EXPECT_EQ(add(1), cudaSuccess);
    EXPECT_EQ(value(), 3);

    options().failAfter("cudaMalloc", 0, cudaErrorMemoryAllocation);
    void* memory = nullptr;
    EXPECT_EQ(cudaMalloc(&memory, 1), cudaErrorMemoryAllocation);
    EXPECT_EQ(cudaMalloc(&memory, 1), cudaSuccess);
    EXPECT_EQ(cudaFree(memory), cudaSuccess);

    options().faults = {{"cudaStreamSynchronize", 1, cudaErrorLaunchFailure, true}};
    EXPECT_EQ(cudaStreamSynchronize(m_stream), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(m_stream), cudaErrorLaunchFailure);
    EXPECT_EQ(cudaStreamSynchronize(m_stream), cudaErrorLaunchFailure);
}

TEST_F(SimtStream, AKernelOfAGraphCanBeMadeToFail) {
    beginCapture();
    EXPECT_EQ(add(1), cudaSuccess);
    EXPECT_EQ(add(1), cudaSuccess);
    cudaGraphExec_t executable = endCapture();
    options().failAfter("add", 1, cudaErrorIllegalAddress);
    EXPECT_EQ(cudaGraphLaunch(executable, m_stream), cudaErrorIllegalAddress);
    EXPECT_EQ(value(), 1);
    EXPECT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);
}

TEST_F(SimtStream, SeveralThreadsUseTheDevice) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([this] {
            for (int k = 0; k < 50; ++k) EXPECT_EQ(add(1), cudaSuccess);
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(value(), 200);
}

class SimtDevice : public ShimTest {};

TEST_F(SimtDevice, IsWhatTheOptionsSay) {
    options().deviceCount = 3;
    options().multiprocessors = 5;
    options().computeCapabilityMajor = 8;
    options().driverVersion = 12040;
    int value = 0;
    EXPECT_EQ(cudaGetDeviceCount(&value), cudaSuccess);
    EXPECT_EQ(value, 3);
    cudaDeviceProp properties{};
    EXPECT_EQ(cudaGetDeviceProperties(&properties, 2), cudaSuccess);
    EXPECT_EQ(properties.multiProcessorCount, 5);
    EXPECT_EQ(properties.major, 8);
    EXPECT_EQ(properties.totalGlobalMem, options().deviceMemoryBytes);
    EXPECT_EQ(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0),
              cudaSuccess);
    EXPECT_EQ(value, 232448);
    EXPECT_EQ(cudaDriverGetVersion(&value), cudaSuccess);
    EXPECT_EQ(value, 12040);
    EXPECT_EQ(cudaSetDevice(3), cudaErrorInvalidDevice);
    EXPECT_EQ(cudaGetDeviceProperties(&properties, -1), cudaErrorInvalidDevice);
    EXPECT_EQ(cudaFuncSetAttribute(addKernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 232449),
              cudaErrorInvalidValue);
}

TEST_F(SimtDevice, MayBeMissing) {
    options().deviceCount = 0;
    int count = -1;
    EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorNoDevice);
    EXPECT_EQ(count, 0);
    void* memory = nullptr;
    EXPECT_EQ(cudaMalloc(&memory, 1), cudaErrorNoDevice);
    EXPECT_STREQ(cudaGetErrorName(cudaErrorNoDevice), "cudaErrorNoDevice");
    EXPECT_STREQ(cudaGetErrorString(cudaErrorNoDevice), "no CUDA-capable device is detected");
}

}  // namespace

}  // namespace simt::test
