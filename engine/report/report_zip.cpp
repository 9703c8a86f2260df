// SPDX-License-Identifier: Apache-2.0
#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <string_view>

#include "engine/error.h"
#include "engine/report/report_csv.h"

namespace gatescope {
namespace {

struct FreeArchive {
    void operator()(archive* zip) const { archive_write_free(zip); }
    void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
using ArchiveHandle = std::unique_ptr<archive, FreeArchive>;
using EntryHandle = std::unique_ptr<archive_entry, FreeArchive>;

void check(archive* zip, bool good, const std::string& item) {
    if (!good) {
        const char* cause = archive_error_string(zip);
        throw fileError("report.zip", item, cause != nullptr ? cause : "could not be written");
    }
}

la_ssize_t append(archive*, void* out, const void* bytes, std::size_t size) {
    static_cast<std::string*>(out)->append(static_cast<const char*>(bytes), size);
    return static_cast<la_ssize_t>(size);
}

void addFile(archive* zip, const std::string& name, std::string_view bytes, std::int64_t timeMs) {
    const EntryHandle entry(archive_entry_new());
    check(zip, entry != nullptr, name);
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_mtime(entry.get(), timeMs / 1000, 0);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes.size()));
    check(zip, archive_write_header(zip, entry.get()) == ARCHIVE_OK, name);
    check(zip,
          archive_write_data(zip, bytes.data(), bytes.size()) ==
              static_cast<la_ssize_t>(bytes.size()),
          name);
}

std::string readme(const std::vector<ReportTable>& tables) {
    std::string text =
        "Tables of a load-balance report. UTF-8, RFC 4180; an empty field is no number.\n"
        "Layers are absolute indices; mtp is 1 for the layer that predicts ahead; n is tokens.\n"
        "definitions.csv has the formulas. An apostrophe guards text from being a formula.\n";
    for (const ReportTable& table : tables) {
        text += "\n" + table.name + ".csv:";
        for (const std::string& column : table.columns) {
            text += " " + column;
        }
        text += "\n";
    }
    return text;
}

}  // namespace

std::string reportZip(const ReportValue& report) {
    std::string out;
    const ArchiveHandle zip(archive_write_new());
    if (!zip) {
        throw Error("report.zip: could not be begun");
    }
    check(zip.get(), archive_write_set_format_zip(zip.get()) == ARCHIVE_OK, "");
    archive_write_set_bytes_in_last_block(zip.get(), 1);
    check(zip.get(), archive_write_open(zip.get(), &out, nullptr, append, nullptr) == ARCHIVE_OK,
          "");
    const std::vector<ReportTable> tables = reportTables(report);
    addFile(zip.get(), "README.txt", readme(tables), report.createdMs);
    for (const ReportTable& table : tables) {
        addFile(zip.get(), table.name + ".csv", reportCsv(table), report.createdMs);
    }
    check(zip.get(), archive_write_close(zip.get()) == ARCHIVE_OK, "");
    return out;
}

}  // namespace gatescope
