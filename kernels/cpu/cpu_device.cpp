// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/cpu_device.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "kernels/cpu/simd.h"

namespace gatescope {

namespace {

constexpr std::align_val_t kAlignment{64};

}  // namespace

std::string CpuDevice::describe() const {
    const int threads = m_pool.threads();
    return "cpu, " + std::to_string(threads) + (threads == 1 ? " thread, " : " threads, ") +
           simd::targetName();
}

void* CpuDevice::allocate(std::size_t bytes) {
    return ::operator new(bytes, kAlignment);
}

void CpuDevice::release(void* memory) noexcept {
    ::operator delete(memory, kAlignment);
}

void CpuDevice::upload(void* device, const void* host, std::size_t bytes) {
    if (bytes) std::memcpy(device, host, bytes);
}

void CpuDevice::download(void* host, const void* device, std::size_t bytes) {
    if (bytes) std::memcpy(host, device, bytes);
}

std::span<const CacheType> CpuDevice::cacheTypes() const {
    static constexpr CacheType kTypes[] = {CacheType::F32};
    return kTypes;
}

std::size_t CpuDevice::mark() {
    m_marks.push_back(std::chrono::steady_clock::now());
    return m_marks.size() - 1;
}

double CpuDevice::secondsBetween(std::size_t from, std::size_t to) {
    return std::chrono::duration<double>(m_marks[to] - m_marks[from]).count();
}

void CpuDevice::clear(Matrix out) {
    for (std::int64_t t = 0; t < out.rows; ++t) std::fill_n(out.row(t), out.cols, 0.0f);
}

}  // namespace gatescope
