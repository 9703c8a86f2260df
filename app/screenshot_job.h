// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>

namespace gatescope {

class MainWindow;

/// Waits until the window shows what was asked for, saves its picture and ends the program: exit
/// code 0, or 1 with one sentence on standard error.
class ScreenshotJob final : public QObject {
    Q_OBJECT

  public:
    /// `tokens` > 0: while generating, after that many. Without a prompt the picture is taken as
    /// soon as the model is loaded.
    ScreenshotJob(MainWindow* window, const QString& file, bool prompted, int tokens);

  private:
    void onState();
    void take();
    void fail(const QString& why);

    MainWindow* m_window;
    QString m_file;
    bool m_prompted;
    int m_tokens;
    bool m_sent = false;
    bool m_done = false;
};

}  // namespace gatescope
