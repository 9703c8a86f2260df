// SPDX-License-Identifier: Apache-2.0
#include "engine/report/recorded_loads.h"

#include <algorithm>
#include <string_view>
#include <system_error>

#include "engine/checkpoint/mapped_file.h"
#include "engine/checkpoint/printable.h"
#include "engine/error.h"
#include "engine/report/load_readers.h"

namespace gatescope {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Whether a text begins with a line of column names.
bool hasCsvHeader(std::string_view text) {
    const std::string_view line = text.substr(0, text.find_first_of("\r\n"));
    return line.size() < 1000 && line.find(',') != line.npos && line.find("layer") != line.npos;
}

RecordedLoads readFileLoads(const std::filesystem::path& path, const std::string& file) {
    const MappedFile mapped(path);
    const std::span<const std::byte> bytes = mapped.bytes();
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.empty()) {
        throw fileError(file, "", "it is empty");
    }
    if (text.starts_with("\x93NUMPY")) {
        return readNpyLoads(bytes, file);
    }
    if (text.starts_with("PK\x03\x04"sv) || text.starts_with("PK\x05\x06"sv)) {
        return readTorchLoads(bytes, file);
    }
    if (text.starts_with('\x80')) {
        throw fileError(file, "",
                        "a pickle without the zip archive that PyTorch writes around it "
                        "since version 1.6");
    }
    if (text.starts_with(kByteOrderMark)) {
        text.remove_prefix(kByteOrderMark.size());
    }
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin != text.npos && (text[begin] == '{' || text[begin] == '[')) {
        return readJsonLoads(path);
    }
    if (hasCsvHeader(text)) {
        return readCsvLoads(std::as_bytes(std::span(text)), file);
    }
    throw fileError(file, "",
                    "no recorded loads: neither JSON, nor CSV with a column \"layer\", nor a file "
                    "of NumPy or PyTorch");
}

/// What holds for every format.
void checkTotal(const RecordedLoads& loads, const std::string& file) {
    const ExpertLoads total = loads.total();
    try {
        checkLoads(total);
    } catch (const Error& cause) {
        throw fileError(file, "", cause.what());
    }
    if (std::ranges::all_of(total.values, [](double load) { return load == 0; })) {
        throw fileError(file, "", "every count is zero: nothing was recorded");
    }
}

}  // namespace

ExpertLoads RecordedLoads::total() const {
    if (blocks.empty()) {
        return {};
    }
    ExpertLoads sum = blocks.front();
    for (std::size_t b = 1; b < blocks.size(); ++b) {
        for (std::size_t i = 0; i < sum.values.size(); ++i) {
            sum.values[i] += blocks[b].values[i];
        }
    }
    return sum;
}

RecordedLoads readRecordedLoads(const std::filesystem::path& path) {
    std::error_code none;  // what cannot be looked at is reported where it is opened
    const bool isFolder = std::filesystem::is_directory(path, none);
    const auto& named = path.has_filename() ? path : path.parent_path();
    const std::string file = printable(named.filename().native());
    RecordedLoads loads = !isFolder             ? readFileLoads(path, file)
                          : hasTorchDumps(path) ? readTorchFolder(path)
                                                : readTensorRtLoads(path);
    checkTotal(loads, file);
    return loads;
}

}  // namespace gatescope
