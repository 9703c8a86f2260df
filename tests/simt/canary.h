// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace simt::detail {

// Bytes behind (and before) memory that kernels write; whoever changes them wrote too far. With
// AddressSanitizer there are none, since its own red zone begins right behind the memory.
#ifdef __SANITIZE_ADDRESS__
inline constexpr std::size_t kCanaryBytes = 0;
#else
inline constexpr std::size_t kCanaryBytes = 256;
#endif
inline constexpr std::byte kCanary{0xc5};

inline void writeCanary(std::byte* at) {
    if (kCanaryBytes != 0) std::memset(at, static_cast<int>(kCanary), kCanaryBytes);
}

inline bool canaryIsIntact(const std::byte* at) {
    return std::all_of(at, at + kCanaryBytes, [](std::byte b) { return b == kCanary; });
}

}  // namespace simt::detail
