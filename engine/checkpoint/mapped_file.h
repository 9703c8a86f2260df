// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace gatescope {

/// A file mapped read-only. Throws Error naming the file when it cannot be opened; an empty file
/// gives an empty span. Only regular files are opened (no pipe or device can block us).
class MappedFile {
  public:
    explicit MappedFile(const std::filesystem::path& path);
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    std::span<const std::byte> bytes() const { return m_bytes; }

  private:
    std::span<const std::byte> m_bytes;
};

/// A whole file in memory, for small files that must not change under the reader. Throws Error
/// naming the file when it cannot be read, is not a regular file or is longer than maxBytes.
std::string readFile(const std::filesystem::path& path, std::size_t maxBytes);

}  // namespace gatescope
