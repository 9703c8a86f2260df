// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "app/cli/commands.h"
#include "app/cli/compare_forced.h"
#include "app/cli/compare_report.h"
#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/cli/terminal.h"
#include "engine/error.h"
#include "engine/session/compared_session.h"
#include "engine/session/session_store.h"

namespace gatescope::cli {
namespace {

struct Options {
    CommonOptions common;
    ComparisonOptions comparison;
    std::string file;
    std::vector<std::string> sides;
    std::vector<std::string> phases;
    bool special = false;
    bool sameTokens = false;
    std::size_t top = 20;
    bool json = false;
};

unsigned phaseMask(const Options& options) {
    unsigned mask = options.phases.empty() ? kDefaultPhases : 0;
    for (const std::string& phase : options.phases) {
        if (phase == "prefill") mask |= 1U << static_cast<unsigned>(Phase::Prefill);
        if (phase == "decode") mask |= 1U << static_cast<unsigned>(Phase::Decode);
        if (phase == "draft") mask |= 1U << static_cast<unsigned>(Phase::Draft);
    }
    return options.special ? mask | kSpecialTokens : mask;
}

std::vector<std::vector<std::int64_t>> sessionsOf(const Options& options) {
    if (options.sides.size() > kMostComparedRuns) {
        throw UsageError(fmt::format("at most {} sides can be compared, found {}",
                                     kMostComparedRuns, options.sides.size()));
    }
    std::vector<std::vector<std::int64_t>> out;
    for (const std::string& side : options.sides) {
        try {
            out.push_back(sessionsFromText(side));
        } catch (const Error& error) {
            throw UsageError(error.what());
        }
    }
    return out;
}

std::optional<AlignedComparison> aligned(const ComparedRun& a, const ComparedRun& b) {
    if (!samePrompts(a, b)) return {};
    return alignedComparison(a, b);
}

int runCompare(Options& options) {
    checkCommonOptions(options.common);
    Interrupt interrupt([] { Interrupt::die(); });
    const std::vector<std::vector<std::int64_t>> sides = sessionsOf(options);
    options.comparison.phases = phaseMask(options);
    options.comparison.threads = options.common.load.device.threads;
    const SessionStore store(options.file);
    std::vector<ComparedRun> runs;
    for (std::size_t i = 0; i < sides.size(); ++i) {
        runs.push_back(comparedRun(store, sides[i], std::string(1, static_cast<char>('A' + i))));
    }
    CompareReport report;
    report.file = options.file;
    report.sides = options.sides;
    report.top = options.top;
    const std::stop_token stop = interrupt.begin();
    auto progress = std::make_unique<ProgressLine>(options.common.quiet, stop);
    report.comparison = compareRuns(std::move(runs), options.comparison, progress->callback());
    report.forced = options.sameTokens;
    ForcedPairs forced(options.common);
    for (const PairComparison& pair : report.comparison.pairs) {
        const ComparedRun& a = report.comparison.runs[static_cast<std::size_t>(pair.a)];
        const ComparedRun& b = report.comparison.runs[static_cast<std::size_t>(pair.b)];
        report.aligned.push_back(
            options.sameTokens ? forced.compare(a, b, progress->callback(), stop) : aligned(a, b));
    }
    progress.reset();
    interrupt.end();
    if (options.json) {
        using Handler = nlohmann::ordered_json::error_handler_t;
        print(compareJson(report).dump(2, ' ', false, Handler::replace) + "\n");
    } else {
        print(compareTables(report));
    }
    return kDone;
}

void addTestOptions(CLI::App& command, Options& options) {
    command
        .add_option("--phases", options.phases,
                    "Which tokens count: prefill, decode, draft (the MTP layer's), by commas; "
                    "default: all three")
        ->delimiter(',')
        ->check(CLI::IsMember({"prefill", "decode", "draft"}));
    command.add_flag("--special", options.special,
                     "Special tokens (BOS, role markers, end tokens) count too, as strata of their "
                     "own");
    command.add_flag("--after-common-prefix", options.comparison.afterCommonPrefix,
                     "Leave out what all prompts begin with");
    command
        .add_option("--block", options.comparison.blockTokens,
                    "Tokens of a block, the unit that is exchanged where a side has fewer than 6 "
                    "answers")
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str();
    command.add_option("--permutations", options.comparison.permutations, "Of the labels")
        ->check(CLI::Range(99, 1'000'000))
        ->capture_default_str();
    command.add_option("--seed", options.comparison.seed, "Of the permutations")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command.add_option("--top", options.top, "How many shifted experts the tables list")
        ->check(CLI::Range(std::size_t{0}, kShiftedExperts))
        ->capture_default_str();
}

}  // namespace

void addCompare(CLI::App& app, Action& action) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand(
        "compare",
        "Two to eight sets of stored answers, each with the first: does the routing differ, where, "
        "and is it more than chance? Layers by Jensen-Shannon divergence with permutation tests, "
        "shifted experts, each run against itself");
    command->add_option("FILE", options->file, "Session file")->required();
    command
        ->add_option("SIDES", options->sides,
                     "Session numbers of each side: 12, or 1,3-5 to take several together")
        ->required()
        ->expected(2, 1000);
    command->add_flag("--json", options->json, "Machine-readable");
    command->add_flag("--same-tokens", options->sameTokens,
                      "Also run the tokens of A's answers through the model and the interventions "
                      "of every side: shared experts and KL of the next token on identical text");
    addTestOptions(*command, *options);
    addCommonOptions(*command, options->common);
    command->callback([options, &action] { action = [options] { return runCompare(*options); }; });
}

}  // namespace gatescope::cli
