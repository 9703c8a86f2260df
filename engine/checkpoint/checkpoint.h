// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/checkpoint/safetensors.h"
#include "engine/checkpoint/weight_source.h"
#include "engine/progress.h"

namespace gatescope {

/// A model folder in Hugging Face form: config.json, and either model.safetensors or
/// model.safetensors.index.json with its shards (plain file names inside the folder only). Files
/// are mapped, not read. Other safetensors files in the folder are ignored.
class Checkpoint final : public WeightSource {
  public:
    /// Opens config and headers. Throws Error (bad input) or Cancelled.
    explicit Checkpoint(std::filesystem::path dir, const Progress& progress = {});

    const ModelConfig& config() const override { return m_config; }
    const TensorView* find(std::string_view name) const override;
    std::string describe() const override { return m_description; }

    const std::filesystem::path& dir() const { return m_dir; }
    const std::string& configJson() const { return m_configJson; }  ///< config.json as read
    std::uint64_t weightBytes() const;                              ///< size of all tensors
    std::size_t tensorCount() const { return m_byName.size(); }
    std::vector<const TensorView*> tensors() const;  ///< by name

    /// 16 hex digits identifying the checkpoint: FNV-1a 64 over config.json's bytes, then every
    /// tensor's name, dtype, shape and its first and last 4 KiB, by name. Cheap for any size.
    std::string fingerprint() const;

  private:
    void openSingle(const Progress& progress);
    void openSharded(const Progress& progress);
    SafetensorsFile& openFile(const std::string& name);

    std::filesystem::path m_dir;
    std::string m_configJson;
    ModelConfig m_config;
    std::vector<std::unique_ptr<SafetensorsFile>> m_files;
    std::map<std::string_view, const TensorView*> m_byName;
    std::string m_description;
};

}  // namespace gatescope
