// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace gatescope {

/// A file that is there whole or not at all: what is written goes to a temporary file beside it,
/// which commit() brings to the disk and gives the name. Until then the target is untouched;
/// without commit() the temporary file goes away. A link is followed, not replaced.
class AtomicFile {
  public:
    /// Throws Error naming the file if nothing can be written beside it, or if the name is that of
    /// a folder or device.
    explicit AtomicFile(const std::filesystem::path& file);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(std::string_view bytes);  ///< throws Error
    void commit();                       ///< throws Error; the target is then untouched

  private:
    void flush();
    [[noreturn]] void fail(const char* what) const;

    std::filesystem::path m_file;
    std::filesystem::path m_temporary;
    std::string m_buffer;
    int m_descriptor = -1;
};

/// Where a new version of a file is made: a name beside it that nothing has. Throws Error for the
/// name of a folder or device.
std::filesystem::path temporaryBeside(const std::filesystem::path& file);

/// Brings a closed file to the disk and gives it its name. Throws Error naming `file`.
void renameDurably(const std::filesystem::path& temporary, const std::filesystem::path& file);

}  // namespace gatescope
