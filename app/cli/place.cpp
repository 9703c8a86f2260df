// SPDX-License-Identifier: GPL-3.0-or-later
#include <memory>
#include <optional>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/cli/place_report.h"
#include "app/cli/terminal.h"
#include "engine/error.h"
#include "engine/report/placement_export.h"
#include "engine/report/session_loads.h"
#include "engine/session/compared_session.h"

namespace gatescope::cli {
namespace {

struct Options {
    std::string file;   ///< of sessions
    std::string loads;  ///< instead
    std::vector<std::string> sessions;
    PlacementRequest request;
    std::string policy = "gatescope";
    std::string target;
    std::string out;
    std::string current;
    bool json = false;
    bool quiet = false;
};

RecordedLoads loadsOf(Options& options) {
    if (options.file.empty() == options.loads.empty())
        throw UsageError("name a session file, or --loads with a file of recorded loads");
    if (!options.loads.empty()) return readRecordedLoads(options.loads);
    std::vector<std::int64_t> sessions;
    for (const std::string& text : options.sessions) {
        const auto some = sessionsFromText(text);
        sessions.insert(sessions.end(), some.begin(), some.end());
    }
    return sessionLoads(SessionStore(options.file), sessions);
}

/// What the options say in names.
std::optional<PlacementTarget> setNamed(Options& options, const RecordedLoads& loads) {
    PlacementRequest& request = options.request;
    request.policy = *placementPolicyFromName(options.policy);
    const auto target = placementTargetFromName(options.target);
    if (target && countsAllLayers(*target) && loads.layers.empty() && request.firstLayer < 0)
        throw UsageError(
            "the loads do not say which layers they are, and this target counts all layers of "
            "the model: say --first-layer, the absolute index of the first one (3 in "
            "DeepSeek-V3)");
    if (!options.current.empty())
        request.current =
            readPlacementFile(options.current, placedLayers(loads, request, target),
                              loads.experts(), request.shape.gpus, request.shape.nodes);
    return target;
}

int runPlace(Options& options) {
    if (options.out.empty() != options.target.empty())
        throw UsageError("--out and --target belong together");
    const RecordedLoads loads = loadsOf(options);
    const auto target = setNamed(options, loads);
    Interrupt interrupt([] { Interrupt::die(); });
    const std::stop_token stop = interrupt.begin();
    auto progress = std::make_unique<ProgressLine>(options.quiet, stop);
    PlacementPlan plan = planForLoads(loads, options.request, target, progress->callback(), stop);
    progress.reset();
    interrupt.end();
    plan.source = options.loads.empty() ? options.file : options.loads;
    if (target) writePlacement(plan, *target, options.out);
    print(options.json ? placementJson(plan, true) + "\n" : placeText(plan));
    return kDone;
}

void addClusterOptions(CLI::App& command, Options& options) {
    const CLI::Range positive(1, 1 << 20);
    command.add_option("--gpus", options.request.shape.gpus, "GPUs that share the experts")
        ->required()
        ->check(positive);
    command.add_option("--nodes", options.request.shape.nodes, "Nodes they are in")
        ->check(positive)
        ->capture_default_str();
    command
        .add_option("--slots", options.request.shape.slots,
                    "Physical experts of a layer: routed experts and redundant copies")
        ->required()
        ->check(positive);
    command
        .add_option("--groups", options.request.shape.groups,
                    "Expert groups of the router (n_group)")
        ->check(positive)
        ->capture_default_str();
    command.add_flag("--any-node", options.request.anyNode,
                     "Experts of one group may be on several nodes (eplb decides by itself)");
    command
        .add_option("--expert-bytes", options.request.expertBytes,
                    "Weights of one expert in one layer, for memory and migration")
        ->check(CLI::NonNegativeNumber);
}

void addPlanOptions(CLI::App& command, Options& options) {
    command
        .add_option("--policy", options.policy,
                    "eplb as DeepSeek's, or gatescope: no two copies on a GPU, local search, made "
                    "for traffic it has not seen")
        ->check(CLI::IsMember({"eplb", "gatescope"}))
        ->capture_default_str();
    command.add_option("--current", options.current,
                       "The placement in use (any of the target files): says what has to "
                       "be sent");
    command
        .add_option("--price-per-gib", options.request.pricePerGiB,
                    "With --current: how much the largest over the mean GPU load of a layer must "
                    "fall for a GiB sent to it")
        ->check(CLI::NonNegativeNumber);
    command
        .add_option("--dispersion", options.request.dispersion,
                    "Variance over mean of the loads, as a sample")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command
        .add_option("--drift", options.request.drift,
                    "Relative standard deviation of a load between now and the traffic to come")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command.add_option("--seed", options.request.seed, "Of the search")->capture_default_str();
    command.add_option("--threads", options.request.threads, "0: all; changes no number")
        ->check(CLI::Range(0, 1024));
}

}  // namespace

void addPlace(CLI::App& app, Action& action) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand(
        "place",
        "Which expert goes on which GPU, and which get copies, for recorded traffic; written as "
        "the file that a serving engine loads, scored on traffic it has not seen");
    command->add_option("FILE", options->file, "Session file; or --loads");
    command->add_option("--sessions", options->sessions, "12, or 1,3-5; default: all");
    command->add_option("--loads", options->loads,
                        "Recorded loads: JSON [layer][expert], CSV, .npy, SGLang's recorder dump "
                        "(.pt) or logical_count, TensorRT-LLM's statistics folder");
    command
        ->add_option("--first-layer", options->request.firstLayer,
                     "Absolute index of the first layer of the loads, where they do not say it")
        ->check(CLI::Range(0, 1 << 16));
    command
        ->add_option("--layers", options->request.totalLayers,
                     "Layers of the model, dense ones included; default: up to the last with "
                     "experts")
        ->check(CLI::Range(1, 1 << 16));
    addClusterOptions(*command, *options);
    addPlanOptions(*command, *options);
    command->add_option("--target", options->target, "Whose file --out is")
        ->check(CLI::IsMember({"eplb", "sglang", "trtllm", "vllm", "vllm-ascend"}));
    command->add_option("--out", options->out,
                        "The placement; what it is made from goes to OUT.meta.json");
    command->add_flag("--json", options->json,
                      "Machine-readable, with phy2log, log2phy and logcnt as EPLB returns them");
    command->add_flag("--quiet", options->quiet, "No progress on standard error");
    command->callback([options, &action] { action = [options] { return runPlace(*options); }; });
}

}  // namespace gatescope::cli
