// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <memory>

#include "app/chat_controller.h"
#include "app/chat_pane.h"
#include "app/main_window.h"
#include "views/chat_input.h"

namespace gatescope {

inline constexpr int kPatience = 120000;  // only ever waited for when something is wrong

inline const QString kDemo = QStringLiteral(GATESCOPE_DEMO_MODEL_DIR);

/// The real window with files of its own, and what a person does with it.
class WindowHarness {
  protected:
    void begin() {
        m_dir = std::make_unique<QTemporaryDir>();
        QVERIFY(m_dir->isValid());
        m_settings = std::make_unique<AppSettings>(m_dir->filePath("settings.ini"));
        ChatSettings greedy = ChatSettings::defaults();
        greedy.sampling.temperature = 0;
        greedy.setSpeculate(Speculate::Mtp);  // auto may find that it does not pay
        m_settings->setChat(greedy);
    }
    void end() {
        m_window.reset();
        m_settings.reset();
        m_dir.reset();
    }

    void make() {
        WindowOptions options;
        options.sessionFile = m_dir->filePath("sessions.db").toStdString();
        options.size = kDefaultWindowSize;
        m_window = std::make_unique<MainWindow>(options, m_settings.get());
        m_window->show();
        QVERIFY(QTest::qWaitForWindowActive(m_window.get()));
    }

    void open() {
        make();
        m_window->openModel(kDemo);
        QTRY_COMPARE_WITH_TIMEOUT(m_window->chat()->state(), ChatState::Ready, kPatience);
    }

    void type(const QString& text) {
        QTest::keyClicks(m_window->pane()->input()->edit(), text);
        QTest::keyClick(m_window->pane()->input()->edit(), Qt::Key_Return);
    }

    void ask(const QString& text) {
        QSignalSpy finished(m_window->chat(), &ChatController::answerFinished);
        type(text);
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kPatience);
        QCOMPARE(m_window->chat()->state(), ChatState::Ready);
        const auto end = finished.at(0).at(0).value<std::shared_ptr<const AnswerEnd>>();
        QVERIFY2(end->error.isEmpty(), qPrintable(end->error));
    }

    std::unique_ptr<QTemporaryDir> m_dir;
    std::unique_ptr<AppSettings> m_settings;
    std::unique_ptr<MainWindow> m_window;
};

}  // namespace gatescope
