// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/number_table.h"

#include <QEvent>
#include <QHeaderView>
#include <QPainter>
#include <QScrollBar>
#include <QStyledItemDelegate>

#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {

namespace {

constexpr int kExactRole = Qt::UserRole;

/// Cells padded like the header's sections, without a focus frame. A style sheet would do the same
/// but freeze the palette it was first painted with.
class QuietCell final : public QStyledItemDelegate {
  public:
    using QStyledItemDelegate::QStyledItemDelegate;

    void paint(QPainter* painter, const QStyleOptionViewItem& option,
               const QModelIndex& index) const override {
        QStyleOptionViewItem padded = option;
        padded.state &= ~QStyle::State_HasFocus;
        if (option.state & QStyle::State_Selected) {
            const bool active = option.state & QStyle::State_Active;
            painter->fillRect(option.rect,
                              option.palette.brush(active ? QPalette::Active : QPalette::Inactive,
                                                   QPalette::Highlight));
        }
        padded.rect.adjust(kLeftPadding, 0, -kRightPadding, 0);
        QStyledItemDelegate::paint(painter, padded, index);
    }

    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        return QStyledItemDelegate::sizeHint(option, index) +
               QSize(kLeftPadding + kRightPadding, 0);
    }

  private:
    static constexpr int kLeftPadding = 1;
    static constexpr int kRightPadding = 5;
};

}  // namespace

NumberTable::NumberTable(const QStringList& header, QWidget* parent) : QTableWidget(parent) {
    setItemDelegate(new QuietCell(this));
    setFrameShape(QFrame::NoFrame);
    setShowGrid(false);
    setEditTriggers(NoEditTriggers);
    setSelectionBehavior(SelectRows);
    setSelectionMode(SingleSelection);
    setHorizontalScrollMode(ScrollPerPixel);
    setVerticalScrollMode(ScrollPerPixel);
    setTabKeyNavigation(false);
    verticalHeader()->hide();
    horizontalHeader()->setHighlightSections(false);
    horizontalHeader()->setSectionsClickable(false);
    setHeader(header);
    restyle();
}

void NumberTable::setHeader(const QStringList& header) {
    setColumnCount(static_cast<int>(header.size()));
    for (int c = 0; c < header.size(); ++c) {
        auto* item = new QTableWidgetItem(header[c]);
        const bool text = c == 0 && !m_firstNumeric;
        item->setTextAlignment((text ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
        setHorizontalHeaderItem(c, item);
        horizontalHeader()->setSectionResizeMode(
            c, text && !m_firstFits ? QHeaderView::Stretch : QHeaderView::ResizeToContents);
    }
    if (m_firstNumeric) {
        horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
    }
}

void NumberTable::setFirstColumnNumeric(bool numeric) {
    m_firstNumeric = numeric;
    QStringList header;
    for (int c = 0; c < columnCount(); ++c) {
        header += horizontalHeaderItem(c)->text();
    }
    setHeader(header);
}

void NumberTable::setFirstColumnFits(bool fits) {
    m_firstFits = fits;
    horizontalHeader()->setSectionResizeMode(
        0, fits ? QHeaderView::ResizeToContents : QHeaderView::Stretch);
}

void NumberTable::setFitHeight(bool fit) {
    m_fit = fit;
    setVerticalScrollBarPolicy(fit ? Qt::ScrollBarAlwaysOff : Qt::ScrollBarAsNeeded);
    setSizePolicy(QSizePolicy::Expanding, fit ? QSizePolicy::Fixed : QSizePolicy::Expanding);
    updateGeometry();
}

void NumberTable::setRows(const std::vector<std::vector<NumberCell>>& rows) {
    const bool resized = rowCount() != static_cast<int>(rows.size());
    setRowCount(static_cast<int>(rows.size()));
    for (int r = 0; r < rowCount(); ++r) {
        const auto& cells = rows[static_cast<std::size_t>(r)];
        Q_ASSERT(static_cast<int>(cells.size()) == columnCount());
        for (int c = 0; c < columnCount(); ++c) {
            const NumberCell& cell = cells[static_cast<std::size_t>(c)];
            QTableWidgetItem* at = item(r, c);
            if (at == nullptr) {
                at = new QTableWidgetItem;
                setItem(r, c, at);
            }
            const QString exact = cell.exact.isEmpty() ? cell.text : cell.exact;
            at->setText(cell.text);
            at->setData(kExactRole, exact);
            QString tip = exact == cell.text ? QString() : exact;
            if (!cell.toolTip.isEmpty()) {
                tip += (tip.isEmpty() ? QString() : QStringLiteral("\n")) + cell.toolTip;
            }
            at->setToolTip(plainToolTip(tip));
            const bool text = c == 0 && !m_firstNumeric;
            at->setTextAlignment((text ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
            at->setData(Qt::ForegroundRole,
                        cell.colour.isValid() ? QVariant(QBrush(cell.colour)) : QVariant());
        }
    }
    if (resized && m_fit) {
        updateGeometry();
    }
}

QString NumberTable::exactText(QChar separator) const {
    QString out;
    for (int c = 0; c < columnCount(); ++c) {
        out += (c > 0 ? QString(separator) : QString()) +
               tableField(horizontalHeaderItem(c)->text(), separator);
    }
    out += u'\n';
    for (int r = 0; r < rowCount(); ++r) {
        for (int c = 0; c < columnCount(); ++c) {
            out += (c > 0 ? QString(separator) : QString()) +
                   tableField(item(r, c)->data(kExactRole).toString(), separator);
        }
        out += u'\n';
    }
    return out;
}

QString NumberTable::currentExact() const {
    const QTableWidgetItem* at = currentItem();
    return at == nullptr ? QString() : at->data(kExactRole).toString();
}

int NumberTable::contentHeight() const {
    int height = horizontalHeader()->isHidden() ? 0 : horizontalHeader()->sizeHint().height();
    for (int r = 0; r < rowCount(); ++r) {
        height += rowHeight(r);
    }
    return height + 2 * frameWidth();
}

QSize NumberTable::sizeHint() const {
    return {QTableWidget::sizeHint().width(), m_fit ? contentHeight() : contentHeight() + kGrid};
}

QSize NumberTable::minimumSizeHint() const {
    return {10 * kGrid, m_fit ? contentHeight() : 10 * kGrid};
}

void NumberTable::changeEvent(QEvent* event) {
    QTableWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) {
        restyle();
    }
}

void NumberTable::restyle() {
    const QFont figures = tabularFont(font());
    if (figures != font() && !testAttribute(Qt::WA_SetFont)) {
        setFont(figures);
        return;  // comes back here by FontChange
    }
    verticalHeader()->setDefaultSectionSize(
        std::max(3 * kGrid, QFontMetrics(figures).height() + kGrid));
    const ThemeColours colours = themeColours(palette());
    const QString sheet =
        QStringLiteral(
            "QHeaderView { background: transparent; }"
            "QHeaderView::section { background: transparent; border: none;"
            " border-bottom: 1px solid %1; color: %2; padding: 4px 8px 4px 4px; }")
            .arg(colours.grid.name(), colours.muted.name());
    if (horizontalHeader()->styleSheet() != sheet) {
        horizontalHeader()->setStyleSheet(sheet);
    }
}

QString tableField(const QString& text, QChar separator) {
    QString out = text;
    if (separator == u'\t') {
        return out.replace(u'\t', u' ').replace(u'\n', u' ');
    }
    bool isNumber = false;
    text.toDouble(&isNumber);
    if (!isNumber && !out.isEmpty() && QStringLiteral("=+-@").contains(out[0])) {
        out.prepend(u'\'');
    }
    if (out.contains(separator) || out.contains(u'"') || out.contains(u'\n')) {
        out.replace(u'"', QStringLiteral("\"\""));
        out = u'"' + out + u'"';
    }
    return out;
}

}  // namespace gatescope
