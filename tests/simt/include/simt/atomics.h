// SPDX-License-Identifier: Apache-2.0
#pragma once

// Atomic operations. Threads take turns only at barriers and warp operations, so plain reads and
// writes are atomic here.

namespace simt::detail {

template <typename T, typename Change>
T exchangeWith(T* address, const Change& change) {
    const T old = *address;
    *address = static_cast<T>(change(old));
    return old;
}

}  // namespace simt::detail

#define SIMT_ATOMIC(T, name, expression)                                                           \
    inline T name(T* address, T value) {                                                           \
        return simt::detail::exchangeWith(address,                                                 \
                                          [value]([[maybe_unused]] T old) { return expression; }); \
    }

// Sums of int wrap around.
SIMT_ATOMIC(int, atomicAdd, static_cast<unsigned>(old) + static_cast<unsigned>(value))
SIMT_ATOMIC(unsigned, atomicAdd, old + value)
SIMT_ATOMIC(unsigned long long, atomicAdd, old + value)
SIMT_ATOMIC(float, atomicAdd, old + value)
SIMT_ATOMIC(double, atomicAdd, old + value)
SIMT_ATOMIC(int, atomicSub, static_cast<unsigned>(old) - static_cast<unsigned>(value))
SIMT_ATOMIC(unsigned, atomicSub, old - value)
SIMT_ATOMIC(int, atomicExch, value)
SIMT_ATOMIC(unsigned, atomicExch, value)
SIMT_ATOMIC(unsigned long long, atomicExch, value)
SIMT_ATOMIC(float, atomicExch, value)
SIMT_ATOMIC(int, atomicMin, value < old ? value : old)
SIMT_ATOMIC(unsigned, atomicMin, value < old ? value : old)
SIMT_ATOMIC(long long, atomicMin, value < old ? value : old)
SIMT_ATOMIC(unsigned long long, atomicMin, value < old ? value : old)
SIMT_ATOMIC(int, atomicMax, old < value ? value : old)
SIMT_ATOMIC(unsigned, atomicMax, old < value ? value : old)
SIMT_ATOMIC(long long, atomicMax, old < value ? value : old)
SIMT_ATOMIC(unsigned long long, atomicMax, old < value ? value : old)
SIMT_ATOMIC(int, atomicAnd, old& value)
SIMT_ATOMIC(unsigned, atomicAnd, old& value)
SIMT_ATOMIC(unsigned long long, atomicAnd, old& value)
SIMT_ATOMIC(int, atomicOr, old | value)
SIMT_ATOMIC(unsigned, atomicOr, old | value)
SIMT_ATOMIC(unsigned long long, atomicOr, old | value)
SIMT_ATOMIC(int, atomicXor, old ^ value)
SIMT_ATOMIC(unsigned, atomicXor, old ^ value)
SIMT_ATOMIC(unsigned long long, atomicXor, old ^ value)
SIMT_ATOMIC(unsigned, atomicInc, old >= value ? 0 : old + 1)
SIMT_ATOMIC(unsigned, atomicDec, old == 0 || old > value ? value : old - 1)
#undef SIMT_ATOMIC

#define SIMT_ATOMIC_CAS(T)                                                                       \
    inline T atomicCAS(T* address, T expected, T value) {                                        \
        return simt::detail::exchangeWith(address,                                               \
                                          [=](T old) { return old == expected ? value : old; }); \
    }
SIMT_ATOMIC_CAS(int)
SIMT_ATOMIC_CAS(unsigned)
SIMT_ATOMIC_CAS(unsigned long long)
SIMT_ATOMIC_CAS(unsigned short)
#undef SIMT_ATOMIC_CAS
