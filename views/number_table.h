// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTableWidget>
#include <vector>

namespace gatescope {

/// One cell: what is shown, and all digits for the tooltip and for copying.
struct NumberCell {
    QString text;
    QString exact;    ///< empty: the text
    QString toolTip;  ///< a definition, shown below the exact value
    QColor colour;    ///< invalid: the palette's text
};

/// A quiet read-only table: first column as text, the others right-aligned in tabular figures.
class NumberTable final : public QTableWidget {
    Q_OBJECT

  public:
    explicit NumberTable(const QStringList& header, QWidget* parent = nullptr);

    /// All rows must be as long as the header.
    void setRows(const std::vector<std::vector<NumberCell>>& rows);
    void setHeader(const QStringList& header);
    /// Right-align the first column too (numbers in every column).
    void setFirstColumnNumeric(bool numeric);
    /// The first column as wide as its contents, for tables of many columns: they scroll sideways.
    void setFirstColumnFits(bool fits);
    /// As tall as its rows, never scrolling.
    void setFitHeight(bool fit);
    /// The table with all digits.
    QString exactText(QChar separator) const;
    QString currentExact() const;  ///< of the current cell

    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

  protected:
    void changeEvent(QEvent* event) override;

  private:
    void restyle();
    int contentHeight() const;

    bool m_firstNumeric = false;
    bool m_firstFits = false;
    bool m_fit = false;
};

/// Quotes a field for CSV where needed; neutralises a leading =, +, - or @ of text (not of
/// numbers), which spreadsheets would run as a formula. With a tab as separator, tabs become
/// spaces.
QString tableField(const QString& text, QChar separator);

}  // namespace gatescope
