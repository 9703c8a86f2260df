// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/page_view.h"

#include <QScrollBar>
#include <QSignalSpy>
#include <QTest>
#include <set>

using namespace gatescope;

class PageViewTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void asksForWhatIsSeenOnly();
    void showsItsPicturesOnWhitePaper();
    void isReadWithTheKeyboard();
    void aMessageStandsInsteadOfPages();

  private:
    static std::set<int> asked(const QSignalSpy& wanted) {
        std::set<int> pages;
        for (const auto& call : wanted) pages.insert(call.at(0).toInt());
        return pages;
    }
    static void show(PageView& view) {
        view.resize(600, 500);
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
    }
};

void PageViewTest::asksForWhatIsSeenOnly() {
    PageView view;
    show(view);
    QSignalSpy wanted(&view, &PageView::imageWanted);
    view.setPages(100, QSizeF(595, 842));
    QCOMPARE(asked(wanted), std::set<int>{0});
    wanted.clear();
    view.verticalScrollBar()->setValue(view.verticalScrollBar()->maximum());
    QVERIFY(asked(wanted).count(99) > 0);
    QVERIFY(asked(wanted).size() <= 2);
    view.setImage(99, 1, QImage(10, 10, QImage::Format_RGB32));
    QVERIFY(view.hasImage(99));
    view.verticalScrollBar()->setValue(0);
    QVERIFY(!view.hasImage(99));  // far away: asked for again when it is seen
}

void PageViewTest::showsItsPicturesOnWhitePaper() {
    PageView view;
    show(view);
    view.setPages(1, QSizeF(595, 842));
    const QPoint middle(view.viewport()->width() / 2, view.viewport()->height() / 2);
    QCOMPARE(view.grab().toImage().pixelColor(middle), QColor(Qt::white));
    QImage red(20, 20, QImage::Format_RGB32);
    red.fill(Qt::red);
    view.setImage(0, 1, red);
    QCOMPARE(view.grab().toImage().pixelColor(middle), QColor(Qt::red));
    view.setImage(7, 1, red);  // no such page
    QVERIFY(!view.hasImage(7));
}

void PageViewTest::isReadWithTheKeyboard() {
    PageView view;
    show(view);
    view.setPages(9, QSizeF(595, 842));
    QSignalSpy current(&view, &PageView::currentPageChanged);
    QTest::keyClick(&view, Qt::Key_End);
    QCOMPARE(view.currentPage(), 8);
    QCOMPARE(current.last().at(0).toInt(), 8);
    QTest::keyClick(&view, Qt::Key_Home);
    QCOMPARE(view.currentPage(), 0);
    QTest::keyClick(&view, Qt::Key_PageDown);
    QVERIFY(view.verticalScrollBar()->value() > 0);
}

void PageViewTest::aMessageStandsInsteadOfPages() {
    PageView view;
    show(view);
    view.setPages(9, QSizeF(595, 842));
    view.setMessage("There is no report to show.");
    QCOMPARE(view.verticalScrollBar()->maximum(), 0);
    QSignalSpy wanted(&view, &PageView::imageWanted);
    view.setMessage({});
    QVERIFY(view.verticalScrollBar()->maximum() > 0);
}

QTEST_MAIN(PageViewTest)
#include "page_view_test.moc"
