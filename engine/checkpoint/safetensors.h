// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/checkpoint/mapped_file.h"
#include "engine/checkpoint/weight_source.h"

namespace gatescope {

/// One memory-mapped safetensors file whose header has been checked in full: lengths, UTF-8, JSON
/// depth, duplicate names, dtypes, shapes against byte ranges, no overlap, no hole, no byte outside
/// the file. Throws Error naming the file, the tensor and the cause.
class SafetensorsFile {
  public:
    explicit SafetensorsFile(const std::filesystem::path& path);

    const std::vector<TensorView>& tensors() const { return m_tensors; }  ///< by offset
    const TensorView* find(std::string_view name) const;
    const std::map<std::string, std::string>& metadata() const { return m_metadata; }
    std::uint64_t fileSize() const;

  private:
    MappedFile m_file;
    std::vector<TensorView> m_tensors;
    std::map<std::string_view, std::size_t> m_byName;
    std::map<std::string, std::string> m_metadata;
};

}  // namespace gatescope
