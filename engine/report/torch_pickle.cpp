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

// A pickle can name a long list again and again; what is copied from it, or looked through, has
// bounds.
constexpr std::size_t kMostDimensions = 8;
constexpr std::size_t kMostRecords = 65536;
constexpr std::size_t kMostRecordKeys = 64;

std::vector<std::int64_t> integers(const TorchUnpickler& pickle, const PickledValue& tuple,
                                   std::string_view key) {
    if (tuple.items.size() > kMostDimensions) {
        throw pickle.error(
            fmt::format("{}: has {} dimensions", printable(key, 80), tuple.items.size()));
    }
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

/// The value under a key of a dict; of several the last one, as in Python.
const PickledValue* entryOf(const TorchUnpickler& pickle, const PickledValue& dict,
                            std::string_view key) {
    const PickledValue* found = nullptr;
    for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
        const PickledValue& name = pickle.value(dict.items[i]);
        if (name.kind == PickledKind::Text && name.text == key) {
            found = &pickle.value(dict.items[i + 1]);
        }
    }
    return found;
}

std::string namesIn(const TorchUnpickler& pickle, const PickledValue& dict) {
    std::string names;
    for (std::size_t i = 0; i + 1 < dict.items.size() && names.size() < 200; i += 2) {
        const PickledValue& name = pickle.value(dict.items[i]);
        if (name.kind == PickledKind::Text) {
            names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", printable(name.text, 80));
        }
    }
    return names;
}

/// The value of a kind under a key of a dict, which has to be there.
const PickledValue& needed(const TorchUnpickler& pickle, const PickledValue& dict,
                           std::string_view key, PickledKind kind) {
    const PickledValue* found = entryOf(pickle, dict, key);
    if (found == nullptr) {
        const std::string names = namesIn(pickle, dict);
        throw pickle.error(fmt::format("has no \"{}\"{}", printable(key, 80),
                                       names.empty() ? "" : ", only " + names));
    }
    if (found->kind != kind) {
        throw pickle.error(fmt::format("{}: is {}, not {}", printable(key, 80), nameOf(found->kind),
                                       nameOf(kind)));
    }
    return *found;
}

TorchTensor neededTensor(const TorchUnpickler& pickle, const PickledValue& dict,
                         std::string_view key) {
    return tensorOf(pickle, needed(pickle, dict, key, PickledKind::Tensor), key);
}

TorchRecord recordOf(const TorchUnpickler& pickle, const PickledValue& record) {
    if (record.kind != PickledKind::Dict || record.items.size() > 2 * kMostRecordKeys) {
        throw pickle.error("records: holds what is no record");
    }
    return {needed(pickle, record, "forward_pass_id", PickledKind::Integer).integer,
            needed(pickle, record, "rank", PickledKind::Integer).integer,
            neededTensor(pickle, record, "global_physical_count")};
}

void checkSize(std::string_view pickle, const std::string& file) {
    if (pickle.size() > kMostBytes) {
        throw fileError(file, "data.pkl",
                        fmt::format("has {} bytes, {} at most: that of a recorder dump has some "
                                    "hundred, or some hundred for each pass",
                                    pickle.size(), kMostBytes));
    }
}

}  // namespace

TorchTensor readTorchTensor(std::string_view pickle, const std::string& file,
                            std::string_view key) {
    checkSize(pickle, file);
    TorchUnpickler unpickler(pickle, file);
    const PickledValue& root = unpickler.run();
    if (root.kind != PickledKind::Dict) {
        throw unpickler.error(
            fmt::format("holds {}, not a dict with \"{}\"", nameOf(root.kind), printable(key, 80)));
    }
    return neededTensor(unpickler, root, key);
}

std::optional<TorchRecords> readTorchRecords(std::string_view pickle, const std::string& file) {
    checkSize(pickle, file);
    TorchUnpickler unpickler(pickle, file);
    const PickledValue& root = unpickler.run();
    if (root.kind != PickledKind::Dict || entryOf(unpickler, root, "records") == nullptr) {
        return {};
    }
    const PickledValue& records = needed(unpickler, root, "records", PickledKind::List);
    if (records.items.size() > kMostRecords) {
        throw unpickler.error(
            fmt::format("records: has {} of them, {} at most", records.items.size(), kMostRecords));
    }
    TorchRecords out;
    out.slotExperts = neededTensor(unpickler, root, "last_physical_to_logical_map");
    for (const ValueId record : records.items) {
        out.records.push_back(recordOf(unpickler, unpickler.value(record)));
    }
    return out;
}

}  // namespace gatescope
