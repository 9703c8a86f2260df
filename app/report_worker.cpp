// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/report_worker.h"

#include <QDateTime>
#include <cstring>
#include <utility>

#include "app/background_work.h"
#include "engine/report/collect_report.h"
#include "engine/report/page_images.h"
#include "engine/report/report_document.h"
#include "engine/session/compared_session.h"

namespace gatescope {

namespace {

std::vector<std::int64_t> numbers(const QString& text) {
    return text.isEmpty() ? std::vector<std::int64_t>() : sessionsFromText(text.toStdString());
}

/// Throws Error for session numbers that are none.
ReportRequest requestOf(const ReportInputs& inputs) {
    ReportRequest request;
    request.sessions = numbers(inputs.sessions);
    request.against = numbers(inputs.against);
    request.prompts = inputs.prompts;
    request.phases = kDefaultPhases | (inputs.special ? kSpecialTokens : 0);
    request.program = "gatescope " GATESCOPE_VERSION;
    request.createdMs = QDateTime::currentMSecsSinceEpoch();
    if (inputs.placement) {
        request.placement.emplace();
        request.placement->shape.slots = 0;  // as many as collectReport gives
        request.placement->shape.gpus = inputs.gpus;
        request.placement->shape.nodes = inputs.nodes;
    }
    return request;
}

QImage imageOf(const PageImage& page) {
    QImage image(page.width, page.height, QImage::Format_RGB32);
    for (int y = 0; y < page.height; ++y) {
        std::memcpy(image.scanLine(y),
                    reinterpret_cast<const char*>(page.pixels.data()) +
                        static_cast<std::ptrdiff_t>(y) * page.stride,
                    static_cast<std::size_t>(page.width) * sizeof(std::uint32_t));
    }
    return image;
}

}  // namespace

ReportWorker::ReportWorker(std::filesystem::path sessionFile, QObject* parent)
    : QObject(parent),
      m_file(std::move(sessionFile)),
      m_work(new BackgroundWork(QStringLiteral("report"), this)) {
    connect(m_work, &BackgroundWork::failed, this, &ReportWorker::failed);
    connect(m_work, &BackgroundWork::progressed, this, &ReportWorker::progressed);
}

ReportWorker::~ReportWorker() {
    delete m_work;  // before what it works on
}

void ReportWorker::cancel() {
    m_work->cancel();
}

ReportWorker::Made ReportWorker::lay(ReportValue report, ReportLanguage language,
                                     const Progress& progress) const {
    Made made;
    made.preview = std::make_shared<const PagePreview>(reportDocument(report, language), progress);
    made.report = std::make_shared<const ReportValue>(std::move(report));
    return made;
}

void ReportWorker::setMade(const Made& made) {
    m_made = made;
    Q_EMIT this->made(made.report, static_cast<int>(made.preview->pages()),
                      QSizeF(PagePreview::pageWidth(), PagePreview::pageHeight()));
}

void ReportWorker::collect(const ReportInputs& inputs) {
    m_work->start([this, inputs, file = m_file](const Progress& progress,
                                                const std::stop_token& stop) {
        const Made made =
            lay(collectReport(file, requestOf(inputs), progress, stop), inputs.language, progress);
        return [this, made] { setMade(made); };
    });
}

void ReportWorker::open(const QString& file, ReportLanguage language) {
    m_work->start([this, file, language](const Progress& progress, const std::stop_token&) {
        const Made made = lay(readReport(file.toStdString()), language, progress);
        return [this, made] { setMade(made); };
    });
}

void ReportWorker::drawPage(int page, double scale) {
    if (m_made.preview == nullptr) {
        return;
    }
    m_work->follow(
        [this, page, scale, preview = m_made.preview](const Progress&, const std::stop_token&) {
            const QImage image = imageOf(preview->image(static_cast<std::size_t>(page), scale));
            return [this, page, scale, image, preview] {
                if (preview == m_made.preview) {
                    Q_EMIT pageDrawn(page, scale, image);
                }
            };
        });
}

void ReportWorker::save(const QString& file, const ReportFileOptions& options) {
    if (m_made.report == nullptr) {
        return;
    }
    m_work->post([this, file, options, report = m_made.report](const Progress& progress,
                                                               const std::stop_token&) {
        writeReport(*report, file.toStdString(), options, progress);
        return [this, file] { Q_EMIT saved(file); };
    });
}

}  // namespace gatescope
