// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QObject>
#include <QSizeF>
#include <QString>
#include <filesystem>
#include <memory>

#include "engine/report/report_file.h"
#include "engine/report/report_value.h"
#include "views/report_form.h"

namespace gatescope {

class BackgroundWork;
class PagePreview;

/// Collects, lays out and writes reports in a thread of its own. What is asked for next ends what
/// runs; only the newest answers.
class ReportWorker final : public QObject {
    Q_OBJECT

  public:
    ReportWorker(std::filesystem::path sessionFile, QObject* parent);
    ~ReportWorker() override;

    void collect(const ReportInputs& inputs);
    /// A report that was written as JSON.
    void open(const QString& file, ReportLanguage language);
    /// Of the report made last.
    void drawPage(int page, double scale);
    void save(const QString& file, const ReportFileOptions& options);
    void cancel();

  Q_SIGNALS:
    void made(std::shared_ptr<const gatescope::ReportValue> report, int pages, QSizeF size);
    void pageDrawn(int page, double scale, const QImage& image);
    void saved(const QString& file);
    /// Nothing was made, or not written: one sentence.
    void failed(const QString& error);
    void progressed(const QString& text);

  private:
    struct Made {
        std::shared_ptr<const ReportValue> report;
        std::shared_ptr<const PagePreview> preview;  ///< used in the thread only
    };
    Made lay(ReportValue report, ReportLanguage language, const Progress& progress) const;
    void setMade(const Made& made);

    std::filesystem::path m_file;
    Made m_made;
    BackgroundWork* m_work;
};

}  // namespace gatescope
