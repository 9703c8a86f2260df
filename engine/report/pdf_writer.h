// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "engine/progress.h"
#include "engine/report/document.h"

namespace gatescope {

/// Takes the next bytes of a file; what it throws ends the writing and is thrown on.
using BytesSink = std::function<void(std::string_view)>;

/// Writes a document as PDF 1.5: A4, text that can be searched and copied, figures as vectors, an
/// outline and contents that lead to the headings. Nothing in it runs or leads out of it. The same
/// document gives the same bytes, whenever it is written. Throws Error, Cancelled; what the sink
/// got until then is no whole file.
void writePdf(const Document& document, const BytesSink& sink, const Progress& progress = {});

std::string pdfBytes(const Document& document, const Progress& progress = {});

}  // namespace gatescope
