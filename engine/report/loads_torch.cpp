// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>
#include <limits>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "engine/checkpoint/printable.h"
#include "engine/error.h"
#include "engine/report/load_readers.h"
#include "engine/report/load_steps.h"
#include "engine/report/stored_zip.h"
#include "engine/report/torch_pickle.h"

namespace gatescope {
namespace {

constexpr std::string_view kCounts = "logical_count";

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

NumberType numberTypeOf(const TorchTensor& tensor, const std::string& file) {
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
    throw fileError(file, std::string(kCounts),
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
void checkElements(const TorchTensor& tensor, const std::string& file) {
    const auto outside = [&] {
        return fileError(file, std::string(kCounts),
                         fmt::format("its elements are not all among the {} numbers of data/{}",
                                     tensor.storageElements, printable(tensor.storageKey, 80)));
    };
    if (tensor.strides.size() != tensor.shape.size() || tensor.offset < 0) {
        throw outside();
    }
    std::int64_t elements = 1;
    std::int64_t last = tensor.offset;
    for (std::size_t d = 0; d < tensor.shape.size(); ++d) {
        const std::int64_t size = tensor.shape[d];  // at least 1: the shape is checked
        std::int64_t step = 0;
        if (tensor.strides[d] < 0 || __builtin_mul_overflow(elements, size, &elements) ||
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

RecordedLoads readTorchLoads(std::span<const std::byte> bytes, const std::string& file) {
    const std::string_view archive(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const Entries entries = readStoredZip(archive, file);
    const std::string folder = archiveFolder(entries, file);
    checkByteOrder(entries, folder, file);
    const TorchTensor tensor = readTorchTensor(entries.at(folder + "data.pkl"), file, kCounts);

    StepArray array;
    array.file = file;
    array.item = kCounts;
    const NumberType type = numberTypeOf(tensor, file);
    array.setShape(tensor.shape);
    const auto storage = storageOf(tensor, type, entries, folder, file);
    checkElements(tensor, file);
    const std::size_t dims = tensor.shape.size();
    const std::int64_t byStep = array.hasSteps ? tensor.strides[0] : 0;
    array.at = [&, byStep, byLayer = tensor.strides[dims - 2], byExpert = tensor.strides.back()](
                   std::int64_t step, int layer, int expert) {
        const std::int64_t index =
            tensor.offset + step * byStep + layer * byLayer + expert * byExpert;
        return numberAt(storage, type, static_cast<std::size_t>(index));
    };
    RecordedLoads loads = loadsOfSglang(array);
    loads.format = "SGLang recorder dump";
    return loads;
}

}  // namespace gatescope
