// SPDX-License-Identifier: Apache-2.0
#include "engine/session/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "engine/error.h"

namespace gatescope {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBufferBytes = 1 << 20;

Error systemError(const fs::path& file, const char* what) {
    return fileError(file.string(), "",
                     fmt::format("{}: {}", what, std::generic_category().message(errno)));
}

/// Renaming would put a file in the place of a link.
fs::path followed(const fs::path& file) {
    std::error_code none;
    if (!fs::is_symlink(file, none)) {
        return file;
    }
    const fs::path target = fs::weakly_canonical(file, none);
    return target.empty() ? file : target;
}

bool synced(const fs::path& path, int flags) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
    if (descriptor < 0) {
        return false;
    }
    const bool good = ::fsync(descriptor) == 0;
    const int cause = errno;
    ::close(descriptor);
    errno = cause;
    return good;
}

}  // namespace

fs::path temporaryBeside(const fs::path& file) {
    static std::atomic<unsigned> counter = 0;
    const fs::path target = followed(file);
    std::error_code none;
    if (fs::exists(target, none) && !fs::is_regular_file(target, none)) {
        throw fileError(file.string(), "", "is not a regular file and cannot be replaced");
    }
    if (target.filename().empty()) {
        throw fileError(file.string(), "", "is not a name for a file");
    }
    fs::path temporary;
    do {
        temporary = target;
        temporary += fmt::format(".{}-{}.tmp", ::getpid(), counter++);
    } while (fs::exists(temporary, none));
    return temporary;
}

void renameDurably(const fs::path& temporary, const fs::path& file) {
    const fs::path target = followed(file);
    if (!synced(temporary, O_RDONLY) || ::rename(temporary.c_str(), target.c_str()) != 0) {
        throw systemError(file, "cannot be written");
    }
    // The name is on the disk when the folder is; some file systems cannot say, and need not.
    synced(target.has_parent_path() ? target.parent_path() : fs::path("."), O_RDONLY | O_DIRECTORY);
}

AtomicFile::AtomicFile(const fs::path& file) : m_file(file), m_temporary(temporaryBeside(file)) {
    m_descriptor = ::open(m_temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (m_descriptor < 0) {
        fail("cannot be created");
    }
}

AtomicFile::~AtomicFile() {
    if (m_descriptor >= 0) {
        ::close(m_descriptor);
    }
    if (!m_temporary.empty()) {
        ::unlink(m_temporary.c_str());
    }
}

void AtomicFile::fail(const char* what) const {
    throw systemError(m_file, what);
}

void AtomicFile::write(std::string_view bytes) {
    m_buffer += bytes;
    if (m_buffer.size() >= kBufferBytes) {
        flush();
    }
}

void AtomicFile::flush() {
    std::string_view left = m_buffer;
    while (!left.empty()) {
        const ssize_t count = ::write(m_descriptor, left.data(), left.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            fail("cannot be written");
        }
        left.remove_prefix(static_cast<std::size_t>(count));
    }
    m_buffer.clear();
}

void AtomicFile::commit() {
    flush();
    if (::close(std::exchange(m_descriptor, -1)) != 0) {
        fail("cannot be written");
    }
    renameDurably(m_temporary, m_file);
    m_temporary.clear();
}

}  // namespace gatescope
