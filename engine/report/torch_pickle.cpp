// SPDX-License-Identifier: Apache-2.0
#include "engine/report/torch_pickle.h"

#include <fmt/format.h>

#include <array>

#include "engine/checkpoint/printable.h"
#include "engine/error.h"
#include "engine/report/torch_unpickler.h"

namespace gatescope {
namespace {

// That of a recorder dump has some hundred bytes. A value takes some 80 bytes for one of the file.
constexpr std::size_t kMostBytes = 4UL << 20;

std::vector<std::int64_t> integers(const TorchUnpickler& pickle, const PickledValue& tuple,
                                   std::string_view key) {
    std::vector<std::int64_t> numbers;
    for (const ValueId id : tuple.items) {
        if (pickle.value(id).kind != PickledKind::Integer) {
            throw pickle.error(fmt::format("{}: its shape has {} in it", printable(key, 80),
                                           nameOf(pickle.value(id).kind)));
        }
        numbers.push_back(pickle.value(id).integer);
    }
    return numbers;
}

/// What a tensor is made of: (storage, offset, shape, strides, ...).
TorchTensor tensorOf(const TorchUnpickler& pickle, const PickledValue& tensor,
                     std::string_view key) {
    constexpr std::array parts = {PickledKind::Storage, PickledKind::Integer, PickledKind::Tuple,
                                  PickledKind::Tuple};
    const PickledValue& arguments = pickle.value(tensor.items[0]);
    if (!pickle.hasKinds(arguments, parts)) {
        throw pickle.error(
            fmt::format("{}: is not made as PyTorch makes a tensor", printable(key, 80)));
    }
    const auto part = [&](const PickledValue& tuple, std::size_t i) -> const PickledValue& {
        return pickle.value(tuple.items[i]);
    };
    const PickledValue& storage = pickle.value(part(arguments, 0).items[0]);
    TorchTensor result;
    result.storageType = part(storage, 1).text;
    result.storageKey = part(storage, 2).text;
    result.storageElements = part(storage, 4).integer;
    result.offset = part(arguments, 1).integer;
    result.shape = integers(pickle, part(arguments, 2), key);
    result.strides = integers(pickle, part(arguments, 3), key);
    return result;
}

TorchTensor readTensor(TorchUnpickler& pickle, std::string_view key) {
    const PickledValue& root = pickle.run();
    if (root.kind != PickledKind::Dict) {
        throw pickle.error(
            fmt::format("holds {}, not a dict with \"{}\"", nameOf(root.kind), printable(key, 80)));
    }
    const PickledValue* found = nullptr;
    std::string names;
    for (std::size_t i = 0; i + 1 < root.items.size(); i += 2) {
        const PickledValue& name = pickle.value(root.items[i]);
        if (name.kind == PickledKind::Text && name.text == key) {
            found = &pickle.value(root.items[i + 1]);  // of several the last one, as in Python
        }
        if (name.kind == PickledKind::Text && names.size() < 200) {
            names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", printable(name.text, 80));
        }
    }
    if (found == nullptr) {
        throw pickle.error(fmt::format("has no \"{}\"{}", printable(key, 80),
                                       names.empty() ? "" : ", only " + names));
    }
    if (found->kind != PickledKind::Tensor) {
        throw pickle.error(
            fmt::format("{}: is {}, not a tensor", printable(key, 80), nameOf(found->kind)));
    }
    return tensorOf(pickle, *found, key);
}

}  // namespace

TorchTensor readTorchTensor(std::string_view pickle, const std::string& file,
                            std::string_view key) {
    if (pickle.size() > kMostBytes) {
        throw fileError(file, "data.pkl",
                        fmt::format("has {} bytes, {} at most: that of a recorder dump has some "
                                    "hundred",
                                    pickle.size(), kMostBytes));
    }
    TorchUnpickler unpickler(pickle, file);
    return readTensor(unpickler, key);
}

}  // namespace gatescope
