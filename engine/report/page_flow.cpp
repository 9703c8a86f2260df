// SPDX-License-Identifier: Apache-2.0
#include "engine/report/page_flow.h"

#include <algorithm>

namespace gatescope {

void PageFlow::gap(double height) {
    m_gap = m_fresh ? 0 : std::max(m_gap, height);
}

void PageFlow::keep(double height) {
    if (!m_fresh && height > left()) {
        newPage();
    }
}

void PageFlow::newPage() {
    m_pages.emplace_back();
    m_y = kTopMargin;
    m_gap = 0;
    m_fresh = true;
}

void PageFlow::advance(double height) {
    m_y = y() + height;
    m_gap = 0;
    m_fresh = false;
}

}  // namespace gatescope
