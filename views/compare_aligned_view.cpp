// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/compare_aligned_view.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QSplitter>
#include <cmath>

#include "views/compare_series_chart.h"
#include "views/formats.h"
#include "views/message_label.h"
#include "views/number_table.h"
#include "views/theme.h"
#include "views/view_export.h"

namespace gatescope {

CompareAlignedView::CompareAlignedView(QWidget* parent)
    : QWidget(parent),
      m_summary(makeNoteLabel()),
      m_forced(new QPushButton),
      m_layers(new CompareSeriesChart),
      m_tokens(new CompareSeriesChart),
      m_kl(new CompareSeriesChart),
      m_firsts(new NumberTable(
          {tr("First difference"), tr("A"), tr("p or margin A"), tr("B"), tr("p or margin B")})),
      m_splitter(new QSplitter(Qt::Vertical)) {
    m_forced->setObjectName(QStringLiteral("forced"));
    m_layers->setAccessibleName(tr("Shared experts and moved mass by layer"));
    m_tokens->setAccessibleName(tr("Shared experts by token"));
    m_kl->setAccessibleName(tr("Divergence of the next token by position"));
    m_firsts->setAccessibleName(tr("First differences"));
    auto* head = new QHBoxLayout;
    head->setContentsMargins(kGrid, 0, kGrid, 0);
    head->setSpacing(kGrid);
    head->addWidget(m_summary, 1);
    head->addWidget(m_forced, 0, Qt::AlignTop);
    for (QWidget* part : {static_cast<QWidget*>(m_layers), static_cast<QWidget*>(m_tokens),
                          static_cast<QWidget*>(m_kl), static_cast<QWidget*>(m_firsts)}) {
        m_splitter->addWidget(part);
    }
    m_splitter->setChildrenCollapsible(false);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(kGrid / 2);
    column->addLayout(head);
    column->addWidget(m_splitter, 1);
    column->addStretch(0);
    connect(m_forced, &QPushButton::clicked, this, &CompareAlignedView::forcedRequested);
    connect(m_layers, &CompareSeriesChart::chosen, this, [this](int index) {
        Q_EMIT layerChosen(m_aligned.value->layers[static_cast<std::size_t>(index)].layer);
    });
    addChart(m_layers, QStringLiteral("compare-same-tokens-layers"),
             [this](QChar separator) { return layersText(separator); });
    addChart(m_tokens, QStringLiteral("compare-same-tokens"),
             [this](QChar separator) { return tokensText(separator); });
    addChart(m_kl, QStringLiteral("compare-next-token"),
             [this](QChar separator) { return tokensText(separator); });
    ViewExport what;
    what.name = QStringLiteral("compare-first-differences");
    what.value = [this] { return m_firsts->currentExact(); };
    what.table = [this](QChar separator) { return m_firsts->exactText(separator); };
    what.failed = [this](const QString& message) { Q_EMIT failed(message); };
    installExportMenu(m_firsts, what);
    setForcible(false, {});
    fill();
}

void CompareAlignedView::addChart(CompareSeriesChart* chart, const QString& name,
                                  std::function<QString(QChar)> table) {
    connect(chart, &CompareSeriesChart::pointed, this, &CompareAlignedView::pointed);
    ViewExport what;
    what.name = name;
    what.plot = chart;
    what.value = [chart] { return chart->pointedText(); };
    what.table = std::move(table);
    what.failed = [this](const QString& message) { Q_EMIT failed(message); };
    installExportMenu(chart, what);
}

void CompareAlignedView::setAligned(const CompareAligned& aligned, const QString& labelA,
                                    const QString& labelB,
                                    std::function<QString(std::int32_t)> token) {
    m_aligned = aligned;
    m_labelA = labelA;
    m_labelB = labelB;
    m_token = std::move(token);
    m_forced->setText(tr("On %1's tokens").arg(labelA));
    fill();
}

void CompareAlignedView::setForcible(bool can, const QString& why) {
    m_forced->setEnabled(can);
    const QString tip =
        tr("Sends A's text through both models and settings: routing and the next "
           "token's distribution on identical tokens.");
    m_forced->setToolTip(plainToolTip(why.isEmpty() ? tip : tip + u'\n' + why));
}

void CompareAlignedView::setSelected(std::optional<int> layer) {
    m_layers->setCursorKey(layer ? std::optional<double>(*layer) : std::nullopt);
}

QString CompareAlignedView::summary() const {
    if (!m_aligned.problem.isEmpty()) {
        return m_aligned.problem;
    }
    const AlignedComparison* both = m_aligned.value.get();
    if (both == nullptr || both->n == 0) {
        return tr("%1 and %2 routed no tokens in common. \"On %1's tokens\" sends its text through "
                  "both.")
            .arg(m_labelA, m_labelB);
    }
    QString text =
        tr("%1 of n = %2 tokens: %3 of the choices are shared (by chance %4), %5 of %6 gate mass "
           "moved; %7 tokens chose the same experts in every layer.")
            .arg(m_aligned.forced ? tr("%1's text").arg(m_labelA) : tr("The common beginning"),
                 integerText(both->n), percentText(both->saturation), percentText(both->chance),
                 threeDigits(both->massMoved), threeDigits(both->mass),
                 integerText(both->identicalTokens));
    if (both->klTokens > 0) {
        text += tr(" Next token: KL %1 nats on average (largest %2), another most probable one at "
                   "%3 of %4 positions.")
                    .arg(threeDigits(both->meanKl), threeDigits(both->maxKl),
                         integerText(both->topChanged), integerText(both->klTokens));
    }
    return text;
}

void CompareAlignedView::fill() {
    const bool any = m_aligned.value != nullptr && m_aligned.value->n > 0;
    m_summary->setText(summary());
    m_splitter->setVisible(any || (m_aligned.value != nullptr && !m_aligned.value->texts.empty()));
    m_layers->setVisible(any);
    m_tokens->setVisible(any);
    m_kl->setVisible(any && m_aligned.value->klTokens > 0);
    if (any) {
        fillLayers();
        fillTokens();
    }
    fillFirsts();
}

void CompareAlignedView::fillLayers() {
    CompareSeriesChart::Content content;
    CompareSeriesChart::Series shared{tr("shared experts"), {}, false};
    CompareSeriesChart::Series moved{tr("mass moved, of all"), {}, false};
    const AlignedComparison& both = *m_aligned.value;
    for (const AlignedLayer& at : both.layers) {
        content.keys.push_back(at.layer);
        shared.values.push_back(at.saturation);
        moved.values.push_back(both.mass > 0 ? at.massMoved / both.mass : std::nan(""));
    }
    content.series = {shared, moved};
    content.across = tr("layer");
    content.up = tr("share");
    content.top = 1;
    content.text = [value = m_aligned.value](std::size_t i) {
        const AlignedLayer& at = value->layers[i];
        return tr("layer %1 · n = %2 · shared experts %3 (by chance %4) · mass moved %5 · %6 "
                  "tokens "
                  "with other experts")
            .arg(at.layer)
            .arg(integerText(value->n), allDigits(at.saturation), percentText(value->chance),
                 allDigits(at.massMoved), integerText(at.changedTokens));
    };
    m_layers->setContent(std::move(content));
}

void CompareAlignedView::fillTokens() {
    CompareSeriesChart::Content content;
    CompareSeriesChart::Series other{tr("not shared"), {}, true};
    CompareSeriesChart::Series kl{tr("KL"), {}, true};
    const AlignedComparison& both = *m_aligned.value;
    for (std::size_t i = 0; i < both.tokens.size(); ++i) {
        content.keys.push_back(static_cast<double>(i));  // answers one after the other
        other.values.push_back(1 - both.tokens[i].share);
        kl.values.push_back(both.tokens[i].next.kl);
    }
    content.series = {other};
    content.across = tr("token");
    content.up = tr("experts not shared");
    content.text = [value = m_aligned.value, token = m_token](std::size_t i) {
        const AlignedToken& at = value->tokens[i];
        QString text = tr("answer %1, position %2 %3 · shared experts %4 · mass moved %5")
                           .arg(at.answer + 1)
                           .arg(at.position)
                           .arg(token ? token(at.tokenId) : tr("token %1").arg(at.tokenId),
                                allDigits(at.share), allDigits(at.massMoved));
        text += at.firstLayer >= 0 ? tr(" · first other choice in layer %1").arg(at.firstLayer)
                                   : tr(" · the same experts in every layer");
        if (!std::isnan(at.next.kl)) {
            text += tr(" · next token: KL %1 nats").arg(allDigits(at.next.kl));
        }
        return text;
    };
    CompareSeriesChart::Content next = content;
    next.series = {kl};
    next.up = tr("KL, nats");
    m_tokens->setContent(std::move(content));
    m_kl->setContent(std::move(next));
}

QString CompareAlignedView::shown(std::int32_t id) const {
    return id < 0 ? tr("ended") : m_token ? m_token(id) : tr("token %1").arg(id);
}

void CompareAlignedView::fillFirsts() {
    m_firsts->setHeader(
        {tr("First difference"), m_labelA, tr("p or margin"), m_labelB, tr("p or margin")});
    std::vector<std::vector<NumberCell>> rows;
    const auto words = [](const QString& text) { return NumberCell{text, {}, {}, {}}; };
    const auto number = [](float value) {
        return NumberCell{threeDigits(value), allDigits(value), {}, {}};
    };
    if (m_aligned.value != nullptr) {
        if (const auto& first = m_aligned.value->first) {
            rows.push_back({words(tr("Routing: answer %1, position %2 %3, layer %4")
                                      .arg(first->answer + 1)
                                      .arg(first->position)
                                      .arg(shown(first->tokenId))
                                      .arg(first->layer)),
                            words(tr("margin")), number(first->marginA), words(tr("margin")),
                            number(first->marginB)});
        }
        for (const TextDivergence& at : m_aligned.value->texts) {
            rows.push_back(
                {words(tr("Text: answer %1, token %2").arg(at.answer + 1).arg(at.seq + 1)),
                 words(shown(at.idA)), number(at.probabilityA), words(shown(at.idB)),
                 number(at.probabilityB)});
        }
    }
    m_firsts->setVisible(!rows.empty());
    m_firsts->setRows(rows);
}

QString CompareAlignedView::layersText(QChar separator) const {
    QString out =
        QStringList{tr("layer"),      tr("n"),    tr("shared experts"),           tr("by chance"),
                    tr("mass moved"), tr("mass"), tr("tokens with other experts")}
            .join(separator) +
        u'\n';
    for (std::size_t i = 0; m_aligned.value != nullptr && i < m_aligned.value->layers.size(); ++i) {
        const AlignedComparison& both = *m_aligned.value;
        const AlignedLayer& at = both.layers[i];
        out += QStringList{QString::number(at.layer),        QString::number(both.n),
                           allDigits(at.saturation),         allDigits(both.chance),
                           allDigits(at.massMoved),          allDigits(both.mass),
                           QString::number(at.changedTokens)}
                   .join(separator) +
               u'\n';
    }
    return out;
}

QString CompareAlignedView::tokensText(QChar separator) const {
    QString out = QStringList{tr("answer"),         tr("position"),   tr("token id"),
                              tr("shared experts"), tr("mass moved"), tr("first other layer"),
                              tr("KL in nats")}
                      .join(separator) +
                  u'\n';
    for (std::size_t i = 0; m_aligned.value != nullptr && i < m_aligned.value->tokens.size(); ++i) {
        const AlignedToken& at = m_aligned.value->tokens[i];
        out += QStringList{QString::number(at.answer + 1),
                           QString::number(at.position),
                           QString::number(at.tokenId),
                           allDigits(at.share),
                           allDigits(at.massMoved),
                           at.firstLayer >= 0 ? QString::number(at.firstLayer) : QString(),
                           std::isnan(at.next.kl) ? QString() : allDigits(at.next.kl)}
                   .join(separator) +
               u'\n';
    }
    return out;
}

}  // namespace gatescope
