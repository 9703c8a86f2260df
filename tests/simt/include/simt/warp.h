// SPDX-License-Identifier: Apache-2.0
#pragma once

// Operations of a warp. All of them are one: every lane named in the mask deposits a value, waits
// until all have, and may then look at the values of the others. Lanes that are not there, or at
// another place of the program, are an error.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

namespace simt {

namespace detail {

/// The running thread's place in its warp.
unsigned laneIndex();

/// Waits for the lanes of `mask`; returns the `bytes` of all 32 lanes one after the other, 0xFF for
/// lanes not in the mask. Valid until the lane's next warp operation.
const void* exchange(unsigned mask, const void* value, std::size_t bytes,
                     std::source_location where);

template <typename T>
const T* exchange(unsigned mask, const T& value, std::source_location where) {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 16);
    return static_cast<const T*>(
        exchange(mask, static_cast<const void*>(&value), sizeof(T), where));
}

/// The value that lane `source` deposited; an unspecified one if that lane takes no part.
template <typename T>
T shuffle(unsigned mask, T value, unsigned source, std::source_location where) {
    static_assert(std::is_arithmetic_v<T>, "shuffles move one number");
    return exchange(mask, value, where)[source];
}

/// First and last lane of the segment of `width` lanes that the running lane is in.
inline unsigned segmentBegin(int width) {
    return laneIndex() & ~(static_cast<unsigned>(width) - 1);
}
inline unsigned segmentLast(int width) {
    return laneIndex() | (static_cast<unsigned>(width) - 1);
}

template <typename T, typename Combine>
T reduce(unsigned mask, T value, std::source_location where, const Combine& combine) {
    const T* values = exchange(mask, value, where);
    T result = value;
    bool first = true;
    for (unsigned lane = 0; lane < 32; ++lane) {
        if ((mask >> lane & 1u) == 0) continue;
        result = first ? values[lane] : combine(result, values[lane]);
        first = false;
    }
    return result;
}

}  // namespace detail

/// The values that all 32 lanes passed here, in lane order (0xFF in the bytes of lanes not in
/// `mask`). Valid until the lane's next warp operation. For the scalar twins of instructions that
/// work on a whole warp.
template <typename T>
const T* warpGather(const T& value, unsigned mask = 0xffffffffu,
                    std::source_location where = std::source_location::current()) {
    return detail::exchange(mask, value, where);
}

}  // namespace simt

inline void __syncwarp(unsigned mask = 0xffffffffu,
                       std::source_location where = std::source_location::current()) {
    simt::detail::exchange(mask, static_cast<unsigned char>(0), where);
}

template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              std::source_location where = std::source_location::current()) {
    const unsigned inSegment = static_cast<unsigned>(source) & (static_cast<unsigned>(width) - 1);
    return simt::detail::shuffle(mask, value, simt::detail::segmentBegin(width) | inSegment, where);
}

template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 std::source_location where = std::source_location::current()) {
    const unsigned lane = simt::detail::laneIndex();
    const bool inside = delta <= lane - simt::detail::segmentBegin(width);
    return simt::detail::shuffle(mask, value, inside ? lane - delta : lane, where);
}

template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   std::source_location where = std::source_location::current()) {
    const unsigned lane = simt::detail::laneIndex();
    const bool inside = delta <= simt::detail::segmentLast(width) - lane;
    return simt::detail::shuffle(mask, value, inside ? lane + delta : lane, where);
}

template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int laneMask, int width = 32,
                  std::source_location where = std::source_location::current()) {
    const unsigned lane = simt::detail::laneIndex();
    const unsigned source = lane ^ static_cast<unsigned>(laneMask);
    const bool inside = source <= simt::detail::segmentLast(width);
    return simt::detail::shuffle(mask, value, inside ? source : lane, where);
}

inline unsigned __ballot_sync(unsigned mask, int predicate,
                              std::source_location where = std::source_location::current()) {
    const auto vote = static_cast<unsigned char>(predicate != 0 ? 1 : 0);
    const unsigned char* votes = simt::detail::exchange(mask, vote, where);
    unsigned result = 0;
    for (unsigned lane = 0; lane < 32; ++lane) result |= (votes[lane] & 1u) << lane;
    return result & mask;
}

inline int __any_sync(unsigned mask, int predicate,
                      std::source_location where = std::source_location::current()) {
    return __ballot_sync(mask, predicate, where) != 0 ? 1 : 0;
}

inline int __all_sync(unsigned mask, int predicate,
                      std::source_location where = std::source_location::current()) {
    return __ballot_sync(mask, predicate, where) == mask ? 1 : 0;
}

template <typename T>
unsigned __match_any_sync(unsigned mask, T value,
                          std::source_location where = std::source_location::current()) {
    const T* values = simt::detail::exchange(mask, value, where);
    unsigned result = 0;
    for (unsigned lane = 0; lane < 32; ++lane)
        if ((mask >> lane & 1u) != 0 && std::memcmp(values + lane, &value, sizeof(T)) == 0)
            result |= 1u << lane;
    return result;
}

/// The reductions exist for int and unsigned, as on a GPU.
template <typename T>
concept SimtReducible = std::is_same_v<T, int> || std::is_same_v<T, unsigned>;

template <SimtReducible T>
T __reduce_add_sync(unsigned mask, T value,
                    std::source_location where = std::source_location::current()) {
    // Wraps around for int too.
    const auto add = [](unsigned a, unsigned b) { return a + b; };
    return static_cast<T>(simt::detail::reduce(mask, static_cast<unsigned>(value), where, add));
}

template <SimtReducible T>
T __reduce_min_sync(unsigned mask, T value,
                    std::source_location where = std::source_location::current()) {
    return simt::detail::reduce(mask, value, where, [](T a, T b) { return b < a ? b : a; });
}

template <SimtReducible T>
T __reduce_max_sync(unsigned mask, T value,
                    std::source_location where = std::source_location::current()) {
    return simt::detail::reduce(mask, value, where, [](T a, T b) { return a < b ? b : a; });
}

inline unsigned __reduce_and_sync(unsigned mask, unsigned value,
                                  std::source_location where = std::source_location::current()) {
    return simt::detail::reduce(mask, value, where, [](unsigned a, unsigned b) { return a & b; });
}

inline unsigned __reduce_or_sync(unsigned mask, unsigned value,
                                 std::source_location where = std::source_location::current()) {
    return simt::detail::reduce(mask, value, where, [](unsigned a, unsigned b) { return a | b; });
}

inline unsigned __reduce_xor_sync(unsigned mask, unsigned value,
                                  std::source_location where = std::source_location::current()) {
    return simt::detail::reduce(mask, value, where, [](unsigned a, unsigned b) { return a ^ b; });
}
