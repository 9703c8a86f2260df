// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "engine/report/document.h"

namespace gatescope {

/// What an HTML page has beside its document.
struct HtmlExtras {
    std::string_view json;  ///< the report's numbers, kept in the page as "report-data"
    /// What a script shows over a cell of a map: {0} layer, {1} expert, {2} count, {3} relative
    /// load; an MTP layer is told by its number.
    std::string cellText;
};

/// A document as one HTML file that asks no address for anything: style, figures (SVG) and numbers
/// are in it. It can be read without its script, which shows values over maps and folds long
/// tables but for printing; no other script runs (its hash is in the page's policy). Follows the
/// reader's theme; prints light.
std::string htmlPage(const Document& document, const HtmlExtras& extras);

/// The script, and the "sha256-..." that the policy allows.
std::string_view htmlScript();
std::string_view htmlScriptHash();

}  // namespace gatescope
