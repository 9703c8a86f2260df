// SPDX-License-Identifier: Apache-2.0
// Stands in for pdf_writer.cpp in a build without Pango and Cairo (GATESCOPE_PAGES).
#include "engine/error.h"
#include "engine/report/pdf_writer.h"

namespace gatescope {

void writePdf(const Document&, const BytesSink&, const Progress&) {
    throw fileError("report", "PDF", "cannot be written by a build without GATESCOPE_PAGES");
}

std::string pdfBytes(const Document& document, const Progress& progress) {
    writePdf(document, {}, progress);
    return {};
}

}  // namespace gatescope
