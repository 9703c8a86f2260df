// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache_view.h"

#include <QApplication>
#include <QLabel>
#include <QSignalSpy>
#include <QTest>
#include <limits>

#include "views/cache_chart.h"
#include "views/number_table.h"
#include "views/theme.h"

using namespace gatescope;

namespace {

/// DeepSeek-V3 in BF16: (512 + 64) * 2 bytes in 61 layers, 128 heads of 128 + 64 + 128.
CacheValue fullValue() {
    CacheValue value;
    value.use.positions = 389;
    value.use.bytesPerPosition = 70272;
    value.use.used = 389 * 70272;
    value.use.reserved = 512 * 70272;
    value.use.mtpPositions = 388;
    value.use.mtpBytesPerPosition = 1152;
    value.use.mtpUsed = 388 * 1152;
    value.use.mtpReserved = 512 * 1152;
    value.use.expandedBytesPerPosition = 4997120;
    value.use.maxPositions = 131072;
    value.use.dtype = "BF16";
    value.layers = 61;
    value.mtpLayers = 1;
    return value;
}

}  // namespace

class CacheViewTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { applyTheme(Theme::Light); }
    void init();
    void cleanup() { view.reset(); }
    void publishedNumbers();
    void definitionsInToolTips();
    void exactBytesWhenCopied();
    void noMtpRowsWithoutMtp();
    void chartHasBothLinesAndNow();
    void hoverOnTheChart();
    void emptyStates();
    void hugeLimitsDoNotWrap();
    void hiddenViewDoesNotCompute();

  private:
    void set(CacheValue value) { view->setValue(std::make_shared<const CacheValue>(value)); }
    NumberTable* table() const { return view->findChild<NumberTable*>(); }
    CacheChart* chart() const { return view->findChild<CacheChart*>(); }
    int rowOf(const QString& name) const {
        for (int r = 0; r < table()->rowCount(); ++r) {
            if (table()->item(r, 0)->text() == name) {
                return r;
            }
        }
        return -1;
    }
    QString cell(const QString& name, int column) const {
        const int row = rowOf(name);
        return row < 0 ? QStringLiteral("no such row")
                       : table()
                             ->item(row, column)
                             ->text()
                             .replace(QChar(0xA0), u' ')
                             .replace(QChar(0x202F), u' ');
    }
    QString labels() const {
        QString text;
        for (const QLabel* label : view->findChildren<QLabel*>()) {
            if (label->isVisibleTo(view.get())) {
                text += label->text() + u'\n';
            }
        }
        return text;
    }

    std::unique_ptr<CacheView> view;
};

void CacheViewTest::init() {
    view = std::make_unique<CacheView>();
    set(fullValue());
    view->resize(420, 480);
    view->show();
    QApplication::processEvents();
}

void CacheViewTest::publishedNumbers() {
    QCOMPARE(cell(QStringLiteral("Latent, used"), 1), QStringLiteral("26.1 MiB"));
    QCOMPARE(cell(QStringLiteral("Latent, used"), 2), QStringLiteral("8.58 GiB"));
    QCOMPARE(cell(QStringLiteral("Latent, reserved"), 1), QStringLiteral("34.3 MiB"));
    QCOMPARE(cell(QStringLiteral("MTP layer, used"), 1), QStringLiteral("437 KiB"));
    QCOMPARE(cell(QStringLiteral("MTP layer, reserved"), 1), QStringLiteral("576 KiB"));
    QCOMPARE(cell(QStringLiteral("As expanded MHA"), 2), QStringLiteral("610 GiB"));
    QCOMPARE(cell(QStringLiteral("Expanded / latent"), 1), QStringLiteral("71.1×"));
    QCOMPARE(cell(QStringLiteral("Per position"), 1), QStringLiteral("70 272 B"));
    QCOMPARE(cell(QStringLiteral("Per position and layer"), 1), QStringLiteral("1 152 B"));
    QVERIFY(labels()
                .replace(QChar(0x202F), u' ')
                .contains(QStringLiteral("389 of at most 131 072 positions · BF16 in 61 layers")));
}

void CacheViewTest::definitionsInToolTips() {
    const QString tip = table()->item(rowOf(QStringLiteral("As expanded MHA")), 1)->toolTip();
    QVERIFY(tip.contains(QStringLiteral("H × (d_nope + d_rope + d_v)")));
    QVERIFY(tip.contains(QStringLiteral("1\u202F943\u202F879\u202F680")));
}

void CacheViewTest::exactBytesWhenCopied() {
    const QString text = view->tableText(u'\t').replace(QChar(0xA0), u' ');
    QVERIFY(text.contains(QStringLiteral("Latent, used\t27\u202F335\u202F808 B")));
}

void CacheViewTest::noMtpRowsWithoutMtp() {
    CacheValue value = fullValue();
    value.mtpLayers = 0;
    set(value);
    QCOMPARE(rowOf(QStringLiteral("MTP layer, used")), -1);
    QCOMPARE(table()->rowCount(), 6);
}

void CacheViewTest::chartHasBothLinesAndNow() {
    QCOMPARE(chart()->graphCount(), 3);
    const auto last = [this](int graph) { return (chart()->graph(graph)->data()->constEnd() - 1); };
    QCOMPARE(last(0)->value, 4997120.0 * 131072);
    QCOMPARE(last(1)->value, 70272.0 * 131072);
    QCOMPARE(last(2)->key, 389.0);
    QVERIFY(chart()->xAxis->range().contains(131072));
    QVERIFY(chart()->yAxis->range().contains(4997120.0 * 131072));
    QVERIFY(chart()->yAxis->range().contains(70272.0));
    CacheValue value = fullValue();
    value.use.positions = 0;  // no logarithm of zero
    set(value);
    QCOMPARE(chart()->graph(2)->dataCount(), 0);
}

void CacheViewTest::hoverOnTheChart() {
    chart()->replot();
    QSignalSpy hover(view.get(), &CacheView::hoverText);
    const QPointF at(chart()->xAxis->coordToPixel(131072), chart()->axisRect()->center().y());
    QTest::mouseMove(chart(), at.toPoint());
    const QString text = hover.last().first().toString();
    QVERIFY2(text.contains(QStringLiteral("latent 8.")), qPrintable(text));
    QVERIFY2(text.contains(QStringLiteral("expanded 6")), qPrintable(text));
}

void CacheViewTest::emptyStates() {
    view->setValue(nullptr);
    QVERIFY(labels().contains(QStringLiteral("No model is open.")));
    set({});
    QVERIFY(labels().contains(QStringLiteral("Ask something")));
    QVERIFY(!chart()->isVisible());
}

void CacheViewTest::hugeLimitsDoNotWrap() {
    CacheValue value = fullValue();
    value.use.maxPositions = std::numeric_limits<std::int64_t>::max();
    set(value);
    QCOMPARE(cell(QStringLiteral("Latent, used"), 2), QStringLiteral("8.00 EiB"));
    value = fullValue();
    value.use.expandedBytesPerPosition = 0;  // not known
    value.layers = 0;
    set(value);
    QCOMPARE(rowOf(QStringLiteral("As expanded MHA")), -1);
    QVERIFY(!chart()->graph(0)->visible());
    QVERIFY(chart()->graph(1)->visible());
}

void CacheViewTest::hiddenViewDoesNotCompute() {
    const int before = view->computations();
    view->hide();
    for (int i = 0; i < 10; ++i) {
        set(fullValue());
    }
    QCOMPARE(view->computations(), before);
    view->show();
    QCOMPARE(view->computations(), before + 1);
}

QTEST_MAIN(CacheViewTest)
#include "cache_view_test.moc"
