// SPDX-License-Identifier: GPL-3.0-or-later
#include <QClipboard>
#include <QGuiApplication>
#include <QLineEdit>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <QTextDocument>

#include "views/find_bar.h"
#include "views/literal_text.h"
#include "views/selection.h"
#include "views/theme.h"
#include "views/transcript_legend.h"
#include "views/transcript_view.h"

using namespace gatescope;
using Turn = TranscriptView::Turn;
using Draft = TokenEvent::Draft;

namespace {

/// Pixels that are clearly red: the test picture has nothing else.
int redPixels(QWidget& widget) {
    const QImage image = widget.grab().toImage();
    int count = 0;
    for (int y = 0; y < image.height(); ++y) {
        for (int x = 0; x < image.width(); ++x) {
            const QColor colour = image.pixelColor(x, y);
            count += colour.red() > 200 && colour.green() < 60 && colour.blue() < 60 ? 1 : 0;
        }
    }
    return count;
}

int pixelsNear(const QImage& image, const QColor& wanted) {
    int count = 0;
    for (int y = 0; y < image.height(); ++y) {
        for (int x = 0; x < image.width(); ++x) {
            const QColor colour = image.pixelColor(x, y);
            count += std::abs(colour.red() - wanted.red()) < 40 &&
                             std::abs(colour.green() - wanted.green()) < 40 &&
                             std::abs(colour.blue() - wanted.blue()) < 40
                         ? 1
                         : 0;
        }
    }
    return count;
}

}  // namespace

class TranscriptTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() {
        m_selection = std::make_unique<Selection>();
        m_view = std::make_unique<TranscriptView>(m_selection.get());
        m_view->resize(420, 300);
        m_view->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_view.get()));
    }
    void cleanup() {
        m_view.reset();
        m_selection.reset();
    }

    void markupStaysText_data() {
        QTest::addColumn<QString>("markup");
        QTest::newRow("img file url") << "<img src=\"file://%1\">";
        QTest::newRow("img path") << "<img src=\"%1\">";
        QTest::newRow("css background")
            << "<p style=\"background-image:url(file://%1)\">&nbsp;<br>&nbsp;</p>";
        QTest::newRow("stylesheet") << "<link rel=\"stylesheet\" href=\"file://%1\">";
        QTest::newRow("markdown file url") << "![](file://%1)";
        QTest::newRow("markdown path") << "![](%1)";
        QTest::newRow("table background") << "<table background=\"%1\"><tr><td>x</td></tr></table>";
        QTest::newRow("body background") << "<body background=\"%1\">x</body>";
    }

    void markupStaysText() {
        QFETCH(QString, markup);
        const QString text = markup.arg(redPicture());
        m_view->beginTurn(Turn::User);
        m_view->appendText(text);
        m_view->beginTurn(Turn::Answer);
        m_view->append({1, text, Draft::None});
        m_view->beginTurn(Turn::Notice);
        m_view->appendText(text);
        m_view->flush();
        QCOMPARE(m_view->plainText(), text + "\n\n" + text + "\n\n" + text);
        QCOMPARE(redPixels(*m_view), 0);
    }

    /// The second wall: even if markup reached the document, nothing would be loaded.
    void documentLoadsNothing_data() { markupStaysText_data(); }

    void documentLoadsNothing() {
        QFETCH(QString, markup);
        const QString text = markup.arg(redPicture());
        m_view->setHtml(text);
        QCOMPARE(redPixels(*m_view), 0);
        m_view->setMarkdown(text);
        QCOMPARE(redPixels(*m_view), 0);
        m_view->document()->setHtml(text);
        QCOMPARE(redPixels(*m_view), 0);
    }

    /// The red check itself can fail: an ordinary QTextEdit paints the picture.
    void redPictureIsSeen() {
        QTextEdit ordinary;
        ordinary.resize(420, 300);
        ordinary.setHtml(QStringLiteral("<img src=\"%1\">").arg(redPicture()));
        QVERIFY(redPixels(ordinary) > 500);
    }

    void controlCharactersAreWritten() {
        QCOMPARE(literalText(u"a\u202Eb"_qs), u"a\\u202Eb"_qs);
        QCOMPARE(literalText(QString::fromUtf8("\x1b[31m")), u"\\x1B[31m"_qs);
        QCOMPARE(literalText(u"a\r\nb\tc\rd"_qs), u"a\nb\tc\nd"_qs);
        QCOMPARE(literalText(QString(QChar(0xFFFC)) + QChar(0xFDD0)), u"\\uFFFC\\uFDD0"_qs);
        QCOMPARE(literalText(u"天空 é 🦊"_qs), u"天空 é 🦊"_qs);
    }

    void streamsByTimer() {
        m_view->beginTurn(Turn::Answer);
        m_view->append({0, "Hel", Draft::None});
        m_view->append({1, "lo", Draft::None});
        QCOMPARE(m_view->tokenCount(), 0);  // not per token
        QTRY_COMPARE(m_view->tokenCount(), 2);
        QCOMPARE(m_view->plainText(), QString("Hello"));
    }

    void clickSelectsToken() {
        fill();
        QTest::mouseClick(m_view->viewport(), Qt::LeftButton, {}, m_view->tokenRect(11).center());
        QCOMPARE(m_selection->position(), std::optional<std::int32_t>(11));
        QTest::mouseClick(m_view->viewport(), Qt::LeftButton, {}, m_view->tokenRect(1).center());
        QCOMPARE(m_selection->position(), std::optional<std::int32_t>(1));
    }

    void arrowsStepThroughTokens() {
        fill();
        m_view->setFocus();
        QTest::keyClick(m_view.get(), Qt::Key_End);
        QCOMPARE(m_selection->position(), std::optional<std::int32_t>(15));
        QTest::keyClick(m_view.get(), Qt::Key_Left);
        QCOMPARE(m_selection->position(), std::optional<std::int32_t>(14));
        QTest::keyClick(m_view.get(), Qt::Key_Right);
        QTest::keyClick(m_view.get(), Qt::Key_Right);
        QCOMPARE(m_selection->position(), std::optional<std::int32_t>(15));
        QTest::keyClick(m_view.get(), Qt::Key_Home);
        QCOMPARE(m_selection->position(), std::optional<std::int32_t>(0));
        QTest::keyClick(m_view.get(), Qt::Key_Down);
        QVERIFY(*m_selection->position() >= 10);
        QTest::keyClick(m_view.get(), Qt::Key_Up);
        QVERIFY(*m_selection->position() < 10);
    }

    void selectedTokenIsOutlined() {
        fill();
        const QRect token = m_view->tokenRect(11);
        const QRect edge(token.left() - 2, token.top() + 4, 3, token.height() - 8);
        const auto ink = [&] {
            return pixelsNear(m_view->viewport()->grab().toImage().copy(edge),
                              m_view->palette().color(QPalette::Text));
        };
        const int before = ink();
        m_selection->setPosition(11);
        QVERIFY(ink() >= before + edge.height() / 2);
        m_selection->setPosition({});
        QCOMPARE(ink(), before);
    }

    void draftsAreUnderlined() {
        fill();
        const QColor accepted = themeColours(m_view->palette()).accepted;
        const QColor rejected = themeColours(m_view->palette()).rejected;
        const auto under = [this](std::int32_t position, const QColor& colour) {
            const QRect token = m_view->tokenRect(position);
            const QRect line(token.left(), token.bottom() - 1, token.width(), 5);
            return pixelsNear(m_view->viewport()->grab().toImage().copy(line), colour);
        };
        QVERIFY(m_view->hasDrafts());
        QVERIFY(under(13, accepted) > 5);
        QVERIFY(under(14, rejected) > 5);
        QCOMPARE(under(12, accepted), 0);
    }

    void bonusTokensHaveAQuietMark() {
        fill();
        QVERIFY(!m_view->hasBonus());
        m_view->append({16, " and", Draft::Bonus});
        m_view->flush();
        QVERIFY(m_view->hasBonus());
        const ThemeColours colours = themeColours(m_view->palette());
        const QRect token = m_view->tokenRect(16);
        const QImage under = m_view->viewport()->grab().toImage().copy(
            QRect(token.left(), token.bottom() - 1, token.width(), 5));
        QCOMPARE(pixelsNear(under, colours.accepted), 0);
        QCOMPARE(pixelsNear(under, colours.rejected), 0);
        m_view->setColour(TranscriptView::Colour::Nothing);
        const QImage without = m_view->viewport()->grab().toImage().copy(
            QRect(token.left(), token.bottom() - 1, token.width(), 5));
        QVERIFY(under != without);
    }

    void coloursCanBeSwitchedOff() {
        fill();
        QSignalSpy shown(m_view.get(), &TranscriptView::contentsShown);
        m_view->setColour(TranscriptView::Colour::Nothing);
        QCOMPARE(shown.count(), 1);
        const QColor accepted = themeColours(m_view->palette()).accepted;
        const auto ink = [&] {
            const QRect token = m_view->tokenRect(13);
            return pixelsNear(m_view->viewport()->grab().toImage().copy(
                                  QRect(token.left(), token.bottom() - 1, token.width(), 5)),
                              accepted);
        };
        QCOMPARE(ink(), 0);
        m_view->setColour(TranscriptView::Colour::Acceptance);
        QVERIFY(ink() > 5);
    }

    void hoverTellsTheDraft() {
        fill();
        m_view->setDescriber([](std::int32_t position) {
            return position == 14 ? QString("in place of a rejected draft") : QString();
        });
        QSignalSpy hover(m_view.get(), &TranscriptView::hoverText);
        QTest::mouseMove(m_view->viewport(), m_view->tokenRect(14).center());
        QCOMPARE(hover.last().first().toString(),
                 QString::fromUtf8("token 14 · “ runs” · in place of a rejected draft"));
        QTest::mouseMove(m_view->viewport(), m_view->tokenRect(12).center());
        QCOMPARE(hover.last().first().toString(), QString::fromUtf8("token 12 · “ll”"));
    }

    void marksTokensOfACell() {
        fill();
        const QRect token = m_view->tokenRect(12);
        const QImage before = m_view->viewport()->grab().toImage().copy(token);
        QSignalSpy shown(m_view.get(), &TranscriptView::contentsShown);
        m_view->setMarked({2, 12, 99});
        QCOMPARE(m_view->markedShown(), 2);
        QCOMPARE(shown.count(), 1);
        QVERIFY(m_view->viewport()->grab().toImage().copy(token) != before);
    }

    void takesTheLastAnswerBack() {
        fill();
        m_view->beginTurn(Turn::Notice);
        m_view->appendText("Stopped.");
        m_view->flush();
        QVERIFY(m_view->removeLastAnswer());
        QCOMPARE(m_view->plainText(), QString("What is it?"));
        QCOMPARE(m_view->tokenCount(), 4);
        QVERIFY(!m_view->hasDrafts());
        m_view->beginTurn(Turn::Answer);
        m_view->append({4, "Again", Draft::None});
        m_view->flush();
        QCOMPARE(m_view->plainText(), QString("What is it?\n\nAgain"));
        QVERIFY(!m_view->tokenRect(4).isEmpty());
    }

    void copiesText() {
        fill();
        m_view->setFocus();
        QTest::keySequence(m_view.get(), QKeySequence::SelectAll);
        QTest::keySequence(m_view.get(), QKeySequence::Copy);
        const QString copied = QGuiApplication::clipboard()->text();
        QVERIFY2(copied.startsWith("What is it?"), qPrintable(copied));
        QVERIFY2(copied.endsWith("A small fox runs"), qPrintable(copied));
    }

    void emptyTokensAreReachable() {
        m_view->beginTurn(Turn::Answer);
        m_view->append({0, "", Draft::None});  // half a character
        m_view->append({1, "天", Draft::None});
        m_view->append({2, "", Draft::None});  // an end token
        m_view->flush();
        m_view->setFocus();
        m_selection->setPosition(1);
        QTest::keyClick(m_view.get(), Qt::Key_Left);
        QCOMPARE(m_selection->position(), std::optional<std::int32_t>(0));
        QVERIFY(!m_view->tokenRect(0).isNull());
        QVERIFY(!m_view->tokenRect(2).isNull());
    }

    void staysWhereThePersonReads() {
        m_view->beginTurn(Turn::Answer);
        for (int i = 0; i < 200; ++i) {
            m_view->append({i, "line\n", Draft::None});
        }
        m_view->flush();
        QScrollBar* bar = m_view->verticalScrollBar();
        QCOMPARE(bar->value(), bar->maximum());
        bar->setValue(40);
        m_view->append({200, "more\n", Draft::None});
        m_view->flush();
        QCOMPARE(bar->value(), 40);
        m_selection->setPosition(200);  // selecting brings it into view
        QVERIFY(m_view->viewport()->rect().contains(m_view->tokenRect(200).center()));
    }

    void longTextsStayWhole() {
        m_view->beginTurn(Turn::Answer);
        for (int i = 0; i < 20000; ++i) {
            m_view->append({i, i % 12 == 11 ? QString("\n") : QString("word "), Draft::None});
        }
        m_view->flush();
        QCOMPARE(m_view->tokenCount(), 20000);
        m_selection->setPosition(15000);
        QVERIFY(m_view->viewport()->rect().contains(m_view->tokenRect(15000).center()));
        QTest::mouseClick(m_view->viewport(), Qt::LeftButton, {},
                          m_view->tokenRect(15001).center());
        QCOMPARE(m_selection->position(), std::optional<std::int32_t>(15001));
    }

    void zooms() {
        fill();
        const int before = m_view->tokenRect(11).height();
        m_view->setZoom(6);
        QVERIFY(m_view->tokenRect(11).height() > before);
        m_view->setZoom(1000);
        QCOMPARE(m_view->zoom(), 16);
        m_view->setZoom(0);
        QCOMPARE(m_view->tokenRect(11).height(), before);
    }

    void findsText() {
        QWidget window;
        Selection selection;
        auto* view = new TranscriptView(&selection, &window);
        FindBar bar(view, &window);
        view->resize(400, 200);
        bar.resize(400, 40);
        window.show();
        view->beginTurn(Turn::Answer);
        view->appendText("one two one\nONE two");
        view->flush();
        bar.open();
        auto* edit = bar.findChild<QLineEdit*>();
        edit->clear();
        QTest::keyClicks(edit, "one");
        QCOMPARE(bar.hits(), 3);
        QCOMPARE(view->textCursor().selectedText(), QString("one"));
        const int first = view->textCursor().position();
        QTest::keyClick(edit, Qt::Key_Return);
        QVERIFY(view->textCursor().position() > first);
        QTest::keyClick(edit, Qt::Key_Return);
        QTest::keyClick(edit, Qt::Key_Return);
        QCOMPARE(view->textCursor().position(), first);  // round
        edit->setText("nowhere");
        QCOMPARE(bar.hits(), 0);
        QTest::keyClick(edit, Qt::Key_Escape);
        QVERIFY(!bar.isVisible());
    }

    void legendExplainsWhatIsShown() {
        QWidget window;
        TranscriptLegend legend(&window);
        window.show();
        QVERIFY(!legend.isVisible());
        legend.setDrafts(true);
        QVERIFY(legend.isVisible());
        QVERIFY(legend.text().contains("accepted draft"));
        QVERIFY(!legend.text().contains("bonus"));
        legend.setDrafts(true, true);
        QVERIFY(legend.text().contains("bonus token"));
        legend.setDrafts(false, true);
        legend.setMarked("expert 17 in layer 4");
        QCOMPARE(legend.text(), QString("expert 17 in layer 4"));
    }

  private:
    /// A message of tokens 0 to 3 and an answer of tokens 10 to 15.
    void fill() {
        m_view->beginTurn(Turn::User);
        const QStringList words{"What", " is", " it", "?"};
        for (int i = 0; i < words.size(); ++i) {
            m_view->append({i, words[i], Draft::None});
        }
        m_view->beginTurn(Turn::Answer);
        m_view->append({10, "A", Draft::None});
        m_view->append({11, " sma", Draft::None});
        m_view->append({12, "ll", Draft::None});
        m_view->append({13, " fox", Draft::Accepted});
        m_view->append({14, " runs", Draft::Rejected});
        m_view->append({15, "", Draft::None});
        m_view->flush();
    }

    QString redPicture() {
        const QString file = m_dir.filePath("red.png");
        if (!QFile::exists(file)) {
            QImage red(64, 64, QImage::Format_RGB32);
            red.fill(Qt::red);
            red.save(file);
        }
        return file;
    }

    QTemporaryDir m_dir;
    std::unique_ptr<Selection> m_selection;
    std::unique_ptr<TranscriptView> m_view;
};

QTEST_MAIN(TranscriptTest)
#include "transcript_test.moc"
