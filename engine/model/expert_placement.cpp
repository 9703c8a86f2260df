// SPDX-License-Identifier: Apache-2.0
#include "engine/model/expert_placement.h"

#include <algorithm>
#include <numeric>

#include "engine/error.h"

namespace gatescope {

namespace {

// Absolute indices of the MoE layers, the MTP layer last.
std::vector<int> moeLayers(const ModelConfig& config) {
    auto layers = config.moeLayers();
    if (config.hasMtp() && config.isMoeLayer(config.mtpLayer()))
        layers.push_back(config.mtpLayer());
    return layers;
}

std::uint64_t expertBytes(const WeightSource& source, int layer) {
    const auto& config = source.config();
    std::uint64_t sum = 0;
    for (int e = 0; e < config.nRoutedExperts; ++e) {
        const auto tensors = expertTensors(config, layer, e);
        for (const auto* spec : {&tensors.gate, &tensors.up, &tensors.down})
            sum += tensorBytes(source, *spec);
    }
    return sum;
}

double gib(std::uint64_t bytes) {
    return static_cast<double>(bytes) / (1 << 30);
}

}  // namespace

std::uint64_t tensorBytes(const WeightSource& source, const TensorSpec& spec) {
    const auto blocks = [](std::int64_t size, int block) {
        return static_cast<std::uint64_t>((size + block - 1) / block);
    };
    if (const auto fill = source.randomFill(spec.name, spec.rows, spec.cols)) {
        const auto values =
            static_cast<std::uint64_t>(fill->rows) * static_cast<std::uint64_t>(fill->cols);
        const auto scales = fill->dtype == DType::F8E4M3 ? blocks(fill->rows, fill->blockRows) *
                                                               blocks(fill->cols, fill->blockCols)
                                                         : 0;
        return values * elementSize(fill->dtype) + scales * sizeof(float);
    }
    std::uint64_t bytes = 0;
    for (const auto& name : {spec.name, spec.name + "_scale_inv"})
        if (const auto* tensor = source.find(name)) bytes += tensor->bytes.size();
    return bytes;
}

std::uint64_t ModelBytes::total() const {
    return onDevice(0);
}

std::uint64_t ModelBytes::onDevice(int hostLayers) const {
    const auto kept = std::max<std::ptrdiff_t>(0, std::ssize(experts) - hostLayers);
    return std::accumulate(experts.begin(), experts.begin() + kept, rest);
}

ModelBytes modelBytes(const WeightSource& source) {
    ModelBytes bytes;
    for (const int layer : moeLayers(source.config()))
        bytes.experts.push_back(expertBytes(source, layer));
    std::uint64_t all = 0;
    forEachTensor(source.config(), [&](const TensorSpec& spec) {
        if (spec.rank == TensorRank::Two && !(spec.optional && !source.find(spec.name)))
            all += tensorBytes(source, spec);
        return true;
    });
    bytes.rest = all - bytes.total();
    return bytes;
}

bool ExpertPlacement::keepsOnHost(const ModelConfig& config, int layer) const {
    const auto layers = moeLayers(config);
    const auto from = std::max<std::ptrdiff_t>(0, std::ssize(layers) - hostLayers);
    return std::find(layers.begin() + from, layers.end(), layer) != layers.end();
}

int chooseHostLayers(const ModelBytes& bytes, const DeviceMemory& memory, std::uint64_t reserved,
                     std::optional<int> wanted, const std::string& device) {
    const auto layers = static_cast<int>(bytes.experts.size());
    const auto fits = [&](int hostLayers) {
        return bytes.onDevice(hostLayers) + reserved <= memory.free;
    };
    int enough = 0;
    while (enough < layers && !fits(enough)) ++enough;
    if (wanted && *wanted > layers)
        throw Error(
            fmt::format("the model has {} MoE layers, so the experts of {} cannot be kept "
                        "on the cpu",
                        layers, *wanted));
    if (!fits(enough))
        throw Error(fmt::format(
            "{}: not enough memory: {:.1f} GiB needed with all routed experts on the cpu, {:.1f} "
            "GiB free",
            device, gib(bytes.onDevice(layers) + reserved), gib(memory.free)));
    if (wanted && !fits(*wanted))
        throw Error(
            fmt::format("{}: not enough memory: {:.1f} GiB needed, {:.1f} GiB free; with "
                        "--experts-on-cpu {} it would fit",
                        device, gib(bytes.onDevice(*wanted) + reserved), gib(memory.free), enough));
    return wanted ? *wanted : enough;
}

}  // namespace gatescope
