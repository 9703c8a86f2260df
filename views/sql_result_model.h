// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <memory>

#include "engine/session/sql_result.h"

namespace gatescope {

/// A query's rows for a table; cells are made when they are shown.
class SqlResultModel final : public QAbstractTableModel {
    Q_OBJECT

  public:
    using QAbstractTableModel::QAbstractTableModel;

    void setResult(std::shared_ptr<const SqlResult> result);
    /// All digits and all text; NULL is empty.
    QString exactText(const QModelIndex& index) const;

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  private:
    const SqlCell& cell(const QModelIndex& index) const;

    std::shared_ptr<const SqlResult> m_result;
};

}  // namespace gatescope
