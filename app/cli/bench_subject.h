// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "app/cli/bench.h"
#include "engine/model/loaded_model.h"
#include "kernels/device.h"

namespace gatescope::cli {

struct BenchPrompt {
    std::size_t domain = 0;
    std::vector<std::int32_t> ids;
};

/// A model, and what to ask it.
struct DraftingSubject {
    // Of a stored model or of random weights; destroyed in reverse.
    std::unique_ptr<LoadedModel> model;
    std::unique_ptr<WeightSource> weights;
    std::unique_ptr<Device> device;
    std::unique_ptr<Decoder> owned;
    Decoder* decoder = nullptr;
    BenchSubject described;
    std::vector<std::string> domains;
    std::vector<BenchPrompt> prompts;
    std::vector<std::int32_t> stopTokens;
    int vocabLimit = 0;
};

/// A stored model with texts in its chat format, or random weights with random tokens. Throws
/// Error.
DraftingSubject openDraftingSubject(const BenchOptions& options);

}  // namespace gatescope::cli
