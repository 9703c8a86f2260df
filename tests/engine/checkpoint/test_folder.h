// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/checkpoint/safetensors.h"
#include "engine/error.h"

namespace gatescope::test {

inline std::filesystem::path goldenDir() {
    return GATESCOPE_GOLDEN_DIR;
}
inline std::filesystem::path badDir() {
    return goldenDir() / "bad";
}

/// A folder of its own under the system's temporary one, removed at the end.
class TestFolder {
  public:
    TestFolder() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "gatescope-test-XXXXXX").string();
        if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp failed");
        m_path = pattern;
    }
    ~TestFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(m_path, ignored);
    }
    TestFolder(const TestFolder&) = delete;
    TestFolder& operator=(const TestFolder&) = delete;

    const std::filesystem::path& path() const { return m_path; }
    std::filesystem::path operator/(const std::string& name) const { return m_path / name; }

  private:
    std::filesystem::path m_path;
};

inline void writeFile(const std::filesystem::path& path, std::string_view text) {
    std::ofstream out(path, std::ios::binary);
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    if (!out.flush()) throw std::runtime_error("cannot write " + path.string());
}

inline std::string fileText(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw std::runtime_error("cannot read " + path.string());
    return {std::istreambuf_iterator<char>(in), {}};
}

inline nlohmann::json fileJson(const std::filesystem::path& path) {
    return nlohmann::json::parse(fileText(path));
}

inline std::string littleEndian64(std::uint64_t value) {
    std::string bytes;
    for (int i = 0; i < 8; ++i) bytes += static_cast<char>(value >> (8 * i) & 255);
    return bytes;
}

struct RawTensor {
    std::string name;
    std::string dtype;
    std::vector<std::int64_t> shape;
    std::string bytes;
};

template <typename T>
std::string bytesOf(const std::vector<T>& values) {
    std::string bytes(values.size() * sizeof(T), '\0');
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
}

/// The text of a safetensors file. The data begins at an offset that is `shift` modulo 8.
inline std::string safetensorsText(const std::vector<RawTensor>& tensors, std::size_t shift = 0) {
    nlohmann::json header = nlohmann::json::object();
    std::string data;
    for (const RawTensor& tensor : tensors) {
        const std::size_t begin = data.size();
        data += tensor.bytes;
        header[tensor.name] = {{"dtype", tensor.dtype},
                               {"shape", tensor.shape},
                               {"data_offsets", {begin, data.size()}}};
    }
    std::string text = header.dump();
    while (text.size() % 8 != shift) text += ' ';
    return littleEndian64(text.size()) + text + data;
}

/// All tensors of a golden safetensors file.
inline std::vector<RawTensor> rawTensors(const std::filesystem::path& path) {
    std::vector<RawTensor> tensors;
    const SafetensorsFile file(path);
    for (const TensorView& view : file.tensors()) {
        tensors.push_back(
            {view.name, view.dtype, view.shape,
             std::string(reinterpret_cast<const char*>(view.bytes.data()), view.bytes.size())});
    }
    return tensors;
}

/// Writes tensors as two shards and their index; inSecond chooses.
inline void writeShards(const std::filesystem::path& dir, const std::vector<RawTensor>& tensors,
                        const std::function<bool(const std::string& name)>& inSecond) {
    const std::string files[2] = {"model-00001-of-00002.safetensors",
                                  "model-00002-of-00002.safetensors"};
    std::vector<RawTensor> shards[2];
    nlohmann::json index = {{"metadata", {{"total_size", 0}}}};
    for (const RawTensor& tensor : tensors) {
        const int shard = inSecond(tensor.name) ? 1 : 0;
        shards[shard].push_back(tensor);
        index["weight_map"][tensor.name] = files[shard];
    }
    for (int i = 0; i < 2; ++i) writeFile(dir / files[i], safetensorsText(shards[i]));
    writeFile(dir / "model.safetensors.index.json", index.dump());
}

/// The message of the Error that an action throws; fails the test if it throws none.
inline std::string errorOf(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    ADD_FAILURE() << "no error was thrown";
    return {};
}

}  // namespace gatescope::test
