// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/flow_layout.h"

#include <QStyle>
#include <QWidget>
#include <algorithm>

#include "views/theme.h"

namespace gatescope {

FlowLayout::FlowLayout(QWidget* parent) : QLayout(parent) {
    setContentsMargins(0, 0, 0, 0);
    setSpacing(kGrid);
}

FlowLayout::~FlowLayout() {
    for (QLayoutItem* item : m_items) {
        delete item;
    }
}

void FlowLayout::addItem(QLayoutItem* item) {
    m_items.push_back(item);
}

int FlowLayout::count() const {
    return static_cast<int>(m_items.size());
}

QLayoutItem* FlowLayout::itemAt(int index) const {
    return index >= 0 && index < count() ? m_items[static_cast<std::size_t>(index)] : nullptr;
}

QLayoutItem* FlowLayout::takeAt(int index) {
    QLayoutItem* item = itemAt(index);
    if (item != nullptr) {
        m_items.erase(m_items.begin() + index);
    }
    return item;
}

int FlowLayout::heightForWidth(int width) const {
    return place(QRect(0, 0, width, 0), false);
}

QSize FlowLayout::sizeHint() const {
    QSize size(0, 0);
    for (const QLayoutItem* item : m_items) {
        if (!item->isEmpty()) {
            const QSize own = item->sizeHint();
            size.rwidth() += own.width() + (size.width() > 0 ? spacing() : 0);
            size.setHeight(std::max(size.height(), own.height()));
        }
    }
    const QMargins margins = contentsMargins();
    return size + QSize(margins.left() + margins.right(), margins.top() + margins.bottom());
}

QSize FlowLayout::minimumSize() const {
    QSize size(0, 0);
    for (const QLayoutItem* item : m_items) {
        if (!item->isEmpty()) {
            size = size.expandedTo(item->minimumSize());
        }
    }
    const QMargins margins = contentsMargins();
    return size + QSize(margins.left() + margins.right(), margins.top() + margins.bottom());
}

void FlowLayout::setGeometry(const QRect& rect) {
    QLayout::setGeometry(rect);
    place(rect, true);
}

int FlowLayout::place(const QRect& rect, bool move) const {
    const QRect inside = rect.marginsRemoved(contentsMargins());
    // Lines first, so that what stands in one is centred on it.
    int y = inside.top();
    for (std::size_t first = 0; first < m_items.size();) {
        int x = 0;
        int height = 0;
        std::size_t end = first;
        for (; end < m_items.size(); ++end) {
            const QSize size = m_items[end]->isEmpty() ? QSize(0, 0) : m_items[end]->sizeHint();
            if (x > 0 && x + size.width() > inside.width()) {
                break;
            }
            x += size.width() > 0 ? size.width() + spacing() : 0;
            height = std::max(height, size.height());
        }
        int left = inside.left();
        for (; first < end; ++first) {
            QLayoutItem* item = m_items[first];
            if (item->isEmpty()) {
                continue;
            }
            const QSize size(std::min(item->sizeHint().width(), inside.width()),
                             item->sizeHint().height());
            if (move) {
                const QRect place(QPoint(left, y + (height - size.height()) / 2), size);
                item->setGeometry(QStyle::visualRect(
                    parentWidget() != nullptr ? parentWidget()->layoutDirection() : Qt::LeftToRight,
                    inside, place));
            }
            left += size.width() + spacing();
        }
        y += height + (end < m_items.size() && height > 0 ? kGrid / 2 : 0);
    }
    return y - inside.top() + contentsMargins().top() + contentsMargins().bottom();
}

}  // namespace gatescope
