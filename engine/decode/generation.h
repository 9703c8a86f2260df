// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/interventions.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

/// Temperature 0 is greedy: arg-max, ties to the lower id. The filters apply in this order:
/// repetition penalty, temperature, top-k, top-p, min-p.
struct SamplingParams {
    float temperature = 0;
    int topK = 0;                 ///< 0: off
    float topP = 1;               ///< 1: off
    float minP = 0;               ///< 0: off
    float repetitionPenalty = 1;  ///< 1: off; over prompt and answer
    std::uint64_t seed = 0;
};

/// Who drafts. Auto chooses source and depth for every step from what it measured.
enum class Speculate : std::uint8_t { Off, Mtp, Lookup, Auto };
/// "off", "mtp", "lookup", "auto".
std::string_view name(Speculate speculate);
std::optional<Speculate> speculateFromName(std::string_view name);

/// Which state the MTP module continues from when it drafts further than one token.
enum class MtpRecycle : std::uint8_t {
    Normed,  ///< its own output after shared_head.norm, what the main model's final norm makes too
    Raw,     ///< its own output before that norm
    Main,    ///< the main model's last state again
};
/// "normed", "raw", "main".
std::string_view name(MtpRecycle recycle);
std::optional<MtpRecycle> mtpRecycleFromName(std::string_view name);

/// The most drafts a step can be asked for.
inline constexpr int kMaxDrafts = 8;

struct GenerationParams {
    SamplingParams sampling;
    int maxNewTokens = 256;
    std::vector<std::int32_t> stopTokens;
    std::vector<std::string> stopStrings;
    Speculate speculate = Speculate::Off;
    /// Drafts per step, at most kMaxDrafts; for Auto the most it may choose. 0: 1 by MTP, 4 by
    /// lookup, up to 4 by Auto.
    int drafts = 0;
    MtpRecycle mtpRecycle = MtpRecycle::Normed;
    /// With Mtp or Lookup: every that many verify steps one step drafts nothing, so that there is a
    /// measured time to compare with. 0: never.
    int plainEvery = 0;
    bool record = true;       ///< routing, margins, bias-decided bits
    bool keepScores = false;  ///< affinities of all experts too (for "why this expert")
    int vocabLimit = 0;       ///< ids from here on are never chosen (embedding padding); 0: none
    int alternatives = 0;     ///< how many most probable tokens to report with each
    /// What the run changes about the model's routing; null: nothing. Stored with the settings.
    std::shared_ptr<const Interventions> interventions;
};

enum class Finish : std::uint8_t { Stop, StopString, Length, Context, Cancelled };
/// "stop", "stop_string", "length", "context", "cancelled".
std::string_view name(Finish finish);

struct SpeculationStats {
    std::int64_t steps = 0;       ///< verify steps
    std::int64_t plainSteps = 0;  ///< decode steps without drafts
    std::int64_t drafted = 0;
    std::int64_t accepted = 0;
    std::int64_t mainForwards = 0;  ///< prefill counts as one
    /// [d, a] verify steps that made d drafts and accepted a of them, as a matrix of
    /// kMaxDrafts + 1 squared.
    std::array<std::array<std::int64_t, kMaxDrafts + 1>, kMaxDrafts + 1> outcomes{};
};

struct GenerationTiming {
    double prefillSeconds = 0;
    double decodeSeconds = 0;
    double recorderSeconds = 0;
    std::int64_t prefillTokens = 0;  ///< computed, without those reused from the cache
    std::int64_t reusedTokens = 0;
    std::int64_t decodeTokens = 0;
};

struct GenerationResult {
    std::vector<std::int32_t> ids;  ///< new tokens, an end token included
    std::string text;               ///< decoded, without end tokens and stop strings
    Finish finish = Finish::Length;
    SpeculationStats speculation;
    GenerationTiming timing;
    CacheUse cache;
};

/// Receives what happens, on the engine's thread, in order. Implementations must not block.
class GenerationSink {
  public:
    virtual ~GenerationSink() = default;
    /// Prompt positions done so far, of those to compute.
    virtual void onPrefill(std::int64_t /*done*/, std::int64_t /*total*/) {}
    /// A token was chosen. `text` is what may be printed now (never half a character).
    virtual void onToken(const TokenEvent& /*token*/, std::string_view /*text*/) {}
    virtual void onStep(const StepTrace& /*step*/) {}
};

}  // namespace gatescope
