// SPDX-License-Identifier: GPL-3.0-or-later
#include <QDateTime>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

#include "views/chat_input.h"
#include "views/empty_chat.h"
#include "views/session_list_view.h"

using namespace gatescope;

namespace {

SessionListItem line(std::int64_t id, const char* title, const char* model, std::int64_t updated,
                     std::int64_t tokens) {
    SessionListItem item;
    item.id = id;
    item.title = QString::fromUtf8(title);
    item.model = QString::fromUtf8(model);
    item.updatedMs = updated;
    item.tokens = tokens;
    return item;
}

}  // namespace

class ChatViewsTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void enterSends() {
        ChatInput input;
        input.setState(ChatInput::State::Ready);
        input.show();
        QSignalSpy submitted(&input, &ChatInput::submitted);
        QTest::keyClick(input.edit(), Qt::Key_Return);
        QCOMPARE(submitted.count(), 0);  // nothing to send
        QTest::keyClicks(input.edit(), "first");
        QTest::keyClick(input.edit(), Qt::Key_Return, Qt::ShiftModifier);
        QTest::keyClicks(input.edit(), "second");
        QCOMPARE(submitted.count(), 0);
        QTest::keyClick(input.edit(), Qt::Key_Return);
        QCOMPARE(submitted.count(), 1);
        QCOMPARE(submitted.at(0).at(0).toString(), QString("first\nsecond"));
        QVERIFY(input.text().isEmpty());
    }

    void growsWithItsText() {
        ChatInput input;
        input.setState(ChatInput::State::Ready);
        input.resize(400, 60);
        input.show();
        const int one = input.edit()->height();
        input.setText("a\nb\nc");
        QVERIFY(input.edit()->height() > one + 20);
        const int three = input.edit()->height();
        input.setText(QString("x\n").repeated(40));
        QVERIFY(input.edit()->height() < 3 * three);
        input.setText({});
        QCOMPARE(input.edit()->height(), one);
    }

    void waitsWhileAnswering() {
        ChatInput input;
        input.setState(ChatInput::State::Answering);
        input.show();
        QSignalSpy submitted(&input, &ChatInput::submitted);
        QSignalSpy stopped(&input, &ChatInput::stopRequested);
        QTest::keyClicks(input.edit(), "next");
        QTest::keyClick(input.edit(), Qt::Key_Return);
        QCOMPARE(submitted.count(), 0);
        QCOMPARE(input.text(), QString("next"));
        QTest::mouseClick(input.button(), Qt::LeftButton);
        QCOMPARE(stopped.count(), 1);
        input.setState(ChatInput::State::Ready);
        QTest::mouseClick(input.button(), Qt::LeftButton);
        QCOMPARE(submitted.count(), 1);
    }

    void closedSaysWhy() {
        ChatInput input;
        input.setState(ChatInput::State::Closed, "Loading the model…");
        QVERIFY(!input.edit()->isEnabled());
        QVERIFY(!input.button()->isEnabled());
        QCOMPARE(input.edit()->placeholderText(), QString("Loading the model…"));
    }

    void cardsOfferPrompts() {
        EmptyChat empty;
        empty.setContents("<b>Title</b>", "Why", {"One?", "Two?"}, false);
        empty.resize(500, 400);
        empty.show();
        QCOMPARE(empty.prompts(), QStringList({"One?", "Two?"}));
        QSignalSpy chosen(&empty, &EmptyChat::promptChosen);
        QTest::mouseClick(empty.cards().at(1), Qt::LeftButton);
        QCOMPARE(chosen.count(), 1);
        QCOMPARE(chosen.at(0).at(0).toString(), QString("Two?"));
        QTest::keyClick(empty.cards().at(0), Qt::Key_Space);
        QCOMPARE(chosen.at(1).at(0).toString(), QString("One?"));
        for (const QLabel* label : empty.findChildren<QLabel*>()) {
            QCOMPARE(label->textFormat(), Qt::PlainText);
        }
        empty.setContents("No model is open", "Open one", {}, true);
        QVERIFY(empty.cards().isEmpty());
    }

    void listsAndFilters() {
        SessionListView list;
        list.resize(240, 400);
        list.show();
        QCOMPARE(list.shownCount(), 0);
        const std::int64_t now = QDateTime::currentMSecsSinceEpoch();
        list.setSessions({line(3, "Translate <b>this</b>", "demo-model", now, 12),
                          line(2, "A story about a fox", "demo-model", now, 400),
                          line(1, "Sort 17, 4", "other", now, 71)});
        QCOMPARE(list.shownCount(), 3);
        QSignalSpy asked(&list, &SessionListView::queryChanged);
        QTest::keyClicks(list.filter(), "fox");
        QTRY_COMPARE(asked.count(), 1);  // keys that come fast are one query
        QCOMPARE(list.query().text, std::string("fox"));
        list.setSessions({line(2, "A story about a fox", "demo-model", now, 400)});
        QSignalSpy opened(&list, &SessionListView::opened);
        QTest::keyClick(list.filter(), Qt::Key_Down);
        QTest::keyClick(list.list(), Qt::Key_Return);
        QCOMPARE(opened.count(), 1);
        QCOMPARE(opened.at(0).at(0).value<std::int64_t>(), std::int64_t{2});
        list.filter()->clear();
        QTRY_COMPARE(asked.count(), 2);
        list.setSessions({line(3, "Translate <b>this</b>", "demo-model", now, 12),
                          line(2, "A story about a fox", "demo-model", now, 400),
                          line(1, "Sort 17, 4", "other", now, 71)});
        const QRect third = list.list()->visualRect(list.list()->model()->index(2, 0));
        QTest::mouseClick(list.list()->viewport(), Qt::LeftButton, {}, third.center());
        QCOMPARE(opened.at(1).at(0).value<std::int64_t>(), std::int64_t{1});
    }

    void currentSessionIsMarked() {
        SessionListView list;
        list.setSessions({line(3, "c", "m", 0, 1), line(2, "b", "m", 0, 1)});
        list.setCurrent(2);
        QCOMPARE(list.list()->currentIndex().row(), 1);
        list.setSessions(
            {line(4, "d", "m", 0, 1), line(3, "c", "m", 0, 1), line(2, "b", "m", 0, 1)});
        QCOMPARE(list.list()->currentIndex().row(), 2);
        list.setCurrent({});
        QVERIFY(!list.list()->currentIndex().isValid());
    }

    void timesAreShort() {
        const QDateTime now(QDate(2025, 10, 14), QTime(18, 52));
        const auto text = [&](const QDateTime& when) {
            return whenText(when.toMSecsSinceEpoch(), now.toMSecsSinceEpoch());
        };
        QVERIFY(text(now.addSecs(-60)).startsWith("today"));
        QVERIFY(text(now.addDays(-1)).startsWith("yesterday"));
        QVERIFY(text(now.addDays(-30)).contains("14"));
        QCOMPARE(text(now.addYears(-1)), QString("2024-10-14"));
    }
};

QTEST_MAIN(ChatViewsTest)
#include "chat_views_test.moc"
