// SPDX-License-Identifier: Apache-2.0
#include "engine/report/npy.h"

#include <fmt/format.h>

namespace gatescope {

std::string npyBytes(std::span<const std::int32_t> values, std::size_t rows, std::size_t columns) {
    constexpr std::size_t kPreamble = 10;  // magic, version, length of the header
    constexpr std::size_t kAlign = 64;
    std::string header = fmt::format(
        "{{'descr': '<i8', 'fortran_order': False, 'shape': ({}, {}), }}", rows, columns);
    header.append(kAlign - (kPreamble + header.size() + 1) % kAlign, ' ');
    header += '\n';
    std::string bytes("\x93NUMPY\x01\x00", 8);
    bytes += static_cast<char>(header.size() & 0xFF);
    bytes += static_cast<char>(header.size() >> 8);
    bytes += header;
    bytes.reserve(bytes.size() + values.size() * sizeof(std::int64_t));
    for (const std::int32_t value : values) {
        const auto wide = static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
        for (int shift = 0; shift < 64; shift += 8) {
            bytes += static_cast<char>((wide >> shift) & 0xFF);
        }
    }
    return bytes;
}

}  // namespace gatescope
