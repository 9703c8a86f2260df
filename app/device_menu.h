// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <optional>
#include <thread>

#include "engine/model/make_device.h"

class QMenu;

namespace gatescope {

/// The menu that says where models run: the cpu, and every GPU in either precision, or why none is
/// offered. GPUs are looked for when the menu first opens, on a thread of its own, because a driver
/// may take a second to answer.
class DeviceMenu final : public QObject {
    Q_OBJECT

  public:
    /// `menu` must outlive this object.
    DeviceMenu(QMenu* menu, QObject* parent);
    ~DeviceMenu() override;

    /// Marks the device in use. A GPU named without a precision computes in fast.
    void setCurrent(const DeviceOptions& options);
    /// What the search found; until then the menu holds the cpu alone.
    void setReport(const BackendReport& report);

  Q_SIGNALS:
    void chosen(const gatescope::DeviceOptions& options);

  private:
    void lookForGpus();
    void fill();
    void addDevice(const QString& text, const DeviceOptions& options);
    void addNote(const QString& text);

    QMenu* m_menu;
    DeviceOptions m_current;
    std::optional<BackendReport> m_report;
    std::jthread m_search;
};

}  // namespace gatescope
