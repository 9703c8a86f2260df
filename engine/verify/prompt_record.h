// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/model/decoder.h"

namespace gatescope {

/// Routing of T positions in one MoE layer.
struct RoutingRecord {
    std::vector<std::int32_t> ids;  ///< [T, k] chosen experts, largest choice score first
    std::vector<float> weights;     ///< [T, k] gate weights in that order, factor included
    std::vector<float> scores;      ///< [T, E] affinities, no bias
};

/// Latent cache of one layer over T positions.
struct CacheRecord {
    std::vector<float> ckv;  ///< [T, kv_lora_rank] normalised c_kv
    std::vector<float> kpe;  ///< [T, qk_rope_head_dim] rotated k_pe
};

/// Everything a run over N tokens computed, as the golden files hold it. All float32, row-major.
struct PromptRecord {
    std::int64_t tokens = 0;                 ///< N
    std::vector<float> logits;               ///< [N, V]
    std::vector<std::vector<float>> hidden;  ///< [0]: embedding, [i]: output of layer i - 1; [N, h]
    std::vector<float> normed;               ///< [N, h] after the final norm
    std::map<int, RoutingRecord> moe;        ///< by absolute layer
    std::vector<CacheRecord> cache;          ///< by layer

    // The MTP module over the pairs (state t, token t + 1); empty without a module.
    std::int64_t pairs = 0;        ///< N - 1, or 0
    std::vector<float> mtpLogits;  ///< [N - 1, V]; row t predicts token t + 2
    std::vector<float> mtpHidden;  ///< [N - 1, h] output of its block
    RoutingRecord mtpMoe;          ///< empty where its block is dense
    CacheRecord mtpCache;
};

/// The record of N tokens with nothing in it yet; arrays() already knows its names and shapes.
PromptRecord emptyRecord(const ModelConfig& config, std::int64_t tokens);

/// Runs tokens through an emptied decoder and keeps everything; the decoder's cache then holds
/// them. Expanded: in passes as long as possible. Absorbed: token by token, as generation does.
/// Throws what Decoder::forward throws.
PromptRecord recordPrompt(Decoder& decoder, std::span<const std::int32_t> tokens,
                          AttentionPath path, const std::stop_token& stop = {});

/// One array of a record, named as in the golden files but without the prompt: "logits",
/// "moe.3.ids", "mtp.cache.ckv". Floats or ints point into the record.
struct RecordedArray {
    std::string name;
    bool integer = false;  ///< ints, not floats
    std::vector<std::int64_t> shape;
    std::span<const float> floats;
    std::span<const std::int32_t> ints;
};

/// All arrays of a record; those of the MTP module only where there are pairs.
std::vector<RecordedArray> arrays(const PromptRecord& record, const ModelConfig& config);

}  // namespace gatescope
