// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <numeric>
#include <utility>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/cli/place_report.h"
#include "app/cli/terminal.h"
#include "engine/analysis/eplb.h"
#include "engine/analysis/placement_planner.h"
#include "engine/analysis/split_random.h"
#include "engine/error.h"
#include "engine/report/session_loads.h"
#include "engine/session/atomic_file.h"
#include "engine/session/compared_session.h"

namespace gatescope::cli {
namespace {

struct Options {
    std::string file;   ///< of sessions
    std::string loads;  ///< instead
    std::vector<std::string> sessions;
    PlacementShape shape;
    int firstLayer = -1;
    int totalLayers = 0;
    std::string policy = "gatescope";
    std::string target;
    std::string out;
    std::string current;
    std::int64_t expertBytes = 0;
    PlannerOptions planner;
    double price = 0;
    bool anyNode = false;
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

/// Absolute layers, which most engines want: from the loads, or as the person says.
PlacedLayers layersOf(const Options& options, const RecordedLoads& loads) {
    PlacedLayers placed{loads.layers, options.totalLayers};
    if (options.firstLayer >= 0) {
        placed.layers.resize(static_cast<std::size_t>(loads.layerCount()));
        std::iota(placed.layers.begin(), placed.layers.end(), options.firstLayer);
    } else if (placed.layers.empty()) {
        const bool counts = options.target == "sglang" || options.target == "trtllm";
        if (counts)
            throw UsageError(
                "the loads do not say which layers they are, and this target counts all layers of "
                "the model: say --first-layer, the absolute index of the first one (3 in "
                "DeepSeek-V3)");
        placed.layers.resize(static_cast<std::size_t>(loads.layerCount()));
        std::iota(placed.layers.begin(), placed.layers.end(), 0);
    }
    if (placed.total == 0) placed.total = placed.layers.back() + 1;
    return placed;
}

std::string bytesOf(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    if (!in) throw fileError(file, "", "it cannot be read");
    return bytes;
}

/// Experts in order, as they stand without redundancy; nothing if they do not divide.
std::optional<Placement> plainPlacement(const ExpertLoads& loads, const PlacementShape& shape) {
    if (loads.experts % shape.gpus != 0) return {};
    Placement plain;
    plain.layers = loads.layers;
    plain.experts = loads.experts;
    plain.slots = loads.experts;
    plain.gpus = shape.gpus;
    plain.nodes = shape.nodes;
    for (int layer = 0; layer < loads.layers; ++layer) {
        for (int expert = 0; expert < loads.experts; ++expert) {
            plain.physicalToLogical.push_back(expert);
        }
    }
    return plain;
}

void setBefore(PlaceReport& report, const Options& options, const ExpertLoads& loads,
               std::optional<CurrentPlacement>& current) {
    std::optional<Placement> before;
    if (!options.current.empty()) {
        before = readPlacement(bytesOf(options.current), options.current, report.layers,
                               loads.experts, options.shape.gpus, options.shape.nodes);
        current = CurrentPlacement{*before, options.expertBytes, options.price};
        report.beforeName = "current";
    } else {
        before = plainPlacement(loads, options.shape);
        report.beforeName = "in order, no copies";
    }
    if (before) report.before = predictedBalance(*before, loads);
}

/// In an order of chance: prompts that come in turns, one of each kind, would fall into halves of
/// different kinds.
std::vector<ExpertLoads> shuffled(std::vector<ExpertLoads> blocks, std::uint64_t seed) {
    SplitRandom random(seed, 0);
    for (std::size_t i = blocks.size(); i > 1; --i) {
        std::swap(blocks[i - 1], blocks[random.below(static_cast<std::uint32_t>(i))]);
    }
    return blocks;
}

void writeOut(const Options& options, const PlaceReport& report) {
    if (options.out.empty()) return;
    const auto target = *placementTargetFromName(options.target);
    AtomicFile file(options.out);
    file.write(placementFile(target, report.placement, report.layers));
    // Beside it: SGLang takes no key it does not know.
    AtomicFile about(options.out + ".meta.json");
    about.write(placeJson(report, false).dump(2) + "\n");
    file.commit();
    about.commit();
}

int runPlace(Options& options) {
    if (options.out.empty() != options.target.empty())
        throw UsageError("--out and --target belong together");
    const RecordedLoads recorded = loadsOf(options);
    const ExpertLoads loads = recorded.total();
    PlaceReport report;
    report.source = options.loads.empty() ? options.file : options.loads;
    report.format = recorded.format;
    report.policy = options.policy;
    report.blocks = recorded.blocks.size();
    report.choices = std::accumulate(loads.values.begin(), loads.values.end(), 0.0);
    report.groups = options.shape.groups;
    report.fromSessions = options.loads.empty();
    report.layers = layersOf(options, recorded);
    report.expertBytes = options.expertBytes;
    checkShape(options.shape, loads.experts);
    report.nodeLimit = !options.anyNode && options.shape.groups > 1 && options.shape.nodes > 1 &&
                       options.shape.groups % options.shape.nodes == 0;
    options.planner.nodeLimit = report.nodeLimit;
    setBefore(report, options, loads, options.planner.current);

    Interrupt interrupt([] { Interrupt::die(); });
    const std::stop_token stop = interrupt.begin();
    auto progress = std::make_unique<ProgressLine>(options.quiet, stop);
    options.planner.progress = progress->callback();
    options.planner.stop = stop;
    const auto byEplb = [&options](const ExpertLoads& some) { return eplb(some, options.shape); };
    const auto byPlanner = [&options](const ExpertLoads& some) {
        return planPlacement(some, options.shape, options.planner);
    };
    const bool own = options.policy == "gatescope";
    report.placement = own ? byPlanner(loads) : byEplb(loads);
    if (recorded.blocks.size() >= 2) {
        const auto blocks = shuffled(recorded.blocks, options.planner.seed);
        report.heldOutEplb = splitScore(blocks, TrafficSplit::Alternate, byEplb);
        report.heldOut =
            own ? splitScore(blocks, TrafficSplit::Alternate, byPlanner) : report.heldOutEplb;
        if (!own) report.heldOutEplb.reset();
    }
    progress.reset();
    interrupt.end();
    report.after = predictedBalance(report.placement, loads);
    if (options.planner.current)
        report.moved = movedSlots(options.planner.current->placement, report.placement);
    writeOut(options, report);
    print(options.json ? placeJson(report, true).dump() + "\n" : placeText(report));
    return kDone;
}

void addClusterOptions(CLI::App& command, Options& options) {
    const CLI::Range positive(1, 1 << 20);
    command.add_option("--gpus", options.shape.gpus, "GPUs that share the experts")
        ->required()
        ->check(positive);
    command.add_option("--nodes", options.shape.nodes, "Nodes they are in")
        ->check(positive)
        ->capture_default_str();
    command
        .add_option("--slots", options.shape.slots,
                    "Physical experts of a layer: routed experts and redundant copies")
        ->required()
        ->check(positive);
    command.add_option("--groups", options.shape.groups, "Expert groups of the router (n_group)")
        ->check(positive)
        ->capture_default_str();
    command.add_flag("--any-node", options.anyNode,
                     "Experts of one group may be on several nodes (eplb decides by itself)");
    command
        .add_option("--expert-bytes", options.expertBytes,
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
        .add_option("--price-per-gib", options.price,
                    "With --current: how much the largest over the mean GPU load of a layer must "
                    "fall for a GiB sent to it")
        ->check(CLI::NonNegativeNumber);
    command
        .add_option("--dispersion", options.planner.dispersion,
                    "Variance over mean of the loads, as a sample")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command
        .add_option("--drift", options.planner.drift,
                    "Relative standard deviation of a load between now and the traffic to come")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command.add_option("--seed", options.planner.seed, "Of the search")->capture_default_str();
    command.add_option("--threads", options.planner.threads, "0: all; changes no number")
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
        ->add_option("--first-layer", options->firstLayer,
                     "Absolute index of the first layer of the loads, where they do not say it")
        ->check(CLI::Range(0, 1 << 16));
    command
        ->add_option("--layers", options->totalLayers,
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
