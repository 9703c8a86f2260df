// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStyledItemDelegate>

namespace gatescope {

struct SessionListItem;

/// Draws a line of the session list: title, details with the tags beside them, and where a search
/// found something, a piece of the text.
class SessionDelegate final : public QStyledItemDelegate {
    Q_OBJECT

  public:
    using QStyledItemDelegate::QStyledItemDelegate;

    /// Room for snippets in every line.
    void setSnippets(bool on) { m_snippets = on; }

    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    void paint(QPainter* painter, const QStyleOptionViewItem& option,
               const QModelIndex& index) const override;
    QWidget* createEditor(QWidget* parent, const QStyleOptionViewItem& option,
                          const QModelIndex& index) const override;
    void updateEditorGeometry(QWidget* editor, const QStyleOptionViewItem& option,
                              const QModelIndex& index) const override;

  private:
    void paintGround(QPainter* painter, const QStyleOptionViewItem& option) const;
    /// Returns what is left of the line for other things.
    QRect paintTags(QPainter* painter, const QStyleOptionViewItem& option, const QRect& line,
                    const QStringList& tags) const;
    void paintSnippet(QPainter* painter, const QStyleOptionViewItem& option, const QRect& line,
                      const SessionListItem& session) const;

    bool m_snippets = false;
};

}  // namespace gatescope
