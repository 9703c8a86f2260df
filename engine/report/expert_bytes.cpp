// SPDX-License-Identifier: Apache-2.0
#include "engine/report/expert_bytes.h"

#include <string>

#include "engine/checkpoint/json.h"
#include "engine/checkpoint/model_config.h"
#include "engine/error.h"

namespace gatescope {

namespace {

constexpr std::int64_t kScaleBytes = 4;

std::int64_t bytesOfType(std::string_view configJson) {
    const JsonDocument document = JsonDocument::parse(configJson, "config.json");
    const JsonValue root = document.root();
    auto type = root.find("torch_dtype");
    if (!type) type = root.find("dtype");
    if (!type || !type->isString()) return 0;
    const std::string& name = type->string();
    if (name == "bfloat16" || name == "float16") return 2;
    return name == "float32" ? 4 : 0;
}

std::int64_t fp8Bytes(const ModelConfig& config, std::int64_t rows, std::int64_t columns) {
    const auto blocks = [](std::int64_t size, std::int64_t block) {
        return (size + block - 1) / block;
    };
    return rows * columns +
           kScaleBytes * blocks(rows, config.fp8BlockRows) * blocks(columns, config.fp8BlockCols);
}

}  // namespace

std::int64_t expertWeightBytes(std::string_view configJson) {
    try {
        const ModelConfig config = parseModelConfig(configJson);
        const std::int64_t hidden = config.hiddenSize;
        const std::int64_t width = config.moeIntermediateSize;
        if (config.fp8)
            return 2 * fp8Bytes(config, width, hidden) + fp8Bytes(config, hidden, width);
        return 3 * hidden * width * bytesOfType(configJson);
    } catch (const Error&) {
        return 0;  // a session of a model that this version would not load
    }
}

}  // namespace gatescope
