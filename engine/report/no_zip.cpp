// SPDX-License-Identifier: Apache-2.0
// Stands in for report_zip.cpp in a build without libarchive.
#include "engine/error.h"
#include "engine/report/report_csv.h"

namespace gatescope {

std::string reportZip(const ReportValue&) {
    throw fileError("report", "archive of tables",
                    "cannot be written by a build without libarchive");
}

}  // namespace gatescope
