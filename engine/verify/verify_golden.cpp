// SPDX-License-Identifier: Apache-2.0
#include "engine/verify/verify_golden.h"

#include <algorithm>
#include <vector>

#include "engine/error.h"
#include "engine/model/decoder.h"
#include "engine/verify/case_checks.h"
#include "engine/verify/golden_deviations.h"
#include "engine/verify/golden_model.h"
#include "engine/verify/model_checks.h"

namespace gatescope {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxJsonBytes = 256 << 20;

std::vector<fs::path> foldersIn(const fs::path& dir) {
    std::vector<fs::path> folders;
    if (!fs::is_directory(dir)) return folders;
    for (const auto& entry : fs::directory_iterator(dir)) {
        if (entry.is_directory()) folders.push_back(entry.path());
    }
    std::sort(folders.begin(), folders.end());
    return folders;
}

void checkFloat32Only(const fs::path& dir, LoadedModel& model, const GoldenModel& golden,
                      const CheckSink& sink) {
    checkGeneration(model, golden, sink);
    if (!fs::exists(dir / "routing.json")) return;
    const auto routing = JsonDocument::read(dir / "routing.json", kMaxJsonBytes);
    const auto subject = routing.root().find("model");
    if (subject && subject->string() == golden.name) {
        checkRecordedRouting(model, golden, routing.root(), sink);
    }
}

void verifyModel(const fs::path& dir, const fs::path& goldenDir, const LoadOptions& options,
                 const CheckSink& sink) {
    const std::string name = goldenDir.filename().string();
    const auto model = LoadedModel::load(dir / "ckpt" / name, options);
    const GoldenModel golden(goldenDir);
    const Tolerance tolerance =
        toleranceOf(model->device().precision(), model->decoder().cache().layout().type);
    checkConstants(*model, golden, sink);
    checkArrays(model->decoder(), golden, tolerance, sink);
    if (fs::exists(goldenDir / "text.json")) {
        const auto text = JsonDocument::read(goldenDir / "text.json", kMaxJsonBytes);
        checkText(*model, name, text.root(), tolerance, sink);
    }
    if (tolerance == Tolerance::Float32) {
        checkFloat32Only(dir, *model, golden, labelled(sink, tolerance));
    } else {
        checkOwnText(model->decoder(), golden, sink);
    }
}

void checkCases(const fs::path& dir, const LoadOptions& options, const CheckSink& sink) {
    if (fs::exists(dir / "routing_cases.json")) {
        const auto device = makeDevice(options.device);
        const auto cases = JsonDocument::read(dir / "routing_cases.json", kMaxJsonBytes);
        checkRoutingCases(*device, cases.root(), sink);
    }
    if (fs::exists(dir / "tokenizer" / "cases.json")) checkTokenizerCases(dir / "tokenizer", sink);
}

}  // namespace

void verifyGolden(const fs::path& dir, const LoadOptions& options, const CheckSink& sink,
                  const std::string& only) {
    if (!fs::is_directory(dir)) throw fileError(dir.string(), "", "is no folder");
    bool any = false;
    const CheckSink counting = [&](const Check& check) {
        any = true;
        sink(check);
    };
    for (const fs::path& golden : foldersIn(dir / "golden")) {
        if (only.empty() || golden.filename() == only) verifyModel(dir, golden, options, counting);
    }
    if (only.empty()) checkCases(dir, options, counting);
    if (!any) throw fileError(dir.string(), only, "holds nothing to compare with");
}

}  // namespace gatescope
