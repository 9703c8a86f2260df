// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/load_options.h"

namespace gatescope {
namespace {

std::string deviceProblem(const std::string& text) {
    return isDeviceName(text) ? std::string() : "expected cpu or cuda:N, found " + text;
}

CacheType cacheTypeOf(const std::string& text) {
    if (text == "f32") return CacheType::F32;
    return text == "bf16" ? CacheType::BF16 : CacheType::F8;
}

}  // namespace

std::string loadProblem(const LoadOptions& options) {
    if (options.device.name != "cpu") return {};
    if (options.device.precision == Precision::Fast)
        return "--precision fast: the cpu device computes in float32 only; use exact";
    if (options.cacheType.value_or(CacheType::F32) != CacheType::F32)
        return "--cache-type: the cpu device keeps its latent cache in f32";
    if (options.expertsOnCpu.value_or(0) > 0)
        return "--experts-on-cpu: on the cpu device all experts are there already";
    return {};
}

void addLoadOptions(CLI::App& command, LoadOptions& options, const std::string& group) {
    command.add_option("--device", options.device.name, "cpu (default) or cuda:N")
        ->check(CLI::Validator(deviceProblem, "cpu|cuda:N"))
        ->group(group);
    command
        .add_option("--threads", options.device.threads,
                    "CPU threads; 0, the default: one per core")
        ->check(CLI::Range(0, 1024))
        ->group(group);
    command
        .add_option_function<std::string>(
            "--precision",
            [&options](const std::string& text) {
                options.device.precision = text == "fast" ? Precision::Fast : Precision::Exact;
            },
            "exact (float32; the default on the cpu) or fast (16-bit products; the default on a "
            "GPU)")
        ->check(CLI::IsMember({"exact", "fast"}))
        ->group(group);
    command
        .add_option_function<std::string>(
            "--cache-type",
            [&options](const std::string& text) { options.cacheType = cacheTypeOf(text); },
            "Latent cache in f32, bf16 or fp8; default: f32 in exact, bf16 in fast")
        ->check(CLI::IsMember({"f32", "bf16", "fp8"}))
        ->group(group);
    command
        .add_option("--max-context", options.maxContext,
                    "Positions the latent cache may grow to; 0, the default: what the model allows")
        ->check(CLI::Range(0, 1 << 24))
        ->group(group);
    command
        .add_option_function<int>(
            "--experts-on-cpu", [&options](int layers) { options.expertsOnCpu = layers; },
            "MoE layers whose routed experts stay in host memory; default: as few as the GPU's "
            "memory allows")
        ->check(CLI::Range(0, 4096))
        ->group(group);
}

}  // namespace gatescope
