// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/report/load_steps.h"
#include "engine/report/torch_pickle.h"

namespace gatescope {

/// The numbers of a tensor where its file has them.
struct TorchNumbers {
    std::span<const std::byte> storage;
    NumberType type = NumberType::kInt32;
    std::int64_t offset = 0;
    std::vector<std::int64_t> strides;

    /// At an index within the tensor's shape, one number for each dimension.
    double at(std::initializer_list<std::int64_t> index) const {
        std::int64_t element = offset;
        std::size_t dimension = 0;
        for (const std::int64_t i : index) element += i * strides[dimension++];
        return numberAt(storage, type, static_cast<std::size_t>(element));
    }
};

/// The zip archive that PyTorch writes. The bytes must outlive it.
class TorchArchive {
  public:
    /// Throws Error for another archive, and for one of another byte order.
    TorchArchive(std::span<const std::byte> bytes, std::string file);

    const std::string& file() const { return m_file; }
    std::string_view pickle() const;
    /// `item` is what messages call the tensor. Throws Error unless it has elements of a type that
    /// counts have, all of them in the archive, and no more than that has.
    TorchNumbers numbers(const TorchTensor& tensor, const std::string& item) const;

  private:
    std::string m_file;
    std::map<std::string, std::string_view> m_entries;
    std::string m_folder;  ///< that all entries are in, with the slash after it
};

/// Loads of SGLang's dumps in the modes per_pass and per_token, one for each rank or several, with
/// the records in them. Throws Error where ranks are missing, and as loadsOfSglang.
RecordedLoads loadsOfTorchRecords(std::span<const TorchArchive> dumps,
                                  std::span<const TorchRecords> records);

}  // namespace gatescope
