// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gatescope {

/// Writes a safetensors file whose tensors arrive in pieces and in any order: first every tensor is
/// declared, then data goes straight to its place in a temporary file beside the target, and
/// finish() renames it. Until then the target is untouched; an abandoned writer removes its file.
///
/// Throws Error naming the file when it cannot be written; wrong use (unknown name, too much data)
/// is an Error too, because names come from people.
class SafetensorsWriter {
  public:
    explicit SafetensorsWriter(const std::filesystem::path& file);
    ~SafetensorsWriter();
    SafetensorsWriter(const SafetensorsWriter&) = delete;
    SafetensorsWriter& operator=(const SafetensorsWriter&) = delete;

    /// Only before the first write. What readers find under `__metadata__`: names and values for
    /// people and programs, valid UTF-8.
    void describe(const std::string& key, const std::string& value);

    /// Only before the first write. dtype "F32", "I32", "I16" or "U8".
    void declare(const std::string& name, std::string_view dtype, std::vector<std::int64_t> shape);

    /// Values that follow those of this tensor written before.
    void append(const std::string& name, std::span<const float> values);
    void append(const std::string& name, std::span<const std::int32_t> values);
    void append(const std::string& name, std::span<const std::int16_t> values);
    void append(const std::string& name, std::span<const std::uint8_t> values);

    /// Writes what is left and gives the file its name. Every declared tensor must be complete.
    void finish();

  private:
    struct Entry {
        std::string dtype;
        std::vector<std::int64_t> shape;
        std::uint64_t bytes = 0;
        std::uint64_t offset = 0;   ///< from the start of the data
        std::uint64_t written = 0;  ///< bytes so far
    };

    void begin();
    void appendBytes(const std::string& name, std::string_view dtype,
                     std::span<const std::byte> bytes);
    void writeAt(std::uint64_t offset, std::span<const std::byte> bytes);
    [[noreturn]] void fail(const char* what) const;

    std::filesystem::path m_file;
    std::filesystem::path m_temporary;
    std::map<std::string, std::string> m_metadata;
    std::map<std::string, Entry> m_entries;  ///< by name, which is also the order in the file
    std::uint64_t m_dataStart = 0;
    int m_descriptor = -1;
};

}  // namespace gatescope
