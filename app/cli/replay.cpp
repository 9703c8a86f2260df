// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/cli/terminal.h"
#include "engine/error.h"
#include "engine/session/session_replay.h"
#include "engine/session/session_store.h"
#include "engine/text/utf8_stream.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
    CommonOptions common;
    std::string file;
    std::int64_t session = 0;
    std::string model;  ///< empty: where the session's was loaded from
    bool json = false;
};

std::string bytesOf(const LoadedModel& model, std::int32_t id) {
    if (id < 0) return "(the end)";
    if (!model.hasTokenizer()) return fmt::format("token {}", id);
    return fmt::format("\"{}\"",
                       withoutControls(toValidUtf8(std::string(model.tokenizer().bytes(id)))));
}

std::string probabilityText(float probability) {
    return std::isnan(probability) ? "not kept" : fmt::format("{:.3g}", probability);
}

Json textsJson(const AlignedComparison& value) {
    Json texts = Json::array();
    for (const TextDivergence& text : value.texts) {
        texts.push_back({{"answer", text.answer},
                         {"seq", text.seq},
                         {"position", text.position},
                         {"stored_id", text.idA},
                         {"replayed_id", text.idB},
                         {"stored_probability", text.probabilityA},
                         {"replayed_probability", text.probabilityB},
                         {"replayed_id_probability_when_stored", text.otherInA},
                         {"stored_id_probability_replayed", text.otherInB}});
    }
    return texts;
}

Json firstJson(const AlignedComparison& value) {
    if (!value.first) return {};
    return {{"answer", value.first->answer},         {"position", value.first->position},
            {"token_id", value.first->tokenId},      {"layer", value.first->layer},
            {"margin_stored", value.first->marginA}, {"margin_replayed", value.first->marginB}};
}

Json replayJson(const SessionReplay& replay, const Options& options) {
    const AlignedComparison& value = replay.comparison;
    return {{"file", options.file},
            {"session", options.session},
            {"model", replay.replayed.modelName},
            {"fingerprint", replay.replayed.modelFingerprint},
            {"device", {{"stored", replay.stored.device}, {"replayed", replay.replayed.device}}},
            {"precision",
             {{"stored", replay.stored.precision}, {"replayed", replay.replayed.precision}}},
            {"settings", replay.stored.settings},
            {"other_conditions", replay.otherConditions},
            {"tokens",
             {{"n", value.answerTokens},
              {"equal", value.equalTokens},
              {"same", replay.sameTokens()},
              {"differences", textsJson(value)}}},
            {"routing",
             {{"n", value.n},
              {"identical", value.identicalTokens},
              {"same", replay.sameRouting()},
              {"saturation", value.saturation},
              {"mass_moved", value.massMoved},
              {"first_difference", firstJson(value)}}}};
}

std::string tokensText(const SessionReplay& replay, const LoadedModel& model) {
    const AlignedComparison& value = replay.comparison;
    if (replay.sameTokens()) {
        const std::size_t answers = replay.stored.answers.size();
        return fmt::format("All {} tokens of {} came out the same.\n", value.answerTokens,
                           answers == 1 ? "one answer" : fmt::format("{} answers", answers));
    }
    std::string text = fmt::format(
        "{} of {} tokens stand before the first difference in their "
        "answer.\n",
        value.equalTokens, value.answerTokens);
    for (const TextDivergence& differs : value.texts) {
        text += fmt::format(
            "Answer {}, token {}: stored {} (p {}; the other {}), replayed {} (p {}; the other "
            "{})\n",
            differs.answer + 1, differs.seq + 1, bytesOf(model, differs.idA),
            probabilityText(differs.probabilityA), probabilityText(differs.otherInA),
            bytesOf(model, differs.idB), probabilityText(differs.probabilityB),
            probabilityText(differs.otherInB));
    }
    return text;
}

std::string routingText(const SessionReplay& replay, const LoadedModel& model) {
    const AlignedComparison& value = replay.comparison;
    if (value.n == 0) return "No position was routed both times: routing is not compared.\n";
    const auto layers = value.layers.size();
    if (replay.sameRouting()) {
        return fmt::format("All choices of experts are the same: n = {} positions in {} layers.\n",
                           value.n, layers);
    }
    std::string text = fmt::format(
        "{} of {} positions chose the same experts in all {} layers; shared choices {:.4g}.\n",
        value.identicalTokens, value.n, layers, value.saturation);
    if (value.first) {
        text += fmt::format(
            "First difference: answer {}, position {} {}, layer {}; margin {:.3g} "
            "when stored, {:.3g} now.\n",
            value.first->answer + 1, value.first->position, bytesOf(model, value.first->tokenId),
            value.first->layer, value.first->marginA, value.first->marginB);
    }
    return text;
}

int runReplay(const Options& options) {
    checkCommonOptions(options.common);
    Interrupt interrupt([] { Interrupt::die(); });
    const StoredSession stored = SessionStore(options.file).load(options.session);
    const std::string dir = options.model.empty() ? stored.info.modelPath : options.model;
    if (dir.empty()) {
        throw Error(
            fmt::format("{}: session {}: it does not say where its model is; name the "
                        "folder with --model",
                        options.file, options.session));
    }
    const auto model = loadModel(dir, options.common);
    const std::stop_token stop = interrupt.begin();
    auto progress = std::make_unique<ProgressLine>(options.common.quiet, stop);
    const SessionReplay replay = replaySession(*model, stored, progress->callback(), stop);
    progress.reset();
    interrupt.end();
    if (options.json) {
        print(replayJson(replay, options).dump(2, ' ', false, Json::error_handler_t::replace) +
              "\n");
    } else {
        for (const std::string& condition : replay.otherConditions) {
            print(fmt::format("Other conditions: {}\n", condition));
        }
        print(tokensText(replay, *model) + routingText(replay, *model));
    }
    const bool broken =
        replay.otherConditions.empty() && (!replay.sameTokens() || !replay.sameRouting());
    return broken ? kFailed : kDone;
}

}  // namespace

void addReplay(CLI::App& app, Action& action) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand(
        "replay",
        "Run a stored session again under its own settings: the same tokens and experts are "
        "expected on the same device. Exit code 1 where they differ without another device, "
        "precision or cache type being the reason");
    command->add_option("FILE", options->file, "Session file")->required();
    command->add_option("SESSION", options->session, "Number of the session")->required();
    command->add_option("--model", options->model,
                        "Model folder; without it the one the session was made with");
    command->add_flag("--json", options->json, "Machine-readable");
    addCommonOptions(*command, options->common);
    command->callback([options, &action] { action = [options] { return runReplay(*options); }; });
}

}  // namespace gatescope::cli
