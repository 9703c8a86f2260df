// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <QTimer>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "engine/report/report_file.h"

class QLabel;
class QPushButton;

namespace gatescope {

class NoticeBar;
class PageView;
class ReportForm;
class ReportWorker;

/// A load-balance report of stored sessions: chosen, seen as pages, saved to be sent on. Made anew
/// when an input changes; never waits.
class ReportDialog final : public QDialog {
    Q_OBJECT

  public:
    /// `chosen`: the sessions that are chosen in the list.
    ReportDialog(std::filesystem::path sessionFile,
                 std::function<std::vector<std::int64_t>()> chosen, QWidget* parent);
    ~ReportDialog() override;

    /// Comes to the front with the sessions that are chosen now.
    void bringUp();
    /// The format is the ending's.
    void saveTo(const QString& file);
    /// A report that was saved as JSON, instead of one of sessions.
    void openReport(const QString& file);
    bool canSave() const { return m_ready && !m_saving; }

    ReportForm* form() const { return m_form; }
    PageView* preview() const { return m_preview; }
    NoticeBar* notice() const { return m_notice; }

  protected:
    void hideEvent(QHideEvent* event) override;

  private:
    void lay();
    void connectParts();
    void makeLater();
    void make();
    void begin(const QString& what);
    void onMade(int pages, QSizeF size);
    void onFailed(const QString& error);
    void onSaved(const QString& file);
    void showPlace(int page);
    void askWhere();
    void askWhich();
    void refresh();

    std::function<std::vector<std::int64_t>()> m_chosenNow;
    ReportWorker* m_worker;
    ReportForm* m_form;
    PageView* m_preview;
    NoticeBar* m_notice;
    QLabel* m_status;
    QPushButton* m_save;
    QPushButton* m_open;
    QTimer m_typing;
    QString m_opened;  ///< the report file that is shown; empty: sessions
    bool m_ready = false;
    bool m_saving = false;
};

}  // namespace gatescope
