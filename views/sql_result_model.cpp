// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/sql_result_model.h"

#include <QGuiApplication>
#include <QPalette>

#include "engine/session/sql_table_text.h"
#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {

namespace {

constexpr int kCellChars = 200;
constexpr int kToolTipChars = 2000;
constexpr std::size_t kBlobBytes = 16;

bool isNumber(const SqlCell& cell) {
    return std::holds_alternative<std::int64_t>(cell) || std::holds_alternative<double>(cell);
}

}  // namespace

void SqlResultModel::setResult(std::shared_ptr<const SqlResult> result) {
    beginResetModel();
    m_result = std::move(result);
    endResetModel();
}

const SqlCell& SqlResultModel::cell(const QModelIndex& index) const {
    return m_result
        ->rows[static_cast<std::size_t>(index.row())][static_cast<std::size_t>(index.column())];
}

QString SqlResultModel::exactText(const QModelIndex& index) const {
    return index.isValid() ? QString::fromStdString(cellText(cell(index))) : QString();
}

int SqlResultModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() || !m_result ? 0 : static_cast<int>(m_result->rows.size());
}

int SqlResultModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() || !m_result ? 0 : static_cast<int>(m_result->columns.size());
}

QVariant SqlResultModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid()) {
        return {};
    }
    const SqlCell& value = cell(index);
    const bool null = std::holds_alternative<std::monostate>(value);
    switch (role) {
        case Qt::DisplayRole:
            if (null) {
                return QStringLiteral("NULL");
            }
            if (const auto* number = std::get_if<double>(&value)) {
                return threeDigits(*number);
            }
            return visibleText(QString::fromStdString(cellText(value, kBlobBytes)), kCellChars);
        case Qt::ToolTipRole:
            return null ? QString()
                        : plainToolTip(visibleText(
                              QString::fromStdString(cellText(value, kToolTipChars / 2)),
                              kToolTipChars));
        case Qt::TextAlignmentRole:
            return static_cast<int>((isNumber(value) ? Qt::AlignRight : Qt::AlignLeft) |
                                    Qt::AlignVCenter);
        case Qt::ForegroundRole:
            return null ? QVariant(themeColours(QGuiApplication::palette()).muted) : QVariant();
        default:
            return {};
    }
}

QVariant SqlResultModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation == Qt::Vertical) {
        return role == Qt::DisplayRole ? QVariant(section + 1) : QVariant();
    }
    if (role == Qt::TextAlignmentRole) {
        const bool numbers = m_result && !m_result->rows.empty() &&
                             isNumber(m_result->rows[0][static_cast<std::size_t>(section)]);
        return static_cast<int>((numbers ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    }
    return role == Qt::DisplayRole
               ? QVariant(visibleText(
                     QString::fromStdString(m_result->columns[static_cast<std::size_t>(section)]),
                     kCellChars))
               : QVariant();
}

}  // namespace gatescope
