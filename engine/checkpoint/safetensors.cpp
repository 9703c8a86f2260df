// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/safetensors.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

#include "engine/checkpoint/json.h"
#include "engine/checkpoint/printable.h"
#include "engine/error.h"

namespace gatescope {
namespace {

constexpr std::size_t lengthBytes = 8;
constexpr std::uint64_t maxHeaderBytes = 100'000'000;  // the limit of the reference implementation
constexpr std::size_t maxRank = 16;

constexpr std::array<std::pair<std::string_view, int>, 15> dtypeSizes = {{{"F64", 8},
                                                                          {"F32", 4},
                                                                          {"F16", 2},
                                                                          {"BF16", 2},
                                                                          {"I64", 8},
                                                                          {"I32", 4},
                                                                          {"I16", 2},
                                                                          {"I8", 1},
                                                                          {"U8", 1},
                                                                          {"U16", 2},
                                                                          {"U32", 4},
                                                                          {"U64", 8},
                                                                          {"BOOL", 1},
                                                                          {"F8_E4M3", 1},
                                                                          {"F8_E5M2", 1}}};

std::optional<int> sizeOfDtype(std::string_view dtype) {
    for (const auto& [known, size] : dtypeSizes) {
        if (known == dtype) return size;
    }
    return std::nullopt;
}

/// The little-endian number in the file's first eight bytes.
std::uint64_t headerLength(std::span<const std::byte> file) {
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < lengthBytes; ++i) {
        length |= std::to_integer<std::uint64_t>(file[i]) << (8 * i);
    }
    return length;
}

std::string_view readHeader(const std::string& name, std::span<const std::byte> file) {
    if (file.size() < lengthBytes) {
        throw fileError(
            name, "", fmt::format("{} bytes long, too short for a safetensors file", file.size()));
    }
    const std::uint64_t length = headerLength(file);
    const std::uint64_t rest = file.size() - lengthBytes;
    if (length > rest) {
        throw fileError(
            name, "", fmt::format("header length {} exceeds the {} bytes after it", length, rest));
    }
    if (length > maxHeaderBytes) {
        throw fileError(name, "",
                        fmt::format("header length {} exceeds {}", length, maxHeaderBytes));
    }
    return {reinterpret_cast<const char*>(file.data()) + lengthBytes,
            static_cast<std::size_t>(length)};
}

struct Entry {
    TensorView view;  ///< without bytes
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

/// Bytes that shape and dtype ask for; the product must not overflow.
std::uint64_t byteSize(const JsonValue& field, const TensorView& view, int elementSize) {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    std::int64_t bytes = elementSize;
    for (const std::int64_t extent : view.shape) {
        if (extent != 0 && bytes > most / extent) {
            throw field.error("the product of the dimensions overflows 64 bits");
        }
        bytes *= extent;
    }
    return static_cast<std::uint64_t>(bytes);
}

Entry readEntry(const std::string& name, const JsonValue& field, std::uint64_t dataSize) {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    Entry entry;
    entry.view.name = name;
    entry.view.file = field.file();
    entry.view.dtype = field.at("dtype").string();
    const auto elementSize = sizeOfDtype(entry.view.dtype);
    if (!elementSize) {
        throw field.error(fmt::format("unknown dtype \"{}\"", printable(entry.view.dtype, 40)));
    }
    const JsonValue shape = field.at("shape");
    if (shape.size() > maxRank) {
        throw shape.error(fmt::format("has {} dimensions, {} at most", shape.size(), maxRank));
    }
    shape.forEachElement([&](std::size_t, const JsonValue& extent) {
        entry.view.shape.push_back(extent.integer(0, most));
    });
    const JsonValue offsets = field.at("data_offsets");
    if (offsets.size() != 2) throw offsets.error("must be [begin, end]");
    const std::int64_t begin = offsets.at(0).integer(0, most);
    const std::int64_t end = offsets.at(1).integer(0, most);
    if (end < begin) {
        throw offsets.error(fmt::format("end {} lies before begin {}", end, begin));
    }
    entry.begin = static_cast<std::uint64_t>(begin);
    entry.end = static_cast<std::uint64_t>(end);
    if (entry.end > dataSize) {
        throw offsets.error(
            fmt::format("end {} lies beyond the {} bytes of data in the file", end, dataSize));
    }
    const std::uint64_t needed = byteSize(field, entry.view, *elementSize);
    if (needed != entry.end - entry.begin) {
        throw field.error(fmt::format("shape [{}] of {} needs {} bytes, data_offsets give {}",
                                      fmt::join(entry.view.shape, ", "), entry.view.dtype, needed,
                                      entry.end - entry.begin));
    }
    return entry;
}

/// The format wants the tensors to cover the data without overlap and without a gap.
void requireSeamless(const std::string& file, std::vector<Entry>& entries, std::uint64_t dataSize) {
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        return std::tie(a.begin, a.end, a.view.name) < std::tie(b.begin, b.end, b.view.name);
    });
    std::uint64_t covered = 0;
    const Entry* previous = nullptr;
    for (const Entry& entry : entries) {
        const std::string name = printable(entry.view.name);
        if (entry.begin < covered) {
            throw fileError(file, name,
                            fmt::format("begins at byte {} inside {}, which ends at {}",
                                        entry.begin, printable(previous->view.name), covered));
        }
        if (entry.begin > covered) {
            throw fileError(
                file, name,
                fmt::format("{} unused bytes before it, after {}", entry.begin - covered,
                            previous ? printable(previous->view.name) : "the header"));
        }
        covered = entry.end;
        previous = &entry;
    }
    if (covered != dataSize) {
        throw fileError(file, "",
                        fmt::format("{} unused bytes after the last tensor", dataSize - covered));
    }
}

}  // namespace

std::int64_t TensorView::elements() const {
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    return count;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : m_file(path) {
    const std::string file = printable(path.filename().native());
    const std::span<const std::byte> bytes = m_file.bytes();
    const std::string_view header = readHeader(file, bytes);
    const auto data = bytes.subspan(lengthBytes + header.size());

    const auto document = JsonDocument::parse(header, file + ": header");
    const JsonValue root = document.root();
    if (header.front() != '{' || !root.isObject()) {
        throw fileError(file, "", "the header is not a JSON object");
    }
    std::vector<Entry> entries;
    root.forEachMember([&](const std::string& name, const JsonValue& field) {
        if (name == "__metadata__") {
            field.forEachMember([&](const std::string& key, const JsonValue& value) {
                m_metadata.emplace(key, value.string());
            });
        } else {
            entries.push_back(readEntry(name, field, data.size()));
        }
    });
    requireSeamless(file, entries, data.size());

    m_tensors.reserve(entries.size());
    for (Entry& entry : entries) {
        entry.view.file = file;
        entry.view.bytes = data.subspan(entry.begin, entry.end - entry.begin);
        m_tensors.push_back(std::move(entry.view));
    }
    for (std::size_t i = 0; i < m_tensors.size(); ++i) m_byName.emplace(m_tensors[i].name, i);
}

const TensorView* SafetensorsFile::find(std::string_view name) const {
    const auto place = m_byName.find(name);
    return place == m_byName.end() ? nullptr : &m_tensors[place->second];
}

std::uint64_t SafetensorsFile::fileSize() const {
    return m_file.bytes().size();
}

}  // namespace gatescope
