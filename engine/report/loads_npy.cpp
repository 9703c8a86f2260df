// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/checkpoint/printable.h"
#include "engine/error.h"
#include "engine/report/load_readers.h"
#include "engine/report/load_steps.h"

// The format: numpy/lib/format.py.

namespace gatescope {
namespace {

struct NpyHeader {
    std::string type;  ///< "<i8"
    bool fortranOrder = false;
    std::vector<std::int64_t> shape;
};

/// Reads {'descr': '<i8', 'fortran_order': False, 'shape': (58, 256), }.
class HeaderParser {
  public:
    HeaderParser(std::string_view text, const std::string& file) : m_left(text), m_file(file) {}

    NpyHeader parse() {
        NpyHeader header;
        int keys = 0;
        expect("{");
        while (!accept("}")) {
            member(header, keys);
            if (!accept(",")) {
                expect("}");
                break;
            }
        }
        skipBlanks();
        if (!m_left.empty() || keys != kAllKeys) {
            throw error();
        }
        return header;
    }

  private:
    static constexpr int kType = 1;
    static constexpr int kOrder = 2;
    static constexpr int kShape = 4;
    static constexpr int kAllKeys = kType + kOrder + kShape;

    void member(NpyHeader& header, int& keys) {
        const std::string_view key = text();
        expect(":");
        int bit = 0;
        if (key == "descr") {
            bit = kType;
            skipBlanks();
            if (m_left.starts_with('[')) {
                throw fileError(m_file, "descr", "a table of fields, not an array of numbers");
            }
            header.type = text();
        } else if (key == "fortran_order") {
            bit = kOrder;
            header.fortranOrder = accept("True");
            if (!header.fortranOrder) {
                expect("False");
            }
        } else if (key == "shape") {
            bit = kShape;
            header.shape = shape();
        }
        if (bit == 0 || (keys & bit) != 0) {
            throw error();
        }
        keys |= bit;
    }
    std::vector<std::int64_t> shape() {
        std::vector<std::int64_t> extents;
        expect("(");
        while (!accept(")")) {
            skipBlanks();
            std::int64_t extent = 0;
            const auto [stop, problem] =
                std::from_chars(m_left.data(), m_left.data() + m_left.size(), extent);
            if (problem != std::errc() || extent < 0) {
                throw error();
            }
            m_left.remove_prefix(static_cast<std::size_t>(stop - m_left.data()));
            accept("L");  // Python 2
            extents.push_back(extent);
            if (!accept(",")) {
                expect(")");
                break;
            }
        }
        return extents;
    }
    std::string_view text() {
        const std::string_view quote = accept("'") ? "'" : "\"";
        if (quote == "\"") {
            expect(quote);
        }
        const std::size_t size = m_left.find(quote);
        if (size == m_left.npos) {
            throw error();
        }
        const std::string_view value = m_left.substr(0, size);
        m_left.remove_prefix(size + 1);
        return value;
    }
    void skipBlanks() {
        m_left.remove_prefix(std::min(m_left.find_first_not_of(" \t\n"), m_left.size()));
    }
    bool accept(std::string_view token) {
        skipBlanks();
        const bool found = m_left.starts_with(token);
        m_left.remove_prefix(found ? token.size() : 0);
        return found;
    }
    void expect(std::string_view token) {
        if (!accept(token)) {
            throw error();
        }
    }
    Error error() const { return fileError(m_file, "", "the header is not one that NumPy writes"); }

    std::string_view m_left;
    const std::string& m_file;
};

/// Splits the file into its header's text and its data.
std::pair<std::string_view, std::string_view> split(std::string_view bytes,
                                                    const std::string& file) {
    constexpr std::size_t kVersionAt = 6;
    const std::size_t lengthBytes = bytes.size() > kVersionAt && bytes[kVersionAt] == 1 ? 2 : 4;
    const std::size_t begin = kVersionAt + 2 + lengthBytes;
    if (bytes.size() < begin) {
        throw fileError(file, "", "it ends in its header");
    }
    if (bytes[kVersionAt] < 1 || bytes[kVersionAt] > 3) {
        throw fileError(file, "",
                        fmt::format("version {} of NumPy's format is unknown",
                                    static_cast<std::uint8_t>(bytes[kVersionAt])));
    }
    std::size_t length = 0;
    for (std::size_t i = 0; i < lengthBytes; ++i) {
        length |= std::size_t{static_cast<std::uint8_t>(bytes[kVersionAt + 2 + i])} << (8 * i);
    }
    if (length > bytes.size() - begin) {
        throw fileError(file, "",
                        fmt::format("the header is said to have {} bytes, {} are left", length,
                                    bytes.size() - begin));
    }
    return {bytes.substr(begin, length), bytes.substr(begin + length)};
}

NumberType numberTypeOf(const std::string& name, const std::string& file) {
    constexpr std::array<std::pair<std::string_view, NumberType>, 6> types = {
        {{"<i4", NumberType::kInt32},
         {"<i8", NumberType::kInt64},
         {"<u4", NumberType::kUint32},
         {"<u8", NumberType::kUint64},
         {"<f4", NumberType::kFloat32},
         {"<f8", NumberType::kFloat64}}};
    for (const auto& [known, type] : types) {
        if (name == known) {
            return type;
        }
    }
    throw fileError(
        file, "descr",
        fmt::format("\"{}\" is none of <i4, <i8, <u4, <u8, <f4 and <f8", printable(name, 40)));
}

/// Throws Error unless the data is what the header says.
void checkSize(const StepArray& array, NumberType type, std::size_t bytes) {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    // Layers and experts are bounded, so only the steps can overflow.
    const std::int64_t stepBytes =
        std::int64_t{array.layers} * array.experts * static_cast<std::int64_t>(bytesOf(type));
    if (array.steps > most / stepBytes ||
        static_cast<std::uint64_t>(array.steps * stepBytes) != bytes) {
        throw fileError(
            array.file, "",
            fmt::format("its {} bytes of data are not {} x {} x {} numbers of {} bytes", bytes,
                        array.steps, array.layers, array.experts, bytesOf(type)));
    }
}

}  // namespace

RecordedLoads readNpyLoads(std::span<const std::byte> bytes, const std::string& file) {
    const auto [text, data] =
        split({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file);
    const NpyHeader header = HeaderParser(text, file).parse();
    const NumberType type = numberTypeOf(header.type, file);
    StepArray array;
    array.file = file;
    array.setShape(header.shape);
    checkSize(array, type, data.size());
    array.at = [numbers = std::as_bytes(std::span(data)), type, &array,
                fortran = header.fortranOrder](std::int64_t step, int layer, int expert) {
        const std::int64_t index =
            fortran ? (std::int64_t{expert} * array.layers + layer) * array.steps + step
                    : (step * array.layers + layer) * array.experts + expert;
        return numberAt(numbers, type, static_cast<std::size_t>(index));
    };
    RecordedLoads loads = loadsOfSteps(array);
    loads.format = "NumPy array";
    return loads;
}

}  // namespace gatescope
