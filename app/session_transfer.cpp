// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session_transfer.h"

#include <QElapsedTimer>
#include <QFileDialog>
#include <QFileInfo>
#include <QProgressDialog>
#include <QThread>
#include <array>
#include <exception>
#include <utility>

#include "engine/error.h"
#include "engine/session/session_import.h"

namespace gatescope {

namespace {

constexpr qint64 kProgressMs = 100;
constexpr int kPartsOfBar = 1000;

std::filesystem::path pathOf(const QString& file) {
    return std::filesystem::path(file.toStdString());
}

QString endingOf(SessionFormat format) {
    const std::string_view ending = extension(format);
    return QString::fromLatin1(ending.data(), static_cast<qsizetype>(ending.size()));
}

std::array<std::pair<SessionFormat, QString>, 5> formats() {
    return {{{SessionFormat::JsonLines, SessionTransfer::tr("JSON Lines, everything")},
             {SessionFormat::Sqlite, SessionTransfer::tr("Session file, everything")},
             {SessionFormat::Markdown, SessionTransfer::tr("Markdown, the transcript")},
             {SessionFormat::Safetensors, SessionTransfer::tr("Safetensors, the routing")},
             {SessionFormat::Csv, SessionTransfer::tr("CSV, the routing")}}};
}

QString filterOf(const std::pair<SessionFormat, QString>& format) {
    return QStringLiteral("%1 (*%2)").arg(format.second, endingOf(format.first));
}

/// By the ending a person typed, else by the filter, whose ending the name then gets.
SessionFormat formatOf(QString& file, const QString& filter) {
    SessionFormat chosen = SessionFormat::JsonLines;
    for (const auto& format : formats()) {
        if (file.endsWith(endingOf(format.first))) {
            return format.first;
        }
        chosen = filterOf(format) == filter ? format.first : chosen;
    }
    if (QFileInfo(file).suffix().isEmpty()) {
        file += endingOf(chosen);
    }
    return chosen;
}

}  // namespace

SessionTransfer::SessionTransfer(std::filesystem::path sessionFile, QWidget* window)
    : QObject(window), m_file(std::move(sessionFile)), m_window(window) {}

SessionTransfer::~SessionTransfer() {
    cancel();
    if (m_thread != nullptr) {
        m_thread->wait();
        delete m_thread;
    }
}

void SessionTransfer::exportSessions(const std::vector<std::int64_t>& sessions) {
    if (sessions.empty()) {
        Q_EMIT failed(tr("Choose the sessions to export in the list first."));
        return;
    }
    QStringList filters;
    for (const auto& format : formats()) {
        filters += filterOf(format);
    }
    const QString name = sessions.size() == 1
                             ? tr("session %1").arg(sessions.front())
                             : tr("%n sessions", nullptr, static_cast<int>(sessions.size()));
    QString filter = filters.front();
    QString file = QFileDialog::getSaveFileName(m_window, tr("Export sessions"), name,
                                                filters.join(QStringLiteral(";;")), &filter);
    if (file.isEmpty()) {
        return;
    }
    const QString typed = file;
    const SessionFormat format = formatOf(file, filter);
    if (file != typed && QFileInfo::exists(file)) {  // nobody agreed to replace that one
        Q_EMIT failed(tr("%1 is there already; choose another name.").arg(file));
        return;
    }
    exportTo(sessions, format, file);
}

void SessionTransfer::importSessions() {
    const QString file = QFileDialog::getOpenFileName(
        m_window, tr("Import sessions"), {},
        tr("Sessions (*.db *.jsonl)") + QStringLiteral(";;") + tr("All files (*)"));
    if (!file.isEmpty()) {
        importFrom(file);
    }
}

void SessionTransfer::exportTo(const std::vector<std::int64_t>& sessions, SessionFormat format,
                               const QString& target) {
    start(tr("Exporting…"), [this, sessions, format, target](const Progress& progress) {
        gatescope::exportSessions(m_file, sessions, format, pathOf(target), progress);
        return [this, target] { Q_EMIT exported(target); };
    });
}

void SessionTransfer::importFrom(const QString& file) {
    start(tr("Importing…"), [this, file](const Progress& progress) {
        const auto added = gatescope::importSessions(m_file, pathOf(file), progress);
        return [this, added] { Q_EMIT imported(added); };
    });
}

void SessionTransfer::start(const QString& title, Work work) {
    if (isRunning()) {
        Q_EMIT failed(tr("Another export or import is still running."));
        return;
    }
    m_stop = std::stop_source();
    m_dialog = new QProgressDialog(title, tr("Cancel"), 0, 0, m_window);
    m_dialog->setWindowTitle(title);
    m_dialog->setAutoReset(false);
    m_dialog->setAutoClose(false);
    m_dialog->setMinimumDuration(500);
    connect(m_dialog, &QProgressDialog::canceled, this, &SessionTransfer::cancel);
    auto since = std::make_shared<QElapsedTimer>();
    const Progress progress = [this, since, stop = m_stop.get_token()](
                                  std::string_view, std::uint64_t done, std::uint64_t total) {
        if (total > 0 && (!since->isValid() || since->elapsed() >= kProgressMs)) {
            since->start();
            const int part =
                static_cast<int>(static_cast<double>(kPartsOfBar) * static_cast<double>(done) /
                                 static_cast<double>(total));
            QMetaObject::invokeMethod(
                this,
                [this, part] {
                    if (m_dialog != nullptr) {
                        m_dialog->setMaximum(kPartsOfBar);
                        m_dialog->setValue(part);
                    }
                },
                Qt::QueuedConnection);
        }
        return !stop.stop_requested();
    };
    m_thread = QThread::create([this, work = std::move(work), progress] {
        std::function<void()> then;
        try {
            then = work(progress);
        } catch (const Cancelled&) {
            then = [] {};
        } catch (const std::exception& error) {
            then = [this, what = QString::fromUtf8(error.what())] { Q_EMIT failed(what); };
        }
        QMetaObject::invokeMethod(
            this, [this, then] { end(then); }, Qt::QueuedConnection);
    });
    m_thread->start();
}

void SessionTransfer::end(const std::function<void()>& then) {
    m_thread->wait();
    delete std::exchange(m_thread, nullptr);
    m_dialog->deleteLater();
    m_dialog->hide();
    m_dialog = nullptr;
    then();
}

}  // namespace gatescope
