// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/metrics_file.h"

#include <fmt/format.h>

#include <fstream>
#include <system_error>

#include "engine/checkpoint/printable.h"
#include "engine/error.h"

namespace gatescope::cli {
namespace {

/// A label's value: backslash, quote and newline are escaped, nothing else may need it.
std::string labelValue(const std::string& text) {
    std::string out;
    for (const char c : printable(text)) {
        if (c == '\\' || c == '"') out += '\\';
        out += c;
    }
    return out;
}

std::string family(const std::string& name, const std::string& help) {
    return fmt::format("# HELP {} {}\n# TYPE {} counter\n", name, help, name);
}

}  // namespace

std::string prometheusText(const SpeculationRates& rates, const std::string& model) {
    const std::string label = fmt::format("model_name=\"{}\"", labelValue(model));
    std::string out;
    const auto add = [&](const std::string& name, const std::string& help, std::int64_t value) {
        out += family(name, help) + fmt::format("{}{{{}}} {}\n", name, label, value);
    };
    add("vllm:spec_decode_num_drafts_total", "Steps that verified drafts.", rates.steps);
    add("vllm:spec_decode_num_draft_tokens_total", "Drafted tokens.", rates.drafted);
    add("vllm:spec_decode_num_accepted_tokens_total", "Accepted drafts.", rates.accepted);
    const std::string byPosition = "vllm:spec_decode_num_accepted_tokens_per_pos_total";
    out += family(byPosition, "Accepted drafts by position in their step.");
    for (std::size_t i = 0; i < rates.positions.size(); ++i) {
        out += fmt::format("{}{{{},position=\"{}\"}} {}\n", byPosition, label, i,
                           rates.positions[i].accepted);
    }
    return out;
}

void writeMetricsFile(const std::filesystem::path& file, const std::string& text) {
    const std::filesystem::path unfinished = file.string() + ".tmp";
    std::ofstream out(unfinished, std::ios::binary | std::ios::trunc);
    out << text;
    out.close();
    if (!out) throw fileError(file.string(), "", "could not be written");
    std::error_code problem;
    std::filesystem::rename(unfinished, file, problem);
    if (problem) throw fileError(file.string(), "", problem.message());
}

}  // namespace gatescope::cli
