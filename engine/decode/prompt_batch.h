// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <stop_token>
#include <string_view>
#include <vector>

#include "engine/analysis/prompt_set.h"
#include "engine/decode/generation.h"
#include "engine/model/loaded_model.h"

namespace gatescope {

/// The prompt that runs now.
struct PromptRun {
    int index = 0;  ///< in the set, from 0
    int total = 0;
    const LabelledPrompt* prompt = nullptr;
    std::string_view domain;
    std::vector<std::int32_t> ids;  ///< in the model's chat format
};

/// Receives what happens in a batch, on the thread that runs it. Must not block.
class PromptBatchSink {
  public:
    using Answer = std::function<GenerationResult(GenerationSink&)>;

    virtual ~PromptBatchSink() = default;
    virtual void onPrompt(const PromptRun& /*run*/) {}
    virtual void onToken(const PromptRun& /*run*/, const TokenEvent& /*token*/,
                         std::string_view /*text*/) {}
    virtual void onStep(const PromptRun& /*run*/, const StepTrace& /*step*/) {}
    virtual void onAnswer(const PromptRun& /*run*/, const GenerationResult& /*result*/) {}
    /// Runs the prompt; `answer` may be given another sink that hands on to `shown`, e.g. one that
    /// logs. Must call `answer` once.
    virtual GenerationResult keep(const PromptRun& /*run*/, GenerationSink& shown,
                                  const Answer& answer) {
        return answer(shown);
    }
};

struct PromptBatchResult {
    int answered = 0;  ///< prompts that ran to their end
    int total = 0;
    bool cancelled = false;
    double seconds = 0;
    std::int64_t promptTokens = 0;
    std::int64_t answerTokens = 0;
};

/// Runs every prompt as a conversation of its own, in the order of the set, with an empty latent
/// cache: a prefix shared with the prompt before would otherwise not be routed again, and its
/// tokens would be missing from the counts. Throws Error naming the line of a prompt that does not
/// fit the context; being stopped is a result.
PromptBatchResult runPromptBatch(LoadedModel& model, const PromptSet& set,
                                 const GenerationParams& params, PromptBatchSink& sink,
                                 std::stop_token stop = {});

}  // namespace gatescope
