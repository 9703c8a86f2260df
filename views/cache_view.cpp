// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache_view.h"

#include <QLabel>
#include <QStackedWidget>
#include <QVBoxLayout>
#include <limits>

#include "views/cache_chart.h"
#include "views/formats.h"
#include "views/message_label.h"
#include "views/number_table.h"
#include "views/theme.h"
#include "views/view_export.h"

namespace gatescope {

namespace {

constexpr int kMessagePage = 0;
constexpr int kContentPage = 1;

/// Products of positions and bytes can pass 2^63 for a hostile configuration: clamped, not wrapped.
std::int64_t product(std::int64_t a, std::int64_t b) {
    std::int64_t out = 0;
    return __builtin_mul_overflow(a, b, &out) ? std::numeric_limits<std::int64_t>::max() : out;
}

NumberCell bytesCell(std::int64_t bytes, const QString& toolTip = {}) {
    return {bytesText(bytes), exactBytesText(bytes), toolTip, {}};
}

NumberCell noCell() {
    return {QString(QChar(0x2013)), {}, {}, {}};
}

}  // namespace

class CacheView::Private final : public QObject {
  public:
    explicit Private(CacheView* view);

    void compute();
    std::vector<std::vector<NumberCell>> rows() const;
    QString noteText() const;
    double ratio() const {
        return static_cast<double>(value->use.expandedBytesPerPosition) /
               static_cast<double>(value->use.bytesPerPosition);
    }

    CacheView* q;
    QStackedWidget* pages = nullptr;
    QLabel* message = nullptr;
    QLabel* note = nullptr;
    NumberTable* table = nullptr;
    CacheChart* chart = nullptr;
    std::shared_ptr<const CacheValue> value;
    QString pointed;
};

CacheView::Private::Private(CacheView* view) : q(view) {
    message = makeMessageLabel(q);
    note = makeNoteLabel(q);
    table = new NumberTable({QString(), tr("now"), tr("at the limit")}, q);
    table->setFitHeight(true);
    table->setAccessibleName(tr("Bytes of the latent cache"));
    chart = new CacheChart(q);
    chart->setAccessibleName(tr("Latent cache and expanded attention over the context"));

    auto* content = new QWidget(q);
    auto* layout = new QVBoxLayout(content);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(kGrid / 2);
    auto* head = new QVBoxLayout;
    head->setContentsMargins(kGrid, kGrid, kGrid, 0);
    head->addWidget(note);
    layout->addLayout(head);
    layout->addWidget(table);
    layout->addWidget(chart, 1);
    pages = new QStackedWidget(q);
    pages->addWidget(message);
    pages->addWidget(content);
    auto* outer = new QVBoxLayout(q);
    outer->setContentsMargins(0, 0, 0, 0);
    outer->addWidget(pages);

    connect(chart, &CacheChart::pointed, this, [this](const QString& text) {
        pointed = text;
        Q_EMIT q->hoverText(text);
    });
    ViewExport what;
    what.name = QStringLiteral("cache");
    what.plot = chart;
    what.value = [this] { return pointed.isEmpty() ? table->currentExact() : pointed; };
    what.table = [this](QChar separator) { return q->tableText(separator); };
    what.failed = [this](const QString& text) { Q_EMIT q->failed(text); };
    installExportMenu(chart, what);
    installExportMenu(table, what);
}

QString CacheView::Private::noteText() const {
    const CacheUse& use = value->use;
    const QString dtype = visibleText(QString::fromStdString(use.dtype), 16);
    return tr("%1 of at most %2 positions · %3 in %4 layers")
        .arg(integerText(use.positions), integerText(use.maxPositions), dtype)
        .arg(value->layers);
}

std::vector<std::vector<NumberCell>> CacheView::Private::rows() const {
    const CacheUse& use = value->use;
    const QString latentTip =
        tr("d_c + d_rope values per position and main layer: the compressed keys and values and "
           "the rotary key, shared by all heads");
    const QString expandedTip =
        tr("the same layers and positions as ordinary multi-head attention: H × (d_nope + d_rope + "
           "d_v) values per position and layer, in the same type");
    const QString reservedTip = tr("allocated: at least what is used");
    std::vector<std::vector<NumberCell>> out;
    const auto add = [&out](const QString& name, const QString& tip, NumberCell now,
                            NumberCell limit) {
        now.toolTip = tip;
        limit.toolTip = tip;
        out.push_back({{name, {}, tip, {}}, std::move(now), std::move(limit)});
    };
    add(tr("Latent, used"), latentTip, bytesCell(use.used),
        bytesCell(product(use.maxPositions, use.bytesPerPosition)));
    add(tr("Latent, reserved"), reservedTip, bytesCell(use.reserved), noCell());
    if (value->mtpLayers > 0) {
        const QString mtpTip =
            tr("the MTP layer keeps a latent cache of its own, for drafts only; "
               "it is in no other row");
        add(tr("MTP layer, used"), mtpTip, bytesCell(use.mtpUsed),
            bytesCell(product(use.maxPositions, use.mtpBytesPerPosition)));
        add(tr("MTP layer, reserved"), reservedTip, bytesCell(use.mtpReserved), noCell());
    }
    if (use.expandedBytesPerPosition > 0) {
        add(tr("As expanded MHA"), expandedTip,
            bytesCell(product(use.positions, use.expandedBytesPerPosition)),
            bytesCell(product(use.maxPositions, use.expandedBytesPerPosition)));
        const NumberCell times{timesText(ratio()), allDigits(ratio()) + QChar(0xD7), {}, {}};
        add(tr("Expanded / latent"), expandedTip, times, times);
    }
    const NumberCell perPosition{exactBytesText(use.bytesPerPosition), {}, {}, {}};
    add(tr("Per position"), latentTip, perPosition, perPosition);
    if (value->layers > 0) {
        const double perLayer =
            static_cast<double>(use.bytesPerPosition) / static_cast<double>(value->layers);
        const NumberCell cell{threeDigits(perLayer) + QChar(0xA0) + u'B',
                              allDigits(perLayer) + QChar(0xA0) + u'B',
                              {},
                              {}};
        const bool whole = use.bytesPerPosition % value->layers == 0;
        const NumberCell shown =
            whole ? NumberCell{exactBytesText(use.bytesPerPosition / value->layers), {}, {}, {}}
                  : cell;
        add(tr("Per position and layer"), latentTip, shown, shown);
    }
    return out;
}

void CacheView::Private::compute() {
    const bool empty = !value || value->use.bytesPerPosition <= 0;
    pages->setCurrentIndex(empty ? kMessagePage : kContentPage);
    if (empty) {
        message->setText(value ? tr("Ask something: this shows how many bytes the context takes.")
                               : tr("No model is open. Open a model folder: this shows how many "
                                    "bytes its latent cache takes."));
        q->setAccessibleDescription(message->text());
        return;
    }
    note->setText(noteText());
    q->setAccessibleDescription(note->text());
    table->setRows(rows());
    chart->setUse(value->use);
}

CacheView::CacheView(QWidget* parent) : DockView(parent), d(std::make_unique<Private>(this)) {
    setFocusProxy(d->table);
    setAccessibleName(tr("Cache"));
}

CacheView::~CacheView() = default;

void CacheView::setValue(std::shared_ptr<const CacheValue> value) {
    d->value = std::move(value);
    changed();
}

QString CacheView::tableText(QChar separator) const {
    return d->table->exactText(separator);
}

void CacheView::compute() {
    d->compute();
}

}  // namespace gatescope
