// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>

#include "kernels/cpu/cpu_device.h"

namespace gatescope {

namespace {

// Values drawn once and then picked at random: drawing 10^9 normal numbers would take a minute.
constexpr std::size_t kTable = 4096;

std::array<float, kTable> normalTable(std::uint64_t seed) {
    std::array<float, kTable> table{};
    std::uint64_t state = seed;
    const auto uniform = [&] {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return (static_cast<double>(state >> 11) + 0.5) * 0x1p-53;
    };
    for (auto& v : table)  // Box-Muller
        v = static_cast<float>(std::sqrt(-2 * std::log(uniform())) *
                               std::cos(2 * std::numbers::pi * uniform()));
    return table;
}

// Nearest e4m3 value; |x| <= 448.
std::uint8_t floatToF8(float x) {
    int best = 0;
    for (int bits = 0; bits < 0x7F; ++bits)
        if (std::abs(f8e4m3ToFloat(static_cast<std::uint8_t>(bits)) - std::abs(x)) <
            std::abs(f8e4m3ToFloat(static_cast<std::uint8_t>(best)) - std::abs(x)))
            best = bits;
    return static_cast<std::uint8_t>(best | (x < 0 ? 0x80 : 0));
}

std::uint16_t floatToF16(float x) {
    // The table's values are normal f16 numbers, so rebasing the exponent is enough.
    const auto bits = std::bit_cast<std::uint32_t>(x);
    const auto magnitude = ((bits & 0x7FFFFFFF) >> 13) - ((127 - 15) << 10);
    return static_cast<std::uint16_t>(((bits >> 16) & 0x8000) |
                                      (std::abs(x) < 1e-4f ? 0 : magnitude));
}

template <typename Stored>
void fill(std::byte* out, std::size_t count, const std::array<Stored, kTable>& table,
          std::uint64_t seed) {
    std::uint64_t state = seed * 2 + 1;
    for (std::size_t i = 0; i < count;) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        for (int shift = 0; shift < 60 && i < count; shift += 12, ++i) {
            const auto& value = table[(state >> shift) % kTable];
            std::memcpy(out + i * sizeof(Stored), &value, sizeof(Stored));
        }
    }
}

template <typename Stored, typename Encode>
void fillEncoded(std::byte* out, std::size_t count, float deviation, std::uint64_t seed,
                 const Encode& encode) {
    const auto normal = normalTable(seed);
    std::array<Stored, kTable> table{};
    for (std::size_t i = 0; i < kTable; ++i) table[i] = encode(normal[i] * deviation);
    fill(out, count, table, seed);
}

// F8 weights are stored in units of their scale; 32 makes their range fit e4m3 well.
constexpr float kF8Deviation = 32;

void fillMatrix(std::byte* out, std::size_t count, const RandomFill& fill) {
    switch (fill.dtype) {
        case DType::F32:
            return fillEncoded<float>(out, count, fill.deviation, fill.seed,
                                      [](float v) { return v; });
        case DType::BF16:
            return fillEncoded<std::uint16_t>(out, count, fill.deviation, fill.seed, floatToBf16);
        case DType::F16:
            return fillEncoded<std::uint16_t>(out, count, fill.deviation, fill.seed, floatToF16);
        case DType::F8E4M3:
            return fillEncoded<std::uint8_t>(out, count, kF8Deviation, fill.seed, floatToF8);
    }
}

}  // namespace

Weight CpuDevice::random(const RandomFill& fill) {
    const auto count = static_cast<std::size_t>(fill.rows * fill.cols);
    auto& bytes = m_randomWeights.emplace_back(count * elementSize(fill.dtype));
    fillMatrix(bytes.data(), count, fill);
    Weight weight{.dtype = fill.dtype,
                  .rows = fill.rows,
                  .cols = fill.cols,
                  .data = bytes.data(),
                  .blockRows = fill.blockRows,
                  .blockCols = fill.blockCols};
    if (fill.dtype != DType::F8E4M3) return weight;
    const auto scaleRows = (fill.rows + fill.blockRows - 1) / fill.blockRows;
    const auto scales = static_cast<std::size_t>(scaleRows * weight.scaleCols());
    auto& memory = m_randomScales.emplace_back(scales, fill.deviation / kF8Deviation);
    weight.scales = memory.data();
    return weight;
}

}  // namespace gatescope
