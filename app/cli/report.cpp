// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <memory>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/cli/terminal.h"
#include "engine/error.h"
#include "engine/report/collect_report.h"
#include "engine/report/report_file.h"
#include "engine/session/compared_session.h"

namespace gatescope::cli {
namespace {

struct Options {
    std::string file;   ///< of sessions, or a report to write as something else
    std::string loads;  ///< instead
    std::vector<std::string> sessions;
    std::vector<std::string> against;
    std::vector<std::string> phases;
    bool special = false;
    std::string out;
    std::string prompts = "hashes";
    std::string language = "en";
    std::string policy = "gatescope";
    ReportFileOptions write;
    LoadsRouter router;
    PlacementRequest placement;
    ReportRequest request;
    bool quiet = false;
};

std::vector<std::int64_t> sessionsOf(const std::vector<std::string>& texts) {
    std::vector<std::int64_t> out;
    for (const std::string& text : texts) {
        try {
            const auto some = sessionsFromText(text);
            out.insert(out.end(), some.begin(), some.end());
        } catch (const Error& error) {
            throw UsageError(error.what());
        }
    }
    return out;
}

unsigned phaseMask(const Options& options) {
    unsigned mask = options.phases.empty() ? kDefaultPhases : 0;
    for (const std::string& phase : options.phases) {
        if (phase == "prefill") mask |= 1U << static_cast<unsigned>(Phase::Prefill);
        if (phase == "decode") mask |= 1U << static_cast<unsigned>(Phase::Decode);
        if (phase == "draft") mask |= 1U << static_cast<unsigned>(Phase::Draft);
    }
    return options.special ? mask | kSpecialTokens : mask;
}

std::int64_t nowMs() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

void complete(Options& options) {
    if (options.file.empty() == options.loads.empty())
        throw UsageError(
            "name a session file or a report, or --loads with a file of recorded loads");
    if (!options.loads.empty() && options.router.topK < 1)
        throw UsageError(
            "recorded loads do not say how many experts a token chooses: say --top-k (8 in "
            "DeepSeek-V3)");
    const auto format = reportFormatOf(options.out);
    if (!format) throw UsageError("--out has to end in .html, .pdf, .csv, .zip or .json");
    options.write.format = *format;
    options.write.language = *reportLanguageFromName(options.language);
    ReportRequest& request = options.request;
    request.sessions = sessionsOf(options.sessions);
    request.against = sessionsOf(options.against);
    if (request.sessions.empty() && !request.against.empty())
        throw UsageError("--against needs --sessions: the two groups are compared");
    request.phases = phaseMask(options);
    request.prompts = options.prompts == "texts"  ? PromptDetail::Texts
                      : options.prompts == "none" ? PromptDetail::None
                                                  : PromptDetail::Hashes;
    request.program = "gatescope " GATESCOPE_VERSION;
    request.createdMs = nowMs();
    const PlacementShape& shape = options.placement.shape;
    if (shape.gpus <= 0 && shape.slots > 0)
        throw UsageError("--slots needs --gpus: a placement is on so many GPUs");
    if (shape.gpus > 0) {
        options.placement.policy = *placementPolicyFromName(options.policy);
        options.placement.threads = request.threads;
        request.placement = options.placement;
    }
}

ReportValue collect(const Options& options, const Progress& progress, std::stop_token stop) {
    if (!options.loads.empty()) {
        return reportOfLoads(options.loads, options.router, options.request, progress, stop);
    }
    if (looksLikeReport(options.file)) return readReport(options.file);
    return collectReport(options.file, options.request, progress, stop);
}

int runReport(Options& options) {
    complete(options);
    Interrupt interrupt([] { Interrupt::die(); });
    const std::stop_token stop = interrupt.begin();
    auto progress = std::make_unique<ProgressLine>(options.quiet, stop);
    const ReportValue report = collect(options, progress->callback(), stop);
    writeReport(report, options.out, options.write, progress->callback());
    progress.reset();
    interrupt.end();
    return kDone;
}

void addContentOptions(CLI::App& command, Options& options) {
    command.add_option("--sessions", options.sessions, "12, or 1,3-5; default: all");
    command.add_option("--against", options.against,
                       "A second group of sessions: the report is over both and compares them");
    command.add_option("--prompts", options.prompts, "How much of what people wrote is in it")
        ->check(CLI::IsMember({"none", "hashes", "texts"}))
        ->capture_default_str();
    command
        .add_option("--phases", options.phases,
                    "Which tokens count: prefill, decode, draft (the MTP layer's), by commas; "
                    "default: all three")
        ->delimiter(',')
        ->check(CLI::IsMember({"prefill", "decode", "draft"}));
    command.add_flag("--special", options.special,
                     "Special tokens (BOS, role markers, end tokens) count too");
    command
        .add_option("--fdr", options.request.falseDiscoveryRate,
                    "False discovery rate of hot and cold experts")
        ->check(CLI::Range(1e-6, 0.5))
        ->capture_default_str();
    command.add_option("--model", options.request.modelDir,
                       "The model's folder, for its biases; default: where the sessions say it is");
    command.add_option("--threads", options.request.threads, "0: all; changes no number")
        ->check(CLI::Range(0, 1024));
}

void addLoadOptions(CLI::App& command, Options& options) {
    command.add_option("--loads", options.loads,
                       "Instead of sessions: what `place --loads` takes, as whole counts");
    command.add_option("--top-k", options.router.topK, "With --loads: experts of a token, k")
        ->check(CLI::Range(1, 32));
    command.add_option("--groups", options.router.groups, "With --loads: expert groups (n_group)")
        ->check(CLI::Range(1, 4096))
        ->capture_default_str();
    command
        .add_option("--top-groups", options.router.topkGroups,
                    "With --loads: groups kept (topk_group)")
        ->check(CLI::Range(1, 4096))
        ->capture_default_str();
}

void addPlacementOptions(CLI::App& command, Options& options) {
    PlacementRequest& placement = options.placement;
    placement.shape.gpus = 0;  // no placement section unless asked for
    const CLI::Range positive(1, 1 << 20);
    command.add_option("--gpus", placement.shape.gpus, "With a placement on so many GPUs")
        ->check(positive);
    command.add_option("--nodes", placement.shape.nodes, "Nodes they are in")->check(positive);
    command
        .add_option("--slots", placement.shape.slots,
                    "Physical experts of a layer; default: a redundant one for each GPU")
        ->check(positive);
    command.add_option("--policy", options.policy, "eplb or gatescope")
        ->check(CLI::IsMember({"eplb", "gatescope"}))
        ->capture_default_str();
}

}  // namespace

void addReport(CLI::App& app, Action& action) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand(
        "report",
        "A load-balance report of stored sessions or of a cluster's recorded loads, to send on: "
        "HTML (one file), PDF, CSV, or JSON, which can be opened again");
    command->add_option("FILE", options->file,
                        "Session file, or a report's .json to write as something else; or --loads");
    command->add_option("--out", options->out, "R.html, .pdf, .csv (one table), .zip (all), .json")
        ->required();
    addContentOptions(*command, *options);
    addLoadOptions(*command, *options);
    addPlacementOptions(*command, *options);
    command->add_option("--language", options->language, "en or zh, of HTML and PDF")
        ->check(CLI::IsMember({"en", "zh"}))
        ->capture_default_str();
    command->add_option("--table", options->write.table, "Which table a .csv holds")
        ->capture_default_str();
    command->add_flag("--quiet", options->quiet, "No progress on standard error");
    command->callback([options, &action] { action = [options] { return runReport(*options); }; });
}

}  // namespace gatescope::cli
