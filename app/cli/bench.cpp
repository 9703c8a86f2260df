// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>

#include "app/cli/commands.h"
#include "app/cli/options.h"
#include "app/cli/terminal.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/decode/generator.h"
#include "engine/error.h"
#include "engine/model/decoder.h"
#include "engine/model/demo_model.h"
#include "engine/model/make_device.h"
#include "engine/model/random_weights.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
    CommonOptions common;
    std::string model;
    std::string shape;
    std::string dtype = "bf16";
    int layers = 0;
    int promptTokens = 128;
    int genTokens = 32;
    int depth = 0;
    int repetitions = 3;
    bool json = false;
};

/// Speeds of one setting, tokens per second, one value per repetition.
struct Speeds {
    std::vector<double> prefill;
    std::vector<double> decode;
};

/// Repetitions with the recorder off and on take turns, so that a slow moment hits both.
struct Measurement {
    Speeds off;
    Speeds on;
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

DType dtypeOf(const std::string& name) {
    if (name == "f32") return DType::F32;
    if (name == "f16") return DType::F16;
    return name == "fp8" ? DType::F8E4M3 : DType::BF16;
}

/// Ids without meaning. Speculation stays off: on such text its acceptance means nothing.
std::vector<std::int32_t> randomIds(std::int64_t count, std::int64_t vocabSize) {
    std::mt19937_64 random(1);
    std::vector<std::int32_t> ids(static_cast<std::size_t>(count));
    for (std::int32_t& id : ids) {
        id = static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(vocabSize));
    }
    return ids;
}

void fillTo(Decoder& decoder, std::span<const std::int32_t> ids) {
    decoder.truncate(0);
    for (std::size_t first = 0; first < ids.size();
         first += static_cast<std::size_t>(decoder.maxPass())) {
        const std::size_t size =
            std::min(static_cast<std::size_t>(decoder.maxPass()), ids.size() - first);
        decoder.forward(ids.subspan(first, size),
                        {AttentionPath::Expanded, LogitsOf::None, {}, nullptr, {}});
    }
}

void measureOnce(Decoder& decoder, std::span<const std::int32_t> ids, const Options& options,
                 bool record, Speeds* speeds) {
    decoder.truncate(options.depth);
    GenerationParams params;
    params.maxNewTokens = options.genTokens + 1;  // the first comes from the prefill
    params.record = record;
    GenerationSink ignored;
    const GenerationResult result = generate(decoder, nullptr, ids, params, ignored);
    if (speeds == nullptr) return;
    const GenerationTiming& timing = result.timing;
    speeds->prefill.push_back(static_cast<double>(timing.prefillTokens) / timing.prefillSeconds);
    speeds->decode.push_back(static_cast<double>(timing.decodeTokens) / timing.decodeSeconds);
}

Measurement measure(Decoder& decoder, const Options& options) {
    const std::int64_t total =
        std::int64_t{options.depth} + options.promptTokens + options.genTokens + 1;
    if (total > decoder.maxContext()) {
        throw Error(
            fmt::format("--depth, --prompt-tokens and --gen-tokens need {} positions, but "
                        "the context holds {}",
                        total, decoder.maxContext()));
    }
    const std::vector<std::int32_t> ids =
        randomIds(std::int64_t{options.depth} + options.promptTokens, decoder.config().vocabSize);
    fillTo(decoder, std::span(ids).first(static_cast<std::size_t>(options.depth)));
    ProgressLine line(options.common.quiet);
    const Progress progress = line.callback();
    const auto runs = static_cast<std::uint64_t>(options.repetitions);
    Measurement measured;
    progress("warm-up", 0, runs);
    measureOnce(decoder, ids, options, false, nullptr);
    for (std::uint64_t i = 0; i < runs; ++i) {
        progress("measuring", i, runs);
        const bool onFirst = i % 2 == 1;
        measureOnce(decoder, ids, options, onFirst, onFirst ? &measured.on : &measured.off);
        measureOnce(decoder, ids, options, !onFirst, onFirst ? &measured.off : &measured.on);
    }
    return measured;
}

/// What is measured, opened or made.
struct Subject {
    std::string name;
    std::unique_ptr<WeightSource> source;
    std::uint64_t bytes = 0;
    std::string dtype;
};

std::int64_t peakMemoryBytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return std::int64_t{usage.ru_maxrss} * 1024;
}

Json speedsJson(const Speeds& speeds) {
    return {{"prefill_tokens_per_second", median(speeds.prefill)},
            {"decode_tokens_per_second", median(speeds.decode)},
            {"prefill_runs", speeds.prefill},
            {"decode_runs", speeds.decode}};
}

double slowdown(double off, double on) {
    return off / on - 1;
}

Json resultJson(const Subject& subject, const Device& device, const ModelConfig& config,
                const Options& options, const Measurement& measured) {
    const auto decodeCost = slowdown(median(measured.off.decode), median(measured.on.decode));
    const auto prefillCost = slowdown(median(measured.off.prefill), median(measured.on.prefill));
    return {{"model", subject.name},
            {"layers", config.numHiddenLayers},
            {"dtype", subject.dtype},
            {"weight_bytes", subject.bytes},
            {"device", device.describe()},
            {"precision", name(device.precision())},
            {"prompt_tokens", options.promptTokens},
            {"gen_tokens", options.genTokens},
            {"depth", options.depth},
            {"repetitions", options.repetitions},
            {"recorder_off", speedsJson(measured.off)},
            {"recorder_on", speedsJson(measured.on)},
            {"recorder_cost", {{"prefill", prefillCost}, {"decode", decodeCost}}},
            {"peak_memory_bytes", peakMemoryBytes()}};
}

std::string resultText(const Subject& subject, const Device& device, const ModelConfig& config,
                       const Options& options, const Measurement& measured) {
    std::string text = fmt::format(
        "{}, {} layers, {} of weights ({})\n{}, float32 arithmetic\n"
        "{} prompt tokens and {} generated after {} in the cache, median of {}\n",
        subject.name, config.numHiddenLayers, bytesText(static_cast<double>(subject.bytes)),
        subject.dtype, device.describe(), options.promptTokens, options.genTokens, options.depth,
        options.repetitions);
    text += fmt::format("{:<14}{:>16}{:>16}\n", "", "prefill tok/s", "decode tok/s");
    const auto row = [&text](std::string_view label, const Speeds& speeds) {
        text += fmt::format("{:<14}{:>16.2f}{:>16.2f}\n", label, median(speeds.prefill),
                            median(speeds.decode));
    };
    row("recorder off", measured.off);
    row("recorder on", measured.on);
    text += fmt::format("{:<14}{:>14.1f} %{:>14.1f} %\n", "its cost",
                        100 * slowdown(median(measured.off.prefill), median(measured.on.prefill)),
                        100 * slowdown(median(measured.off.decode), median(measured.on.decode)));
    return text +
           fmt::format("peak memory {}\n", bytesText(static_cast<double>(peakMemoryBytes())));
}

Subject openSubject(const Options& options) {
    Subject subject;
    if (!options.shape.empty()) {
        subject.name = options.shape;
        subject.dtype = options.dtype;
        subject.source = std::make_unique<RandomWeights>(namedShape(options.shape, options.layers),
                                                         dtypeOf(options.dtype));
        return subject;
    }
    const std::filesystem::path dir =
        options.model.empty() ? demoModelDir() : std::filesystem::path(options.model);
    if (dir.empty()) throw Error("the demo model is not installed here; name a model folder");
    ProgressLine line(options.common.quiet);
    auto checkpoint = std::make_unique<Checkpoint>(dir, line.callback());
    subject.name = std::filesystem::absolute(dir).lexically_normal().filename().string();
    subject.bytes = checkpoint->weightBytes();
    subject.dtype = "as stored";
    subject.source = std::move(checkpoint);
    return subject;
}

/// Random weights are made while the decoder takes them, so their size is known only then.
std::unique_ptr<Decoder> openDecoder(Subject& subject, Device& device, const Options& options) {
    ProgressLine line(options.common.quiet);
    auto decoder =
        std::make_unique<Decoder>(*subject.source, device, DecoderOptions{}, line.callback());
    if (const auto* random = dynamic_cast<const RandomWeights*>(subject.source.get())) {
        subject.bytes = random->weightBytes();
    }
    return decoder;
}

int bench(const Options& options) {
    checkCommonOptions(options.common);
    if (!options.shape.empty() && !options.model.empty()) {
        throw UsageError("MODEL and --shape exclude each other");
    }
    if (options.shape.empty() && options.layers > 0) {
        throw UsageError("--layers goes with --shape");
    }
    Subject subject = openSubject(options);
    const auto device = makeDevice(options.common.load.device);
    const auto decoder = openDecoder(subject, *device, options);
    const Measurement measured = measure(*decoder, options);
    print(options.json
              ? resultJson(subject, *device, decoder->config(), options, measured).dump(2) + "\n"
              : resultText(subject, *device, decoder->config(), options, measured));
    return kDone;
}

}  // namespace

void addBench(CLI::App& app, Action& action) {
    auto options = std::make_shared<Options>();
    CLI::App* command =
        app.add_subcommand("bench", "Prefill and decode speed, recorder off and on (drafting off)");
    command->add_option("MODEL", options->model, "Model folder; default: the demo model");
    command->add_option("--shape", options->shape,
                        "Random weights of a named shape instead: deepseek-v3, kimi-k2, "
                        "moonlight, v2-lite, mini-2b");
    command->add_option("--layers", options->layers, "Layers of the shape; 0: as published")
        ->check(CLI::Range(0, 1024));
    command->add_option("--dtype", options->dtype, "Stored type of the shape's matrices")
        ->check(CLI::IsMember({"bf16", "f16", "f32", "fp8"}))
        ->capture_default_str();
    command->add_option("--prompt-tokens", options->promptTokens, "Prompt length")
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str();
    command->add_option("--gen-tokens", options->genTokens, "Generated tokens")
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str();
    command->add_option("--depth", options->depth, "Positions in the cache before the prompt")
        ->check(CLI::Range(0, 1 << 20))
        ->capture_default_str();
    command->add_option("--repetitions", options->repetitions, "Of which the median is given")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    command->add_flag("--json", options->json, "Machine-readable");
    addCommonOptions(*command, options->common);
    command->callback([options, &action] { action = [options] { return bench(*options); }; });
}

}  // namespace gatescope::cli
