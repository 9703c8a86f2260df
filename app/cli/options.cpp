// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/options.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "app/cli/load_options.h"
#include "app/cli/terminal.h"
#include "engine/error.h"

namespace gatescope::cli {
namespace {

/// A finite number of the range; CLI::Range lets "nan" through.
CLI::Validator number(double least, double most) {
    return CLI::Validator(
        [least, most](const std::string& text) -> std::string {
            double value = 0;
            const bool good =
                CLI::detail::lexical_cast(text, value) && value >= least && value <= most;
            return good ? std::string()
                        : fmt::format("expected a number from {} to {}, found {}", least, most,
                                      text);
        },
        fmt::format("{}..{}", least, most));
}

/// An unsigned 64-bit number; the conversion alone would take -1 and wrap what is too large.
std::string seedProblem(const std::string& text) {
    const std::string largest = "18446744073709551615";
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    const bool fits =
        text.size() < largest.size() || (text.size() == largest.size() && text <= largest);
    return digits && fits ? std::string()
                          : fmt::format("expected a number from 0 to {}, found {}", largest, text);
}

std::string draftsProblem(const std::string& text) {
    int value = 0;
    const bool good = CLI::detail::lexical_cast(text, value) && value >= 0 && value <= kMaxDrafts;
    return good ? std::string()
                : fmt::format("a step can verify 1 to {} drafts, found {}", kMaxDrafts, text);
}

void addSpeculationOptions(CLI::App& command, DecodingOptions& options) {
    command
        .add_option_function<std::string>(
            "--speculate",
            [&options](const std::string& text) { options.speculate = speculateFromName(text); },
            "Who drafts: mtp (the model's module), lookup (earlier text), auto (whatever pays, by "
            "measured acceptance and time), off; default: auto in exact arithmetic, where drafts "
            "change no token; in fast, where near-ties may turn out otherwise, mtp or nothing")
        ->check(CLI::IsMember({"mtp", "lookup", "auto", "off"}));
    command
        .add_option("--drafts", options.drafts,
                    "Drafts per step, for auto at most; 0, the default: 1 by mtp, 4 by the others")
        ->check(CLI::Validator(draftsProblem, fmt::format("1..{}", kMaxDrafts)));
    command
        .add_option_function<std::string>(
            "--mtp-recycle",
            [&options](const std::string& text) { options.mtpRecycle = *mtpRecycleFromName(text); },
            "What the MTP module drafts further from: its own state behind the norm (normed, the "
            "default) or before it (raw), or the main model's (main)")
        ->check(CLI::IsMember({"normed", "raw", "main"}));
    command
        .add_option("--plain-every", options.plainEvery,
                    "With mtp or lookup every so many steps one drafts nothing, to compare with; "
                    "0: never")
        ->check(CLI::Range(0, 1 << 24))
        ->capture_default_str();
}

}  // namespace

void addCommonOptions(CLI::App& command, CommonOptions& options) {
    const std::string group = "Common options";
    addLoadOptions(command, options.load, group);
    command.add_flag("--quiet", options.quiet, "No progress and no notes on standard error")
        ->group(group);
    command.set_version_flag("--version", "gatescope-cli " GATESCOPE_VERSION)->group(group);
}

void checkCommonOptions(const CommonOptions& options) {
    if (const auto problem = loadProblem(options.load); !problem.empty()) throw UsageError(problem);
}

Speculate defaultSpeculate(const LoadedModel& model) {
    if (model.precisionName() == name(Precision::Exact)) return Speculate::Auto;
    return model.config().hasMtp() ? Speculate::Mtp : Speculate::Off;
}

GenerationParams DecodingOptions::params(const LoadedModel& model) const {
    if (speculate == Speculate::Mtp && !model.config().hasMtp()) {
        throw Error("--speculate mtp: this model has no MTP module");
    }
    GenerationParams params;
    params.sampling = sampling;
    params.maxNewTokens = maxTokens;
    params.stopStrings = stops;
    params.speculate = speculate.value_or(defaultSpeculate(model));
    params.drafts = drafts;
    params.mtpRecycle = mtpRecycle;
    params.plainEvery = plainEvery;
    return params;
}

void addDecodingOptions(CLI::App& command, DecodingOptions& options) {
    SamplingParams& sampling = options.sampling;
    command.add_option("--max-tokens", options.maxTokens, "Longest answer in tokens")
        ->check(CLI::Range(1, 1 << 24))
        ->capture_default_str();
    command
        .add_option("--temperature", sampling.temperature,
                    "0, the default, is greedy: always the most probable token")
        ->check(number(0, 100));
    command.add_option("--top-k", sampling.topK, "Only the K most probable tokens; 0: all")
        ->check(CLI::Range(0, 1 << 24));
    command.add_option("--top-p", sampling.topP, "Only the smallest set with this probability")
        ->check(number(0, 1));
    command
        .add_option("--min-p", sampling.minP,
                    "Only tokens with at least this share of the top probability")
        ->check(number(0, 1));
    command
        .add_option("--repetition-penalty", sampling.repetitionPenalty,
                    "Above 1: what stands in prompt or answer becomes less probable")
        ->check(number(0.01, 100));
    command
        .add_option("--seed", sampling.seed, "Of the sampling; the same seed gives the same text")
        ->check(CLI::Validator(seedProblem, "UINT64"));
    const auto notEmpty = [](const std::string& text) {
        return text.empty() ? std::string("an empty text would end every answer") : std::string();
    };
    command.add_option("--stop", options.stops, "Text that ends the answer; may be repeated")
        ->check(CLI::Validator(notEmpty, "TEXT"))
        ->allow_extra_args(false);
    addSpeculationOptions(command, options);
}

ProgressLine::ProgressLine(bool quiet, std::stop_token stop)
    : m_visible(!quiet && isTerminal(STDERR_FILENO)), m_stop(std::move(stop)) {}

ProgressLine::~ProgressLine() {
    if (m_written) std::fputs("\r\x1b[K", stderr);
}

bool ProgressLine::show(std::string_view what, std::uint64_t done, std::uint64_t total) {
    if (m_visible && total > 0) {
        const std::string line =
            fmt::format("\r\x1b[K{} {} %", withoutControls(what), done * 100 / total);
        std::fputs(line.c_str(), stderr);
        std::fflush(stderr);
        m_written = true;
    }
    return !m_stop.stop_requested();
}

Progress ProgressLine::callback() {
    return [this](std::string_view what, std::uint64_t done, std::uint64_t total) {
        return show(what, done, total);
    };
}

std::unique_ptr<LoadedModel> loadModel(const std::filesystem::path& dir,
                                       const CommonOptions& options, std::stop_token stop) {
    ProgressLine progress(options.quiet, std::move(stop));
    return LoadedModel::load(dir, options.load, progress.callback());
}

std::string readText(const std::filesystem::path& file) {
    const bool standardInput = file == "-";
    const int descriptor =
        standardInput ? STDIN_FILENO : ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    const std::string name = standardInput ? "standard input" : file.string();
    if (descriptor < 0) throw fileError(name, "", std::strerror(errno));
    std::string text;
    std::array<char, 1 << 16> buffer{};
    ssize_t count = 0;
    while ((count = ::read(descriptor, buffer.data(), buffer.size())) != 0) {
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) break;
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    const int cause = errno;
    if (!standardInput) ::close(descriptor);
    if (count < 0) throw fileError(name, "", std::strerror(cause));
    return text;
}

}  // namespace gatescope::cli
