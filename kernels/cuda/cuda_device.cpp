// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/cuda_device.h"

#include <utility>

#include "kernels/cuda/blas.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/device_memory.h"
#include "kernels/cuda/graph_cache.h"
#include "kernels/cuda/staging.h"
#include "kernels/cuda/weight_arena.h"

namespace gatescope::cuda {

namespace {

// Longer passes are limited by arithmetic, where issuing operations one by one costs nothing.
constexpr std::int64_t kMostRecordedTokens = 16;
// Device memory from which on intermediate results of a few GB do no harm.
constexpr std::size_t kRoomForMediumPasses = std::size_t{16} << 30;
constexpr std::size_t kRoomForLongPasses = std::size_t{40} << 30;
// What cuBLAS recommends for Hopper; kernels that do not fit it are not chosen.
constexpr std::size_t kBlasWorkspace = 32 << 20;

int attribute(cudaDeviceAttr which, int ordinal) {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, which, ordinal), "device attributes");
    return value;
}

}  // namespace

CudaDevice::CudaDevice(int ordinal, Precision precision)
    : m_ordinal(ordinal), m_precision(precision) {
    check(cudaSetDevice(ordinal), "device");
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, ordinal), "device properties");
    m_name = properties.name;
    m_totalBytes = properties.totalGlobalMem;
    m_multiprocessors = attribute(cudaDevAttrMultiProcessorCount, ordinal);
    m_sharedBytesPerBlock =
        static_cast<std::size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, ordinal));
    check(cudaStreamCreateWithFlags(&m_stream, cudaStreamNonBlocking), "stream");
    m_weights = std::make_unique<WeightArena>();
    m_staging = std::make_unique<Staging>(m_stream);
    m_graphs = std::make_unique<GraphCache>(m_stream);
    if (isFast())
        m_blas = makeBlas(m_stream, scratchBytes(Scratch::Blas, kBlasWorkspace), kBlasWorkspace);
}

CudaDevice::~CudaDevice() {
    cudaSetDevice(m_ordinal);
    cudaStreamSynchronize(m_stream);
    m_blas.reset();
    m_graphs.reset();
    m_staging.reset();
    m_weights.reset();
    for (auto& buffer : m_scratch) cudaFree(buffer.data);
    for (cudaEvent_t event : m_marks) cudaEventDestroy(event);
    cudaStreamDestroy(m_stream);
}

std::string CudaDevice::describe() const {
    return "cuda:" + std::to_string(m_ordinal) + ", " + m_name +
           (m_blas || !isFast() ? "" : ", without cuBLAS");
}

std::span<const CacheType> CudaDevice::cacheTypes() const {
    static constexpr CacheType kExact[] = {CacheType::F32, CacheType::BF16, CacheType::F8};
    static constexpr CacheType kFast[] = {CacheType::BF16, CacheType::F8, CacheType::F32};
    if (isFast()) return kFast;
    return kExact;
}

std::int64_t CudaDevice::preferredPass() const {
    // Long passes read the experts' weights less often and take memory for what they compute.
    if (!isFast() || m_totalBytes < kRoomForMediumPasses) return 512;
    return m_totalBytes < kRoomForLongPasses ? 2048 : 4096;
}

std::optional<DeviceMemory> CudaDevice::memory() const {
    DeviceMemory memory;
    check(cudaMemGetInfo(&memory.free, &memory.total), "memory size");
    return memory;
}

void* CudaDevice::allocate(std::size_t bytes) {
    return allocateDeviceMemory(bytes);
}

void CudaDevice::release(void* memory) noexcept {
    if (!memory) return;
    ++m_generation;
    // What failed before is reported by the next operation; here nobody could act on it.
    cudaFree(memory);
}

void CudaDevice::upload(void* device, const void* host, std::size_t bytes) {
    if (bytes) m_staging->upload(device, host, bytes);
}

void CudaDevice::download(void* host, const void* device, std::size_t bytes) {
    if (bytes) m_staging->download(host, device, bytes);
}

void CudaDevice::synchronize() {
    check(cudaStreamSynchronize(m_stream), "synchronisation");
}

void CudaDevice::copy(void* to, const void* from, std::size_t bytes) {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, m_stream), "copy");
}

void* CudaDevice::scratchBytes(Scratch slot, std::size_t bytes) {
    auto& buffer = m_scratch[static_cast<std::size_t>(slot)];
    if (bytes > buffer.bytes) {
        ++m_generation;
        // Freeing waits for the operations that still use the old memory.
        check(cudaFree(std::exchange(buffer.data, nullptr)), "scratch memory");
        buffer.bytes = 0;
        buffer.data = allocateDeviceMemory(bytes);
        buffer.bytes = bytes;
    }
    return buffer.data;
}

void* CudaDevice::allocateForWeights(std::size_t bytes) {
    return m_weights->allocate(bytes);
}

Weight CudaDevice::allocateWeight(const Weight& like) {
    const auto size = static_cast<std::int64_t>(elementSize(like.dtype));
    const auto rowBytes = (like.cols * size + 15) / 16 * 16;
    Weight weight = like;
    weight.rowStride = rowBytes / size;
    weight.data = allocateForWeights(static_cast<std::size_t>(rowBytes * like.rows));
    if (like.dtype == DType::F8E4M3) {
        const auto scaleRows = (like.rows + like.blockRows - 1) / like.blockRows;
        weight.scales = static_cast<const float*>(allocateForWeights(
            static_cast<std::size_t>(scaleRows * like.scaleCols()) * sizeof(float)));
    }
    return weight;
}

Weight CudaDevice::place(const Weight& host) {
    if (host.empty()) return host;
    Weight weight = allocateWeight(host);
    if (!host.scales) weight.scales = nullptr;
    const auto size = elementSize(host.dtype);
    m_staging->uploadRows(
        const_cast<void*>(weight.data), static_cast<std::size_t>(weight.rowStride) * size,
        host.data, static_cast<std::size_t>(host.cols) * size, static_cast<std::size_t>(host.rows));
    if (host.scales) {
        const auto scaleRows = (host.rows + host.blockRows - 1) / host.blockRows;
        m_staging->upload(const_cast<float*>(weight.scales), host.scales,
                          static_cast<std::size_t>(scaleRows * host.scaleCols()) * sizeof(float));
    }
    return weight;
}

void CudaDevice::runStep(const StepKey& key, const std::function<void()>& operations) {
    if (!key.absorbed || key.tokens > kMostRecordedTokens) return operations();
    m_graphs->run(key, m_generation, operations);
}

std::size_t CudaDevice::replays() const {
    return m_graphs->replays();
}

std::size_t CudaDevice::mark() {
    if (m_usedMarks == m_marks.size()) {
        cudaEvent_t event = nullptr;
        check(cudaEventCreate(&event), "event");
        m_marks.push_back(event);
    }
    check(cudaEventRecord(m_marks[m_usedMarks], m_stream), "event");
    return m_usedMarks++;
}

double CudaDevice::secondsBetween(std::size_t from, std::size_t to) {
    check(cudaEventSynchronize(m_marks[to]), "measurement");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, m_marks[from], m_marks[to]), "measurement");
    return static_cast<double>(milliseconds) * 1e-3;
}

void CudaDevice::clearMarks() {
    m_usedMarks = 0;
}

}  // namespace gatescope::cuda
