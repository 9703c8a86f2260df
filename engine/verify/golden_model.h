// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/checkpoint/json.h"
#include "engine/checkpoint/safetensors.h"

namespace gatescope {

/// The golden arrays of one model, read as they are asked for.
class GoldenArrays {
  public:
    explicit GoldenArrays(const std::filesystem::path& file) : m_file(file) {}

    /// Names, sorted.
    std::vector<std::string> names() const;
    /// nullopt if there is no such array; throws Error if it has another type.
    std::optional<std::vector<float>> floats(const std::string& name) const;
    std::optional<std::vector<std::int32_t>> ints(const std::string& name) const;
    /// The arg-max of every row of a matrix; empty if there is none of that name.
    std::vector<std::int32_t> rowArgMax(const std::string& name) const;

  private:
    SafetensorsFile m_file;
};

/// One prompt and what golden.json says about it.
struct GoldenPrompt {
    std::string name;
    std::vector<std::int32_t> tokens;
    std::vector<std::int32_t> greedy;  ///< or what its logits say; empty if there are none
    std::optional<JsonValue> facts;    ///< its object in golden.json
};

/// golden/NAME: golden.safetensors and golden.json, either of which may be absent.
struct GoldenModel {
    std::string name;
    std::optional<GoldenArrays> arrays;
    std::optional<JsonDocument> json;
    std::vector<GoldenPrompt> prompts;  ///< from both files, by name

    explicit GoldenModel(const std::filesystem::path& dir);
    /// A member of golden.json; nullopt if the file or the member is absent.
    std::optional<JsonValue> fact(std::string_view key) const;
};

/// A JSON array of token ids.
std::vector<std::int32_t> tokenList(const JsonValue& value);

}  // namespace gatescope
