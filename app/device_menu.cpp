// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/device_menu.h"

#include <QAction>
#include <QMenu>

#include "views/formats.h"
#include "views/literal_text.h"

namespace gatescope {
namespace {

Precision precisionOf(const DeviceOptions& options) {
    const Precision usual = options.name == "cpu" ? Precision::Exact : Precision::Fast;
    return options.precision.value_or(usual);
}

/// The menu shows text as it is: an ampersand of a name is no shortcut.
QString menuText(const std::string& text) {
    return literalText(QString::fromStdString(text)).replace(u'&', QStringLiteral("&&"));
}

}  // namespace

DeviceMenu::DeviceMenu(QMenu* menu, QObject* parent) : QObject(parent), m_menu(menu) {
    fill();
    connect(menu, &QMenu::aboutToShow, this, &DeviceMenu::lookForGpus);
}

DeviceMenu::~DeviceMenu() = default;

void DeviceMenu::setCurrent(const DeviceOptions& options) {
    m_current = options;
    fill();
}

void DeviceMenu::setReport(const BackendReport& report) {
    m_report = report;
    fill();
}

void DeviceMenu::lookForGpus() {
    if (m_report || m_search.joinable()) {
        return;
    }
    m_search = std::jthread([this] {
        // The call waits in this object's queue and goes with it; the thread is joined before that.
        QMetaObject::invokeMethod(
            this, [this, report = probeGpus()] { setReport(report); }, Qt::QueuedConnection);
    });
}

void DeviceMenu::fill() {
    m_menu->clear();
    addDevice(tr("CPU, exact (float32)"),
              {.name = "cpu", .precision = {}, .threads = m_current.threads});
    m_menu->addSeparator();
    if (!m_report) {
        addNote(tr("Looking for GPUs…"));
        return;
    }
    for (const BackendDevice& device : m_report->devices) {
        const QString name = menuText(device.name + ", " + device.model);
        if (!device.problem.empty()) {
            addNote(tr("%1: %2").arg(name, menuText(device.problem)));
            continue;
        }
        const QString memory = bytesText(static_cast<std::int64_t>(device.memory.free));
        for (const Precision precision : {Precision::Fast, Precision::Exact}) {
            const QString how =
                precision == Precision::Fast ? tr("fast (16-bit products)") : tr("exact (float32)");
            addDevice(tr("%1, %2 free, %3").arg(name, memory, how),
                      {.name = device.name, .precision = precision, .threads = m_current.threads});
        }
    }
    if (!m_report->problem.empty()) {
        addNote(tr("No GPU is offered: %1").arg(menuText(m_report->problem)));
    }
    if (!m_report->note.empty()) {
        addNote(menuText(m_report->note));
    }
}

void DeviceMenu::addDevice(const QString& text, const DeviceOptions& options) {
    QAction* action = m_menu->addAction(text);
    action->setCheckable(true);
    action->setChecked(options.name == m_current.name &&
                       precisionOf(options) == precisionOf(m_current));
    connect(action, &QAction::triggered, this, [this, options] { Q_EMIT chosen(options); });
}

void DeviceMenu::addNote(const QString& text) {
    m_menu->addAction(text)->setEnabled(false);
}

}  // namespace gatescope
