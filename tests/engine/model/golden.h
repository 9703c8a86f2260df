// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/model/decoder.h"
#include "engine/model/mtp_module.h"
#include "kernels/cpu/cpu_device.h"

namespace gatescope::test {

inline std::filesystem::path goldenDir() {
    return GATESCOPE_GOLDEN_DIR;
}

/// A golden model: its checkpoint on the CPU, and the arrays it must reproduce.
struct GoldenModel {
    explicit GoldenModel(const std::string& name, int threads = 2)
        : checkpoint(goldenDir() / "ckpt" / name),
          device(threads),
          decoder(checkpoint, device),
          arrays(goldenDir() / "golden" / name / "golden.safetensors") {}

    template <typename T>
    std::vector<T> array(const std::string& key) const {
        const auto* view = arrays.find(key);
        if (!view) throw std::runtime_error("no golden array " + key);
        std::vector<T> values(view->bytes.size() / sizeof(T));
        std::memcpy(values.data(), view->bytes.data(), view->bytes.size());
        return values;
    }
    std::vector<std::int32_t> tokens(const std::string& prompt) const {
        return array<std::int32_t>(prompt + ".tokens");
    }

    Checkpoint checkpoint;
    CpuDevice device;
    Decoder decoder;
    SafetensorsFile arrays;
};

/// Names parametrised tests after their model.
inline const auto modelLabel = [](const auto& test) {
    std::string name = test.param;
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
};

/// Logits of all positions, computed in passes of `step` tokens along `path`.
inline std::vector<float> allLogits(Decoder& decoder, const std::vector<std::int32_t>& tokens,
                                    AttentionPath path, std::size_t step,
                                    ForwardObserver* observer = nullptr) {
    decoder.truncate(0);
    std::vector<float> logits;
    for (std::size_t at = 0; at < tokens.size(); at += step) {
        const auto count = std::min(step, tokens.size() - at);
        decoder.forward(std::span(tokens).subspan(at, count),
                        {path, LogitsOf::All, {}, observer, {}});
        logits.insert(logits.end(), decoder.logits().begin(), decoder.logits().end());
    }
    return logits;
}

inline float maxDifference(const std::vector<float>& a, const std::vector<float>& b) {
    if (a.size() != b.size()) return std::numeric_limits<float>::infinity();
    float worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const float d = std::abs(a[i] - b[i]);
        if (!(d <= worst)) worst = d;  // NaN counts as the worst
    }
    return worst;
}

}  // namespace gatescope::test
