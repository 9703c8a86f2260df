// SPDX-License-Identifier: Apache-2.0
#include "engine/report/torch_archive.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

#include "engine/checkpoint/printable.h"
#include "engine/error.h"
#include "engine/report/stored_zip.h"

namespace gatescope {
namespace {

using Entries = std::map<std::string, std::string_view>;

/// The folder that all entries of PyTorch's archive are in, with the slash after it.
std::string archiveFolder(const Entries& entries, const std::string& file) {
    constexpr std::string_view kPickle = "/data.pkl";
    std::optional<std::string> folder;
    for (const auto& [name, content] : entries) {
        if (!name.ends_with(kPickle) || name.find('/') != name.size() - kPickle.size()) {
            continue;
        }
        if (folder) {
            throw fileError(file, "", "has two data.pkl: not a file that PyTorch wrote");
        }
        folder = name.substr(0, name.size() - kPickle.size() + 1);
    }
    if (!folder) {
        throw fileError(file, "", "a zip archive without data.pkl: not a file that PyTorch wrote");
    }
    return *folder;
}

NumberType numberTypeOf(const TorchTensor& tensor, const std::string& item,
                        const std::string& file) {
    constexpr std::array<std::pair<std::string_view, NumberType>, 4> types = {
        {{"IntStorage", NumberType::kInt32},
         {"LongStorage", NumberType::kInt64},
         {"FloatStorage", NumberType::kFloat32},
         {"DoubleStorage", NumberType::kFloat64}}};
    for (const auto& [name, type] : types) {
        if (tensor.storageType == name) {
            return type;
        }
    }
    throw fileError(file, item,
                    fmt::format("torch.{} holds no counts", printable(tensor.storageType, 40)));
}

/// The numbers of a tensor, as many as the pickle says.
std::span<const std::byte> storageOf(const TorchTensor& tensor, NumberType type,
                                     const Entries& entries, const std::string& folder,
                                     const std::string& file) {
    const std::string item = printable("data/" + tensor.storageKey, 80);
    const auto found = entries.find(folder + "data/" + tensor.storageKey);
    if (found == entries.end()) {
        throw fileError(file, item, "is not in the archive");
    }
    const std::string_view bytes = found->second;
    if (tensor.storageElements < 0 ||
        static_cast<std::uint64_t>(tensor.storageElements) != bytes.size() / bytesOf(type) ||
        bytes.size() % bytesOf(type) != 0) {
        throw fileError(file, item,
                        fmt::format("has {} bytes, not {} numbers of {} bytes", bytes.size(),
                                    tensor.storageElements, bytesOf(type)));
    }
    return std::as_bytes(std::span(bytes));
}

/// Throws Error unless all elements of a tensor with a checked storage are in it, and no more of
/// them than it has (strides can repeat a number without end).
void checkElements(const TorchTensor& tensor, const std::string& item, const std::string& file) {
    const auto outside = [&] {
        return fileError(file, item,
                         fmt::format("its elements are not all among the {} numbers of data/{}",
                                     tensor.storageElements, printable(tensor.storageKey, 80)));
    };
    if (tensor.strides.size() != tensor.shape.size() || tensor.offset < 0) {
        throw outside();
    }
    std::int64_t elements = 1;
    std::int64_t last = tensor.offset;
    for (std::size_t d = 0; d < tensor.shape.size(); ++d) {
        const std::int64_t size = tensor.shape[d];
        std::int64_t step = 0;
        if (size < 1 || tensor.strides[d] < 0 ||
            __builtin_mul_overflow(elements, size, &elements) ||
            __builtin_mul_overflow(size - 1, tensor.strides[d], &step) ||
            __builtin_add_overflow(last, step, &last)) {
            throw outside();
        }
    }
    if (elements > tensor.storageElements || last >= tensor.storageElements) {
        throw outside();
    }
}

/// PyTorch before version 2.1 does not say; it then wrote what its machine has.
void checkByteOrder(const Entries& entries, const std::string& folder, const std::string& file) {
    const auto order = entries.find(folder + "byteorder");
    if (order != entries.end() && order->second != "little") {
        throw fileError(file, "byteorder",
                        fmt::format("\"{}\" is not little", printable(order->second, 40)));
    }
}

}  // namespace

TorchArchive::TorchArchive(std::span<const std::byte> bytes, std::string file)
    : m_file(std::move(file)),
      m_entries(readStoredZip({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, m_file)),
      m_folder(archiveFolder(m_entries, m_file)) {
    checkByteOrder(m_entries, m_folder, m_file);
}

std::string_view TorchArchive::pickle() const {
    return m_entries.at(m_folder + "data.pkl");
}

TorchNumbers TorchArchive::numbers(const TorchTensor& tensor, const std::string& item) const {
    const NumberType type = numberTypeOf(tensor, item, m_file);
    const auto storage = storageOf(tensor, type, m_entries, m_folder, m_file);
    checkElements(tensor, item, m_file);
    return {storage, type, tensor.offset, tensor.strides};
}

}  // namespace gatescope
