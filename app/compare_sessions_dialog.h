// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <map>
#include <vector>

#include "views/session_list_view.h"

class QLabel;
class QLineEdit;
class QPushButton;
class QTableWidget;

namespace gatescope {

/// Chooses sessions of the log for the sides of a comparison: a letter on the selected lines puts
/// them there. For one side alone the selection itself is it.
class CompareSessionsDialog final : public QDialog {
    Q_OBJECT

  public:
    CompareSessionsDialog(const std::vector<SessionListItem>& sessions, bool manySides,
                          QWidget* parent);

    /// Puts the selected sessions on a side (0 is A); below 0 on none.
    void assign(int side);
    void setSide(std::int64_t session, int side);
    /// Of each side with sessions, in order: "12,14".
    QStringList sides() const;
    QLineEdit* filter() const { return m_filter; }
    QTableWidget* table() const { return m_table; }

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    void fill();
    void applyFilter();
    void refresh();

    std::vector<SessionListItem> m_sessions;
    std::map<std::int64_t, int> m_sides;
    bool m_many;
    QLineEdit* m_filter;
    QTableWidget* m_table;
    QLabel* m_note;
    QPushButton* m_ok = nullptr;
};

}  // namespace gatescope
