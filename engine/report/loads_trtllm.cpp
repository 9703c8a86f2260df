// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "engine/checkpoint/json.h"
#include "engine/checkpoint/printable.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/error.h"
#include "engine/report/load_readers.h"
#include "engine/report/load_steps.h"

namespace gatescope {
namespace {

constexpr std::size_t kMostMetaBytes = 1 << 20;
constexpr int kMostRanks = 4096;
constexpr std::int64_t kMostIteration = std::int64_t{1} << 62;

using IterationAndLayer = std::pair<std::int64_t, std::int64_t>;
using Sums = std::map<IterationAndLayer, std::vector<double>>;

/// A number written as TensorRT-LLM writes it, without sign and leading zeros.
std::optional<std::int64_t> naturalNumber(std::string_view text) {
    std::int64_t value = 0;
    const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool plain = problem == std::errc() && stop == text.data() + text.size() &&
                       text.front() != '-' && (text.front() != '0' || text.size() == 1);
    return plain ? std::optional(value) : std::nullopt;
}

/// r of a file "rank<r>.safetensors". The raw ids beside it ("rank<r>_raw.safetensors") are none.
std::optional<std::int64_t> rankOf(std::string_view name) {
    constexpr std::string_view kBegin = "rank";
    constexpr std::string_view kEnd = ".safetensors";
    if (!name.starts_with(kBegin) || !name.ends_with(kEnd) ||
        name.size() <= kBegin.size() + kEnd.size()) {
        return std::nullopt;
    }
    return naturalNumber(name.substr(kBegin.size(), name.size() - kBegin.size() - kEnd.size()));
}

/// How many ranks have a file. A missing one would mean that its traffic is missing.
int countRanks(const std::filesystem::path& folder, const std::string& name) {
    std::set<std::int64_t> ranks;
    std::error_code problem;
    std::filesystem::directory_iterator entries(folder, problem);
    for (; !problem && entries != std::filesystem::directory_iterator();
         entries.increment(problem)) {
        if (const auto rank = rankOf(entries->path().filename().native())) {
            ranks.insert(*rank);
        }
    }
    if (problem) {
        throw fileError(name, "", fmt::format("cannot be read: {}", problem.message()));
    }
    if (ranks.empty()) {
        throw fileError(name, "", "has no rank<r>.safetensors");
    }
    if (ranks.size() > kMostRanks) {
        throw fileError(name, "",
                        fmt::format("has {} ranks, {} at most", ranks.size(), kMostRanks));
    }
    std::int64_t expected = 0;
    for (const std::int64_t rank : ranks) {
        if (rank != expected++) {
            throw fileError(name, fmt::format("rank{}.safetensors", expected - 1),
                            fmt::format("is missing; there is one of rank {}", rank));
        }
    }
    return static_cast<int>(ranks.size());
}

IterationAndLayer keyOf(const TensorView& tensor) {
    const std::string_view name = tensor.name;
    const std::size_t bar = name.find('_');
    if (bar != name.npos && bar > 0 && bar + 1 < name.size()) {
        const auto iteration = naturalNumber(name.substr(0, bar));
        const auto layer = naturalNumber(name.substr(bar + 1));
        if (iteration && layer && *iteration < kMostIteration && *layer < kMostLoadLayers) {
            return {*iteration, *layer};
        }
    }
    throw fileError(tensor.file, printable(name, 80), "is not called <iteration>_<layer>");
}

void addTensor(const TensorView& tensor, std::int64_t experts, Sums& sums) {
    static const std::map<std::string_view, NumberType> types = {
        {"I32", NumberType::kInt32}, {"I64", NumberType::kInt64}, {"F32", NumberType::kFloat32}};
    std::vector<double>& sum = sums[keyOf(tensor)];
    const auto type = types.find(tensor.dtype);
    if (type == types.end()) {
        throw fileError(tensor.file, tensor.name,
                        fmt::format("{} is none of I32, I64 and F32", tensor.dtype));
    }
    if (tensor.shape != std::vector{experts}) {
        throw fileError(tensor.file, tensor.name,
                        fmt::format("its shape is not that of {} experts, which meta_info.json "
                                    "has",
                                    experts));
    }
    sum.resize(static_cast<std::size_t>(experts));
    for (std::size_t e = 0; e < sum.size(); ++e) {
        sum[e] += checkedCount(numberAt(tensor.bytes, type->second, e), tensor.file,
                               fmt::format("{}[{}]", tensor.name, e));
    }
}

/// One block for each iteration. Throws Error unless every iteration from the first to the last has
/// every layer.
RecordedLoads blocksOf(Sums& sums, int experts, const std::string& name) {
    RecordedLoads loads;
    std::set<int> layers;
    for (const auto& [key, sum] : sums) {
        layers.insert(static_cast<int>(key.second));
    }
    loads.layers.assign(layers.begin(), layers.end());
    auto next = sums.begin();
    for (std::int64_t iteration = next->first.first; next != sums.end(); ++iteration) {
        ExpertLoads& block = loads.blocks.emplace_back();
        block.layers = static_cast<int>(layers.size());
        block.experts = experts;
        for (const int layer : layers) {
            if (next == sums.end() || next->first != IterationAndLayer(iteration, layer)) {
                throw fileError(name, fmt::format("{}_{}", iteration, layer),
                                "no file has it; iterations follow each other and each has "
                                "every layer");
            }
            block.values.insert(block.values.end(), next->second.begin(), next->second.end());
            next = sums.erase(next);
        }
    }
    return loads;
}

}  // namespace

RecordedLoads readTensorRtLoads(const std::filesystem::path& folder) {
    const auto& named = folder.has_filename() ? folder : folder.parent_path();
    const std::string name = printable(named.filename().native());
    std::error_code none;
    if (!std::filesystem::exists(folder / "meta_info.json", none)) {
        throw fileError(name, "", "has no meta_info.json: not a statistics folder of TensorRT-LLM");
    }
    const JsonDocument meta = JsonDocument::read(folder / "meta_info.json", kMostMetaBytes);
    const std::int64_t experts = meta.root().at("num_experts").integer(1, kMostLoadExperts);
    Sums sums;
    const int ranks = countRanks(folder, name);
    for (int rank = 0; rank < ranks; ++rank) {
        const SafetensorsFile file(folder / fmt::format("rank{}.safetensors", rank));
        for (const TensorView& tensor : file.tensors()) {
            addTensor(tensor, experts, sums);
        }
    }
    if (sums.empty()) {
        throw fileError(name, "", "its files have no counts");
    }
    RecordedLoads loads = blocksOf(sums, static_cast<int>(experts), name);
    loads.format = "TensorRT-LLM statistics";
    return loads;
}

}  // namespace gatescope
