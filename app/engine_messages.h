// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMetaType>
#include <QString>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/analysis/bias_history.h"
#include "engine/analysis/layer_profile.h"
#include "engine/analysis/traffic_analysis.h"
#include "engine/checkpoint/model_config.h"
#include "engine/decode/generation.h"
#include "engine/model/loaded_model.h"
#include "engine/session/session_store.h"

// The values that travel between the window's thread and the engine's. All are immutable once sent.
namespace gatescope {

class TokenTable;

/// What the window knows about the model in the engine.
struct ModelFacts {
    QString name;
    std::filesystem::path dir;
    std::string fingerprint;
    QString device;
    QString precision;  ///< "exact" or "fast"
    ModelConfig config;
    RoutingShape shape;
    std::vector<std::vector<float>> bias;            ///< by row of RoutingLoad; [E] or empty
    std::shared_ptr<const BiasHistory> biasHistory;  ///< null: the folder has none
    QString biasHistoryProblem;  ///< one sentence if it has one that cannot be read
    std::int64_t contextLimit = 0;
    std::uint64_t weightBytes = 0;
    bool demo = false;
    bool canChat = false;                      ///< has a tokenizer
    std::shared_ptr<const TokenTable> tokens;  ///< null without a tokenizer
};

struct LoadRequest {
    std::filesystem::path dir;
    LoadOptions options;
    std::stop_token stop;
};

struct PromptRequest {
    QString text;  ///< ignored when `again`
    bool again = false;
    GenerationParams params;
    std::stop_token stop;
    std::vector<TokenEvent> given;  ///< what the answer begins with; ignored when `again`
};

/// A new session that has all that came before the question of `from`, and goes on from there.
struct BranchRequest {
    SessionBranch from;
    QString text;  ///< the question in other words; empty: as it was
    /// The token that stands at `from` on screen, a check that the file has the same; -1: none, the
    /// whole answer is made anew.
    std::int32_t expected = -1;
    std::optional<TokenEvent> instead;  ///< what comes there; unset: whatever the model chooses
    GenerationParams params;
    std::stop_token stop;
};

/// One position of a prompt.
struct PromptPiece {
    std::int32_t id = 0;
    std::string bytes;
    bool special = false;
};

/// A prompt as the model sees it. `messageBegin`, `messageEnd`: where the newest user message
/// stands in it; equal when it could not be found (its tokens merged with the markers).
struct PromptValue {
    std::vector<PromptPiece> pieces;
    std::size_t messageBegin = 0;
    std::size_t messageEnd = 0;
};

struct AnswerStart {
    std::int64_t session = -1;  ///< -1: not logged
    int turn = -1;              ///< of the answer in the log; -1: not logged
    int given = 0;              ///< tokens that it begins with
    QString message;            ///< what the user wrote
    bool again = false;
    PromptValue prompt;
    int newlyDropped = 0;
    int room = 0;
    std::shared_ptr<const Interventions> interventions;  ///< null: the model's own routing
};

struct AnswerEnd {
    GenerationResult result;
    QString textRest;  ///< held back while streaming, e.g. the beginning of a stop string
    QString error;     ///< one sentence when the answer failed
};

/// A stored session ready to be shown.
struct OpenedSession {
    StoredSession stored;
    std::vector<PromptValue> prompts;  ///< by turn index; empty for turns without one
    bool canContinue = false;
};

/// What a shadow bias is to start with: the traffic so far, in order.
struct ShadowRequest {
    ShadowParams params;
    std::vector<std::shared_ptr<const RoutedToken>> main;
    std::vector<std::shared_ptr<const RoutedToken>> mtp;
};

/// What moves on screen while an answer streams: only the newest one matters.
struct LiveFrame {
    std::shared_ptr<const RoutingLoad> load;
    std::shared_ptr<const BiasDiagnostics> bias;  ///< these: only when somebody looks at them
    std::shared_ptr<const ShadowValue> shadow;
    std::shared_ptr<const LayerProfile> layer;
    std::optional<CacheUse> cache;
    std::int64_t prefillDone = 0;
    std::int64_t prefillTotal = 0;
    std::int64_t generated = 0;
    double tokensPerSecond = 0;
    double recorderShare = 0;  ///< of the engine's time in this answer
    double analysisShare = 0;  ///< beside it: what counting took
};

}  // namespace gatescope

Q_DECLARE_METATYPE(gatescope::LoadRequest)
Q_DECLARE_METATYPE(gatescope::PromptRequest)
Q_DECLARE_METATYPE(gatescope::BranchRequest)
