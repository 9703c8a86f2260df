// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/page_view.h"

#include <QKeyEvent>
#include <QPainter>
#include <QScrollBar>
#include <algorithm>
#include <cmath>

#include "views/theme.h"

namespace gatescope {

namespace {
constexpr int kMargin = 2 * kGrid;
constexpr int kKeptBeside = 3;   // pages above and below what is seen
constexpr double kWidest = 900;  // logical pixels of a page
}  // namespace

PageView::PageView(QWidget* parent) : QAbstractScrollArea(parent) {
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Preview"));
    viewport()->setBackgroundRole(QPalette::Mid);
    viewport()->setAutoFillBackground(true);
}

QSize PageView::sizeHint() const {
    return {70 * kGrid, 90 * kGrid};
}

void PageView::setPages(int pages, QSizeF size) {
    m_pages = pages;
    m_size = size;
    m_images.clear();
    m_asked.clear();
    m_current = -1;
    verticalScrollBar()->setValue(0);
    fit();
}

void PageView::setMessage(const QString& message) {
    m_message = message;
    setAccessibleDescription(message);
    fit();
}

void PageView::setImage(int page, double scale, const QImage& image) {
    if (page < 0 || page >= m_pages) {
        return;
    }
    m_images[page] = {scale, image};
    viewport()->update();
}

double PageView::pointScale() const {
    const double room = std::clamp(viewport()->width() - 2.0 * kMargin, 100.0, kWidest);
    return m_size.width() > 0 ? room / m_size.width() : 1;
}

double PageView::pageHeight() const {
    return m_size.height() * pointScale();
}

double PageView::topOf(int page) const {
    return kMargin + page * (pageHeight() + kMargin) - verticalScrollBar()->value();
}

int PageView::currentPage() const {
    if (m_pages == 0) {
        return -1;
    }
    const double middle = verticalScrollBar()->value() + viewport()->height() / 2.0 - kMargin;
    return std::clamp(static_cast<int>(middle / (pageHeight() + kMargin)), 0, m_pages - 1);
}

void PageView::fit() {
    const int all =
        m_message.isEmpty() ? static_cast<int>(kMargin + m_pages * (pageHeight() + kMargin)) : 0;
    verticalScrollBar()->setRange(0, std::max(0, all - viewport()->height()));
    verticalScrollBar()->setPageStep(viewport()->height());
    verticalScrollBar()->setSingleStep(5 * kGrid);
    askForSeen();
    viewport()->update();
}

void PageView::askForSeen() {
    if (!m_message.isEmpty() || m_pages == 0 || !isVisible()) {
        return;
    }
    const double step = pageHeight() + kMargin;
    const int first = std::max(0, static_cast<int>(verticalScrollBar()->value() / step));
    const int last =
        std::min(m_pages - 1,
                 static_cast<int>((verticalScrollBar()->value() + viewport()->height()) / step));
    const auto far = [&](int page) {
        return page < first - kKeptBeside || page > last + kKeptBeside;
    };
    std::erase_if(m_images, [&](const auto& at) { return far(at.first); });
    std::erase_if(m_asked, [&](const auto& at) { return far(at.first); });
    const double scale = pointScale() * devicePixelRatioF();
    for (int page = first; page <= last; ++page) {
        const auto asked = m_asked.find(page);
        if (asked == m_asked.end() || asked->second != scale) {
            m_asked[page] = scale;
            Q_EMIT imageWanted(page, scale);
        }
    }
    if (currentPage() != m_current) {
        m_current = currentPage();
        Q_EMIT currentPageChanged(m_current);
    }
}

void PageView::paintEvent(QPaintEvent*) {
    QPainter painter(viewport());
    if (!m_message.isEmpty()) {
        painter.setPen(palette().color(QPalette::Text));
        painter.drawText(viewport()->rect().adjusted(kMargin, kMargin, -kMargin, -kMargin),
                         Qt::AlignCenter | Qt::TextWordWrap, m_message);
        return;
    }
    painter.setRenderHint(QPainter::SmoothPixmapTransform);
    const double width = m_size.width() * pointScale();
    const double left = std::round((viewport()->width() - width) / 2);
    for (int page = 0; page < m_pages; ++page) {
        const QRectF place(left, std::round(topOf(page)), width, pageHeight());
        if (!place.intersects(QRectF(viewport()->rect()))) {
            continue;
        }
        painter.fillRect(place, Qt::white);  // paper, in either theme
        const auto found = m_images.find(page);
        if (found != m_images.end()) {
            painter.drawImage(place, found->second.image);
        }
    }
}

void PageView::resizeEvent(QResizeEvent*) {
    fit();
}

void PageView::scrollContentsBy(int, int) {
    askForSeen();
    viewport()->update();
}

void PageView::keyPressEvent(QKeyEvent* event) {
    QScrollBar* bar = verticalScrollBar();
    switch (event->key()) {
        case Qt::Key_Home:
            bar->setValue(bar->minimum());
            return;
        case Qt::Key_End:
            bar->setValue(bar->maximum());
            return;
        default:
            QAbstractScrollArea::keyPressEvent(event);  // arrows and page keys
    }
}

}  // namespace gatescope
