// SPDX-License-Identifier: Apache-2.0
// Stands in for pdf_writer.cpp and sha256.cpp in a build without Pango and Cairo (GATESCOPE_PAGES).
#include "engine/error.h"
#include "engine/report/pdf_writer.h"
#include "engine/report/sha256.h"

namespace gatescope {

void writePdf(const Document&, const BytesSink&, const Progress&) {
    throw fileError("report", "PDF", "cannot be written by a build without GATESCOPE_PAGES");
}

std::string pdfBytes(const Document& document, const Progress& progress) {
    writePdf(document, {}, progress);
    return {};
}

std::string sha256Hex(std::string_view) {
    throw fileError("report", "hashes of prompts", "need a build with GATESCOPE_PAGES");
}

}  // namespace gatescope
