// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "engine/checkpoint/printable.h"
#include "engine/error.h"

namespace gatescope {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& cause) {
    throw fileError(printable(path.native(), 1000), "", cause);
}

[[noreturn]] void refuseErrno(const std::filesystem::path& path, std::string_view action) {
    const std::string why = std::generic_category().message(errno);
    refuse(path, fmt::format("cannot be {}: {}", action, why));
}

void requireRegular(const std::filesystem::path& path, const struct stat& info) {
    if (S_ISDIR(info.st_mode)) refuse(path, "is a folder, not a file");
    if (!S_ISREG(info.st_mode)) refuse(path, "is not a regular file");
}

/// An open regular file. Looked at before it is opened, because opening a pipe or device can block
/// or have effects, and again afterwards, because it may have been exchanged in between.
class OpenFile {
  public:
    explicit OpenFile(const std::filesystem::path& path) {
        struct stat info {};
        if (::stat(path.c_str(), &info) != 0) refuseErrno(path, "opened");
        requireRegular(path, info);
        m_descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (m_descriptor < 0) refuseErrno(path, "opened");
        try {
            if (::fstat(m_descriptor, &info) != 0) refuseErrno(path, "read");
            requireRegular(path, info);
        } catch (...) {
            ::close(m_descriptor);
            throw;
        }
        m_size = static_cast<std::size_t>(info.st_size);
    }
    ~OpenFile() { ::close(m_descriptor); }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;

    int descriptor() const { return m_descriptor; }
    std::size_t size() const { return m_size; }

  private:
    int m_descriptor = -1;
    std::size_t m_size = 0;
};

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
    const OpenFile file(path);
    if (file.size() == 0) return;
    void* address =
        ::mmap(nullptr, file.size(), PROT_READ, MAP_PRIVATE | MAP_NORESERVE, file.descriptor(), 0);
    if (address == MAP_FAILED) refuseErrno(path, "mapped");
    m_bytes = {static_cast<const std::byte*>(address), file.size()};
}

MappedFile::~MappedFile() {
    if (!m_bytes.empty()) ::munmap(const_cast<std::byte*>(m_bytes.data()), m_bytes.size());
}

MappedFile::MappedFile(MappedFile&& other) noexcept : m_bytes(std::exchange(other.m_bytes, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(m_bytes, other.m_bytes);
    return *this;
}

std::string readFile(const std::filesystem::path& path, std::size_t maxBytes) {
    const OpenFile file(path);
    const auto tooLong = [&] { refuse(path, fmt::format("is longer than {} bytes", maxBytes)); };
    if (file.size() > maxBytes) tooLong();
    // One byte more than expected, so that a file that grew meanwhile is noticed.
    std::string text(file.size() + 1, '\0');
    std::size_t done = 0;
    for (;;) {
        const ssize_t count = ::read(file.descriptor(), text.data() + done, text.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) refuseErrno(path, "read");
        if (count == 0) break;
        done += static_cast<std::size_t>(count);
        if (done > maxBytes) tooLong();
        if (done == text.size()) text.resize(std::min(maxBytes + 1, text.size() * 2));
    }
    text.resize(done);
    return text;
}

}  // namespace gatescope
