// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <utility>

#include "app/cli/commands.h"
#include "app/cli/options.h"
#include "app/cli/terminal.h"
#include "engine/model/make_device.h"
#include "kernels/backend_loader.h"
#include "kernels/cpu/simd.h"

namespace gatescope::cli {
namespace {

struct Options {
    CommonOptions common;
    bool json = false;
};

struct CpuInfo {
    std::string model = "unknown processor";
    int cores = 0;  ///< physical; 0 if the system does not say
    unsigned threads = std::thread::hardware_concurrency();
};

/// What /proc/cpuinfo says; other systems keep the defaults.
CpuInfo readCpuInfo() {
    CpuInfo info;
    std::ifstream file("/proc/cpuinfo");
    std::set<std::pair<std::string, std::string>> cores;
    std::string line;
    std::string package;
    while (std::getline(file, line)) {
        const std::size_t colon = line.find(": ");
        if (colon == std::string::npos) continue;
        const std::string value = line.substr(colon + 2);
        if (line.starts_with("model name")) info.model = value;
        if (line.starts_with("physical id")) package = value;
        if (line.starts_with("core id")) cores.emplace(package, value);
    }
    info.cores = static_cast<int>(cores.size());
    return info;
}

/// Null for an empty text.
nlohmann::ordered_json textOrNull(const std::string& text) {
    return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(text);
}

nlohmann::ordered_json gpuJson(const BackendDevice& gpu) {
    nlohmann::ordered_json json = {{"name", gpu.name},
                                   {"model", gpu.model},
                                   {"multiprocessors", gpu.computeUnits},
                                   {"compute_capability", gpu.capability},
                                   {"memory_bytes", gpu.memory.total},
                                   {"memory_free_bytes", gpu.memory.free},
                                   {"precision", {"exact", "fast"}}};
    json["problem"] = textOrNull(gpu.problem);
    return json;
}

void printJson(const CpuInfo& cpu, const BackendReport& gpus) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    list.push_back({{"name", "cpu"},
                    {"model", cpu.model},
                    {"cores", cpu.cores},
                    {"threads", cpu.threads},
                    {"simd", simd::targetName()},
                    {"precision", {"exact"}}});
    for (const BackendDevice& gpu : gpus.devices) list.push_back(gpuJson(gpu));
    nlohmann::ordered_json all = {{"devices", list}, {"gpu_backend", cudaBackend().api != nullptr}};
    all["gpu_problem"] = textOrNull(gpus.problem);
    print(all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void printText(const CpuInfo& cpu, const BackendReport& gpus) {
    const std::string cores = cpu.cores > 0 ? fmt::format("{} cores, ", cpu.cores) : std::string();
    print(fmt::format("cpu     {}: {}{} threads, {}, float32 (exact)\n", cpu.model, cores,
                      cpu.threads, simd::targetName()));
    for (const BackendDevice& gpu : gpus.devices) {
        const std::string what =
            gpu.problem.empty()
                ? fmt::format(
                      "{} multiprocessors, compute capability {}, {} free of {}, exact or "
                      "fast",
                      gpu.computeUnits, gpu.capability,
                      bytesText(static_cast<double>(gpu.memory.free)),
                      bytesText(static_cast<double>(gpu.memory.total)))
                : "not usable: " + gpu.problem;
        print(fmt::format("{:<7} {}: {}\n", gpu.name, gpu.model, what));
    }
    if (!gpus.problem.empty()) print(fmt::format("No GPU is offered: {}.\n", gpus.problem));
    if (!gpus.note.empty()) print(fmt::format("{}.\n", gpus.note));
}

int devices(const Options& options) {
    checkCommonOptions(options.common);
    const CpuInfo cpu = readCpuInfo();
    const BackendReport gpus = probeGpus();
    if (options.json) {
        printJson(cpu, gpus);
    } else {
        printText(cpu, gpus);
    }
    return kDone;
}

}  // namespace

void addDevices(CLI::App& app, Action& action) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("devices", "What a model can run on here");
    command->add_flag("--json", options->json, "Machine-readable");
    addCommonOptions(*command, options->common);
    command->callback([options, &action] { action = [options] { return devices(*options); }; });
}

}  // namespace gatescope::cli
