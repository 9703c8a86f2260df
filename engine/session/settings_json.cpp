// SPDX-License-Identifier: Apache-2.0
#include "engine/session/settings_json.h"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/checkpoint/printable.h"
#include "engine/error.h"

namespace gatescope {

namespace {

using Json = nlohmann::json;

/// The shortest decimal that gives the same float, so that 0.7 reads 0.7 and not 0.69999998.
Json floatJson(float value) {
    if (!std::isfinite(value)) {
        return fmt::format("{}", value);
    }
    return std::strtod(fmt::format("{}", value).c_str(), nullptr);
}

void readFloat(const Json& json, const char* key, float& value) {
    const auto found = json.find(key);
    if (found == json.end()) {
        return;
    }
    value = found->is_string() ? std::strtof(found->get<std::string>().c_str(), nullptr)
                               : found->get<float>();
}

template <class Value>
void readValue(const Json& json, const char* key, Value& value) {
    const auto found = json.find(key);
    if (found != json.end() && !found->is_null()) {  // null: JSON has no NaN
        value = found->get<Value>();
    }
}

/// A stop string may hold any bytes: each is written as a list of byte values if it is not UTF-8.
Json bytesJson(const std::string& text) {
    try {
        (void)Json(text).dump();
        return text;
    } catch (const Json::exception&) {
        Json bytes = Json::array();
        for (const char c : text) {
            bytes.push_back(static_cast<unsigned char>(c));
        }
        return bytes;
    }
}

std::string bytesFromJson(const Json& json) {
    if (json.is_string()) {
        return json.get<std::string>();
    }
    std::string text;
    for (const Json& byte : json) {
        text += static_cast<char>(byte.get<unsigned char>());
    }
    return text;
}

Json cacheJson(const CacheUse& cache) {
    return {{"positions", cache.positions},
            {"bytes_per_position", cache.bytesPerPosition},
            {"used", cache.used},
            {"reserved", cache.reserved},
            {"mtp_positions", cache.mtpPositions},
            {"mtp_used", cache.mtpUsed},
            {"mtp_reserved", cache.mtpReserved},
            {"mtp_bytes_per_position", cache.mtpBytesPerPosition},
            {"expanded_bytes_per_position", cache.expandedBytesPerPosition},
            {"max_positions", cache.maxPositions},
            {"dtype", cache.dtype}};
}

void readCache(const Json& json, CacheUse& cache) {
    readValue(json, "positions", cache.positions);
    readValue(json, "bytes_per_position", cache.bytesPerPosition);
    readValue(json, "used", cache.used);
    readValue(json, "reserved", cache.reserved);
    readValue(json, "mtp_positions", cache.mtpPositions);
    readValue(json, "mtp_used", cache.mtpUsed);
    readValue(json, "mtp_reserved", cache.mtpReserved);
    readValue(json, "mtp_bytes_per_position", cache.mtpBytesPerPosition);
    readValue(json, "expanded_bytes_per_position", cache.expandedBytesPerPosition);
    readValue(json, "max_positions", cache.maxPositions);
    readValue(json, "dtype", cache.dtype);
}

Json layerJson(const LayerIntervention& layer) {
    Json json = {{"layer", layer.layer}};
    if (!layer.off.empty()) {
        json["off"] = layer.off;
    }
    if (!layer.forced.empty()) {
        json["forced"] = layer.forced;
    }
    if (layer.topK) {
        json["top_k"] = *layer.topK;
    }
    if (layer.topkGroups) {
        json["topk_groups"] = *layer.topkGroups;
    }
    if (layer.biasOff) {
        json["bias_off"] = true;
    }
    for (const float bias : layer.bias) {
        json["bias"].push_back(floatJson(bias));
    }
    return json;
}

/// What is not valid UTF-8 is written as U+FFFD: a label is for people.
std::string textForJson(const std::string& text) {
    const std::string quoted = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
    return Json::parse(quoted).get<std::string>();
}

Json interventionsJson(const Interventions& interventions) {
    Json layers = Json::array();
    for (const LayerIntervention& layer : interventions.layers) {
        if (!layer.empty()) {
            layers.push_back(layerJson(layer));
        }
    }
    return {{"description", textForJson(describe(interventions))},
            {"bias_label", textForJson(interventions.biasLabel)},
            {"layers", layers}};
}

LayerIntervention layerFromJson(const Json& json) {
    LayerIntervention layer;
    const auto optional = [&json](const char* key, std::optional<int>& value) {
        if (json.contains(key)) {
            value = json.at(key).get<int>();
        }
    };
    layer.layer = json.at("layer").get<int>();
    readValue(json, "off", layer.off);
    readValue(json, "forced", layer.forced);
    optional("top_k", layer.topK);
    optional("topk_groups", layer.topkGroups);
    readValue(json, "bias_off", layer.biasOff);
    readValue(json, "bias", layer.bias);
    return layer;
}

std::shared_ptr<const Interventions> interventionsFromJson(const Json& json) {
    auto interventions = std::make_shared<Interventions>();
    readValue(json, "bias_label", interventions->biasLabel);
    for (const Json& layer : json.value("layers", Json::array())) {
        interventions->layers.push_back(layerFromJson(layer));
    }
    return interventions->empty() ? nullptr : interventions;
}

/// A whole number from `least` to `most`; the default where there is none.
void readCount(const Json& json, const char* key, int least, int most, int& value) {
    const auto found = json.find(key);
    if (found == json.end()) {
        return;
    }
    const bool whole = found->is_number_integer();
    if (!whole || found->get<double>() < least || found->get<double>() > most) {
        throw Error(fmt::format("settings: {} is no whole number from {} to {}", key, least, most));
    }
    value = found->get<int>();
}

/// One of our words; the default where there is none.
template <class Value>
void readName(const Json& json, const char* key, std::optional<Value> (*fromName)(std::string_view),
              Value& value) {
    const auto found = json.find(key);
    if (found == json.end()) {
        return;
    }
    const auto text = found->get<std::string>();
    const std::optional<Value> known = fromName(text);
    if (!known) {
        throw Error(fmt::format("settings: {} \"{}\" is not known", key, printable(text, 40)));
    }
    value = *known;
}

void readSpeculation(const Json& json, GenerationParams& params) {
    readName(json, "speculate", speculateFromName, params.speculate);
    readCount(json, "drafts", 0, kMaxDrafts, params.drafts);
    readName(json, "mtp_recycle", mtpRecycleFromName, params.mtpRecycle);
    readCount(json, "plain_every", 0, std::numeric_limits<int>::max(), params.plainEvery);
}

/// Outcomes as [d, a, steps], those that happened.
Json statsJson(const SpeculationStats& stats) {
    Json outcomes = Json::array();
    for (std::size_t d = 0; d < stats.outcomes.size(); ++d) {
        for (std::size_t a = 0; a < stats.outcomes[d].size(); ++a) {
            if (stats.outcomes[d][a] != 0) {
                outcomes.push_back({d, a, stats.outcomes[d][a]});
            }
        }
    }
    return {{"steps", stats.steps},
            {"plain_steps", stats.plainSteps},
            {"drafted", stats.drafted},
            {"accepted", stats.accepted},
            {"main_forwards", stats.mainForwards},
            {"outcomes", outcomes}};
}

void readStats(const Json& json, SpeculationStats& stats) {
    readValue(json, "steps", stats.steps);
    readValue(json, "plain_steps", stats.plainSteps);
    readValue(json, "drafted", stats.drafted);
    readValue(json, "accepted", stats.accepted);
    readValue(json, "main_forwards", stats.mainForwards);
    for (const Json& outcome : json.value("outcomes", Json::array())) {
        const auto d = outcome.at(0).get<std::int64_t>();
        const auto a = outcome.at(1).get<std::int64_t>();
        const auto steps = outcome.at(2).get<std::int64_t>();
        if (d < 0 || d > kMaxDrafts || a < 0 || a > d || steps < 0) {
            throw Error(fmt::format("result: {} steps with {} of {} drafts accepted", steps, a, d));
        }
        stats.outcomes[static_cast<std::size_t>(d)][static_cast<std::size_t>(a)] = steps;
    }
}

/// Turns the parser's exceptions into one of ours.
template <class Read>
void parse(const std::string& text, const char* what, Read read) {
    try {
        const Json json = Json::parse(text);
        if (!json.is_object()) {
            throw Error(fmt::format("{}: not a JSON object", what));
        }
        read(json);
    } catch (const Json::exception& error) {
        throw Error(fmt::format("{}: {}", what, error.what()));
    }
}

}  // namespace

std::string settingsToJson(const GenerationParams& params) {
    const SamplingParams& sampling = params.sampling;
    Json stopStrings = Json::array();
    for (const std::string& text : params.stopStrings) {
        stopStrings.push_back(bytesJson(text));
    }
    Json json = {{"temperature", floatJson(sampling.temperature)},
                 {"top_k", sampling.topK},
                 {"top_p", floatJson(sampling.topP)},
                 {"min_p", floatJson(sampling.minP)},
                 {"repetition_penalty", floatJson(sampling.repetitionPenalty)},
                 {"seed", sampling.seed},
                 {"max_new_tokens", params.maxNewTokens},
                 {"stop_tokens", params.stopTokens},
                 {"stop_strings", stopStrings},
                 {"speculate", name(params.speculate)},
                 {"drafts", params.drafts},
                 {"mtp_recycle", name(params.mtpRecycle)},
                 {"plain_every", params.plainEvery},
                 {"record", params.record},
                 {"keep_scores", params.keepScores},
                 {"vocab_limit", params.vocabLimit},
                 {"alternatives", params.alternatives}};
    if (params.interventions && !params.interventions->empty()) {
        json["interventions"] = interventionsJson(*params.interventions);
    }
    return json.dump();
}

GenerationParams settingsFromJson(const std::string& text) {
    GenerationParams params;
    parse(text, "settings", [&params](const Json& json) {
        readFloat(json, "temperature", params.sampling.temperature);
        readValue(json, "top_k", params.sampling.topK);
        readFloat(json, "top_p", params.sampling.topP);
        readFloat(json, "min_p", params.sampling.minP);
        readFloat(json, "repetition_penalty", params.sampling.repetitionPenalty);
        readValue(json, "seed", params.sampling.seed);
        readValue(json, "max_new_tokens", params.maxNewTokens);
        readValue(json, "stop_tokens", params.stopTokens);
        for (const Json& stop : json.value("stop_strings", Json::array())) {
            params.stopStrings.push_back(bytesFromJson(stop));
        }
        readSpeculation(json, params);
        readValue(json, "record", params.record);
        readValue(json, "keep_scores", params.keepScores);
        readValue(json, "vocab_limit", params.vocabLimit);
        readValue(json, "alternatives", params.alternatives);
        if (json.contains("interventions")) {
            params.interventions = interventionsFromJson(json.at("interventions"));
        }
    });
    return params;
}

std::string shapeToJson(const RoutingShape& shape) {
    const Json json = {{"layers", shape.layers},
                       {"mtp_layer", shape.mtpLayer},
                       {"total_layers", shape.totalLayers},
                       {"experts", shape.experts},
                       {"top_k", shape.topK},
                       {"groups", shape.groups},
                       {"topk_groups", shape.topkGroups},
                       {"has_bias", shape.hasBias}};
    return json.dump();
}

RoutingShape shapeFromJson(const std::string& text) {
    RoutingShape shape;
    parse(text, "routing shape", [&shape](const Json& json) {
        readValue(json, "layers", shape.layers);
        readValue(json, "mtp_layer", shape.mtpLayer);
        readValue(json, "total_layers", shape.totalLayers);
        readValue(json, "experts", shape.experts);
        readValue(json, "top_k", shape.topK);
        readValue(json, "groups", shape.groups);
        readValue(json, "topk_groups", shape.topkGroups);
        readValue(json, "has_bias", shape.hasBias);
    });
    return shape;
}

std::string resultToJson(const GenerationResult& result) {
    const Json json = {{"speculation", statsJson(result.speculation)},
                       {"timing",
                        {{"prefill_s", result.timing.prefillSeconds},
                         {"decode_s", result.timing.decodeSeconds},
                         {"recorder_s", result.timing.recorderSeconds},
                         {"prefill_tokens", result.timing.prefillTokens},
                         {"reused_tokens", result.timing.reusedTokens},
                         {"decode_tokens", result.timing.decodeTokens}}},
                       {"cache", cacheJson(result.cache)}};
    return json.dump();
}

void resultFromJson(const std::string& text, GenerationResult& result) {
    parse(text, "result", [&result](const Json& json) {
        readStats(json.value("speculation", Json::object()), result.speculation);
        const Json timing = json.value("timing", Json::object());
        readValue(timing, "prefill_s", result.timing.prefillSeconds);
        readValue(timing, "decode_s", result.timing.decodeSeconds);
        readValue(timing, "recorder_s", result.timing.recorderSeconds);
        readValue(timing, "prefill_tokens", result.timing.prefillTokens);
        readValue(timing, "reused_tokens", result.timing.reusedTokens);
        readValue(timing, "decode_tokens", result.timing.decodeTokens);
        readCache(json.value("cache", Json::object()), result.cache);
    });
}

}  // namespace gatescope
