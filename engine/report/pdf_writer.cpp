// SPDX-License-Identifier: Apache-2.0
#include "engine/report/pdf_writer.h"

#include <cairo-pdf.h>
#include <fmt/format.h>

#include <exception>

#include "engine/error.h"
#include "engine/report/cairo_handles.h"
#include "engine/report/page_layout.h"
#include "engine/report/page_style.h"
#include "engine/report/utc_time.h"
#include "engine/report/visible_text.h"

namespace gatescope {
namespace {

/// Between Cairo, which knows no exceptions, and the sink.
class SinkStream {
  public:
    explicit SinkStream(const BytesSink& sink) : m_sink(sink) {}

    static cairo_status_t write(void* self, const unsigned char* bytes, unsigned int size) {
        return static_cast<SinkStream*>(self)->write({reinterpret_cast<const char*>(bytes), size});
    }
    void rethrow() const {
        if (m_failure) {
            std::rethrow_exception(m_failure);
        }
    }
    /// Takes nothing more: what a surface writes while it is dropped is of no use.
    void close() { m_open = false; }

  private:
    cairo_status_t write(std::string_view bytes) {
        if (!m_open || m_failure) {
            return CAIRO_STATUS_WRITE_ERROR;
        }
        try {
            m_sink(bytes);
        } catch (...) {
            m_failure = std::current_exception();
            return CAIRO_STATUS_WRITE_ERROR;
        }
        return CAIRO_STATUS_SUCCESS;
    }

    const BytesSink& m_sink;
    std::exception_ptr m_failure;
    bool m_open = true;
};

struct CloseAtEnd {
    SinkStream& stream;
    ~CloseAtEnd() { stream.close(); }
};

void setMetadata(cairo_surface_t* surface, const Document& document) {
    const auto set = [&](cairo_pdf_metadata_t what, const std::string& value) {
        cairo_pdf_surface_set_metadata(surface, what, value.c_str());
    };
    set(CAIRO_PDF_METADATA_TITLE, visibleText(document.title, LineEnds::Folded));
    set(CAIRO_PDF_METADATA_CREATOR, visibleText(document.program, LineEnds::Folded));
    set(CAIRO_PDF_METADATA_CREATE_DATE, isoUtc(document.createdMs));
}

void addOutline(cairo_surface_t* surface, const PageLayout& layout) {
    int section = CAIRO_PDF_OUTLINE_ROOT;
    for (std::size_t i = 0; i < layout.headings().size(); ++i) {
        const PageHeading& heading = layout.headings()[i];
        const bool isSection = heading.level == 1;
        const std::string target = fmt::format("dest='{}'", PageLayout::targetOf(i));
        const int id = cairo_pdf_surface_add_outline(
            surface, isSection ? CAIRO_PDF_OUTLINE_ROOT : section, heading.text.c_str(),
            target.c_str(), CAIRO_PDF_OUTLINE_FLAG_OPEN);
        section = isSection ? id : section;
    }
}

void drawPages(cairo_surface_t* surface, const PageLayout& layout, const Progress& progress) {
    const CairoContext cairo(cairo_create(surface));
    for (std::size_t page = 0; page < layout.pages(); ++page) {
        if (progress && !progress("pages", page, layout.pages())) {
            throw Cancelled();
        }
        layout.draw(page, cairo.get());
        cairo_show_page(cairo.get());
        checkCairo(cairo_status(cairo.get()), fmt::format("page {}", page + 1));
    }
}

}  // namespace

void writePdf(const Document& document, const BytesSink& sink, const Progress& progress) {
    const PageLayout layout(document, progress);
    SinkStream stream(sink);
    const CairoSurface surface(
        cairo_pdf_surface_create_for_stream(&SinkStream::write, &stream, kPageWidth, kPageHeight));
    const CloseAtEnd close{stream};
    checkCairo(cairo_surface_status(surface.get()), "PDF");
    cairo_pdf_surface_restrict_to_version(surface.get(), CAIRO_PDF_VERSION_1_5);
    setMetadata(surface.get(), document);
    addOutline(surface.get(), layout);
    try {
        drawPages(surface.get(), layout, progress);
        cairo_surface_finish(surface.get());
        checkCairo(cairo_surface_status(surface.get()), "PDF");
    } catch (const Error&) {
        stream.rethrow();
        throw;
    }
    stream.rethrow();
}

std::string pdfBytes(const Document& document, const Progress& progress) {
    std::string bytes;
    writePdf(
        document, [&](std::string_view part) { bytes += part; }, progress);
    return bytes;
}

}  // namespace gatescope
