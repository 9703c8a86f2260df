// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/report_dialog.h"

#include <QAction>
#include <QCheckBox>
#include <QComboBox>
#include <QFile>
#include <QLineEdit>
#include <QSpinBox>

#include "app/notice_bar.h"
#include "app/window_actions.h"
#include "engine/report/report_file.h"
#include "tests/app/window_harness.h"
#include "views/page_view.h"
#include "views/report_form.h"

using namespace gatescope;

class ReportDialogTest : public QObject, private WindowHarness {
    Q_OBJECT

  private Q_SLOTS:
    void init() { begin(); }
    void cleanup() { end(); }
    void makesAReportOfWhatWasAsked();
    void everyFormatIsWritten();
    void promptsAreInItOnlyWhereWanted();
    void aSavedReportOpensAgain();
    void whatCannotBeMadeIsOneSentence();
    void comparesTwoSessions();
    void closesWhileItWorks();

  private:
    ReportDialog* dialog() const { return m_window->report(); }
    template <typename Widget>
    Widget* part(const char* name) const {
        return dialog()->form()->findChild<Widget*>(name);
    }
    void openDialog() {
        m_window->actions()->makeReport->trigger();
        QVERIFY(dialog() != nullptr);
        QTRY_VERIFY_WITH_TIMEOUT(dialog()->isVisible(), kPatience);
    }
    void openAfterAnswer() {
        open();
        ask("What is 2 + 2?");
        openDialog();
        QTRY_VERIFY_WITH_TIMEOUT(dialog()->canSave(), kPatience);
    }
    QByteArray save(const QString& name) const {
        const QString file = m_dir->filePath(name);
        dialog()->saveTo(file);
        if (!QTest::qWaitFor([&] { return dialog()->canSave(); }, kPatience)) {
            qFatal("saving takes for ever");
        }
        QFile written(file);
        return written.open(QIODevice::ReadOnly) ? written.readAll() : QByteArray();
    }
    void edit(const char* name, const QString& text) const {
        part<QLineEdit>(name)->clear();
        QTest::keyClicks(part<QLineEdit>(name), text);
    }
};

void ReportDialogTest::makesAReportOfWhatWasAsked() {
    openAfterAnswer();
    QVERIFY(dialog()->preview()->pages() > 1);
    QTRY_VERIFY_WITH_TIMEOUT(dialog()->preview()->hasImage(0), kPatience);
    const QByteArray html = save("r.html");
    QVERIFY(html.startsWith("<!doctype html>"));
    QVERIFY(html.contains("<svg"));
    QVERIFY(html.contains("moe-routing-report/1"));
    part<QComboBox>("language")->setCurrentIndex(1);
    QVERIFY(!dialog()->canSave());  // not what is shown any more
    QTRY_VERIFY_WITH_TIMEOUT(dialog()->canSave(), kPatience);
    QVERIFY(save("zh.html").contains("lang=\"zh-Hans\""));
}

void ReportDialogTest::everyFormatIsWritten() {
    openAfterAnswer();
    QVERIFY(save("r.pdf").startsWith("%PDF-"));
    QVERIFY(save("r.zip").startsWith("PK"));
    QVERIFY(save("r.json").startsWith("{"));
    QVERIFY(save("r.csv").startsWith("layer,"));
    QVERIFY(save("r.txt").isEmpty());
    QVERIFY(dialog()->notice()->text().contains("r.txt: the name has to end"));
}

void ReportDialogTest::promptsAreInItOnlyWhereWanted() {
    openAfterAnswer();
    QVERIFY(!save("hashes.html").contains("What is 2 + 2?"));
    part<QComboBox>("prompts")->setCurrentIndex(2);
    QTRY_VERIFY_WITH_TIMEOUT(dialog()->canSave(), kPatience);
    QVERIFY(save("texts.html").contains("What is 2 + 2?"));
}

void ReportDialogTest::aSavedReportOpensAgain() {
    openAfterAnswer();
    part<QCheckBox>("placement")->setChecked(true);
    part<QSpinBox>("gpus")->setValue(4);
    QTRY_VERIFY_WITH_TIMEOUT(dialog()->canSave(), kPatience);
    const QByteArray html = save("first.html");
    QVERIFY(html.contains("id=\"placement\""));
    save("r.json");
    dialog()->openReport(m_dir->filePath("r.json"));
    QVERIFY(!dialog()->canSave());
    QTRY_VERIFY_WITH_TIMEOUT(dialog()->canSave(), kPatience);
    QCOMPARE(save("second.html"), html);
}

void ReportDialogTest::whatCannotBeMadeIsOneSentence() {
    openAfterAnswer();
    edit("sessions", "999");
    QTRY_VERIFY_WITH_TIMEOUT(dialog()->notice()->text().contains("session 999"), kPatience);
    QVERIFY(!dialog()->canSave());
    edit("sessions", "1");
    QTRY_VERIFY_WITH_TIMEOUT(dialog()->canSave(), kPatience);
    QVERIFY(!dialog()->notice()->isVisible());
    QFile broken(m_dir->filePath("broken.json"));
    QVERIFY(broken.open(QIODevice::WriteOnly));
    broken.write("{\"format\": \"moe-routing-report/9\"}");
    broken.close();
    dialog()->openReport(broken.fileName());
    QTRY_VERIFY_WITH_TIMEOUT(dialog()->notice()->text().contains("broken.json: format"), kPatience);
    QVERIFY(!dialog()->canSave());
}

void ReportDialogTest::comparesTwoSessions() {
    open();
    ask("What is 2 + 2?");
    m_window->actions()->newSession->trigger();
    ask("Write a poem about rain.");
    openDialog();
    QTRY_VERIFY_WITH_TIMEOUT(dialog()->canSave(), kPatience);
    edit("sessions", "1");
    edit("against", "2");
    QTRY_VERIFY_WITH_TIMEOUT(dialog()->canSave(), kPatience);
    QVERIFY(save("compared.html").contains("id=\"comparison\""));
}

void ReportDialogTest::closesWhileItWorks() {
    open();
    ask("What is 2 + 2?");
    openDialog();
    dialog()->close();
    m_window.reset();
}

QTEST_MAIN(ReportDialogTest)
#include "report_dialog_test.moc"
