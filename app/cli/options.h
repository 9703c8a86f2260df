// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/decode/generation.h"
#include "engine/model/loaded_model.h"
#include "engine/progress.h"

namespace gatescope::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kWrongUse = 2;

/// The command line was wrong: exit code 2.
class UsageError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// What every command takes.
struct CommonOptions {
    LoadOptions load;
    bool quiet = false;
};

/// Adds the options every command takes, --version among them.
void addCommonOptions(CLI::App& command, CommonOptions& options);

/// Refuses what this build does not have, by name, before any work is done.
void checkCommonOptions(const CommonOptions& options);

/// Sampling, limits and speculation of `generate` and `chat`.
struct DecodingOptions {
    SamplingParams sampling;
    int maxTokens = 256;
    std::vector<std::string> stops;
    /// Nothing: not said. Then defaultSpeculate() is taken.
    std::optional<Speculate> speculate;
    int drafts = 0;
    MtpRecycle mtpRecycle = MtpRecycle::Normed;
    int plainEvery = 32;

    /// The parameters for a model. Throws Error when it lacks what is asked for.
    GenerationParams params(const LoadedModel& model) const;
};

/// Who drafts when nobody says: in exact arithmetic Auto, which changes no token; in fast, where a
/// pass over several positions may round otherwise than one over one, the MTP module if there is
/// one.
Speculate defaultSpeculate(const LoadedModel& model);

void addDecodingOptions(CLI::App& command, DecodingOptions& options);

/// Loads a model with progress on a terminal's standard error. Throws what LoadedModel::load
/// throws.
std::unique_ptr<LoadedModel> loadModel(const std::filesystem::path& dir,
                                       const CommonOptions& options, std::stop_token stop = {});

/// One line about a long operation, on standard error, only where that is a terminal. It goes away
/// with the object.
class ProgressLine {
  public:
    /// A stop request cancels the operation.
    explicit ProgressLine(bool quiet, std::stop_token stop = {});
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    /// For operations that report; valid while this object lives.
    Progress callback();

  private:
    bool show(std::string_view what, std::uint64_t done, std::uint64_t total);

    bool m_visible;
    bool m_written = false;
    std::stop_token m_stop;
};

/// Reads a whole file or, for "-", standard input. Throws Error.
std::string readText(const std::filesystem::path& file);

}  // namespace gatescope::cli
