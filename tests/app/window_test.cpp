// SPDX-License-Identifier: GPL-3.0-or-later
// Drives the real window with the demo model, as a person would.

#include <QAction>
#include <QApplication>
#include <QComboBox>
#include <QDialog>
#include <QDir>
#include <QDockWidget>
#include <QDropEvent>
#include <QLineEdit>
#include <QListView>
#include <QMenu>
#include <QMimeData>
#include <QPushButton>
#include <QSettings>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTemporaryDir>
#include <QTest>
#include <cmath>

#include "app/chat_controller.h"
#include "app/chat_pane.h"
#include "app/main_window.h"
#include "app/sampling_dialog.h"
#include "app/status_strip.h"
#include "app/window_actions.h"
#include "app/window_docks.h"
#include "tests/app/window_harness.h"
#include "views/chat_input.h"
#include "views/empty_chat.h"
#include "views/find_bar.h"
#include "views/plot.h"
#include "views/routing_view.h"
#include "views/session_list_view.h"
#include "views/speculation_view.h"
#include "views/transcript_view.h"
#include "views/why_view.h"

using namespace gatescope;

class WindowTest : public QObject, WindowHarness {
    Q_OBJECT

  private Q_SLOTS:
    void init() { begin(); }
    void cleanup() { end(); }

    void chatSelectStopCloseReopen() {
        open();
        const QString question = QStringLiteral("What is 347 + 285?");
        ask(question);
        TranscriptView* transcript = m_window->pane()->transcript();
        QVERIFY2(transcript->plainText().startsWith(question + "\n\n"),
                 qPrintable(transcript->plainText()));
        QVERIFY(transcript->plainText().contains("632"));
        QVERIFY(transcript->tokenCount() > 10);
        QVERIFY(m_window->status()->text().contains("tok/s"));
        QVERIFY(m_window->status()->text().contains("cache"));
        QVERIFY(m_window->status()->text().contains("acceptance"));
        QVERIFY(transcript->hasDrafts());

        // Every token but the last was routed in every layer.
        const TraceStore& traces = m_window->traces();
        QVERIFY(traces.entry(0)->main != nullptr);
        QVERIFY(traces.entry(traces.size() - 2)->main != nullptr);

        clickHeatmapUntilMarked();
        const auto layer = m_window->selection()->layer();
        const auto expert = m_window->selection()->expert();
        QVERIFY(layer && expert);
        const auto marked = traces.routedTo(*layer, *expert);
        QVERIFY(!marked.empty());
        QVERIFY(transcript->markedShown() > 0);

        clickTokenShowsWhy();

        // Stop, from the first token that arrives.
        m_window->pane()->input()->setFocus();
        QSignalSpy finished(m_window->chat(), &ChatController::answerFinished);
        const auto once = connect(m_window->chat(), &ChatController::tokensArrived, this, [this] {
            QTest::keyClick(m_window->pane()->input()->edit(), Qt::Key_Escape);
        });
        type("Tell me a story about a fox named Mia.");
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kPatience);
        disconnect(once);
        const auto end = finished.at(0).at(0).value<std::shared_ptr<const AnswerEnd>>();
        QCOMPARE(end->result.finish, Finish::Cancelled);
        QVERIFY(transcript->plainText().endsWith("Stopped."));
        const QString shown = transcript->plainText();
        const auto before = traces.routedTo(*layer, *expert);
        const auto session = m_window->chat()->session();
        QVERIFY(session);
        m_window->close();
        m_window.reset();

        open();
        SessionListView* list = m_window->docks()->sessionList();
        QTRY_COMPARE_WITH_TIMEOUT(list->shownCount(), 1, kPatience);
        const QRect row = list->list()->visualRect(list->list()->model()->index(0, 0));
        QTest::mouseClick(list->list()->viewport(), Qt::LeftButton, {}, row.center());
        QTRY_COMPARE_WITH_TIMEOUT(m_window->chat()->session(), session, kPatience);
        QCOMPARE(m_window->pane()->transcript()->plainText(), shown);
        QCOMPARE(m_window->traces().routedTo(*layer, *expert), before);
        QTRY_VERIFY_WITH_TIMEOUT(
            !m_window->docks()->views().routing->cellText(*layer, *expert).isEmpty(), kPatience);
        clickHeatmapUntilMarked();

        // It goes on: same model, same session.
        ask("What is 2 + 2?");
        QCOMPARE(m_window->chat()->session(), session);
        QVERIFY(m_window->pane()->transcript()->plainText().contains("What is 2 + 2?"));
        QTRY_COMPARE_WITH_TIMEOUT(list->shownCount(), 1, kPatience);
    }

    void regenerateReplacesTheAnswer() {
        open();
        ask("What is 347 + 285?");
        TranscriptView* transcript = m_window->pane()->transcript();
        const QString first = transcript->plainText();
        const std::int32_t tokens = m_window->traces().size();
        const auto routed = m_window->traces().routedTo(m_window->traces().shape().layers[0], 0);
        QSignalSpy finished(m_window->chat(), &ChatController::answerFinished);
        QTest::keyClick(m_window.get(), Qt::Key_R, Qt::ControlModifier);
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kPatience);
        QCOMPARE(transcript->plainText(), first);  // greedy
        QCOMPARE(m_window->traces().size(), tokens);
        QCOMPARE(m_window->traces().routedTo(m_window->traces().shape().layers[0], 0), routed);
        // The stored session shows the answer once, too.
        const auto session = m_window->chat()->session();
        QTest::keyClick(m_window.get(), Qt::Key_N, Qt::ControlModifier);
        QVERIFY(transcript->isEmpty());
        QVERIFY(!m_window->chat()->session());
        SessionListView* list = m_window->docks()->sessionList();
        QTRY_COMPARE_WITH_TIMEOUT(list->shownCount(), 1, kPatience);
        QTest::mouseClick(list->list()->viewport(), Qt::LeftButton, {},
                          list->list()->visualRect(list->list()->model()->index(0, 0)).center());
        QTRY_COMPARE_WITH_TIMEOUT(m_window->chat()->session(), session, kPatience);
        QCOMPARE(transcript->plainText(), first);
        QCOMPARE(m_window->traces().routedTo(m_window->traces().shape().layers[0], 0), routed);
    }

    void examplePromptsStartAChat() {
        open();
        EmptyChat* empty = m_window->pane()->empty();
        QCOMPARE(empty->prompts().size(), 3);
        QVERIFY(empty->isVisible());
        QSignalSpy finished(m_window->chat(), &ChatController::answerFinished);
        QTest::mouseClick(empty->cards().at(2), Qt::LeftButton);
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kPatience);
        QVERIFY(!empty->isVisible());
        QVERIFY(m_window->pane()->transcript()->plainText().contains("Translate to Chinese"));
    }

    void fullContextDropsOldestAndSaysSo() {
        open();
        for (int i = 0; i < 12; ++i) {
            ask("Tell me a story about a fox named Mia.");
            if (m_window->pane()->transcript()->plainText().contains("no longer fit")) {
                break;
            }
        }
        const QString text = m_window->pane()->transcript()->plainText();
        QVERIFY2(text.contains("the 512-token context and w"), qPrintable(text.right(300)));
        // Tokens from before the drop are still told apart and marked.
        clickHeatmapUntilMarked();
    }

    void badFolderIsANotice() {
        open();
        QSignalSpy refused(m_window->chat(), &ChatController::modelRefused);
        QMimeData data;
        data.setUrls({QUrl::fromLocalFile(m_dir->path())});
        drop(data);
        QTRY_COMPARE_WITH_TIMEOUT(refused.count(), 1, kPatience);
        QVERIFY(m_window->pane()->notices()->isVisible());
        QVERIFY2(m_window->pane()->notices()->text().contains("config.json"),
                 qPrintable(m_window->pane()->notices()->text()));
        QVERIFY(QApplication::activeModalWidget() == nullptr);
        ask("What is 347 + 285?");  // the model from before is still there
        QVERIFY(!m_window->pane()->notices()->isVisible());
    }

    void unrecordedSessionSaysSoAndStays() {
        QVERIFY(QDir(m_dir->path()).mkdir("sessions.db"));  // a folder is no session file
        open();
        QTRY_VERIFY_WITH_TIMEOUT(m_window->pane()->notices()->isVisible(), kPatience);
        QVERIFY(m_window->pane()->notices()->text().contains("not recorded"));
        ask("What is 347 + 285?");
        QVERIFY(m_window->pane()->transcript()->plainText().contains("632"));
        QVERIFY(m_window->pane()->notices()->isVisible());
        QVERIFY(QDir(m_dir->path() + "/sessions.db").exists());
    }

    void droppedFolderOpens() {
        make();
        QSignalSpy loaded(m_window->chat(), &ChatController::modelLoaded);
        QMimeData data;
        data.setUrls({QUrl::fromLocalFile(kDemo)});
        drop(data);
        QTRY_COMPARE_WITH_TIMEOUT(loaded.count(), 1, kPatience);
        QVERIFY(m_window->chat()->model()->demo);
    }

    void loadingCanBeCancelled() {
        make();
        m_window->openModel(kDemo);
        QCOMPARE(m_window->chat()->state(), ChatState::Loading);
        const auto buttons = m_window->pane()->findChildren<QPushButton*>();
        const auto cancel = std::find_if(buttons.begin(), buttons.end(),
                                         [](auto* button) { return button->text() == "Cancel"; });
        QVERIFY(cancel != buttons.end());
        QTest::mouseClick(*cancel, Qt::LeftButton);
        QTRY_COMPARE_WITH_TIMEOUT(m_window->chat()->state(), ChatState::NoModel, kPatience);
        QVERIFY(m_window->pane()->notices()->text().isEmpty());
    }

    void promptThatCannotFitIsGivenBack() {
        open();
        const QString much = QString("fox ").repeated(2000);
        m_window->pane()->input()->setText(much);
        QTest::keyClick(m_window->pane()->input()->edit(), Qt::Key_Return);
        QTRY_VERIFY_WITH_TIMEOUT(m_window->pane()->notices()->isVisible(), kPatience);
        QCOMPARE(m_window->pane()->input()->text(), much);
        QCOMPARE(m_window->chat()->state(), ChatState::Ready);
        m_window->pane()->input()->setText({});
        ask("What is 347 + 285?");
        QVERIFY(!m_window->pane()->transcript()->plainText().contains("fox fox"));
    }

    void keyboardReachesEverything() {
        open();
        ask("What is 347 + 285?");
        MainWindow* window = m_window.get();
        TranscriptView* transcript = window->pane()->transcript();
        QTest::keyClick(window, Qt::Key_2, Qt::ControlModifier);
        QVERIFY(transcript->hasFocus());
        QTest::keyClick(transcript, Qt::Key_Home);
        const auto first = window->selection()->position();
        QVERIFY(first);
        QTest::keyClick(transcript, Qt::Key_Right);
        QVERIFY(window->selection()->position() > first);
        QTest::keyClick(window, Qt::Key_Left, Qt::AltModifier);  // back
        QCOMPARE(window->selection()->position(), first);
        QTest::keyClick(window, Qt::Key_3, Qt::ControlModifier);
        QVERIFY(window->docks()->sessionList()->filter()->hasFocus());
        QTest::keyClick(window, Qt::Key_1, Qt::ControlModifier);
        QVERIFY(window->pane()->input()->edit()->hasFocus());
        QTest::keyClick(window, Qt::Key_F, Qt::ControlModifier);
        QVERIFY(window->pane()->findBar()->isVisible());
        QTest::keyClicks(QApplication::focusWidget(), "347");
        QVERIFY(window->pane()->findBar()->hits() >= 2);
        QTest::keyClick(QApplication::focusWidget(), Qt::Key_Escape);
        QVERIFY(!window->pane()->findBar()->isVisible());
        QTest::keyClick(window, Qt::Key_Equal, Qt::ControlModifier);
        QCOMPARE(transcript->zoom(), 1);
        QCOMPARE(m_settings->zoom(), 1);
        QTest::keyClick(window, Qt::Key_0, Qt::ControlModifier);
        QCOMPARE(transcript->zoom(), 0);
        QTest::keyClick(window, Qt::Key_F1);
        QVERIFY(!window->findChildren<QDialog*>().isEmpty());
    }

    void layoutIsKeptAndReset() {
        make();
        QDockWidget* sessions = m_window->docks()->sessions();
        QVERIFY(sessions->isVisible());
        sessions->close();
        m_window->docks()->routing()->setFloating(true);
        m_window->close();
        m_window.reset();
        make();
        QVERIFY(!m_window->docks()->sessions()->isVisible());
        QVERIFY(m_window->docks()->routing()->isFloating());
        m_window->actions()->resetLayout->trigger();
        QVERIFY(m_window->docks()->sessions()->isVisible());
        QVERIFY(!m_window->docks()->routing()->isFloating());
        QVERIFY(!m_window->docks()->restoreLayout("nonsense"));
    }

    void speculationCanBeSwitchedOffAndChosen() {
        open();
        QTest::keyClick(m_window.get(), Qt::Key_M, Qt::ControlModifier);
        QCOMPARE(m_settings->chat().speculate, Speculate::Off);
        ask("What is 347 + 285?");
        QCOMPARE(m_window->traces().speculation().verifySteps(), std::int64_t{0});
        QVERIFY(m_window->traces().speculation().gain().plainSteps > 0);
        QVERIFY(!m_window->pane()->transcript()->hasDrafts());
        QTest::keyClick(m_window.get(), Qt::Key_M, Qt::ControlModifier);
        QCOMPARE(m_settings->chat().speculate, Speculate::Mtp);  // what it was before
        ask("What is 12 + 30?");
        const SpeculationCounter& mtp = m_window->traces().speculation();
        QVERIFY(mtp.drafted() > 0);
        QVERIFY(!std::isnan(mtp.gain().gain));  // both were measured
        chooseMode(Speculate::Lookup);
        QCOMPARE(m_settings->chat().speculate, Speculate::Lookup);
        ask("What is 12 + 30?");
        QVERIFY(m_window->traces().speculation().value().bySource[1].drafted > 0);
    }

    void samplingDialogChoosesWhoDrafts() {
        open();
        QTest::keyClick(m_window.get(), Qt::Key_Comma, Qt::ControlModifier);
        auto* dialog = m_window->findChild<SamplingDialog*>();
        QVERIFY(dialog != nullptr);
        auto* mode = dialog->findChild<QComboBox*>("speculate");
        QCOMPARE(mode->currentText(), QString("MTP"));
        mode->setCurrentIndex(mode->findText("Lookup"));
        QCOMPARE(m_settings->chat().speculate, Speculate::Lookup);
        QCOMPARE(m_window->actions()->speculate->iconText(), QString("Speculation: lookup"));
        auto* drafts = dialog->findChild<QSpinBox*>("drafts");
        QCOMPARE(drafts->text(), QString("auto"));
        drafts->setValue(kMaxDrafts + 1);
        QCOMPARE(m_settings->chat().drafts, kMaxDrafts);
        // What is chosen in the menu stands in the dialog, and the mode before is not forgotten.
        chooseMode(Speculate::Off);
        QCOMPARE(mode->currentText(), QString("Off"));
        drafts->setValue(0);
        QCOMPARE(m_settings->chat().lastSpeculate, Speculate::Lookup);
    }

    void speculationDockShowsTheSession() {
        open();
        m_window->docks()->bringUp(QStringLiteral("speculation"));
        SpeculationView* view = m_window->docks()->views().speculation;
        QVERIFY(view->message().contains("Ask something"));
        ask("Tell me a story about a fox named Mia.");
        const SpeculationCounter& counter = m_window->traces().speculation();
        QVERIFY(counter.verifySteps() > 0);
        const QString drafted = QString::number(counter.drafted());
        QTRY_VERIFY_WITH_TIMEOUT(view->tableText(u',').contains(u',' + drafted + u','), kPatience);
        QVERIFY(m_window->status()->text().contains("τ"));
        view->setPicture(SpeculationView::Picture::Classes);
        QVERIFY(view->tableText(u',').contains("words"));
        // Regenerate counts the answer once.
        const std::int64_t once = counter.drafted();
        QSignalSpy finished(m_window->chat(), &ChatController::answerFinished);
        QTest::keyClick(m_window.get(), Qt::Key_R, Qt::ControlModifier);
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kPatience);
        QCOMPARE(counter.drafted(), once);
        // So does the stored session.
        const auto session = m_window->chat()->session();
        QTest::keyClick(m_window.get(), Qt::Key_N, Qt::ControlModifier);
        QCOMPARE(counter.drafted(), std::int64_t{0});
        SessionListView* list = m_window->docks()->sessionList();
        QTRY_COMPARE_WITH_TIMEOUT(list->shownCount(), 1, kPatience);
        QTest::mouseClick(list->list()->viewport(), Qt::LeftButton, {},
                          list->list()->visualRect(list->list()->model()->index(0, 0)).center());
        QTRY_COMPARE_WITH_TIMEOUT(m_window->chat()->session(), session, kPatience);
        QCOMPARE(counter.drafted(), once);
    }

    void oldSpeculationSettingIsRead() {
        const auto chat = [this](const QVariant& value) {
            const QString file = m_dir->filePath("old.ini");
            QSettings(file, QSettings::IniFormat).setValue("chat/speculate", value);
            return AppSettings(file).chat();
        };
        QCOMPARE(chat(true).speculate, Speculate::Auto);
        QCOMPARE(chat(false).speculate, Speculate::Off);
        QCOMPARE(chat(false).lastSpeculate, Speculate::Auto);
        QCOMPARE(chat("lookup").speculate, Speculate::Lookup);
        QCOMPARE(chat("nonsense").speculate, Speculate::Auto);
        ChatSettings kept = ChatSettings::defaults();
        kept.setSpeculate(Speculate::Mtp);
        kept.setSpeculate(Speculate::Off);
        kept.drafts = 3;
        kept.mtpRecycle = MtpRecycle::Raw;
        m_settings->setChat(kept);
        const ChatSettings read = m_settings->chat();
        QCOMPARE(read.speculate, Speculate::Off);
        QCOMPARE(read.lastSpeculate, Speculate::Mtp);
        QCOMPARE(read.drafts, 3);
        QCOMPARE(read.mtpRecycle, MtpRecycle::Raw);
        kept.setSpeculate(Speculate::Mtp);
        QCOMPARE(kept.params(false).speculate, Speculate::Off);  // no module to ask
        kept.setSpeculate(Speculate::Lookup);
        QCOMPARE(kept.params(false).speculate, Speculate::Lookup);
        QVERIFY(kept.params(true).plainEvery > 0);
    }

  private:
    void chooseMode(Speculate mode) {
        for (QAction* action : m_window->actions()->speculateModes->actions()) {
            if (action->data().toInt() == static_cast<int>(mode)) {
                action->trigger();
            }
        }
    }

    void drop(const QMimeData& data) {
        QDragEnterEvent enter(QPoint(200, 200), Qt::CopyAction, &data, Qt::LeftButton, {});
        QApplication::sendEvent(m_window.get(), &enter);
        QVERIFY(enter.isAccepted());
        QDropEvent event(QPointF(200, 200), Qt::CopyAction, &data, Qt::LeftButton, {});
        QApplication::sendEvent(m_window.get(), &event);
    }

    /// Clicks cells of the map, top to bottom, until one had tokens.
    void clickHeatmapUntilMarked() {
        m_window->selection()->setCell({}, {});
        auto* plot = m_window->docks()->views().routing->findChild<QCustomPlot*>();
        QVERIFY(plot != nullptr);
        const QRect map = plot->axisRect()->rect();
        for (int tries = 0; tries < 64; ++tries) {
            const QPoint place(map.left() + map.width() * (tries % 8 * 2 + 1) / 16,
                               map.top() + map.height() * (tries / 8 * 2 + 1) / 16);
            QTest::mouseClick(plot, Qt::LeftButton, {}, place);
            if (m_window->selection()->expert() &&
                m_window->pane()->transcript()->markedShown() > 0) {
                return;
            }
        }
        QFAIL("no cell of the map marks a token");
    }

    void clickTokenShowsWhy() {
        TranscriptView* transcript = m_window->pane()->transcript();
        const TraceStore& traces = m_window->traces();
        std::int32_t number = traces.size() - 4;
        const QPoint place = transcript->tokenRect(number).center();
        QTest::mouseClick(transcript->viewport(), Qt::LeftButton, {}, place);
        QCOMPARE(m_window->selection()->position(), std::optional<std::int32_t>(number));
        QVERIFY(!m_window->docks()->views().why->tableText().isEmpty());
    }
};

QTEST_MAIN(WindowTest)
#include "window_test.moc"
