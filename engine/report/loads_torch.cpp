// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <system_error>
#include <utility>

#include "engine/checkpoint/mapped_file.h"
#include "engine/checkpoint/printable.h"
#include "engine/error.h"
#include "engine/report/load_readers.h"
#include "engine/report/torch_archive.h"

namespace gatescope {
namespace {

constexpr const char* kCounts = "logical_count";
constexpr std::size_t kMostDumps = 4096;

RecordedLoads countsOf(const TorchArchive& archive) {
    const TorchTensor tensor = readTorchTensor(archive.pickle(), archive.file(), kCounts);
    StepArray array;
    array.file = archive.file();
    array.item = kCounts;
    array.setShape(tensor.shape);
    const TorchNumbers numbers = archive.numbers(tensor, kCounts);
    array.at = [&numbers, steps = array.hasSteps](std::int64_t step, int layer, int expert) {
        return steps ? numbers.at({step, layer, expert}) : numbers.at({layer, expert});
    };
    return loadsOfSglang(array);
}

/// The dumps in a folder, in the order of their names.
std::vector<std::filesystem::path> dumpsIn(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> dumps;
    std::error_code problem;
    std::filesystem::directory_iterator entries(folder, problem);
    for (; !problem && entries != std::filesystem::directory_iterator();
         entries.increment(problem)) {
        if (entries->path().extension() == ".pt") dumps.push_back(entries->path());
    }
    std::ranges::sort(dumps);
    return dumps;
}

}  // namespace

RecordedLoads readTorchLoads(std::span<const std::byte> bytes, const std::string& file) {
    const TorchArchive archive(bytes, file);
    const auto records = readTorchRecords(archive.pickle(), file);
    RecordedLoads loads = records
                              ? loadsOfTorchRecords(std::span(&archive, 1), std::span(&*records, 1))
                              : countsOf(archive);
    loads.format = "SGLang recorder dump";
    return loads;
}

bool hasTorchDumps(const std::filesystem::path& folder) {
    return !dumpsIn(folder).empty();
}

RecordedLoads readTorchFolder(const std::filesystem::path& folder) {
    const auto files = dumpsIn(folder);
    const std::string name = printable(folder.filename().native());
    if (files.size() > kMostDumps) {
        throw fileError(name, "",
                        fmt::format("has {} dumps, {} at most", files.size(), kMostDumps));
    }
    std::vector<MappedFile> mapped;
    std::vector<TorchArchive> archives;
    std::vector<TorchRecords> records;
    for (const std::filesystem::path& path : files) {
        mapped.emplace_back(path);
        archives.emplace_back(mapped.back().bytes(), printable(path.filename().native()));
        auto some = readTorchRecords(archives.back().pickle(), archives.back().file());
        if (!some) {
            throw fileError(archives.back().file(), "",
                            "holds no records of single passes: name it by itself");
        }
        records.push_back(std::move(*some));
    }
    RecordedLoads loads = loadsOfTorchRecords(archives, records);
    loads.format = "SGLang recorder dumps";
    return loads;
}

}  // namespace gatescope
