// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "tests/simt/canary.h"
#include "tests/simt/runtime.h"

namespace simt::detail {

namespace {

constexpr std::size_t kAlignment = 256;

/// The byte pattern of new memory: NaN as float32, -1 as integer.
constexpr int kUnwritten = 0xff;

std::byte* obtain(std::size_t bytes) {
    void* memory = nullptr;
    if (posix_memalign(&memory, kAlignment, bytes + 2 * kCanaryBytes) != 0) return nullptr;
    auto* block = static_cast<std::byte*>(memory);
    writeCanary(block);
    writeCanary(block + kCanaryBytes + bytes);
    std::memset(block + kCanaryBytes, kUnwritten, bytes);
    return block + kCanaryBytes;
}

void giveBack(const std::byte* memory) {
    std::free(const_cast<std::byte*>(memory) - kCanaryBytes);
}

bool isOnDevice(const std::pair<const std::byte* const, Allocation>* allocation) {
    return allocation != nullptr && allocation->second.device >= 0;
}

/// Does the memory lie where the copy says it does? Host memory is known only as not the device's.
bool liesOn(bool device, const void* memory, std::size_t bytes) {
    return device ? isOnDevice(findAllocation(memory, bytes))
                  : !isOnDevice(findAllocation(memory, 0));
}

struct Copy {
    void* to;
    std::size_t toPitch;
    const void* from;
    std::size_t fromPitch;
    std::size_t width;
    std::size_t height;
    cudaMemcpyKind kind;
};

std::size_t span(std::size_t pitch, const Copy& copy) {
    return (copy.height - 1) * pitch + copy.width;
}

cudaError_t checkCopy(const Copy& copy, const char* call) {
    if (copy.toPitch < copy.width || copy.fromPitch < copy.width)
        return fail(cudaErrorInvalidValue, std::string(call) + ": rows wider than the pitch");
    if (copy.kind < cudaMemcpyHostToHost || copy.kind > cudaMemcpyDefault)
        return fail(cudaErrorInvalidMemcpyDirection);
    if (copy.width == 0 || copy.height == 0) return cudaSuccess;
    const bool byAddress = copy.kind == cudaMemcpyDefault;
    const bool toDevice =
        byAddress ? isOnDevice(findAllocation(copy.to, 0))
                  : copy.kind == cudaMemcpyHostToDevice || copy.kind == cudaMemcpyDeviceToDevice;
    const bool fromDevice =
        byAddress ? isOnDevice(findAllocation(copy.from, 0))
                  : copy.kind == cudaMemcpyDeviceToHost || copy.kind == cudaMemcpyDeviceToDevice;
    if (!liesOn(toDevice, copy.to, span(copy.toPitch, copy)))
        return fail(cudaErrorInvalidValue, std::string(call) + ": the destination is not " +
                                               (toDevice ? "device" : "host") + " memory");
    if (!liesOn(fromDevice, copy.from, span(copy.fromPitch, copy)))
        return fail(cudaErrorInvalidValue, std::string(call) + ": the source is not " +
                                               (fromDevice ? "device" : "host") + " memory");
    return cudaSuccess;
}

cudaError_t runCopy(const Copy& copy, const char* call) {
    const cudaError_t error = checkCopy(copy, call);
    if (error != cudaSuccess) return error;
    auto* to = static_cast<std::byte*>(copy.to);
    const auto* from = static_cast<const std::byte*>(copy.from);
    for (std::size_t row = 0; row < copy.height && copy.width != 0; ++row)
        std::memmove(to + row * copy.toPitch, from + row * copy.fromPitch, copy.width);
    return cudaSuccess;
}

/// A copy between the device and memory of the host that is not pinned is over when the call
/// returns.
bool isPageable(const Copy& copy) {
    const auto pageable = [](const void* memory) { return findAllocation(memory, 0) == nullptr; };
    return pageable(copy.to) || pageable(copy.from);
}

cudaError_t copyLater(const Copy& copy, cudaStream_t handle, const char* call) {
    cudaError_t error = checkCopy(copy, call);
    if (error != cudaSuccess) return error;
    error = submit(handle, {call, [copy, call] { return runCopy(copy, call); }});
    CUstream_st* stream = Runtime::instance().find(handle);
    if (error == cudaSuccess && stream != nullptr && !stream->capture && isPageable(copy))
        error = finish(*stream);
    return error;
}

/// The legacy default stream waits for the other streams, but not for those that said they do not.
cudaError_t finishBlockingStreams() {
    Runtime& runtime = Runtime::instance();
    cudaError_t result = finish(*runtime.find(nullptr));
    for (const cudaStream_t stream : runtime.streams) {
        if (!stream->blocking || stream->device != currentDevice()) continue;
        const cudaError_t error = finish(*stream);
        if (result == cudaSuccess) result = error;
    }
    return result;
}

cudaError_t copyNow(const Copy& copy, const char* call) {
    const cudaError_t error = finishBlockingStreams();
    return error != cudaSuccess ? error : runCopy(copy, call);
}

cudaError_t runMemset(void* memory, int value, std::size_t bytes, const char* call) {
    if (bytes == 0) return cudaSuccess;
    if (!isOnDevice(findAllocation(memory, bytes)))
        return fail(cudaErrorInvalidValue, std::string(call) + ": not device memory");
    std::memset(memory, value, bytes);
    return cudaSuccess;
}

cudaError_t allocateHost(void** memory, std::size_t bytes) {
    *memory = nullptr;
    if (bytes == 0) return cudaSuccess;
    std::byte* block = obtain(bytes);
    if (block == nullptr) return fail(cudaErrorMemoryAllocation);
    Runtime::instance().allocations[block] = {bytes, -1, true};
    *memory = block;
    return cudaSuccess;
}

cudaError_t release(void* memory, bool device) {
    if (memory == nullptr) return cudaSuccess;
    Runtime& runtime = Runtime::instance();
    const auto found = runtime.allocations.find(static_cast<const std::byte*>(memory));
    if (found == runtime.allocations.end() || (found->second.device >= 0) != device ||
        !found->second.owned)
        return fail(cudaErrorInvalidValue, device ? "cudaFree of memory that is not cudaMalloc's"
                                                  : "cudaFreeHost of memory that is not pinned");
    const cudaError_t error = finishDevice(device ? found->second.device : currentDevice());
    const std::string complaint = checkCanaries(memory);
    giveBack(found->first);
    runtime.allocations.erase(found);
    return complaint.empty() ? error : fail(cudaErrorIllegalAddress, complaint);
}

}  // namespace

const std::pair<const std::byte* const, Allocation>* findAllocation(const void* memory,
                                                                    std::size_t bytes) {
    const auto& allocations = Runtime::instance().allocations;
    const auto* address = static_cast<const std::byte*>(memory);
    auto next = allocations.upper_bound(address);
    if (next == allocations.begin()) return nullptr;
    --next;
    const auto offset = static_cast<std::size_t>(address - next->first);
    if (offset > next->second.bytes || bytes > next->second.bytes - offset) return nullptr;
    return &*next;
}

std::string checkCanaries(const void* memory) {
    const auto* allocation = findAllocation(memory, 0);
    if (allocation == nullptr || !allocation->second.owned) return {};
    const auto& [address, properties] = *allocation;
    const std::string what = std::to_string(properties.bytes) + " bytes of allocated memory";
    if (!canaryIsIntact(address - kCanaryBytes)) return "something wrote before " + what;
    if (!canaryIsIntact(address + properties.bytes)) return "something wrote past " + what;
    return {};
}

}  // namespace simt::detail

using namespace simt::detail;

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
    const Call call("cudaMalloc", Call::NotCapturing);
    if (call.refused() != cudaSuccess) return call.refused();
    *memory = nullptr;
    if (bytes == 0) return cudaSuccess;
    Runtime& runtime = Runtime::instance();
    const std::size_t limit = simt::options().deviceMemoryBytes;
    const std::size_t used = runtime.deviceBytes(currentDevice());
    if (bytes > limit || used > limit - bytes) return fail(cudaErrorMemoryAllocation);
    std::byte* block = obtain(bytes);
    if (block == nullptr) return fail(cudaErrorMemoryAllocation);
    runtime.allocations[block] = {bytes, currentDevice(), true};
    *memory = block;
    return cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
    const Call call("cudaFree", Call::NotCapturing);
    return call.refused() != cudaSuccess ? call.refused() : release(memory, true);
}

cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
    const Call call("cudaMallocHost", Call::NotCapturing);
    return call.refused() != cudaSuccess ? call.refused() : allocateHost(memory, bytes);
}

cudaError_t cudaHostAlloc(void** memory, std::size_t bytes, unsigned /*flags*/) {
    const Call call("cudaHostAlloc", Call::NotCapturing);
    return call.refused() != cudaSuccess ? call.refused() : allocateHost(memory, bytes);
}

cudaError_t cudaFreeHost(void* memory) {
    const Call call("cudaFreeHost", Call::NotCapturing);
    return call.refused() != cudaSuccess ? call.refused() : release(memory, false);
}

cudaError_t cudaHostRegister(void* memory, std::size_t bytes, unsigned /*flags*/) {
    const Call call("cudaHostRegister", Call::NotCapturing);
    if (call.refused() != cudaSuccess) return call.refused();
    if (memory == nullptr || bytes == 0) return fail(cudaErrorInvalidValue);
    if (findAllocation(memory, 1) != nullptr) return fail(cudaErrorHostMemoryAlreadyRegistered);
    Runtime::instance().allocations[static_cast<const std::byte*>(memory)] = {bytes, -1, false};
    return cudaSuccess;
}

cudaError_t cudaHostUnregister(void* memory) {
    const Call call("cudaHostUnregister", Call::NotCapturing);
    if (call.refused() != cudaSuccess) return call.refused();
    auto& allocations = Runtime::instance().allocations;
    const auto found = allocations.find(static_cast<const std::byte*>(memory));
    if (found == allocations.end() || found->second.owned)
        return fail(cudaErrorHostMemoryNotRegistered);
    const cudaError_t error = finishDevice(currentDevice());
    allocations.erase(found);
    return error;
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    const Call call("cudaMemGetInfo");
    if (call.refused() != cudaSuccess) return call.refused();
    const std::size_t used = Runtime::instance().deviceBytes(currentDevice());
    *total = simt::options().deviceMemoryBytes;
    *free = *total - std::min(*total, used);
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    const Call call("cudaMemcpy", Call::NotCapturing);
    if (call.refused() != cudaSuccess) return call.refused();
    return copyNow({to, bytes, from, bytes, bytes, 1, kind}, "cudaMemcpy");
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    const Call call("cudaMemcpyAsync");
    if (call.refused() != cudaSuccess) return call.refused();
    return copyLater({to, bytes, from, bytes, bytes, 1, kind}, stream, "cudaMemcpyAsync");
}

cudaError_t cudaMemcpy2D(void* to, std::size_t toPitch, const void* from, std::size_t fromPitch,
                         std::size_t width, std::size_t height, cudaMemcpyKind kind) {
    const Call call("cudaMemcpy2D", Call::NotCapturing);
    if (call.refused() != cudaSuccess) return call.refused();
    return copyNow({to, toPitch, from, fromPitch, width, height, kind}, "cudaMemcpy2D");
}

cudaError_t cudaMemcpy2DAsync(void* to, std::size_t toPitch, const void* from,
                              std::size_t fromPitch, std::size_t width, std::size_t height,
                              cudaMemcpyKind kind, cudaStream_t stream) {
    const Call call("cudaMemcpy2DAsync");
    if (call.refused() != cudaSuccess) return call.refused();
    return copyLater({to, toPitch, from, fromPitch, width, height, kind}, stream,
                     "cudaMemcpy2DAsync");
}

cudaError_t cudaMemset(void* memory, int value, std::size_t bytes) {
    const Call call("cudaMemset", Call::NotCapturing);
    if (call.refused() != cudaSuccess) return call.refused();
    const cudaError_t error = finishBlockingStreams();
    return error != cudaSuccess ? error : runMemset(memory, value, bytes, "cudaMemset");
}

cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream) {
    const Call call("cudaMemsetAsync");
    if (call.refused() != cudaSuccess) return call.refused();
    if (bytes != 0 && !isOnDevice(findAllocation(memory, bytes)))
        return fail(cudaErrorInvalidValue, "cudaMemsetAsync: not device memory");
    return submit(stream, {"cudaMemsetAsync",
                           [=] { return runMemset(memory, value, bytes, "cudaMemsetAsync"); }});
}
