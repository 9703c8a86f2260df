// SPDX-License-Identifier: Apache-2.0
#include "engine/verify/golden_model.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <span>

#include "engine/decode/sampler.h"
#include "engine/error.h"

namespace gatescope {
namespace {

constexpr std::size_t kMaxJsonBytes = 256 << 20;
constexpr std::string_view kTokensKey = ".tokens";

template <typename T>
std::vector<T> values(const TensorView& tensor, std::string_view dtype) {
    if (tensor.dtype != dtype) {
        throw fileError(tensor.file, tensor.name,
                        fmt::format("expected type {}, found {}", dtype, tensor.dtype));
    }
    std::vector<T> copy(tensor.bytes.size() / sizeof(T));
    std::memcpy(copy.data(), tensor.bytes.data(), copy.size() * sizeof(T));
    return copy;
}

}  // namespace

std::vector<std::string> GoldenArrays::names() const {
    std::vector<std::string> list;
    for (const TensorView& tensor : m_file.tensors()) list.push_back(tensor.name);
    std::sort(list.begin(), list.end());
    return list;
}

std::optional<std::vector<float>> GoldenArrays::floats(const std::string& name) const {
    const TensorView* tensor = m_file.find(name);
    if (tensor == nullptr) return std::nullopt;
    return values<float>(*tensor, "F32");
}

std::optional<std::vector<std::int32_t>> GoldenArrays::ints(const std::string& name) const {
    const TensorView* tensor = m_file.find(name);
    if (tensor == nullptr) return std::nullopt;
    return values<std::int32_t>(*tensor, "I32");
}

std::vector<std::int32_t> GoldenArrays::rowArgMax(const std::string& name) const {
    const auto matrix = floats(name);
    if (!matrix || matrix->empty()) return {};
    const auto width = static_cast<std::size_t>(m_file.find(name)->shape.back());
    std::vector<std::int32_t> ids;
    for (std::size_t row = 0; row < matrix->size(); row += width) {
        ids.push_back(argMax(std::span(*matrix).subspan(row, width)));
    }
    return ids;
}

std::vector<std::int32_t> tokenList(const JsonValue& value) {
    std::vector<std::int32_t> ids;
    value.forEachElement([&ids](std::size_t, JsonValue id) {
        ids.push_back(
            static_cast<std::int32_t>(id.integer(0, std::numeric_limits<std::int32_t>::max())));
    });
    return ids;
}

GoldenModel::GoldenModel(const std::filesystem::path& dir) : name(dir.filename().string()) {
    std::map<std::string, GoldenPrompt> found;
    if (std::filesystem::exists(dir / "golden.safetensors")) {
        arrays.emplace(dir / "golden.safetensors");
        for (const std::string& key : arrays->names()) {
            if (!key.ends_with(kTokensKey)) continue;
            found[key.substr(0, key.size() - kTokensKey.size())].tokens = *arrays->ints(key);
        }
    }
    if (std::filesystem::exists(dir / "golden.json")) {
        json.emplace(JsonDocument::read(dir / "golden.json", kMaxJsonBytes));
        json->root().at("prompts").forEachMember([&found](const std::string& key, JsonValue facts) {
            GoldenPrompt& prompt = found[key];
            prompt.facts = facts;
            if (const auto tokens = facts.find("tokens")) prompt.tokens = tokenList(*tokens);
            if (const auto greedy = facts.find("greedy")) prompt.greedy = tokenList(*greedy);
        });
    }
    for (auto& [key, prompt] : found) {
        prompt.name = key;
        if (prompt.greedy.empty() && arrays) {
            prompt.greedy = arrays->rowArgMax(key + ".greedy_logits");
        }
        if (prompt.tokens.empty()) {
            throw fileError((dir / "golden.json").string(), key, "has no tokens");
        }
        prompts.push_back(std::move(prompt));
    }
}

std::optional<JsonValue> GoldenModel::fact(std::string_view key) const {
    return json ? json->root().find(key) : std::nullopt;
}

}  // namespace gatescope
