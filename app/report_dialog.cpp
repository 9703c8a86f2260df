// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/report_dialog.h"

#include <QDialogButtonBox>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QHideEvent>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "app/notice_bar.h"
#include "app/report_worker.h"
#include "views/message_label.h"
#include "views/page_view.h"
#include "views/report_form.h"
#include "views/theme.h"

namespace gatescope {

namespace {

constexpr int kTypingPauseMs = 400;
constexpr QSize kDialogSize(130 * kGrid, 96 * kGrid);
constexpr int kFormWidth = 32 * kGrid;

/// "3-5,9".
QString numbersText(std::vector<std::int64_t> sessions) {
    std::sort(sessions.begin(), sessions.end());
    QStringList parts;
    for (std::size_t i = 0; i < sessions.size();) {
        std::size_t end = i + 1;
        while (end < sessions.size() && sessions[end] == sessions[end - 1] + 1) {
            ++end;
        }
        parts += end - i == 1 ? QString::number(sessions[i])
                              : QStringLiteral("%1-%2").arg(sessions[i]).arg(sessions[end - 1]);
        i = end;
    }
    return parts.join(u',');
}

}  // namespace

ReportDialog::ReportDialog(std::filesystem::path sessionFile,
                           std::function<std::vector<std::int64_t>()> chosen, QWidget* parent)
    : QDialog(parent),
      m_chosenNow(std::move(chosen)),
      m_worker(new ReportWorker(std::move(sessionFile), this)),
      m_form(new ReportForm),
      m_preview(new PageView),
      m_notice(new NoticeBar),
      m_status(makeNoteLabel()),
      m_save(new QPushButton(tr("Sa&ve as…"))),
      m_open(new QPushButton(tr("&Open report…"))) {
    setWindowTitle(tr("Load-balance report"));
    m_typing.setSingleShot(true);
    m_typing.setInterval(kTypingPauseMs);
    lay();
    connectParts();
    resize(kDialogSize);
}

ReportDialog::~ReportDialog() = default;

void ReportDialog::lay() {
    auto* left = new QWidget;
    auto* side = new QVBoxLayout(left);
    side->setContentsMargins(0, 0, 0, 0);
    side->addWidget(m_form);
    side->addStretch(1);
    left->setFixedWidth(kFormWidth);
    auto* row = new QHBoxLayout;
    row->setSpacing(2 * kGrid);
    row->addWidget(left);
    row->addWidget(m_preview, 1);
    auto* buttons = new QDialogButtonBox;
    buttons->addButton(m_save, QDialogButtonBox::ActionRole);
    buttons->addButton(m_open, QDialogButtonBox::ActionRole);
    QPushButton* close = buttons->addButton(QDialogButtonBox::Close);
    close->setText(tr("&Close"));
    close->setAutoDefault(false);
    m_open->setAutoDefault(false);
    m_save->setDefault(true);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    auto* bottom = new QHBoxLayout;
    bottom->addWidget(m_status, 1);
    bottom->addWidget(buttons);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(2 * kGrid, 2 * kGrid, 2 * kGrid, 2 * kGrid);
    column->setSpacing(2 * kGrid);
    column->addWidget(m_notice);
    column->addLayout(row, 1);
    column->addLayout(bottom);
}

void ReportDialog::connectParts() {
    connect(m_form, &ReportForm::changed, this, &ReportDialog::makeLater);
    connect(&m_typing, &QTimer::timeout, this, &ReportDialog::make);
    connect(m_worker, &ReportWorker::made, this,
            [this](const auto&, int pages, QSizeF size) { onMade(pages, size); });
    connect(m_worker, &ReportWorker::pageDrawn, m_preview, &PageView::setImage);
    connect(m_worker, &ReportWorker::failed, this, &ReportDialog::onFailed);
    connect(m_worker, &ReportWorker::saved, this, &ReportDialog::onSaved);
    connect(m_worker, &ReportWorker::progressed, this, [this](const QString& text) {
        if (!m_ready || m_saving) {
            m_status->setText(text);
        }
    });
    connect(m_preview, &PageView::imageWanted, m_worker, &ReportWorker::drawPage);
    connect(m_preview, &PageView::currentPageChanged, this, &ReportDialog::showPlace);
    connect(m_save, &QPushButton::clicked, this, &ReportDialog::askWhere);
    connect(m_open, &QPushButton::clicked, this, &ReportDialog::askWhich);
}

void ReportDialog::bringUp() {
    const std::vector<std::int64_t> chosen = m_chosenNow();
    m_form->setSessions(chosen.size() > 1 ? numbersText(chosen) : QString());
    show();
    raise();
    activateWindow();
    make();
}

void ReportDialog::hideEvent(QHideEvent* event) {
    QDialog::hideEvent(event);
    if (!event->spontaneous()) {  // closed, not minimised
        m_typing.stop();
        m_worker->cancel();
    }
}

void ReportDialog::begin(const QString& what) {
    m_ready = false;
    m_notice->showNotice(NoticeBar::Kind::Error, {});
    m_status->setText(what);
    m_preview->setMessage(what);
    refresh();
}

void ReportDialog::makeLater() {
    m_worker->cancel();
    begin(tr("Making the report…"));
    m_typing.start();
}

void ReportDialog::make() {
    m_typing.stop();
    m_opened.clear();
    begin(tr("Making the report…"));
    m_worker->collect(m_form->inputs());
}

void ReportDialog::openReport(const QString& file) {
    m_typing.stop();
    m_opened = file;
    begin(tr("Opening the report…"));
    m_worker->open(file, m_form->inputs().language);
}

void ReportDialog::onMade(int pages, QSizeF size) {
    m_ready = true;
    m_preview->setMessage({});
    m_preview->setPages(pages, size);
    refresh();
}

void ReportDialog::showPlace(int page) {
    if (m_ready && page >= 0) {
        m_status->setText(tr("Page %1 of %2").arg(page + 1).arg(m_preview->pages()));
    }
}

void ReportDialog::onFailed(const QString& error) {
    m_notice->showNotice(NoticeBar::Kind::Error, error);
    m_status->clear();
    if (m_saving) {  // the report itself is still there
        m_saving = false;
    } else {
        m_preview->setMessage(tr("There is no report to show."));
    }
    refresh();
}

void ReportDialog::onSaved(const QString& file) {
    m_saving = false;
    m_notice->showNotice(NoticeBar::Kind::Info, tr("Saved as %1.").arg(file));
    showPlace(m_preview->currentPage());
    refresh();
}

void ReportDialog::refresh() {
    m_save->setEnabled(canSave());
}

void ReportDialog::askWhere() {
    if (!canSave()) {
        return;
    }
    auto* dialog = new QFileDialog(this, tr("Save the report"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setNameFilters({tr("HTML, one file (*.html)"), tr("PDF (*.pdf)"),
                            tr("JSON, can be opened again (*.json)"),
                            tr("All tables as CSV (*.zip)"), tr("Metrics as CSV (*.csv)")});
    const auto suffix = [dialog](const QString& filter) {
        dialog->setDefaultSuffix(filter.section(QStringLiteral("(*."), 1).chopped(1));
    };
    suffix(dialog->selectedNameFilter());
    connect(dialog, &QFileDialog::filterSelected, dialog, suffix);
    dialog->selectFile(QStringLiteral("report.html"));
    connect(dialog, &QFileDialog::fileSelected, this, &ReportDialog::saveTo);
    dialog->open();
}

void ReportDialog::askWhich() {
    auto* dialog = new QFileDialog(this, tr("Open a report"), {}, tr("Reports (*.json)"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::ExistingFile);
    connect(dialog, &QFileDialog::fileSelected, this, &ReportDialog::openReport);
    dialog->open();
}

void ReportDialog::saveTo(const QString& file) {
    if (!canSave()) {
        return;
    }
    ReportFileOptions options;
    const auto format = reportFormatOf(file.toStdString());
    if (!format) {
        m_notice->showNotice(
            NoticeBar::Kind::Error,
            tr("%1: the name has to end in .html, .pdf, .json, .zip or .csv.").arg(file));
        return;
    }
    options.format = *format;
    options.language = m_form->inputs().language;
    m_saving = true;
    m_status->setText(tr("Saving…"));
    refresh();
    m_worker->save(file, options);
}

}  // namespace gatescope
