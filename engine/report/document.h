// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "engine/report/figure.h"

namespace gatescope {

// A report as what is read, in one language and before it is a page: HTML, PDF and the preview are
// made from it. All text is plain; each writer escapes for its own format.

struct DocumentHeading {
    int level = 1;  ///< 1: section, 2: part of one
    std::string text;
    std::string anchor;  ///< ASCII letters and '-', unique
};

enum class ParagraphKind : std::uint8_t {
    Body,
    Note,     ///< smaller: definitions, sample sizes
    Warning,  ///< what limits a conclusion
};

struct DocumentParagraph {
    std::string text;
    ParagraphKind kind = ParagraphKind::Body;
};

struct DocumentList {
    std::vector<std::string> items;
};

struct DocumentColumn {
    std::string title;
    bool number = false;  ///< right-aligned, tabular figures
    bool code = false;    ///< fixed pitch: hashes
};

struct DocumentTable {
    std::string caption;
    std::vector<DocumentColumn> columns;
    std::vector<std::vector<std::string>> rows;  ///< each as long as `columns`
    bool folded = false;                         ///< long: closed at first where a page can open it
};

struct DocumentFigure {
    Figure figure;
    std::string caption;
};

/// Text as somebody wrote it: a prompt, a configuration.
struct DocumentVerbatim {
    std::string caption;
    std::string text;
};

using DocumentBlock = std::variant<DocumentHeading, DocumentParagraph, DocumentList, DocumentTable,
                                   DocumentFigure, DocumentVerbatim>;

struct Document {
    std::string language;  ///< BCP 47: "en", "zh-Hans"
    std::string title;
    std::string subtitle;
    std::string program;         ///< that made it
    std::int64_t createdMs = 0;  ///< Unix time
    std::string contentsTitle;   ///< over the table of contents
    std::string pageOf;          ///< "page {} of {}", for page numbers
    std::vector<DocumentBlock> blocks;
};

}  // namespace gatescope
