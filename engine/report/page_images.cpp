// SPDX-License-Identifier: Apache-2.0
#include "engine/report/page_images.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "engine/error.h"
#include "engine/report/cairo_handles.h"
#include "engine/report/inks.h"
#include "engine/report/page_layout.h"
#include "engine/report/page_style.h"

namespace gatescope {
namespace {

constexpr double kLeastScale = 0.01;
constexpr double kMostScale = 16;

PageImage blankImage(double scale) {
    PageImage image;
    image.width = static_cast<int>(std::ceil(kPageWidth * scale));
    image.height = static_cast<int>(std::ceil(kPageHeight * scale));
    image.stride = image.width * static_cast<int>(sizeof(std::uint32_t));
    image.pixels.resize(static_cast<std::size_t>(image.width) *
                        static_cast<std::size_t>(image.height));
    return image;
}

}  // namespace

struct PagePreview::Impl {
    Impl(Document source, const Progress& progress)
        : document(std::move(source)), layout(document, progress) {}

    const Document document;
    const PageLayout layout;
};

PagePreview::PagePreview(Document document, const Progress& progress)
    : m_impl(std::make_unique<Impl>(std::move(document), progress)) {}
PagePreview::~PagePreview() = default;
PagePreview::PagePreview(PagePreview&&) noexcept = default;

std::size_t PagePreview::pages() const {
    return m_impl->layout.pages();
}

double PagePreview::pageWidth() {
    return kPageWidth;
}

double PagePreview::pageHeight() {
    return kPageHeight;
}

PageImage PagePreview::image(std::size_t page, double scale) const {
    if (!(scale >= kLeastScale && scale <= kMostScale)) {
        throw fileError("report", "preview",
                        fmt::format("cannot be shown {} times as large", scale));
    }
    PageImage image = blankImage(scale);
    const CairoSurface surface(cairo_image_surface_create_for_data(
        reinterpret_cast<unsigned char*>(image.pixels.data()), CAIRO_FORMAT_ARGB32, image.width,
        image.height, image.stride));
    const CairoContext cairo(cairo_create(surface.get()));
    const Rgb paper = kLightInks.page;
    cairo_set_source_rgb(cairo.get(), paper.r / 255.0, paper.g / 255.0, paper.b / 255.0);
    cairo_paint(cairo.get());
    cairo_scale(cairo.get(), scale, scale);
    m_impl->layout.draw(page, cairo.get());
    checkCairo(cairo_status(cairo.get()), fmt::format("page {}", page + 1));
    cairo_surface_finish(surface.get());
    return image;
}

}  // namespace gatescope
