// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "engine/progress.h"
#include "engine/report/document.h"

struct _cairo;

namespace gatescope {

/// Where a heading of a document stands.
struct PageHeading {
    int level = 1;
    std::string text;      ///< visible text of one line
    std::size_t page = 0;  ///< counted from 0
    double y = 0;          ///< of its upper edge, in points from the top of the paper
};

/// A document laid out on A4 pages: title and contents, headings that stay with what follows them,
/// tables with their titles on every page, figures whole, a footer. Nothing in the document is left
/// out. The document outlives it. One thread at a time; several objects may work side by side.
class PageLayout {
  public:
    /// Throws Error for figures and tables that contradict themselves, Cancelled.
    explicit PageLayout(const Document& document, const Progress& progress = {});
    ~PageLayout();
    PageLayout(PageLayout&&) noexcept;

    std::size_t pages() const;  ///< at least 1
    const std::vector<PageHeading>& headings() const;

    /// The name of the place that a heading's links lead to.
    static std::string targetOf(std::size_t heading);

    /// Draws a page (page < pages()) in points of Cairo's present transformation, without paper
    /// under it. On a PDF surface headings become targets, and contents links to them.
    void draw(std::size_t page, _cairo* cairo) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace gatescope
