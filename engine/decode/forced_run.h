// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "engine/analysis/aligned_comparison.h"
#include "engine/model/interventions.h"
#include "engine/progress.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

class Decoder;
class LoadedModel;

/// Given tokens through the model (teacher forcing): nothing is chosen, every position sees the
/// same tokens before it.
struct ForcedRequest {
    std::span<const std::int32_t> ids;
    /// The phase in which each position passed first (RoutedToken::phase): prompts attend to
    /// expanded keys, answers to the latent rows, and the two may differ in the last bit. Empty or
    /// shorter than ids: the rest as in a prompt.
    std::span<const Phase> phases{};
    const Interventions* interventions = nullptr;  ///< null: none
    std::int64_t firstWithLogits = 0;              ///< onLogits is called from this position on
};

/// Routing of all positions through the main layers, in order. `onLogits` gets the logits [V] after
/// each position from request.firstWithLogits on; it may be empty, `isSpecial` too. The decoder is
/// left without interventions and with an empty cache, also when this throws: Error (a token not in
/// the vocabulary, more tokens than the context holds, interventions that do not fit), Cancelled.
std::vector<RoutedToken> forcedRun(
    Decoder& decoder, const ForcedRequest& request,
    const std::function<bool(std::int32_t id)>& isSpecial = {},
    const std::function<void(std::int32_t position, std::span<const float> logits)>& onLogits = {},
    const std::function<void(std::int64_t tokens)>& onTokens = {}, std::stop_token stop = {});

/// Rows of logits [V] in a nameless temporary file: a long text has more of them than memory should
/// hold. Throws Error where the disk is too small.
class KeptLogits {
  public:
    explicit KeptLogits(std::int64_t vocabSize);
    void append(std::span<const float> logits);
    std::int64_t rows() const { return m_rows; }
    std::vector<float> row(std::int64_t index);

  private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::unique_ptr<std::FILE, Close> m_file;
    std::int64_t m_vocabSize;
    std::int64_t m_rows = 0;
};

/// What all answers of a run changed about routing; null: nothing. Throws Error where they changed
/// different things, so that tokens cannot be run under all of them.
std::shared_ptr<const Interventions> commonInterventions(const ComparedRun& run);

/// One side of forcedComparison.
struct ForcedSide {
    std::string label;
    /// Called once, when the side's turn comes; the other side's model may be gone by then.
    std::function<LoadedModel&()> model;
    /// What changes the routing; null: nothing.
    std::shared_ptr<const Interventions> interventions;
};

struct ForcedOptions {
    /// Of each answer the distributions of its last so many positions are compared.
    std::int64_t maxPositions = 2048;
};

/// The tokens of all answers of `text` through A and then through B: what two settings, models or
/// quantisations do on identical tokens, the next token's distribution included. Throws Error where
/// vocabularies, layers or experts differ, and what forcedRun throws.
AlignedComparison forcedComparison(const ComparedRun& text, const ForcedSide& a,
                                   const ForcedSide& b, const ForcedOptions& options = {},
                                   const Progress& progress = {}, std::stop_token stop = {});

}  // namespace gatescope
