// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <stop_token>
#include <system_error>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/cli/terminal.h"
#include "engine/checkpoint/json.h"
#include "engine/checkpoint/safetensors_writer.h"
#include "engine/decode/sampler.h"
#include "engine/error.h"
#include "engine/model/decoder.h"
#include "engine/verify/golden_model.h"
#include "engine/verify/prompt_record.h"

namespace gatescope::cli {
namespace {

struct Options {
    CommonOptions common;
    std::string model;
    std::string prompts;
    std::string out;
    std::string attention = "expanded";
    int greedy = 0;
};

using Prompts = std::map<std::string, std::vector<std::int32_t>>;

constexpr std::size_t kMaxPromptBytes = 256 << 20;

Prompts readPrompts(const std::string& file, const LoadedModel& model, int greedy) {
    const JsonDocument document = JsonDocument::read(file, kMaxPromptBytes);
    const ModelConfig& config = model.config();
    Prompts prompts;
    document.root().forEachMember([&](const std::string& name, JsonValue list) {
        std::vector<std::int32_t>& ids = prompts[name];
        list.forEachElement([&ids, &config](std::size_t, JsonValue id) {
            ids.push_back(static_cast<std::int32_t>(id.integer(0, config.vocabSize - 1)));
        });
        if (ids.empty()) throw list.error("has no tokens");
        const auto length = static_cast<std::int64_t>(ids.size()) + std::max(0, greedy - 1);
        if (length > config.maxPositionEmbeddings) {
            throw list.error(fmt::format("{} positions do not fit the context of {}", length,
                                         config.maxPositionEmbeddings));
        }
    });
    return prompts;
}

/// Shapes follow from the model and the length of the prompt, so they are known before running.
void declare(SafetensorsWriter& writer, const ModelConfig& config, const std::string& name,
             std::int64_t tokens, int greedy) {
    const PromptRecord empty = emptyRecord(config, tokens);
    for (const RecordedArray& array : arrays(empty, config)) {
        writer.declare(name + "." + array.name, array.integer ? "I32" : "F32", array.shape);
    }
    if (greedy > 0) writer.declare(name + ".greedy", "I32", {greedy});
}

/// Continues what the decoder's cache holds; does not stop at end tokens. `last` is the row of
/// logits after the prompt.
std::vector<std::int32_t> continueGreedily(Decoder& decoder, std::span<const float> last, int count,
                                           const std::stop_token& stop) {
    std::vector<std::int32_t> ids;
    if (count > 0) ids.push_back(argMax(last));
    while (static_cast<int>(ids.size()) < count) {
        decoder.forward(std::span(ids).last(1),
                        {AttentionPath::Absorbed, LogitsOf::Last, {}, nullptr, stop});
        ids.push_back(argMax(decoder.logits(0)));
    }
    return ids;
}

/// What is read must not be written over: the model's files are mapped while we write.
void refuseInputAsOutput(const Options& options) {
    std::error_code none;
    const auto refuse = [&](const std::filesystem::path& input) {
        if (std::filesystem::equivalent(options.out, input, none)) {
            throw fileError(options.out, "", "is read by this command and cannot be written");
        }
    };
    refuse(options.prompts);
    for (const auto& entry : std::filesystem::directory_iterator(options.model, none)) {
        refuse(entry.path());
    }
}

int dump(const Options& options) {
    checkCommonOptions(options.common);
    refuseInputAsOutput(options);
    Interrupt interrupt([] { Interrupt::die(); });
    const auto model = loadModel(options.model, options.common);
    const Prompts prompts = readPrompts(options.prompts, *model, options.greedy);
    Decoder& decoder = model->decoder();
    const ModelConfig& config = model->config();
    SafetensorsWriter writer(options.out);
    for (const auto& [name, tokens] : prompts) {
        declare(writer, config, name, static_cast<std::int64_t>(tokens.size()), options.greedy);
    }
    const AttentionPath path =
        options.attention == "absorbed" ? AttentionPath::Absorbed : AttentionPath::Expanded;
    ProgressLine line(options.common.quiet);
    const Progress progress = line.callback();
    std::uint64_t done = 0;
    const std::stop_token stop = interrupt.begin();
    for (const auto& [name, tokens] : prompts) {
        progress(name, done++, prompts.size());
        const PromptRecord record = recordPrompt(decoder, tokens, path, stop);
        for (const RecordedArray& array : arrays(record, config)) {
            const std::string key = name + "." + array.name;
            if (array.integer) {
                writer.append(key, array.ints);
            } else {
                writer.append(key, array.floats);
            }
        }
        if (options.greedy == 0) continue;
        const auto last = std::span(record.logits).last(static_cast<std::size_t>(config.vocabSize));
        writer.append(name + ".greedy", continueGreedily(decoder, last, options.greedy, stop));
    }
    writer.finish();
    return kDone;
}

}  // namespace

void addDump(CLI::App& app, Action& action) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand(
        "dump", "Everything the decoder computes for given ids, as a safetensors file");
    command->add_option("MODEL", options->model, "Model folder")->required();
    command->add_option("--prompts", options->prompts, "JSON file {\"p1\": [ids], ...}")
        ->required();
    command->add_option("--out", options->out, "File to write")->required();
    command->add_option("--greedy", options->greedy, "Also N greedy tokens for each prompt")
        ->check(CLI::Range(0, 1 << 24));
    command
        ->add_option("--attention", options->attention,
                     "expanded (default: prompts in long passes) or absorbed (token by token)")
        ->check(CLI::IsMember({"expanded", "absorbed"}));
    addCommonOptions(*command, options->common);
    command->callback([options, &action] { action = [options] { return dump(*options); }; });
}

}  // namespace gatescope::cli
