// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/number_table.h"

#include <QSplitter>
#include <QTest>

#include "views/theme.h"

using namespace gatescope;

class NumberTableTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void bodyFollowsTheThemeWhileShown();
};

/// The lightness most of the table's body has.
static int bodyLightness(NumberTable& table) {
    const QImage picture = table.viewport()->grab().toImage();
    return picture.pixelColor(picture.width() / 2, picture.height() - 2).lightness();
}

void NumberTableTest::bodyFollowsTheThemeWhileShown() {
    applyTheme(Theme::Light);
    QSplitter parent;
    auto* child = new NumberTable({QStringLiteral("expert"), QStringLiteral("s")}, &parent);
    NumberTable& table = *child;
    table.setRows({{{QStringLiteral("1"), {}, {}, {}}, {QStringLiteral("0.5"), {}, {}, {}}}});
    parent.resize(300, 200);
    parent.show();
    QVERIFY(QTest::qWaitForWindowExposed(&parent));
    QVERIFY(bodyLightness(table) > 200);
    applyTheme(Theme::Dark);
    QTRY_VERIFY(bodyLightness(table) < 80);
    applyTheme(Theme::Light);
    QTRY_VERIFY(bodyLightness(table) > 200);
}

QTEST_MAIN(NumberTableTest)
#include "number_table_test.moc"
