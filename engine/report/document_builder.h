// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/report/document.h"
#include "engine/report/report_words.h"

namespace gatescope {

/// Puts a Document together, block after block, in one language.
class DocumentBuilder {
  public:
    DocumentBuilder(Document& document, ReportLanguage language)
        : words(language), m_document(document) {}

    const ReportWords words;

    void section(const char* anchor, std::string title) { heading(1, anchor, std::move(title)); }
    void part(const char* anchor, std::string title) { heading(2, anchor, std::move(title)); }
    void body(std::string text) { paragraph(std::move(text), ParagraphKind::Body); }
    void note(std::string text) { paragraph(std::move(text), ParagraphKind::Note); }
    void warning(std::string text) { paragraph(std::move(text), ParagraphKind::Warning); }
    template <typename Block>
    void add(Block block) {
        m_document.blocks.emplace_back(std::move(block));
    }
    void list(std::vector<std::string> items) {
        if (!items.empty()) add(DocumentList{std::move(items)});
    }
    void figure(Figure figure, std::string caption) {
        add(DocumentFigure{std::move(figure), std::move(caption)});
    }
    /// Two columns: what, and its value.
    void facts(std::string caption, std::vector<std::vector<std::string>> rows) {
        add(DocumentTable{std::move(caption),
                          {{words("Item", "项目")}, {words("Value", "数值")}},
                          std::move(rows),
                          false});
    }

  private:
    void heading(int level, const char* anchor, std::string title) {
        add(DocumentHeading{level, std::move(title), anchor});
    }
    void paragraph(std::string text, ParagraphKind kind) {
        add(DocumentParagraph{std::move(text), kind});
    }

    Document& m_document;
};

}  // namespace gatescope
