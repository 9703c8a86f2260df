// SPDX-License-Identifier: GPL-3.0-or-later
// The real window on a GPU whose kernels run on the CPU (tests/simt).

#include <QAction>
#include <QMenu>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include "app/chat_controller.h"
#include "app/chat_pane.h"
#include "app/device_menu.h"
#include "app/main_window.h"
#include "app/status_strip.h"
#include "app/window_actions.h"
#include "app/window_docks.h"
#include "views/chat_input.h"
#include "views/routing_view.h"
#include "views/transcript_view.h"

using namespace gatescope;

namespace {

constexpr int kPatience = 240000;  // only ever waited for when something is wrong

QStringList texts(const QMenu& menu) {
    QStringList list;
    for (const QAction* action : menu.actions()) {
        if (!action->isSeparator()) {
            list.append(action->text());
        }
    }
    return list;
}

BackendDevice gpu(const std::string& name, const std::string& problem = {}) {
    return {.name = name,
            .model = "Card & Co",
            .memory = {std::size_t{8} << 30, std::size_t{16} << 30},
            .computeUnits = 8,
            .capability = "9.0",
            .problem = problem};
}

}  // namespace

class WindowCudaTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void menuOffersEveryGpuInBothPrecisions() {
        QMenu menu;
        DeviceMenu devices(&menu, nullptr);
        QCOMPARE(texts(menu), (QStringList{"CPU, exact (float32)", "Looking for GPUs…"}));
        devices.setReport({.devices = {gpu("cuda:0"), gpu("cuda:1", "not enough memory")},
                           .problem = {},
                           .note = "cuBLAS was not found"});
        QCOMPARE(texts(menu),
                 (QStringList{"CPU, exact (float32)",
                              "cuda:0, Card && Co, 8.00\u00A0GiB free, fast (16-bit products)",
                              "cuda:0, Card && Co, 8.00\u00A0GiB free, exact (float32)",
                              "cuda:1, Card && Co: not enough memory", "cuBLAS was not found"}));
        QVERIFY(menu.actions()[0]->isChecked());
        devices.setCurrent({.name = "cuda:0", .precision = {}, .threads = 0});
        QVERIFY(!menu.actions()[0]->isChecked());
        QVERIFY(menu.actions()[2]->isChecked());
        QSignalSpy chosen(&devices, &DeviceMenu::chosen);
        menu.actions()[3]->trigger();
        QCOMPARE(chosen.count(), 1);
        const auto options = chosen.at(0).at(0).value<DeviceOptions>();
        QCOMPARE(options.name, std::string("cuda:0"));
        QCOMPARE(options.precision.value(), Precision::Exact);
    }

    void menuSaysWhyThereIsNoGpu() {
        QMenu menu;
        DeviceMenu devices(&menu, nullptr);
        devices.setReport({.devices = {}, .problem = "no NVIDIA driver is installed", .note = {}});
        QCOMPARE(texts(menu), (QStringList{"CPU, exact (float32)",
                                           "No GPU is offered: no NVIDIA driver is installed"}));
        QVERIFY(!menu.actions().last()->isEnabled());
    }

    void routingOfTheGpuIsShown() {
        const QTemporaryDir dir;
        AppSettings settings(dir.filePath("settings.ini"));
        ChatSettings greedy = ChatSettings::defaults();
        greedy.sampling.temperature = 0;
        greedy.maxNewTokens = 6;
        settings.setChat(greedy);
        WindowOptions options;
        options.sessionFile = dir.filePath("sessions.db").toStdString();
        MainWindow window(options, &settings);
        window.show();
        load(window);
        QVERIFY2(window.status()->text().contains("cpu, "), qPrintable(window.status()->text()));

        // From the menu, which looks for the GPUs itself.
        QMenu* menu = window.actions()->devices;
        Q_EMIT menu->aboutToShow();
        QTRY_COMPARE_WITH_TIMEOUT(menu->actions().size(), 4, kPatience);
        QSignalSpy loaded(window.chat(), &ChatController::modelLoaded);
        menu->actions()[2]->trigger();
        QTRY_COMPARE_WITH_TIMEOUT(loaded.count(), 1, kPatience);
        QVERIFY2(window.status()->text().contains("cuda:0, SIMT shim, fast"),
                 qPrintable(window.status()->text()));

        QSignalSpy finished(window.chat(), &ChatController::answerFinished);
        QTest::keyClicks(window.pane()->input()->edit(), "What is 2 + 2?");
        QTest::keyClick(window.pane()->input()->edit(), Qt::Key_Return);
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kPatience);
        const auto end = finished.at(0).at(0).value<std::shared_ptr<const AnswerEnd>>();
        QVERIFY2(end->error.isEmpty(), qPrintable(end->error));
        const TraceStore& traces = window.traces();
        QVERIFY(traces.size() > 6);
        QVERIFY(traces.entry(0)->main != nullptr);
        QVERIFY(!window.docks()->views().routing->cellText(traces.shape().layers[0], 0).isEmpty());
    }

  private:
    void load(MainWindow& window) {
        QSignalSpy loaded(window.chat(), &ChatController::modelLoaded);
        window.openModel(QStringLiteral(GATESCOPE_DEMO_MODEL_DIR));
        QTRY_COMPARE_WITH_TIMEOUT(loaded.count(), 1, kPatience);
    }
};

QTEST_MAIN(WindowCudaTest)
#include "window_cuda_test.moc"
