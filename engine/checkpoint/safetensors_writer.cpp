// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/safetensors_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "engine/error.h"

namespace gatescope {
namespace {

std::uint64_t elementBytes(std::string_view dtype) {
    return dtype == "U8" ? 1 : dtype == "I16" ? 2 : 4;
}

std::uint64_t checkedBytes(const std::string& file, const std::string& name, std::string_view dtype,
                           const std::vector<std::int64_t>& shape) {
    std::uint64_t bytes = elementBytes(dtype);
    for (const std::int64_t size : shape) {
        if (size < 0 || (size > 0 && bytes > std::numeric_limits<std::int64_t>::max() /
                                                 static_cast<std::uint64_t>(size))) {
            throw fileError(file, name, "is too large to be written");
        }
        bytes *= static_cast<std::uint64_t>(size);
    }
    return bytes;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& file) : m_file(file) {
    std::error_code none;
    // The file is replaced by renaming, which would put a file in the place of a link or a device.
    if (std::filesystem::is_symlink(m_file, none))
        m_file = std::filesystem::canonical(m_file, none);
    if (std::filesystem::exists(m_file, none) && !std::filesystem::is_regular_file(m_file, none)) {
        throw fileError(file.string(), "", "is not a regular file and cannot be replaced");
    }
    if (m_file.empty()) throw fileError(file.string(), "", "is a link to nothing");
}

SafetensorsWriter::~SafetensorsWriter() {
    if (m_descriptor >= 0) {
        ::close(m_descriptor);
        ::unlink(m_temporary.c_str());
    }
}

void SafetensorsWriter::fail(const char* what) const {
    throw fileError(m_file.string(), "", fmt::format("{}: {}", what, std::strerror(errno)));
}

void SafetensorsWriter::describe(const std::string& key, const std::string& value) {
    m_metadata[key] = value;
}

void SafetensorsWriter::declare(const std::string& name, std::string_view dtype,
                                std::vector<std::int64_t> shape) {
    if (m_descriptor >= 0) {
        throw fileError(m_file.string(), name, "is declared after writing began");
    }
    Entry entry;
    entry.dtype = dtype;
    entry.bytes = checkedBytes(m_file.string(), name, dtype, shape);
    entry.shape = std::move(shape);
    if (!m_entries.emplace(name, std::move(entry)).second) {
        throw fileError(m_file.string(), name, "would be written twice");
    }
}

void SafetensorsWriter::begin() {
    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    if (!m_metadata.empty()) header["__metadata__"] = m_metadata;
    std::uint64_t offset = 0;
    for (auto& [name, entry] : m_entries) {
        entry.offset = offset;
        offset += entry.bytes;
        header[name] = {{"dtype", entry.dtype},
                        {"shape", entry.shape},
                        {"data_offsets", {entry.offset, offset}}};
    }
    std::string text;
    try {
        text = header.dump();
    } catch (const nlohmann::json::exception&) {
        throw fileError(m_file.string(), "", "a name or a description is not valid UTF-8");
    }
    text.resize((text.size() + 7) / 8 * 8, ' ');

    m_temporary = m_file;
    m_temporary += fmt::format(".{}.tmp", ::getpid());
    m_descriptor = ::open(m_temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (m_descriptor < 0) fail("cannot be created");
    std::array<std::byte, 8> length{};
    for (std::size_t i = 0; i < length.size(); ++i) {
        length[i] = static_cast<std::byte>(text.size() >> (8 * i) & 0xFF);
    }
    writeAt(0, length);
    writeAt(length.size(), std::as_bytes(std::span(text)));
    m_dataStart = length.size() + text.size();
}

void SafetensorsWriter::writeAt(std::uint64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t count =
            ::pwrite(m_descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) fail("cannot be written");
        bytes = bytes.subspan(static_cast<std::size_t>(count));
        offset += static_cast<std::uint64_t>(count);
    }
}

void SafetensorsWriter::appendBytes(const std::string& name, std::string_view dtype,
                                    std::span<const std::byte> bytes) {
    if (m_descriptor < 0) begin();
    const auto found = m_entries.find(name);
    if (found == m_entries.end() || found->second.dtype != dtype) {
        throw fileError(m_file.string(), name, "was not declared with this type");
    }
    Entry& entry = found->second;
    if (bytes.size() > entry.bytes - entry.written) {
        throw fileError(m_file.string(), name, "gets more data than its shape holds");
    }
    writeAt(m_dataStart + entry.offset + entry.written, bytes);
    entry.written += bytes.size();
}

void SafetensorsWriter::append(const std::string& name, std::span<const float> values) {
    appendBytes(name, "F32", std::as_bytes(values));
}

void SafetensorsWriter::append(const std::string& name, std::span<const std::int32_t> values) {
    appendBytes(name, "I32", std::as_bytes(values));
}

void SafetensorsWriter::append(const std::string& name, std::span<const std::int16_t> values) {
    appendBytes(name, "I16", std::as_bytes(values));
}

void SafetensorsWriter::append(const std::string& name, std::span<const std::uint8_t> values) {
    appendBytes(name, "U8", std::as_bytes(values));
}

void SafetensorsWriter::finish() {
    if (m_descriptor < 0) begin();
    for (const auto& [name, entry] : m_entries) {
        if (entry.written != entry.bytes) {
            throw fileError(m_file.string(), name, "was not written in full");
        }
    }
    const int descriptor = std::exchange(m_descriptor, -1);
    const bool good = ::fsync(descriptor) == 0;
    if (::close(descriptor) != 0 || !good || ::rename(m_temporary.c_str(), m_file.c_str()) != 0) {
        const int cause = errno;
        ::unlink(m_temporary.c_str());
        errno = cause;
        fail("cannot be written");
    }
}

}  // namespace gatescope
