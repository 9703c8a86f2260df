// SPDX-License-Identifier: Apache-2.0
#pragma once

// Arithmetic that kernels use and the C library has not, or has under another name.

#include <math.h>

#include <bit>
#include <cstdint>

#define SIMT_MIN_MAX(A, B, Result)                                                       \
    constexpr Result min(A a, B b) {                                                     \
        return static_cast<Result>(b) < static_cast<Result>(a) ? static_cast<Result>(b)  \
                                                               : static_cast<Result>(a); \
    }                                                                                    \
    constexpr Result max(A a, B b) {                                                     \
        return static_cast<Result>(a) < static_cast<Result>(b) ? static_cast<Result>(b)  \
                                                               : static_cast<Result>(a); \
    }
SIMT_MIN_MAX(int, int, int)
SIMT_MIN_MAX(unsigned, unsigned, unsigned)
SIMT_MIN_MAX(int, unsigned, unsigned)
SIMT_MIN_MAX(unsigned, int, unsigned)
SIMT_MIN_MAX(long, long, long)
SIMT_MIN_MAX(unsigned long, unsigned long, unsigned long)
SIMT_MIN_MAX(long, unsigned long, unsigned long)
SIMT_MIN_MAX(unsigned long, long, unsigned long)
SIMT_MIN_MAX(long long, long long, long long)
SIMT_MIN_MAX(unsigned long long, unsigned long long, unsigned long long)
SIMT_MIN_MAX(long long, unsigned long long, unsigned long long)
SIMT_MIN_MAX(unsigned long long, long long, unsigned long long)
#undef SIMT_MIN_MAX

// A NaN loses, as in fminf and fmaxf.
inline float min(float a, float b) {
    return fminf(a, b);
}
inline float max(float a, float b) {
    return fmaxf(a, b);
}
inline double min(double a, double b) {
    return fmin(a, b);
}
inline double max(double a, double b) {
    return fmax(a, b);
}
inline double min(float a, double b) {
    return fmin(a, b);
}
inline double max(float a, double b) {
    return fmax(a, b);
}
inline double min(double a, float b) {
    return fmin(a, b);
}
inline double max(double a, float b) {
    return fmax(a, b);
}

inline float rsqrtf(float x) {
    return 1.0F / sqrtf(x);
}
inline double rsqrt(double x) {
    return 1.0 / sqrt(x);
}

// The fast functions of a GPU are less exact. The C library declares some of these names itself,
// which leaves a macro.
#define __expf expf
#define __exp10f(x) powf(10.0F, x)
#define __logf logf
#define __log2f log2f
#define __powf powf
#define __sinf sinf
#define __cosf cosf
inline float __fdividef(float a, float b) {
    return a / b;
}
inline float __saturatef(float x) {
    return x > 0 ? fminf(x, 1.0F) : 0.0F;
}

inline float __fadd_rn(float a, float b) {
    return a + b;
}
inline float __fsub_rn(float a, float b) {
    return a - b;
}
inline float __fmul_rn(float a, float b) {
    return a * b;
}
inline float __fdiv_rn(float a, float b) {
    return a / b;
}
inline float __fmaf_rn(float a, float b, float c) {
    return fmaf(a, b, c);
}
inline float __fsqrt_rn(float x) {
    return sqrtf(x);
}
inline float __frsqrt_rn(float x) {
    return 1.0F / sqrtf(x);
}
inline float __frcp_rn(float x) {
    return 1.0F / x;
}

constexpr unsigned __float_as_uint(float x) {
    return std::bit_cast<unsigned>(x);
}
constexpr int __float_as_int(float x) {
    return std::bit_cast<int>(x);
}
constexpr float __uint_as_float(unsigned x) {
    return std::bit_cast<float>(x);
}
constexpr float __int_as_float(int x) {
    return std::bit_cast<float>(x);
}
constexpr long long __double_as_longlong(double x) {
    return std::bit_cast<long long>(x);
}
constexpr double __longlong_as_double(long long x) {
    return std::bit_cast<double>(x);
}
inline float __int2float_rn(int x) {
    return static_cast<float>(x);
}
inline float __uint2float_rn(unsigned x) {
    return static_cast<float>(x);
}
inline int __float2int_rn(float x) {
    return static_cast<int>(lrintf(x));
}
inline int __float2int_rz(float x) {
    return static_cast<int>(x);
}

constexpr int __popc(unsigned x) {
    return std::popcount(x);
}
constexpr int __popcll(unsigned long long x) {
    return std::popcount(x);
}
constexpr int __clz(int x) {
    return std::countl_zero(static_cast<unsigned>(x));
}
constexpr int __clzll(long long x) {
    return std::countl_zero(static_cast<unsigned long long>(x));
}
constexpr int __ffs(int x) {
    return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1;
}
constexpr int __ffsll(long long x) {
    return x == 0 ? 0 : std::countr_zero(static_cast<unsigned long long>(x)) + 1;
}
constexpr unsigned __brev(unsigned x) {
    unsigned result = 0;
    for (int bit = 0; bit < 32; ++bit) result = result << 1 | (x >> bit & 1u);
    return result;
}
constexpr unsigned __umulhi(unsigned a, unsigned b) {
    return static_cast<unsigned>(static_cast<std::uint64_t>(a) * b >> 32);
}
constexpr unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
    const std::uint64_t both = static_cast<std::uint64_t>(high) << 32 | low;
    return static_cast<unsigned>(both << (shift & 31u) >> 32);
}
constexpr unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
    const std::uint64_t both = static_cast<std::uint64_t>(high) << 32 | low;
    return static_cast<unsigned>(both >> (shift & 31u));
}
/// Four bytes of the eight in `b:a`, chosen by the lower three bits of the selector's digits.
constexpr unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
    const std::uint64_t both = static_cast<std::uint64_t>(b) << 32 | a;
    unsigned result = 0;
    for (unsigned i = 0; i < 4; ++i) {
        const unsigned digit = selector >> (4 * i) & 0xfu;
        unsigned byte = static_cast<unsigned>(both >> (8 * (digit & 7u))) & 0xffu;
        if ((digit & 8u) != 0) byte = (byte & 0x80u) != 0 ? 0xffu : 0u;
        result |= byte << (8 * i);
    }
    return result;
}

// Cache hints.
template <typename T>
T __ldg(const T* address) {
    return *address;
}
template <typename T>
T __ldcs(const T* address) {
    return *address;
}
template <typename T>
T __ldcg(const T* address) {
    return *address;
}
template <typename T>
T __ldca(const T* address) {
    return *address;
}
template <typename T>
void __stcs(T* address, T value) {
    *address = value;
}
template <typename T>
void __stcg(T* address, T value) {
    *address = value;
}
