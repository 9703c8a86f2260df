// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/staging.h"

#include <algorithm>
#include <cstring>

#include "kernels/cuda/check.h"

namespace gatescope::cuda {

Staging::Staging(cudaStream_t stream) : m_stream(stream) {
    for (auto& half : m_halves) {
        check(cudaMallocHost(reinterpret_cast<void**>(&half.memory), kHalf), "pinned memory");
        check(cudaEventCreateWithFlags(&half.read, cudaEventDisableTiming), "event");
        check(cudaEventRecord(half.read, m_stream), "event");
    }
}

Staging::~Staging() {
    // The device may still read. What a failed device says here nobody can act on.
    cudaStreamSynchronize(m_stream);
    for (auto& half : m_halves) {
        if (half.read) cudaEventDestroy(half.read);
        cudaFreeHost(half.memory);
    }
}

std::byte* Staging::room(std::size_t bytes) {
    if (m_halves[m_current].used + bytes > kHalf) {
        check(cudaEventRecord(m_halves[m_current].read, m_stream), "event");
        m_current = 1 - m_current;
        check(cudaEventSynchronize(m_halves[m_current].read), "upload");
        m_halves[m_current].used = 0;
    }
    auto& half = m_halves[m_current];
    std::byte* memory = half.memory + half.used;
    half.used += (bytes + 15) / 16 * 16;
    return memory;
}

void Staging::send(void* device, const std::byte* from, std::size_t bytes) {
    check(cudaMemcpyAsync(device, from, bytes, cudaMemcpyHostToDevice, m_stream), "upload");
}

void Staging::uploadRun(std::byte* device, const std::byte* host, std::size_t bytes) {
    for (std::size_t at = 0; at < bytes;) {
        const auto count = std::min(bytes - at, kHalf);
        std::byte* staged = room(count);
        std::memcpy(staged, host + at, count);
        send(device + at, staged, count);
        at += count;
    }
}

void Staging::uploadRows(void* device, std::size_t pitch, const void* host, std::size_t rowBytes,
                         std::size_t rows) {
    auto* to = static_cast<std::byte*>(device);
    const auto* from = static_cast<const std::byte*>(host);
    if (pitch == rowBytes) return uploadRun(to, from, rowBytes * rows);
    const auto atOnce = kHalf / pitch;
    if (atOnce == 0) {  // rows that do not fit the staging memory
        for (std::size_t row = 0; row < rows; ++row) {
            uploadRun(to + row * pitch, from + row * rowBytes, rowBytes);
            check(cudaMemsetAsync(to + row * pitch + rowBytes, 0, pitch - rowBytes, m_stream),
                  "upload");
        }
        return;
    }
    for (std::size_t row = 0; row < rows; row += atOnce) {
        const auto count = std::min(atOnce, rows - row);
        std::byte* staged = room(count * pitch);
        for (std::size_t r = 0; r < count; ++r) {
            std::memcpy(staged + r * pitch, from + (row + r) * rowBytes, rowBytes);
            std::memset(staged + r * pitch + rowBytes, 0, pitch - rowBytes);
        }
        send(to + row * pitch, staged, count * pitch);
    }
}

void Staging::download(void* host, const void* device, std::size_t bytes) {
    auto* to = static_cast<std::byte*>(host);
    const auto* from = static_cast<const std::byte*>(device);
    for (std::size_t at = 0; at < bytes;) {
        const auto count = std::min(bytes - at, kHalf);
        std::byte* staged = room(count);
        check(cudaMemcpyAsync(staged, from + at, count, cudaMemcpyDeviceToHost, m_stream),
              "download");
        check(cudaStreamSynchronize(m_stream), "download");
        std::memcpy(to + at, staged, count);
        at += count;
    }
}

}  // namespace gatescope::cuda
