// SPDX-License-Identifier: Apache-2.0
#include "engine/report/stored_zip.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "engine/checkpoint/printable.h"
#include "engine/error.h"

// Offsets and names of fields: APPNOTE.TXT of the zip format, 4.3.7 to 4.3.16 and 4.5.3.

namespace gatescope {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kLocalMark = "PK\x03\x04"sv;
constexpr std::string_view kDirectoryMark = "PK\x01\x02"sv;
constexpr std::string_view kEndMark = "PK\x05\x06"sv;
constexpr std::string_view kEnd64Mark = "PK\x06\x06"sv;
constexpr std::string_view kLocatorMark = "PK\x06\x07"sv;
constexpr std::size_t kLocalBytes = 30;
constexpr std::size_t kDirectoryBytes = 46;
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kEnd64Bytes = 56;
constexpr std::size_t kLocatorBytes = 20;
constexpr std::size_t kMostComment = 0xFFFF;
constexpr std::uint64_t kIn64 = 0xFFFFFFFF;  ///< "the zip64 field has it"

/// The little-endian number of `size` bytes at `offset`, which is inside.
std::uint64_t numberIn(std::string_view bytes, std::size_t offset, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
        value |= std::uint64_t{static_cast<std::uint8_t>(bytes[offset + i])} << (8 * i);
    }
    return value;
}

struct Directory {
    std::uint64_t entries = 0;
    std::string_view bytes;
};

struct ZipEntry {
    std::string name;
    std::uint64_t flags = 0;
    std::uint64_t method = 0;
    std::uint64_t compressed = 0;  ///< bytes
    std::uint64_t size = 0;
    std::uint64_t header = 0;  ///< offset of its local header
};

class ZipReader {
  public:
    ZipReader(std::string_view archive, const std::string& file)
        : m_archive(archive), m_file(file) {}

    std::map<std::string, std::string_view> read() const;

  private:
    Directory directory() const;
    std::size_t endRecord() const;
    ZipEntry nextEntry(std::string_view& directory) const;
    std::string_view content(const ZipEntry& entry) const;
    void readExtra64(std::string_view extra, ZipEntry& entry) const;

    bool inside(std::uint64_t offset, std::uint64_t size) const {
        return offset <= m_archive.size() && size <= m_archive.size() - offset;
    }
    bool hasMark(std::uint64_t offset, std::size_t size, std::string_view mark) const {
        return inside(offset, size) && m_archive.substr(offset).starts_with(mark);
    }
    Error damaged(const std::string& item, const std::string& cause) const {
        return fileError(m_file, printable(item), cause);
    }

    std::string_view m_archive;
    const std::string& m_file;
};

/// Where the record is that ends an archive; only a comment follows it.
std::size_t ZipReader::endRecord() const {
    if (m_archive.size() >= kEndBytes) {
        const std::size_t last = m_archive.size() - kEndBytes;
        const std::size_t first = last - std::min(last, kMostComment);
        for (std::size_t at = m_archive.rfind(kEndMark, last); at != m_archive.npos && at >= first;
             at = at == 0 ? m_archive.npos : m_archive.rfind(kEndMark, at - 1)) {
            if (numberIn(m_archive, at + 20, 2) == m_archive.size() - at - kEndBytes) {
                return at;
            }
        }
    }
    throw damaged("", "the zip archive ends too early: it has no directory");
}

Directory ZipReader::directory() const {
    const std::size_t end = endRecord();
    std::uint64_t entries = numberIn(m_archive, end + 10, 2);
    std::uint64_t size = numberIn(m_archive, end + 12, 4);
    std::uint64_t offset = numberIn(m_archive, end + 16, 4);
    if (end >= kLocatorBytes && hasMark(end - kLocatorBytes, kLocatorBytes, kLocatorMark)) {
        const std::uint64_t end64 = numberIn(m_archive, end - kLocatorBytes + 8, 8);
        if (!hasMark(end64, kEnd64Bytes, kEnd64Mark)) {
            throw damaged("", "the zip64 directory is not where the archive says");
        }
        entries = numberIn(m_archive, end64 + 32, 8);
        size = numberIn(m_archive, end64 + 40, 8);
        offset = numberIn(m_archive, end64 + 48, 8);
    }
    if (!inside(offset, size)) {
        throw damaged("", fmt::format("the zip directory of {} bytes at {} lies outside the file's "
                                      "{} bytes",
                                      size, offset, m_archive.size()));
    }
    return {entries, m_archive.substr(offset, size)};
}

/// Takes the numbers that did not fit into 32 bits from where zip64 keeps them.
void ZipReader::readExtra64(std::string_view extra, ZipEntry& entry) const {
    while (extra.size() >= 4) {
        const std::uint64_t id = numberIn(extra, 0, 2);
        const std::uint64_t size = numberIn(extra, 2, 2);
        extra.remove_prefix(4);
        if (size > extra.size()) {
            break;
        }
        if (id == 1) {
            std::string_view numbers = extra.substr(0, size);
            for (std::uint64_t* field : {&entry.size, &entry.compressed, &entry.header}) {
                if (*field == kIn64 && numbers.size() >= 8) {
                    *field = numberIn(numbers, 0, 8);
                    numbers.remove_prefix(8);
                }
            }
        }
        extra.remove_prefix(size);
    }
}

ZipEntry ZipReader::nextEntry(std::string_view& directory) const {
    if (directory.size() < kDirectoryBytes || !directory.starts_with(kDirectoryMark)) {
        throw damaged("", "the zip directory is damaged");
    }
    ZipEntry entry;
    entry.flags = numberIn(directory, 8, 2);
    entry.method = numberIn(directory, 10, 2);
    entry.compressed = numberIn(directory, 20, 4);
    entry.size = numberIn(directory, 24, 4);
    entry.header = numberIn(directory, 42, 4);
    const std::uint64_t name = numberIn(directory, 28, 2);
    const std::uint64_t extra = numberIn(directory, 30, 2);
    const std::uint64_t comment = numberIn(directory, 32, 2);
    directory.remove_prefix(kDirectoryBytes);
    if (name + extra + comment > directory.size()) {
        throw damaged("", "the zip directory ends too early");
    }
    entry.name = directory.substr(0, name);
    readExtra64(directory.substr(name, extra), entry);
    directory.remove_prefix(name + extra + comment);
    return entry;
}

std::string_view ZipReader::content(const ZipEntry& entry) const {
    constexpr std::uint64_t kEncrypted = 1;
    if (entry.method != 0 || (entry.flags & kEncrypted) != 0) {
        throw damaged(entry.name,
                      "is compressed or encrypted; PyTorch stores its entries as they "
                      "are");
    }
    if (!hasMark(entry.header, kLocalBytes, kLocalMark)) {
        throw damaged(entry.name, "is not where the zip directory says");
    }
    // Its name and extra field may be of other lengths than in the directory: padding.
    const std::uint64_t data = entry.header + kLocalBytes +
                               numberIn(m_archive, entry.header + 26, 2) +
                               numberIn(m_archive, entry.header + 28, 2);
    if (entry.size != entry.compressed || !inside(data, entry.size)) {
        throw damaged(entry.name, fmt::format("{} bytes at {} lie outside the file's {} bytes",
                                              entry.size, data, m_archive.size()));
    }
    return m_archive.substr(data, entry.size);
}

std::map<std::string, std::string_view> ZipReader::read() const {
    Directory listed = directory();
    std::map<std::string, std::string_view> entries;
    for (std::uint64_t i = 0; i < listed.entries; ++i) {
        const ZipEntry entry = nextEntry(listed.bytes);
        if (!entries.emplace(entry.name, content(entry)).second) {
            throw damaged(entry.name, "is in the zip archive twice");
        }
    }
    return entries;
}

}  // namespace

std::map<std::string, std::string_view> readStoredZip(std::string_view archive,
                                                      const std::string& file) {
    return ZipReader(archive, file).read();
}

}  // namespace gatescope
