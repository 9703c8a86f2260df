// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poppler-document.h>
#include <poppler-page.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/report/document.h"

namespace gatescope {

// A4, in points, and where footers begin.
inline constexpr double kWidth = 595.28;
inline constexpr double kHeight = 841.89;
inline constexpr double kFooterTop = 793;

/// A PDF as another program reads it.
class ReadPdf {
  public:
    explicit ReadPdf(const std::string& bytes)
        : m_bytes(bytes),
          m_document(poppler::document::load_from_raw_data(m_bytes.data(),
                                                           static_cast<int>(m_bytes.size()))) {
        if (!m_document) {
            throw std::runtime_error("not a PDF");
        }
    }
    poppler::document& document() { return *m_document; }
    int pages() const { return m_document->pages(); }

    /// In the order it was drawn, without the footer.
    std::string text(int page) const {
        const std::unique_ptr<poppler::page> read(m_document->create_page(page));
        return utf8(read->text(poppler::rectf(0, 0, kWidth, kFooterTop - 1),
                               poppler::page::raw_order_layout));
    }
    std::string text() const {
        std::string all;
        for (int page = 0; page < pages(); ++page) {
            all += text(page) + "\n";
        }
        return all;
    }
    std::string footer(int page) const {
        const std::unique_ptr<poppler::page> read(m_document->create_page(page));
        return utf8(read->text(poppler::rectf(0, kFooterTop, kWidth, kHeight - kFooterTop)));
    }
    /// The first page with such a text; -1 for none.
    int pageOf(const std::string& part) const {
        for (int page = 0; page < pages(); ++page) {
            if (text(page).find(part) != std::string::npos) {
                return page;
            }
        }
        return -1;
    }

    static std::string utf8(const poppler::ustring& text) {
        const poppler::byte_array bytes = text.to_utf8();
        return {bytes.begin(), bytes.end()};
    }

  private:
    std::string m_bytes;
    std::unique_ptr<poppler::document> m_document;
};

/// Without white space: where lines end is not part of what is said.
inline std::string squeezed(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c != ' ' && c != '\n' && c != '\f' && c != '\r') {
            out += c;
        }
    }
    return out;
}

inline Document emptyReport() {
    Document document;
    document.language = "en";
    document.title = "A report";
    document.program = "Gatescope 1";
    document.createdMs = 1'764'150'000'000;
    document.contentsTitle = "Contents";
    document.pageOf = "page {} of {}";
    return document;
}

}  // namespace gatescope
