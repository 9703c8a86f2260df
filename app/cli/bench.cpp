// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench.h"

#include <sys/resource.h>

#include <memory>

#include "app/cli/bench_report.h"
#include "app/cli/bench_speculation.h"
#include "app/cli/commands.h"
#include "app/cli/terminal.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/error.h"
#include "engine/model/demo_model.h"
#include "engine/model/make_device.h"
#include "engine/model/placed_model.h"
#include "engine/model/random_weights.h"

namespace gatescope::cli {
namespace {

constexpr int kSpeculationTokens = 96;  ///< what an answer may have where nobody says

DType dtypeOf(const std::string& name) {
    if (name == "f32") return DType::F32;
    if (name == "f16") return DType::F16;
    return name == "fp8" ? DType::F8E4M3 : DType::BF16;
}

std::int64_t peakMemoryBytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return std::int64_t{usage.ru_maxrss} * 1024;
}

std::unique_ptr<WeightSource> openSource(const BenchOptions& options, BenchSubject& subject) {
    if (!options.shape.empty()) return openShape(options, subject);
    const std::filesystem::path dir =
        options.model.empty() ? demoModelDir() : std::filesystem::path(options.model);
    if (dir.empty()) throw Error("the demo model is not installed here; name a model folder");
    ProgressLine line(options.common.quiet);
    auto checkpoint = std::make_unique<Checkpoint>(dir, line.callback());
    subject = {std::filesystem::absolute(dir).lexically_normal().filename().string(), "as stored",
               checkpoint->weightBytes()};
    return checkpoint;
}

BenchResult measure(const BenchOptions& options) {
    BenchResult result;
    const auto source = openSource(options, result.subject);
    const auto real = makeDevice(options.common.load.device);
    TimedDevice device(*real);
    const PlacedModel placed = placeModel(*source, device, options.common.load);
    const auto decoder = openDecoder(*source, device, placed.options, options.common.quiet);
    result.layers = decoder->config().numHiddenLayers;
    result.device = describePlacement(*decoder);
    result.precision = name(device.precision());
    result.cacheType = name(decoder->cache().layout().type);
    result.speeds = measureSpeeds(*decoder, options);
    result.analysis = measureAnalysis(*decoder, options);
    result.peakMemoryBytes = peakMemoryBytes();  // before the buffers of measureRates()
    const DeviceRates rates = measureRates(device);
    result.limits = compareWithLimits(*decoder, *source, rates, result.speeds, options);
    if (options.operations) {
        result.operations = profileOperations(*decoder, device, *source, rates, options);
    }
    return result;
}

int bench(const BenchOptions& options) {
    checkCommonOptions(options.common);
    if (!options.shape.empty() && !options.model.empty()) {
        throw UsageError("MODEL and --shape exclude each other");
    }
    if (options.shape.empty() && options.layers > 0) {
        throw UsageError("--layers goes with --shape");
    }
    if (options.speculation) return benchSpeculation(options);
    const BenchResult result = measure(options);
    print(options.json ? benchJson(result, options) : benchText(result, options));
    return kDone;
}

/// What goes with --speculation only, by name; empty if all is well.
std::string misplacedOption(const BenchOptions& options, const CLI::App& command) {
    const auto given = [&command](const char* option) { return command.count(option) > 0; };
    for (const char* option : {"--prompts", "--modes", "--per-domain"}) {
        if (!options.speculation && given(option)) {
            return fmt::format("{} goes with --speculation", option);
        }
    }
    for (const char* option : {"--operations", "--depth"}) {
        if (options.speculation && given(option)) {
            return fmt::format("{} does not go with --speculation", option);
        }
    }
    if (options.speculation && options.shape.empty() && given("--prompt-tokens")) {
        return "--prompt-tokens goes with --shape: the prompts are texts";
    }
    if (options.speculation && !options.shape.empty() && given("--prompts")) {
        return "--prompts and --shape exclude each other: random weights know no text";
    }
    return {};
}

}  // namespace

std::unique_ptr<WeightSource> openShape(const BenchOptions& options, BenchSubject& subject) {
    auto weights = std::make_unique<RandomWeights>(namedShape(options.shape, options.layers),
                                                   dtypeOf(options.dtype));
    subject = {options.shape, options.dtype, weights->weightBytes()};
    return weights;
}

std::unique_ptr<Decoder> openDecoder(const WeightSource& source, Device& device,
                                     const DecoderOptions& options, bool quiet) {
    ProgressLine line(quiet);
    return std::make_unique<Decoder>(source, device, options, line.callback());
}

void addBench(CLI::App& app, Action& action) {
    auto options = std::make_shared<BenchOptions>();
    CLI::App* command =
        app.add_subcommand("bench",
                           "Prefill and decode speed, recorder off and on (drafting off); "
                           "or, with --speculation, decode speed by who drafts");
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
    command
        ->add_option("--gen-tokens", options->genTokens,
                     "Generated tokens; with --speculation: at most, 96 by default")
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str();
    command->add_option("--depth", options->depth, "Positions in the cache before the prompt")
        ->check(CLI::Range(0, 1 << 20))
        ->capture_default_str();
    command->add_option("--repetitions", options->repetitions, "Of which the median is given")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    command->add_flag("--operations", options->operations,
                      "Also the time of each operation in a prefill pass and a decode step");
    command->add_flag("--speculation", options->speculation,
                      "Greedy answers with and without drafts instead, by domain: speed, "
                      "acceptance, expert reads; checks that the texts agree");
    command->add_option("--prompts", options->prompts,
                        "For --speculation: JSON Lines {\"prompt\": text, \"domain\": text}; "
                        "default: the demo model's");
    command->add_option("--modes", options->modes,
                        "For --speculation: off, mtpN, lookupN, autoN (N drafts), with commas; "
                        "default: off,mtp1,mtp2,mtp3,lookup,auto");
    command->add_option("--per-domain", options->perDomain, "Prompts of each domain; 0: all")
        ->check(CLI::Range(0, 1 << 20))
        ->capture_default_str();
    command->add_flag("--json", options->json, "Machine-readable");
    addCommonOptions(*command, options->common);
    command->callback([options, command, &action] {
        if (options->speculation && command->count("--gen-tokens") == 0) {
            options->genTokens = kSpeculationTokens;
        }
        action = [options, problem = misplacedOption(*options, *command)] {
            if (!problem.empty()) throw UsageError(problem);
            return bench(*options);
        };
    });
}

}  // namespace gatescope::cli
