// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gatescope {

/// What a pickle of PyTorch says of a tensor; its numbers are elsewhere. Nothing is checked but
/// that the lists of numbers are some.
struct TorchTensor {
    std::string storageType;           ///< "IntStorage"
    std::string storageKey;            ///< name of the entry with the numbers: "0"
    std::int64_t storageElements = 0;  ///< that the entry is said to have
    std::int64_t offset = 0;           ///< of the first element, in elements
    std::vector<std::int64_t> shape;
    std::vector<std::int64_t> strides;  ///< in elements
};

/// The tensor under `key` of the dict that is pickled. Nothing is executed: only the opcodes that
/// PyTorch writes for numbers, texts, containers and tensors are understood, and only the few types
/// that tensors of counts are made of; any other is refused by its name. Takes no recursion and
/// memory in proportion to the pickle, 4 MB of it at most. Throws Error "FILE: data.pkl: CAUSE".
TorchTensor readTorchTensor(std::string_view pickle, const std::string& file, std::string_view key);

/// What one rank counted in one pass of the model.
struct TorchRecord {
    std::int64_t pass = 0;
    std::int64_t rank = 0;
    TorchTensor counts;  ///< by layer and physical expert
};

/// What SGLang's recorder pickles in the modes per_pass and per_token.
struct TorchRecords {
    std::vector<TorchRecord> records;
    TorchTensor slotExperts;  ///< the expert of each physical one, by layer, when it was written
};

/// Nothing for a dict without "records". Under the same rules as readTorchTensor.
std::optional<TorchRecords> readTorchRecords(std::string_view pickle, const std::string& file);

}  // namespace gatescope
