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
#include "kernels/cpu/cpu_device.h"
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

int devices(const Options& options) {
    checkCommonOptions(options.common);
    const CpuInfo cpu = readCpuInfo();
    const std::string instructions = simd::targetName();
    if (options.json) {
        const nlohmann::ordered_json list = {{"devices",
                                              {{{"name", "cpu"},
                                                {"model", cpu.model},
                                                {"cores", cpu.cores},
                                                {"threads", cpu.threads},
                                                {"simd", instructions},
                                                {"precision", {"exact"}}}}},
                                             {"gpu_backend", false}};
        print(list.dump(2) + "\n");
        return kDone;
    }
    const std::string cores = cpu.cores > 0 ? fmt::format("{} cores, ", cpu.cores) : std::string();
    print(fmt::format("cpu   {}: {}{} threads, {}, float32 (exact)\n", cpu.model, cores,
                      cpu.threads, instructions));
    print("There is no GPU backend in this build: --device cuda:N is refused.\n");
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
