// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/session_delegate.h"

#include <QDateTime>
#include <QLineEdit>
#include <QPainter>

#include "views/formats.h"
#include "views/session_list_model.h"
#include "views/theme.h"

namespace gatescope {
namespace {

constexpr int kTagPad = 4;
constexpr int kPin = 6;

QRect textRect(const QRect& rect) {
    return rect.adjusted(kGrid + 4, kGrid - 1, -kGrid, -kGrid);
}

int heightOf(const QFont& font) {
    return QFontMetrics(font).height();
}

}  // namespace

QSize SessionDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const {
    const int small = heightOf(smallFont(option.font));
    return {12 * kGrid, heightOf(option.font) + (m_snippets ? 2 : 1) * small + 2 * kGrid};
}

void SessionDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option,
                            const QModelIndex& index) const {
    const auto* model = qobject_cast<const SessionListModel*>(index.model());
    const SessionListItem* session = model != nullptr ? model->at(index) : nullptr;
    if (session == nullptr) {
        return;
    }
    painter->save();
    paintGround(painter, option);
    const ThemeColours colours = themeColours(option.palette);
    QRect line = textRect(option.rect);
    line.setHeight(heightOf(option.font));
    QRect title = line;
    if (session->pinned) {  // a small diamond at the right
        const QRectF box(line.right() - kPin, line.center().y() - kPin / 2.0, kPin, kPin);
        painter->setRenderHint(QPainter::Antialiasing);
        painter->setPen(Qt::NoPen);
        painter->setBrush(colours.accent);
        painter->drawPolygon(QPolygonF({{box.center().x(), box.top()},
                                        {box.right(), box.center().y()},
                                        {box.center().x(), box.bottom()},
                                        {box.left(), box.center().y()}}));
        title.setRight(line.right() - kPin - kGrid);
    }
    painter->setFont(option.font);
    painter->setPen(session->deleted ? colours.muted : option.palette.color(QPalette::Text));
    painter->drawText(title, Qt::AlignVCenter | Qt::AlignLeft | Qt::TextSingleLine,
                      QFontMetrics(option.font)
                          .elidedText(index.data().toString(), Qt::ElideRight, title.width()));
    const QFont small = smallFont(option.font);
    line.translate(0, line.height());
    line.setHeight(heightOf(small));
    const QRect details = paintTags(painter, option, line, session->tags);
    painter->setFont(small);
    painter->setPen(colours.muted);
    painter->drawText(details, Qt::AlignVCenter | Qt::AlignLeft | Qt::TextSingleLine,
                      QFontMetrics(small).elidedText(
                          SessionListModel::details(*session, QDateTime::currentMSecsSinceEpoch()),
                          Qt::ElideRight, details.width()));
    if (m_snippets && !session->snippet.isEmpty()) {
        paintSnippet(painter, option, line.translated(0, line.height()), *session);
    }
    painter->restore();
}

void SessionDelegate::paintGround(QPainter* painter, const QStyleOptionViewItem& option) const {
    const ThemeColours colours = themeColours(option.palette);
    const bool selected = option.state & QStyle::State_Selected;
    if (selected || option.state & QStyle::State_MouseOver) {
        QColor ground = selected ? colours.accent : colours.neutral;
        ground.setAlphaF(selected ? 0.18F : 0.12F);
        painter->fillRect(option.rect, ground);
    }
    if (selected) {
        painter->fillRect(QRect(option.rect.topLeft(), QSize(3, option.rect.height())),
                          colours.accent);
    }
}

QRect SessionDelegate::paintTags(QPainter* painter, const QStyleOptionViewItem& option,
                                 const QRect& line, const QStringList& tags) const {
    const QFont small = smallFont(option.font);
    const QFontMetrics metrics(small);
    const ThemeColours colours = themeColours(option.palette);
    int right = line.right() + 1;
    const int least = line.left() + line.width() / 2;  // the other half is for the details
    painter->setFont(small);
    for (const QString& tag : tags) {
        const int room = right - least - 2 * kTagPad;
        const QString text =
            metrics.elidedText(visibleText(tag), Qt::ElideRight, qMin(room, 10 * kGrid));
        const int width = metrics.horizontalAdvance(text) + 2 * kTagPad;
        if (room < 3 * kGrid || right - width < least) {
            break;
        }
        const QRect box(right - width, line.top(), width, line.height());
        QColor ground = colours.neutral;
        ground.setAlphaF(0.25F);
        painter->setRenderHint(QPainter::Antialiasing);
        painter->setPen(Qt::NoPen);
        painter->setBrush(ground);
        painter->drawRoundedRect(box, 3, 3);
        painter->setPen(option.palette.color(QPalette::Text));
        painter->drawText(box, Qt::AlignCenter | Qt::TextSingleLine, text);
        right -= width + kTagPad;
    }
    return {line.topLeft(),
            QSize(right - line.left() - (tags.isEmpty() ? 0 : kTagPad), line.height())};
}

void SessionDelegate::paintSnippet(QPainter* painter, const QStyleOptionViewItem& option,
                                   const QRect& line, const SessionListItem& session) const {
    const QFont small = smallFont(option.font);
    QFont bold = small;
    bold.setWeight(QFont::DemiBold);
    const ThemeColours colours = themeColours(option.palette);
    int left = line.left();
    const auto draw = [&](const QString& text, const QFont& font, const QColor& colour) {
        const QFontMetrics metrics(font);
        const int room = line.right() - left;
        if (room <= 0 || text.isEmpty()) {
            return;
        }
        const QString shown = metrics.elidedText(text, Qt::ElideRight, room);
        painter->setFont(font);
        painter->setPen(colour);
        painter->drawText(QRect(left, line.top(), room, line.height()),
                          Qt::AlignVCenter | Qt::AlignLeft | Qt::TextSingleLine, shown);
        left += metrics.horizontalAdvance(text);
    };
    const QString& text = session.snippet;
    draw(visibleText(text.left(session.matchBegin)), small, colours.muted);
    draw(visibleText(text.mid(session.matchBegin, session.matchLength)), bold, colours.accent);
    draw(visibleText(text.mid(session.matchBegin + session.matchLength)), small, colours.muted);
}

QWidget* SessionDelegate::createEditor(QWidget* parent, const QStyleOptionViewItem&,
                                       const QModelIndex&) const {
    auto* editor = new QLineEdit(parent);
    editor->setAccessibleName(tr("Title"));
    return editor;
}

void SessionDelegate::updateEditorGeometry(QWidget* editor, const QStyleOptionViewItem& option,
                                           const QModelIndex&) const {
    QRect place = option.rect.adjusted(kGrid / 2, 0, -kGrid / 2, 0);
    place.setHeight(qMin(editor->sizeHint().height(), option.rect.height()));
    editor->setGeometry(place);
}

}  // namespace gatescope
