// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "engine/checkpoint/model_config.h"
#include "engine/model/make_device.h"
#include "engine/progress.h"
#include "engine/text/chat_format.h"
#include "engine/text/tokenizer.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

class Decoder;
class Device;

struct LoadOptions {
    DeviceOptions device;
    int maxContext = 0;                  ///< 0: max_position_embeddings
    std::optional<CacheType> cacheType;  ///< nothing: the device's default
    /// MoE layers whose routed experts stay in host memory and run on the cpu; nothing: as few as
    /// the device's memory allows.
    std::optional<int> expertsOnCpu;
};

/// A model ready to run: checkpoint, tokenizer, chat format, device and decoder. One thread at a
/// time may use the decoder; everything const may be read from any thread.
class LoadedModel {
  public:
    /// Throws Error (bad input) or Cancelled (progress returned false).
    static std::unique_ptr<LoadedModel> load(const std::filesystem::path& dir,
                                             const LoadOptions& options = {},
                                             const Progress& progress = {});
    ~LoadedModel();

    const std::filesystem::path& dir() const;
    std::string name() const;  ///< the folder's name
    const std::string& fingerprint() const;
    const std::string& configJson() const;  ///< config.json as read, for the session log
    const ModelConfig& config() const;
    bool hasTokenizer() const;           ///< token ids can be run without one
    const Tokenizer& tokenizer() const;  ///< throws Error when the folder has none
    const ChatFormat& chatFormat() const;
    const RoutingShape& routingShape() const;
    /// Correction bias [E] of an MoE layer (absolute index, MTP included); empty without one.
    const std::vector<float>& routerBias(int layer) const;
    Decoder& decoder();
    Device& device();
    /// "cpu, 2 threads, AVX3", and where experts run if that is elsewhere.
    std::string deviceName() const;
    std::string precisionName() const;  ///< "exact" or "fast"
    std::uint64_t weightBytes() const;

  private:
    struct Impl;
    explicit LoadedModel(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> m_impl;
};

}  // namespace gatescope
