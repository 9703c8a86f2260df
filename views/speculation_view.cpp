// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/speculation_view.h"

#include <QLabel>
#include <QStackedWidget>
#include <QVBoxLayout>
#include <cmath>

#include "views/formats.h"
#include "views/message_label.h"
#include "views/number_table.h"
#include "views/speculation_chart.h"
#include "views/theme.h"
#include "views/view_export.h"

namespace gatescope {

namespace {

constexpr int kMessagePage = 0;
constexpr int kContentPage = 1;

NumberCell countCell(std::int64_t value) {
    return {integerText(value), QString::number(value), {}, {}};
}

QString intervalText(const Interval& interval) {
    return std::isnan(interval.low)
               ? QString(QChar(0x2013))
               : threeDigits(100 * interval.low) + QChar(0x2013) + percentText(interval.high);
}

NumberCell rateCell(double rate) {
    return {percentText(rate), allDigits(rate), {}, {}};
}

NumberCell intervalCell(const Interval& interval) {
    return {intervalText(interval),
            allDigits(interval.low) + QChar(0x2013) + allDigits(interval.high),
            SpeculationView::tr("95 % interval after Wilson"),
            {}};
}

}  // namespace

class SpeculationView::Private final : public QObject {
  public:
    explicit Private(SpeculationView* view);

    void compute();
    QString messageText() const;
    std::vector<std::vector<NumberCell>> rows() const;
    void addExpertRow(std::vector<std::vector<NumberCell>>& out) const;
    bool hasDrafts() const { return value && !value->steps.empty(); }

    SpeculationView* q;
    QStackedWidget* pages = nullptr;
    QLabel* message = nullptr;
    QLabel* note = nullptr;
    NumberTable* table = nullptr;
    SpeculationChart* chart = nullptr;
    std::shared_ptr<const SpeculationValue> value;
    RoutingShape shape;
    State state = State::NoModel;
    QString pointed;
};

SpeculationView::Private::Private(SpeculationView* view) : q(view) {
    message = makeMessageLabel(q);
    note = makeNoteLabel(q);
    chart = new SpeculationChart(q);
    chart->setAccessibleName(tr("Accepted and rejected drafts by verify step"));
    table = new NumberTable({QString(), tr("value"), tr("95 %"), tr("n")}, q);
    table->setFitHeight(true);
    table->setAccessibleName(tr("Speculation in numbers"));

    auto* content = new QWidget(q);
    auto* layout = new QVBoxLayout(content);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    auto* head = new QVBoxLayout;
    head->setContentsMargins(kGrid, kGrid, kGrid, 0);
    head->addWidget(note);
    layout->addLayout(head);
    layout->addWidget(chart, 1);
    layout->addWidget(table);
    pages = new QStackedWidget(q);
    pages->addWidget(message);
    pages->addWidget(content);
    auto* outer = new QVBoxLayout(q);
    outer->setContentsMargins(0, 0, 0, 0);
    outer->addWidget(pages);

    connect(chart, &SpeculationChart::pointed, this, [this](const QString& text) {
        pointed = text;
        Q_EMIT q->hoverText(text);
    });
    ViewExport what;
    what.name = QStringLiteral("speculation");
    what.plot = chart;
    what.value = [this] { return pointed.isEmpty() ? table->currentExact() : pointed; };
    what.table = [this](QChar separator) { return q->tableText(separator); };
    what.failed = [this](const QString& text) { Q_EMIT q->failed(text); };
    installExportMenu(chart, what);
    installExportMenu(table, what);
}

QString SpeculationView::Private::messageText() const {
    switch (state) {
        case State::NoModel:
            return tr(
                "No model is open. Open a model with an MTP layer: this shows which of its "
                "drafts were accepted.");
        case State::NoModule:
            return tr("This model has no MTP layer, so nothing drafts ahead.");
        case State::Off:
            return hasDrafts() ? tr("Speculation is off; these are the drafts made before.")
                               : tr("Speculation is off. Switch MTP on to let the model draft one "
                                    "token ahead.");
        case State::On:
            return hasDrafts()
                       ? QString()
                       : tr("Ask something: every draft shows here as accepted or rejected.");
    }
    return {};
}

void SpeculationView::Private::addExpertRow(std::vector<std::vector<NumberCell>>& out) const {
    const int layers = static_cast<int>(shape.layers.size());
    if (value->stepsWithExperts == 0 || layers == 0 || shape.experts <= 0) {
        return;
    }
    // A verify step runs one position more than it drafts.
    const double positions =
        1 + static_cast<double>(value->drafted) / static_cast<double>(value->steps.size());
    const double single = uniformDistinctExperts(layers, shape.experts, shape.topK, 1);
    const QString tip =
        tr("Experts read in a verify step, summed over the %1 MoE layers. One token "
           "alone reads %2.")
            .arg(layers)
            .arg(integerText(std::llround(single)));
    out.push_back(
        {{tr("Distinct experts per step"), {}, tip, {}},
         {threeDigits(value->meanDistinctExperts), allDigits(value->meanDistinctExperts), tip, {}},
         {},
         countCell(value->stepsWithExperts)});
    const double times = value->meanDistinctExperts / single;
    out.push_back({{tr("… to those of one token"), {}, tip, {}},
                   {timesText(times), allDigits(times) + QChar(0xD7), tip, {}},
                   {},
                   countCell(value->stepsWithExperts)});
    if (std::abs(positions - std::round(positions)) < 1e-9) {
        const int whole = static_cast<int>(std::lround(positions));
        const double null =
            uniformDistinctExperts(layers, shape.experts, shape.topK, whole) / single;
        const QString nullTip =
            tr("E (1 − (1 − k/E)^p) / k for p = %1 independent positions of a uniform router")
                .arg(whole);
        out.push_back({{tr("… under a uniform router"), {}, nullTip, {}},
                       {timesText(null), allDigits(null) + QChar(0xD7), nullTip, {}},
                       {},
                       {}});
    }
}

std::vector<std::vector<NumberCell>> SpeculationView::Private::rows() const {
    const auto steps = static_cast<std::int64_t>(value->steps.size());
    std::vector<std::vector<NumberCell>> out;
    const auto add = [&out](const QString& name, const QString& tip, NumberCell number,
                            NumberCell interval, NumberCell n) {
        number.toolTip = tip;
        out.push_back({{name, {}, tip, {}}, std::move(number), std::move(interval), std::move(n)});
    };
    add(tr("Accepted of drafted"), tr("accepted drafts and drafts made"),
        {integerText(value->accepted) + QStringLiteral(" / ") + integerText(value->drafted),
         {},
         {},
         {}},
        {}, {});
    add(tr("Acceptance rate"), tr("accepted / drafted"), rateCell(value->rate),
        intervalCell(value->rate95), countCell(value->drafted));
    if (value->positions.size() > 1) {
        for (std::size_t i = 0; i < value->positions.size(); ++i) {
            const DraftPosition& at = value->positions[i];
            add(tr("… at position %1").arg(i + 1),
                tr("accepted, of the steps where every earlier draft was accepted"),
                rateCell(at.conditional), intervalCell(at.conditional95), countCell(at.reached));
        }
    }
    const auto lengthCell = [](double length) {
        return NumberCell{threeDigits(length), allDigits(length), {}, {}};
    };
    add(tr("Acceptance length τ"),
        tr("1 + accepted / verify steps: tokens per step, the bonus token included"),
        lengthCell(value->length), {}, countCell(steps));
    add(tr("… without the bonus"), tr("accepted / verify steps"),
        lengthCell(value->lengthWithoutBonus), {}, countCell(steps));
    addExpertRow(out);
    return out;
}

void SpeculationView::Private::compute() {
    const QString text = messageText();
    const bool showChart = hasDrafts() && (state == State::On || state == State::Off);
    pages->setCurrentIndex(showChart ? kContentPage : kMessagePage);
    message->setText(text);
    note->setText(text);
    note->setVisible(!text.isEmpty());
    if (!showChart) {
        q->setAccessibleDescription(text);
        return;
    }
    chart->setValue(value);
    table->setRows(rows());
    const QString summary = tr("%1 of %2 drafts accepted, %3")
                                .arg(integerText(value->accepted), integerText(value->drafted),
                                     percentText(value->rate));
    chart->setAccessibleDescription(summary);
    q->setAccessibleDescription(summary);
}

SpeculationView::SpeculationView(QWidget* parent)
    : DockView(parent), d(std::make_unique<Private>(this)) {
    setFocusProxy(d->table);
    setAccessibleName(tr("Speculation"));
}

SpeculationView::~SpeculationView() = default;

void SpeculationView::setState(State state) {
    if (state != d->state) {
        d->state = state;
        changed();
    }
}

SpeculationView::State SpeculationView::state() const {
    return d->state;
}

void SpeculationView::setValue(std::shared_ptr<const SpeculationValue> value,
                               const RoutingShape& shape) {
    d->value = std::move(value);
    d->shape = shape;
    changed();
}

QString SpeculationView::message() const {
    return d->messageText();
}

QString SpeculationView::tableText(QChar separator) const {
    return d->table->exactText(separator);
}

void SpeculationView::compute() {
    d->compute();
}

}  // namespace gatescope
