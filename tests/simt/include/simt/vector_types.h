// SPDX-License-Identifier: Apache-2.0
#pragma once

// CUDA's vector types with the sizes and alignments they have on a GPU: an access that is not
// aligned stops a GPU, and here the undefined-behaviour sanitizer or the processor.

struct uint3 {
    unsigned x, y, z;
};

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned countX = 1, unsigned countY = 1, unsigned countZ = 1)
        : x(countX), y(countY), z(countZ) {}
    constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
};

#define SIMT_VECTORS(T, name, align2, align4)              \
    struct name##1 {                                       \
        T x;                                               \
    };                                                     \
    struct alignas(align2) name##2 {                       \
        T x, y;                                            \
    };                                                     \
    struct alignas(align4) name##4 {                       \
        T x, y, z, w;                                      \
    };                                                     \
    constexpr name##1 make_##name##1(T x) {                \
        return {x};                                        \
    }                                                      \
    constexpr name##2 make_##name##2(T x, T y) {           \
        return {x, y};                                     \
    }                                                      \
    constexpr name##4 make_##name##4(T x, T y, T z, T w) { \
        return {x, y, z, w};                               \
    }

SIMT_VECTORS(signed char, char, 2, 4)
SIMT_VECTORS(unsigned char, uchar, 2, 4)
SIMT_VECTORS(short, short, 4, 8)
SIMT_VECTORS(unsigned short, ushort, 4, 8)
SIMT_VECTORS(int, int, 8, 16)
SIMT_VECTORS(unsigned, uint, 8, 16)
SIMT_VECTORS(long long, longlong, 16, 16)
SIMT_VECTORS(unsigned long long, ulonglong, 16, 16)
SIMT_VECTORS(float, float, 8, 16)
SIMT_VECTORS(double, double, 16, 16)
#undef SIMT_VECTORS

struct int3 {
    int x, y, z;
};
struct float3 {
    float x, y, z;
};
constexpr uint3 make_uint3(unsigned x, unsigned y, unsigned z) {
    return {x, y, z};
}
constexpr int3 make_int3(int x, int y, int z) {
    return {x, y, z};
}
constexpr float3 make_float3(float x, float y, float z) {
    return {x, y, z};
}
