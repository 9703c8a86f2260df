// SPDX-License-Identifier: GPL-3.0-or-later
#include <QApplication>
#include <QIcon>
#include <QTemporaryDir>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "app/chat_controller.h"
#include "app/main_window.h"
#include "app/options.h"
#include "app/screenshot_job.h"
#include "app/settings.h"
#include "app/window_docks.h"
#include "engine/model/demo_model.h"
#include "engine/session/session_store.h"

namespace {

using namespace gatescope;

constexpr int kFailed = 1;

bool isSet(const char* variable) {
    const char* value = std::getenv(variable);
    return value != nullptr && *value != '\0';
}

int fail(const std::string& sentence) {
    std::fprintf(stderr, "gatescope: %s\n", sentence.c_str());
    return kFailed;
}

/// Without a display Qt warns of what a picture does not need.
void dropPlatformNoise(QtMsgType, const QMessageLogContext&, const QString& message) {
    if (!message.contains(QLatin1String("propagateSizeHints")) &&
        !message.contains(QLatin1String("XDG_RUNTIME_DIR"))) {
        std::fprintf(stderr, "%s\n", qUtf8Printable(message));
    }
}

/// False: there is nowhere to show a window.
bool chooseDisplay(const AppOptions& options) {
    if (isSet("DISPLAY") || isSet("WAYLAND_DISPLAY") || isSet("QT_QPA_PLATFORM")) {
        return true;
    }
    if (options.screenshot.empty()) {
        return false;
    }
    setenv("QT_QPA_PLATFORM", "offscreen", 1);
    return true;
}

Theme themeOf(const AppOptions& options, const AppSettings& settings) {
    return options.theme == "light"    ? Theme::Light
           : options.theme == "dark"   ? Theme::Dark
           : options.theme == "system" ? Theme::System
                                       : settings.theme();
}

int runWindow(QApplication& application, const AppOptions& options) {
    const bool picture = !options.screenshot.empty();
    // A picture comes from a fresh start and leaves the user's files alone.
    QTemporaryDir scratch;
    if (picture && !scratch.isValid()) {
        return fail("no temporary folder: " + scratch.errorString().toStdString());
    }
    AppSettings settings(picture ? QString() : AppSettings::defaultFile());
    applyTheme(themeOf(options, settings));

    WindowOptions window;
    window.load = options.load;
    window.size = options.width > 0 ? QSize(options.width, options.height)
                  : picture         ? kDefaultWindowSize
                                    : QSize();
    window.sessionFile =
        !options.session.empty() ? options.session
        : picture
            ? std::filesystem::path(scratch.filePath(QStringLiteral("sessions.db")).toStdString())
            : defaultSessionFile();
    const std::filesystem::path model = options.model.empty() ? demoModelDir() : options.model;
    if (model.empty() && picture) {
        return fail("the demo model is not beside the program; name a model folder");
    }
    MainWindow mainWindow(window, &settings);
    if (picture) {
        new ScreenshotJob(&mainWindow, QString::fromStdString(options.screenshot.string()),
                          !options.prompt.empty(), options.screenshotWhileGenerating);
    }
    mainWindow.show();
    if (!options.dock.empty()) {
        mainWindow.docks()->bringUp(QString::fromStdString(options.dock));
    }
    if (!model.empty()) {
        mainWindow.openModel(QString::fromStdString(model.string()));
        mainWindow.chat()->send(QString::fromStdString(options.prompt));
    }
    return application.exec();
}

}  // namespace

int main(int argc, char** argv) {
    const auto parsed = parseOptions(argc, argv);
    if (const int* code = std::get_if<int>(&parsed)) {
        return *code;
    }
    const AppOptions& options = std::get<AppOptions>(parsed);
    if (!chooseDisplay(options)) {
        return fail("there is no display here; use gatescope-cli chat in a terminal");
    }
    if (options.scale > 0) {
        setenv("QT_SCALE_FACTOR", std::to_string(options.scale).c_str(), 1);
    }
    if (!options.screenshot.empty()) {
        qInstallMessageHandler(dropPlatformNoise);
    }
    try {
        QApplication application(argc, argv);
        QApplication::setOrganizationName(QStringLiteral("gatescope"));
        QApplication::setApplicationName(QStringLiteral("gatescope"));
        QApplication::setApplicationDisplayName(QStringLiteral("Gatescope"));
        QApplication::setApplicationVersion(QStringLiteral(GATESCOPE_VERSION));
        QGuiApplication::setDesktopFileName(QStringLiteral("gatescope"));
        QSettings::setDefaultFormat(QSettings::IniFormat);
        return runWindow(application, options);
    } catch (const std::exception& error) {
        return fail(error.what());
    }
}
