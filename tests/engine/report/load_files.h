// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/report/recorded_loads.h"
#include "tests/engine/checkpoint/test_folder.h"

namespace gatescope::test {

/// The lowest `size` bytes of a number, little endian.
inline std::string littleEndian(std::uint64_t value, std::size_t size) {
    return littleEndian64(value).substr(0, size);
}

/// A folder to write files into and read loads from.
class LoadsTest : public testing::Test {
  protected:
    RecordedLoads read(const std::string& name, std::string_view bytes) {
        writeFile(m_folder / name, bytes);
        return readRecordedLoads(m_folder / name);
    }
    std::string refusal(const std::string& name, std::string_view bytes) {
        return errorOf([&] { read(name, bytes); });
    }

    TestFolder m_folder;
};

/// Reads a file again and again with some of its bytes changed. What a reader makes of that is its
/// own affair, as long as it throws nothing but Error.
inline void tryChanged(const std::string& whole, int times,
                       const std::function<void(std::span<const std::byte>)>& reader) {
    std::mt19937 random(1);
    for (int i = 0; i < times; ++i) {
        std::string changed = whole;
        for (int n = 0; n < 3; ++n) {
            changed[random() % changed.size()] = static_cast<char>(random());
        }
        try {
            reader(std::as_bytes(std::span(changed)));
        } catch (const Error&) {
        }
    }
}

/// A file of NumPy's array format.
inline std::string npyText(const std::string& header, const std::string& data, char version = 1) {
    std::string text = "\x93NUMPY";
    text += version;
    text += '\0';
    return text + littleEndian(header.size(), version == 1 ? 2 : 4) + header + data;
}

inline std::string npyHeader(const std::string& type, const std::string& shape,
                             const std::string& fortran = "False") {
    return "{'descr': '" + type + "', 'fortran_order': " + fortran + ", 'shape': " + shape +
           ", }   \n";
}

using ZipContent = std::vector<std::pair<std::string, std::string>>;

/// A zip archive; method 0 stores.
inline std::string zipText(const ZipContent& entries, std::uint64_t method = 0) {
    std::string text;
    std::string directory;
    for (const auto& [name, content] : entries) {
        const std::string sizes = littleEndian(content.size(), 4) + littleEndian(content.size(), 4);
        const std::string common = littleEndian(0, 2) + littleEndian(method, 2) +
                                   littleEndian(0, 8) + sizes + littleEndian(name.size(), 2);
        directory += "PK\x01\x02" + littleEndian(0, 4) + common + std::string(12, '\0') +
                     littleEndian(text.size(), 4) + name;
        text += "PK\x03\x04" + littleEndian(0, 2) + common + littleEndian(0, 2) + name + content;
    }
    const std::string count = littleEndian(entries.size(), 2);
    const std::size_t start = text.size();
    return text + directory + "PK\x05\x06" + littleEndian(0, 4) + count + count +
           littleEndian(directory.size(), 4) + littleEndian(start, 4) + littleEndian(0, 2);
}

/// Pickled values, as PyTorch writes them.
namespace pickled {
inline std::string text(const std::string& value) {
    return "X" + littleEndian(value.size(), 4) + value;
}
inline std::string integer(std::int64_t value) {
    return "\x8A\x08" + littleEndian(static_cast<std::uint64_t>(value), 8);
}
inline std::string tuple(const std::vector<std::int64_t>& values) {
    std::string all = "(";
    for (const std::int64_t value : values) {
        all += integer(value);
    }
    return all + "t";
}
inline std::string dict(const std::string& keysAndValues) {
    return "\x80\x02}(" + keysAndValues + "u.";
}
}  // namespace pickled

/// What a pickle says of a tensor.
struct PickledTensor {
    std::vector<std::int64_t> shape;
    std::vector<std::int64_t> strides;
    std::int64_t elements = 0;
    std::int64_t offset = 0;
    std::string type = "IntStorage";
    std::string key = "0";

    std::string text() const {
        return "ctorch._utils\n_rebuild_tensor_v2\n((" + pickled::text("storage") + "ctorch\n" +
               type + "\n" + pickled::text(key) + pickled::text("cpu") +
               pickled::integer(elements) + "tQ" + pickled::integer(offset) +
               pickled::tuple(shape) + pickled::tuple(strides) + "\x89" +
               "ccollections\nOrderedDict\n)RtR";
    }
};

/// A file of PyTorch with a pickle and a storage "0".
inline std::string torchText(const std::string& pickle, const std::string& storage = "") {
    return zipText({{"dump/data.pkl", pickle}, {"dump/data/0", storage}});
}

/// A recorder dump with one tensor.
inline std::string dumpText(const PickledTensor& tensor, const std::string& storage) {
    return torchText(pickled::dict(pickled::text("logical_count") + tensor.text()), storage);
}

}  // namespace gatescope::test
