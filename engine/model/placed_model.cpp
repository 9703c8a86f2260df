// SPDX-License-Identifier: Apache-2.0
#include "engine/model/placed_model.h"

#include <algorithm>

#include "engine/error.h"
#include "kernels/cpu/cpu_device.h"

namespace gatescope {

namespace {

// Context that should fit beside the weights; a longer one grows into what is left.
constexpr std::int64_t kPlannedContext = 8192;

CacheType cacheType(const Device& device, const LoadOptions& options) {
    const auto types = device.cacheTypes();
    const auto wanted = options.cacheType.value_or(types.front());
    if (std::find(types.begin(), types.end(), wanted) == types.end())
        throw Error(fmt::format("{}: the device has no latent cache of type {}",
                                options.device.name, name(wanted)));
    return wanted;
}

// Cache of the planned context, and a sixteenth of the memory for intermediate results: what a pass
// of 4096 tokens takes on a large GPU and one of 512 on a small one.
std::uint64_t reservedBytes(const ModelConfig& config, const LoadOptions& options, CacheType type,
                            const DeviceMemory& memory) {
    const LatentLayout layout{type, config.kvLoraRank, config.qkRopeHeadDim};
    const auto context = std::min<std::int64_t>(
        kPlannedContext,
        options.maxContext > 0 ? options.maxContext : config.maxPositionEmbeddings);
    const auto cache = static_cast<std::uint64_t>(context * layout.rowBytes()) *
                       static_cast<std::uint64_t>(config.numHiddenLayers + 1);
    return cache + memory.total / 16;
}

}  // namespace

PlacedModel placeModel(const WeightSource& source, const Device& device,
                       const LoadOptions& options) {
    const auto& config = source.config();
    PlacedModel placed;
    placed.options.maxContext = options.maxContext;
    placed.options.cacheType = cacheType(device, options);
    const auto memory = device.memory();
    if (!memory) return placed;
    const int layers =
        chooseHostLayers(modelBytes(source), *memory,
                         reservedBytes(config, options, placed.options.cacheType, *memory),
                         options.expertsOnCpu, options.device.name);
    if (layers == 0) return placed;
    placed.host = std::make_unique<CpuDevice>(options.device.threads);
    placed.options.experts = {layers, placed.host.get()};
    return placed;
}

std::string describePlacement(Decoder& decoder) {
    auto text = decoder.device().describe();
    if (const int layers = decoder.hostExpertLayers(); layers > 0)
        text +=
            fmt::format(", experts of {} {} on the cpu", layers, layers == 1 ? "layer" : "layers");
    return text;
}

}  // namespace gatescope
