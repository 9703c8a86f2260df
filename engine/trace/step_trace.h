// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gatescope {

/// Which work a routed position belongs to. The four are counted apart everywhere.
enum class Phase : std::uint8_t {
    Prefill,  ///< prompt position through the main model
    Decode,   ///< generated position through the main model (accepted drafts too)
    Draft,    ///< position through the MTP layer
    /// Cost, but not output: a verified position whose draft was rejected, or a pair of the MTP
    /// layer that stands on a draft (the real pair is computed when the token is known).
    Rejected,
};
inline constexpr int kPhaseCount = 4;

/// What stays the same for all routing of one model.
struct RoutingShape {
    std::vector<int> layers;  ///< absolute indices of the main model's MoE layers, ascending
    int mtpLayer = -1;        ///< absolute index of the MTP layer, -1 without one
    int totalLayers = 0;      ///< main layers, dense ones included
    int experts = 0;          ///< routed experts, E
    int topK = 0;             ///< chosen per token and layer, k (at most 32)
    int groups = 1;           ///< n_group
    int topkGroups = 1;       ///< topk_group
    bool hasBias = false;     ///< noaux_tc: a correction bias takes part in the choice
};

/// In TokenRouting::experts: no expert stands here. Under interventions layers may choose different
/// numbers of experts; k is then the largest, and the slots a layer does not use hold this, with
/// weight 0, after its choices.
inline constexpr std::uint16_t kNoExpert = 0xFFFF;

/// Routing of one position in `rows` MoE layers (all main MoE layers, or the one MTP layer).
/// Flat arrays, row-major [rows][k]; choices ordered by choice score, largest first.
struct TokenRouting {
    std::vector<std::uint16_t> experts;  ///< [rows * k]
    std::vector<float> weights;          ///< [rows * k] gate weights, factor included
    std::vector<float> margins;          ///< [rows] choice margin, see trace/margin.h
    std::vector<std::uint32_t>
        biasDecided;  ///< [rows] bit j: choice j would not be made with bias 0
    /// [rows * E] affinities s (no bias); absent when not kept.
    std::shared_ptr<const std::vector<float>> scores;

    int rows() const { return static_cast<int>(margins.size()); }
};

/// One position that went through the model in a step. A token is routed when it is the *input* of
/// a pass; the last sampled token of an answer has therefore not been routed yet.
struct RoutedToken {
    std::int32_t position = 0;  ///< in the context, from 0
    std::int32_t tokenId = 0;
    Phase phase = Phase::Prefill;
    bool special = false;  ///< BOS, role markers, end tokens: shown apart
    TokenRouting routing;
};

/// Bytes of the latent KV cache. Main layers and the MTP layer are kept apart.
struct CacheUse {
    std::int64_t positions = 0;
    std::int64_t bytesPerPosition = 0;  ///< main layers together
    std::int64_t used = 0;              ///< main layers
    std::int64_t reserved = 0;          ///< main layers, allocated
    std::int64_t mtpPositions = 0;
    std::int64_t mtpUsed = 0;
    std::int64_t mtpReserved = 0;
    std::int64_t mtpBytesPerPosition = 0;
    std::int64_t expandedBytesPerPosition = 0;  ///< same layers as MHA: H*(dn+dr+dv) values
    std::int64_t maxPositions = 0;              ///< the context limit
    std::string dtype = "F32";
};

/// Where drafts come from.
enum class DraftSource : std::uint8_t {
    Mtp,     ///< the model's multi-token-prediction module, chained
    Lookup,  ///< what followed the longest earlier occurrence of the text's last tokens
};

/// One drafted token. Both probabilities are after penalty, temperature and filters, so that
/// accepting is a question of the two distributions that were really sampled from. Greedy, those
/// say nothing: q is then the module's own softmax, its confidence, and p is 1 or 0.
struct DraftedToken {
    std::int32_t id = 0;
    float draftProbability = 0;  ///< q(id); 1 for a lookup, which proposes one token only
    /// p(id) by the main model; NaN behind a rejected draft, where nobody looked.
    float targetProbability = 0;
};

/// What one step drafted and verified: d drafts, the first a of them accepted, then one token of
/// the main model's own (the bonus token, or the one that replaces the rejected draft). Drafts
/// behind the end of the answer are left out: nothing judged them.
struct SpeculativeStep {
    DraftSource source = DraftSource::Mtp;
    std::vector<DraftedToken> drafts;  ///< d of them
    int accepted = 0;                  ///< a
    int matchLength = 0;               ///< tokens of the n-gram a lookup found; 0 for the others
    /// [main MoE layers] different experts the step's positions read; empty without a recorder.
    std::vector<std::uint16_t> distinctExperts;
    /// [main MoE layers] those of them that only rejected positions read.
    std::vector<std::uint16_t> wastedExperts;

    int drafted() const { return static_cast<int>(drafts.size()); }
};

struct StepTiming {
    std::int64_t forwardNs = 0;  ///< main model
    std::int64_t draftNs = 0;    ///< making drafts, and the pairs the MTP cache lacked
    std::int64_t sampleNs = 0;
    std::int64_t recorderNs = 0;  ///< what recording itself cost

    std::int64_t totalNs() const { return forwardNs + draftNs + sampleNs + recorderNs; }
};

/// Everything one engine step recorded. Immutable once handed on.
struct StepTrace {
    std::int64_t step = 0;            ///< from 0 within a run
    std::vector<RoutedToken> tokens;  ///< through the main layers, by position
    std::vector<RoutedToken> mtp;  ///< through the MTP layer: pair (state at position, next token)
    std::optional<SpeculativeStep> speculation;  ///< nothing in a plain step
    StepTiming timing;
    CacheUse cache;
};

/// In TokenEvent::step: a token the answer was given to begin with; no step of this run chose it.
inline constexpr std::int64_t kGivenStep = -1;

/// One token the person sees. `probability` is after temperature and the filters; `rawProbability`
/// is the softmax of the untouched logits.
struct TokenEvent {
    std::int32_t position = 0;  ///< in the context
    std::int32_t id = 0;
    std::string bytes;
    float probability = 0;
    float rawProbability = 0;
    struct Alternative {
        std::int32_t id = 0;
        float rawProbability = 0;
    };
    std::vector<Alternative>
        alternatives;  ///< most probable first, the chosen one may be among them
    enum class Draft : std::uint8_t {
        None,
        Accepted,  ///< this token was drafted
        Rejected,  ///< this token replaced a rejected draft
        Bonus,     ///< the verify step's own token behind accepted drafts
    };
    Draft draft = Draft::None;
    std::int32_t rejectedDraftId = -1;
    std::int64_t step = 0;  ///< the step whose logits gave this token, or kGivenStep
};

}  // namespace gatescope
