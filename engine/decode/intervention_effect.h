// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/decode/generation.h"
#include "engine/model/interventions.h"
#include "engine/progress.h"

namespace gatescope {

class Decoder;
class Tokenizer;

struct EffectOptions {
    /// Of the two continuations of the prompt; 0: no text is generated.
    int maxNewTokens = 64;
    SamplingParams sampling{};  ///< greedy by default; the same seed for both
    std::vector<std::int32_t> stopTokens{};
    int vocabLimit = 0;  ///< of the continuations, as in GenerationParams
    /// Positions whose distributions are compared, the last ones; their logits are in memory
    /// (positions x vocabulary x 4 bytes).
    std::int64_t maxPositions = 1024;
};

/// What the interventions do to the distribution after one position.
struct PositionEffect {
    std::int32_t position = 0;
    std::int32_t token = 0;  ///< the input at this position
    std::string bytes;       ///< of the token; empty without a tokenizer
    /// KL(untouched || intervened) of the next token's distribution over the whole vocabulary, nats
    /// (Kullback and Leibler 1951); float64 softmax of float32 logits.
    double kl = 0;
    std::int32_t topBefore = 0;  ///< the most probable next token, untouched
    std::int32_t topAfter = 0;   ///< and with the interventions
    std::string topBeforeBytes;
    std::string topAfterBytes;
    float topBeforeProbability = 0;
    float topAfterProbability = 0;
    /// Probability of the token that does come next; NaN at the last position.
    double nextBefore = std::numeric_limits<double>::quiet_NaN();
    double nextAfter = std::numeric_limits<double>::quiet_NaN();

    bool topChanged() const { return topBefore != topAfter; }
};

/// How far the choices of one MoE layer moved, its own intervention and what follows from those
/// before it together.
struct LayerEffect {
    int layer = 0;             ///< absolute index
    bool intervened = false;   ///< this layer's own routing was changed
    double changedShare = 0;   ///< choices made now that were not made before, of those made now
    std::int64_t choices = 0;  ///< n: choices made now, positions x k
};

/// The same tokens through the model twice: untouched and with the interventions (teacher forcing:
/// every position sees the same tokens before it), and what each of the two goes on to write.
struct InterventionEffect {
    Interventions interventions;
    std::string description;  ///< describe(interventions)
    std::int64_t promptTokens = 0;
    std::vector<PositionEffect> positions;  ///< n = positions.size()
    double meanKl = std::numeric_limits<double>::quiet_NaN();
    double maxKl = std::numeric_limits<double>::quiet_NaN();
    std::int32_t maxKlPosition = -1;
    std::int64_t topChanged = 0;      ///< positions with another most probable next token
    std::vector<LayerEffect> layers;  ///< main MoE layers, ascending; MTP drafts change no token
    std::vector<std::int32_t> idsBefore;  ///< continuation of the prompt, untouched
    std::vector<std::int32_t> idsAfter;
    std::string textBefore;
    std::string textAfter;
    /// Index into ids of the first token that differs; -1: none does.
    std::int64_t firstDifference = -1;
    std::size_t commonBytes = 0;  ///< of the two texts, from the beginning
};

/// Runs prompt and answer (may be empty) and the continuations, first untouched, then with the
/// interventions. The decoder is left without interventions and with an empty cache, also when this
/// throws: Error (interventions that do not fit the model, too many tokens), Cancelled.
InterventionEffect compareIntervention(Decoder& decoder, const Tokenizer* tokenizer,
                                       std::span<const std::int32_t> prompt,
                                       std::span<const std::int32_t> answer,
                                       const Interventions& interventions,
                                       const EffectOptions& options = {},
                                       const Progress& progress = {}, std::stop_token stop = {});

}  // namespace gatescope
