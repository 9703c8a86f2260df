// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/progress.h"
#include "engine/report/document.h"

namespace gatescope {

/// Opaque pixels, 0xffrrggbb (which is premultiplied ARGB32), row by row from the top.
struct PageImage {
    int width = 0;
    int height = 0;
    int stride = 0;  ///< bytes from row to row
    std::vector<std::uint32_t> pixels;
};

/// The pages of a document as pictures, laid out as in its PDF, on white paper whatever the theme.
/// One thread at a time; several objects may work side by side.
class PagePreview {
  public:
    /// Keeps the document. Throws Error, Cancelled.
    explicit PagePreview(Document document, const Progress& progress = {});
    ~PagePreview();
    PagePreview(PagePreview&&) noexcept;

    std::size_t pages() const;  ///< at least 1
    /// Size of every page in points.
    static double pageWidth();
    static double pageHeight();

    /// A page (page < pages()) with `scale` pixels a point. Throws Error where that is not within
    /// 1/100 and 16.
    PageImage image(std::size_t page, double scale) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace gatescope
