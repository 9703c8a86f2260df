// SPDX-License-Identifier: Apache-2.0
#include "engine/model/loaded_model.h"

#include <optional>
#include <vector>

#include "engine/checkpoint/checkpoint.h"
#include "engine/error.h"
#include "engine/model/decoder.h"
#include "engine/model/placed_model.h"

namespace gatescope {

namespace {

std::string readWhole(const std::filesystem::path& path) {
    const MappedFile file(path);
    const auto bytes = file.bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

struct LoadedModel::Impl {
    Impl(const std::filesystem::path& dir, const LoadOptions& options, const Progress& progress)
        : checkpoint(dir, progress),
          fingerprint(checkpoint.fingerprint()),
          configJson(readWhole(checkpoint.dir() / "config.json")),
          device(makeDevice(options.device)),
          placed(placeModel(checkpoint, *device, options)),
          decoder(checkpoint, *device, placed.options, progress) {
        if (!std::filesystem::exists(checkpoint.dir() / "tokenizer.json")) return;
        tokenizer.emplace(checkpoint.dir());
        chatFormat.emplace(ChatFormat::detect(*tokenizer, checkpoint.config()));
    }

    Checkpoint checkpoint;
    std::string fingerprint;
    std::string configJson;
    std::unique_ptr<Device> device;
    PlacedModel placed;
    Decoder decoder;
    std::optional<Tokenizer> tokenizer;
    std::optional<ChatFormat> chatFormat;
};

std::unique_ptr<LoadedModel> LoadedModel::load(const std::filesystem::path& dir,
                                               const LoadOptions& options,
                                               const Progress& progress) {
    return std::unique_ptr<LoadedModel>(
        new LoadedModel(std::make_unique<Impl>(dir, options, progress)));
}

LoadedModel::LoadedModel(std::unique_ptr<Impl> impl) : m_impl(std::move(impl)) {}
LoadedModel::~LoadedModel() = default;

const std::filesystem::path& LoadedModel::dir() const {
    return m_impl->checkpoint.dir();
}

std::string LoadedModel::name() const {
    const auto path = std::filesystem::absolute(dir()).lexically_normal();
    return (path.has_filename() ? path : path.parent_path()).filename().string();
}

const std::string& LoadedModel::fingerprint() const {
    return m_impl->fingerprint;
}
const std::string& LoadedModel::configJson() const {
    return m_impl->configJson;
}
const ModelConfig& LoadedModel::config() const {
    return m_impl->checkpoint.config();
}
bool LoadedModel::hasTokenizer() const {
    return m_impl->tokenizer.has_value();
}

const Tokenizer& LoadedModel::tokenizer() const {
    if (!m_impl->tokenizer)
        throw Error(fmt::format("{}: there is no tokenizer.json, so the model takes token ids only",
                                dir().string()));
    return *m_impl->tokenizer;
}

const ChatFormat& LoadedModel::chatFormat() const {
    tokenizer();  // throws without one
    return *m_impl->chatFormat;
}

const RoutingShape& LoadedModel::routingShape() const {
    return m_impl->decoder.routingShape();
}

const std::vector<float>& LoadedModel::routerBias(int layer) const {
    return m_impl->decoder.weights().routerBias(layer);
}

Decoder& LoadedModel::decoder() {
    return m_impl->decoder;
}
Device& LoadedModel::device() {
    return *m_impl->device;
}
std::string LoadedModel::deviceName() const {
    return describePlacement(m_impl->decoder);
}
std::string LoadedModel::precisionName() const {
    return gatescope::name(m_impl->device->precision());
}
std::uint64_t LoadedModel::weightBytes() const {
    return m_impl->checkpoint.weightBytes();
}

}  // namespace gatescope
