// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/terminal.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::ordered_json;

double slowdown(double off, double on) {
    return off / on - 1;
}

double prefillCost(const SpeedMeasurement& speeds) {
    return slowdown(median(speeds.off.prefill), median(speeds.on.prefill));
}

double decodeCost(const SpeedMeasurement& speeds) {
    return slowdown(median(speeds.off.decode), median(speeds.on.decode));
}

/// Of the time of a decode step with the recorder off.
double analysisShare(const BenchResult& result) {
    return result.analysis.secondsPerToken * median(result.speeds.off.decode);
}

Json speedsJson(const Speeds& speeds) {
    return {{"prefill_tokens_per_second", median(speeds.prefill)},
            {"decode_tokens_per_second", median(speeds.decode)},
            {"prefill_runs", speeds.prefill},
            {"decode_runs", speeds.decode}};
}

Json orNull(const std::optional<double>& value) {
    return value ? Json(*value) : Json();
}

Json limitsJson(const Limits& limits) {
    return {{"copy_bytes_per_second", limits.rates.copyBytesPerSecond},
            {"dense_multiply_adds_per_second", limits.rates.multiplyAddsPerSecond},
            {"context_rows", limits.contextRows},
            {"decode_bytes",
             {{"weights", limits.decode.weights},
              {"cache", limits.decode.cache},
              {"logits", limits.decode.logits},
              {"total", limits.decode.total()}}},
            {"decode_share_of_memory_limit", orNull(limits.memoryShare)},
            {"prefill_multiply_adds", limits.prefillMultiplyAdds},
            {"prefill_share_of_dense_rate", orNull(limits.denseShare)}};
}

Json passJson(const TimedPass& pass) {
    Json operations = Json::array();
    for (const OperationTime& operation : pass.operations) {
        operations.push_back({{"operation", operation.name},
                              {"calls", operation.calls},
                              {"seconds", operation.seconds},
                              {"share", operation.seconds / pass.seconds}});
    }
    return {{"seconds", pass.seconds}, {"operations", operations}};
}

Json operationsJson(const OperationProfile& profile) {
    Json prefill = passJson(profile.prefill);
    prefill["tokens"] = profile.prefillTokens;
    Json decode = passJson(profile.decode);
    decode["context_rows"] = profile.contextRows;
    return {{"prefill", prefill},
            {"decode", decode},
            {"latent_attention",
             {{"seconds", profile.decode.secondsOf("absorbedAttention")},
              {"bytes", profile.attentionBytes},
              {"share_of_memory_limit", profile.attentionShare}}}};
}

std::string percent(const std::optional<double>& share) {
    return share ? fmt::format("{:.1f} %", 100 * *share) : std::string("not comparable");
}

std::string speedsText(const SpeedMeasurement& speeds) {
    std::string text = fmt::format("{:<14}{:>16}{:>16}\n", "", "prefill tok/s", "decode tok/s");
    const auto row = [&text](std::string_view label, const Speeds& values) {
        text += fmt::format("{:<14}{:>16.2f}{:>16.2f}\n", label, median(values.prefill),
                            median(values.decode));
    };
    row("recorder off", speeds.off);
    row("recorder on", speeds.on);
    return text + fmt::format("{:<14}{:>14.1f} %{:>14.1f} %\n", "its cost",
                              100 * prefillCost(speeds), 100 * decodeCost(speeds));
}

std::string limitsText(const Limits& limits) {
    const auto bytes = [](std::uint64_t count) { return bytesText(static_cast<double>(count)); };
    return fmt::format(
        "a decode step moves {}: weights {}, cache {} ({} rows), logits {}\n"
        "copying moves {}/s on this device; decode reaches {} of that\n"
        "a dense product does {:.3g} multiply-adds/s here; prefill ({:.3g} of them) reaches {}\n",
        bytes(limits.decode.total()), bytes(limits.decode.weights), bytes(limits.decode.cache),
        limits.contextRows, bytes(limits.decode.logits), bytesText(limits.rates.copyBytesPerSecond),
        percent(limits.memoryShare), limits.rates.multiplyAddsPerSecond,
        static_cast<double>(limits.prefillMultiplyAdds), percent(limits.denseShare));
}

std::string passText(const std::string& title, const TimedPass& pass) {
    std::string text = fmt::format("\n{}, {:.1f} us\n{:<32}{:>8}{:>14}{:>9}\n", title,
                                   1e6 * pass.seconds, "operation", "calls", "us", "share");
    double between = pass.seconds;
    for (const OperationTime& operation : pass.operations) {
        between -= operation.seconds;
        text += fmt::format("{:<32}{:>8}{:>14.1f}{:>7.1f} %\n", operation.name, operation.calls,
                            1e6 * operation.seconds, 100 * operation.seconds / pass.seconds);
    }
    return text + fmt::format("{:<32}{:>8}{:>14.1f}{:>7.1f} %\n", "between operations", "",
                              1e6 * between, 100 * between / pass.seconds);
}

std::string operationsText(const OperationProfile& profile) {
    return passText(fmt::format("One decode step at {} positions, operation by operation",
                                profile.contextRows),
                    profile.decode) +
           fmt::format("latent attention moves {}: {:.1f} % of the memory limit\n",
                       bytesText(static_cast<double>(profile.attentionBytes)),
                       100 * profile.attentionShare) +
           passText(fmt::format("One prefill pass of {} tokens, operation by operation",
                                profile.prefillTokens),
                    profile.prefill);
}

}  // namespace

std::string benchJson(const BenchResult& result, const BenchOptions& options) {
    Json json = {{"model", result.subject.name},
                 {"layers", result.layers},
                 {"dtype", result.subject.dtype},
                 {"weight_bytes", result.subject.weightBytes},
                 {"device", result.device},
                 {"precision", result.precision},
                 {"cache_type", result.cacheType},
                 {"prompt_tokens", options.promptTokens},
                 {"gen_tokens", options.genTokens},
                 {"depth", options.depth},
                 {"repetitions", options.repetitions},
                 {"recorder_off", speedsJson(result.speeds.off)},
                 {"recorder_on", speedsJson(result.speeds.on)},
                 {"recorder_cost",
                  {{"prefill", prefillCost(result.speeds)}, {"decode", decodeCost(result.speeds)}}},
                 {"analysis",
                  {{"seconds_per_token", result.analysis.secondsPerToken},
                   {"n", result.analysis.tokens},
                   {"share_of_decode_step", analysisShare(result)}}},
                 {"peak_memory_bytes", result.peakMemoryBytes},
                 {"limits", limitsJson(result.limits)}};
    if (result.operations) json["operations"] = operationsJson(*result.operations);
    return json.dump(2) + "\n";
}

std::string benchText(const BenchResult& result, const BenchOptions& options) {
    std::string text = fmt::format(
        "{}, {} layers, {} of weights ({})\n{}, precision {}, latent cache {}\n"
        "{} prompt tokens and {} generated after {} in the cache, median of {}\n",
        result.subject.name, result.layers,
        bytesText(static_cast<double>(result.subject.weightBytes)), result.subject.dtype,
        result.device, result.precision, result.cacheType, options.promptTokens, options.genTokens,
        options.depth, options.repetitions);
    text += speedsText(result.speeds);
    if (result.analysis.tokens > 0) {
        text += fmt::format(
            "counting one token in every statistic takes {:.1f} us, {:.2f} % of a decode step "
            "(n = {})\n",
            1e6 * result.analysis.secondsPerToken, 100 * analysisShare(result),
            result.analysis.tokens);
    }
    text += fmt::format("peak memory {}\n", bytesText(static_cast<double>(result.peakMemoryBytes)));
    text += limitsText(result.limits);
    if (result.operations) text += operationsText(*result.operations);
    return text;
}

}  // namespace gatescope::cli
