// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace gatescope {

/// Appends fixed-size numbers, little endian on every machine.
class LittleEndianWriter {
  public:
    void u8(std::uint8_t value) { m_bytes.push_back(value); }
    void u16(std::uint16_t value) { unsignedBytes(value, 2); }
    void u32(std::uint32_t value) { unsignedBytes(value, 4); }
    void i32(std::int32_t value) { u32(static_cast<std::uint32_t>(value)); }
    void f32(float value) { u32(std::bit_cast<std::uint32_t>(value)); }  // NaN payloads too
    /// The lowest `count` bytes of `value`.
    void unsignedBytes(std::uint32_t value, int count) {
        for (int i = 0; i < count; ++i) {
            m_bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
        }
    }
    void reserve(std::size_t bytes) { m_bytes.reserve(bytes); }
    std::vector<std::uint8_t> take() { return std::move(m_bytes); }

  private:
    std::vector<std::uint8_t> m_bytes;
};

/// Reads them back. The caller checks left() first; reading past the end gives zeros, never memory.
class LittleEndianReader {
  public:
    explicit LittleEndianReader(std::string_view bytes) : m_bytes(bytes) {}
    std::size_t left() const { return m_bytes.size(); }
    std::uint8_t u8() { return static_cast<std::uint8_t>(unsignedBytes(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(unsignedBytes(2)); }
    std::uint32_t u32() { return unsignedBytes(4); }
    std::int32_t i32() { return static_cast<std::int32_t>(u32()); }
    float f32() { return std::bit_cast<float>(u32()); }
    std::uint32_t unsignedBytes(std::size_t count) {
        std::uint32_t value = 0;
        if (count <= m_bytes.size()) {
            for (std::size_t i = 0; i < count; ++i) {
                value |= std::uint32_t{static_cast<std::uint8_t>(m_bytes[i])} << (8 * i);
            }
        }
        m_bytes.remove_prefix(count < m_bytes.size() ? count : m_bytes.size());
        return value;
    }

  private:
    std::string_view m_bytes;
};

}  // namespace gatescope
