// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/status_strip.h"

#include <QEvent>
#include <QLabel>
#include <QStatusBar>
#include <cmath>

#include "views/formats.h"
#include "views/literal_text.h"
#include "views/speculation_texts.h"
#include "views/theme.h"

namespace gatescope {

StatusStrip::StatusStrip(QStatusBar* bar) : QObject(bar), m_bar(bar), m_hover(new QLabel) {
    bar->setSizeGripEnabled(false);
    for (int i = 0; i < PlaceCount; ++i) {
        auto* label = new QLabel;
        label->setTextFormat(Qt::PlainText);
        label->setContentsMargins(i == 0 ? kGrid : 0, 0, kGrid, 0);
        label->hide();
        bar->addWidget(label);
        m_labels.push_back(label);
    }
    m_hover->setTextFormat(Qt::PlainText);
    m_hover->setContentsMargins(kGrid, 0, kGrid, 0);
    // The value under the pointer must not widen the window.
    m_hover->setMinimumWidth(0);
    m_hover->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_hover->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    bar->addPermanentWidget(m_hover, 1);
    bar->installEventFilter(this);
    restyle();
}

void StatusStrip::restyle() {
    const QFont font = smallFont(m_bar->font());
    for (QLabel* label : m_labels) {
        label->setFont(font);
    }
    m_hover->setFont(font);
}

bool StatusStrip::eventFilter(QObject* watched, QEvent* event) {
    if (watched == m_bar && event->type() == QEvent::FontChange) {
        restyle();
    }
    return QObject::eventFilter(watched, event);
}

void StatusStrip::set(Place place, const QString& name, const QString& value, const QString& tip) {
    QLabel* label = m_labels[static_cast<std::size_t>(place)];
    label->setText(name.isEmpty() ? value : name + u' ' + value);
    label->setToolTip(plainToolTip(tip));
    label->setVisible(!value.isEmpty());
}

void StatusStrip::setModel(const ModelFacts* model) {
    if (model == nullptr) {
        set(Model, {}, tr("no model"), {});
        set(Device, {}, {}, {});
        return;
    }
    set(Model, {}, literalText(model->name), QString::fromStdString(model->dir.string()));
    set(Device, {}, literalText(model->device + QStringLiteral(", ") + model->precision),
        model->precision == QStringLiteral("exact")
            ? tr("Where the model runs; exact: in float32 throughout")
            : tr("Where the model runs; fast: 16-bit products with float32 sums, the router in "
                 "float32"));
}

void StatusStrip::showFrame(const LiveFrame& frame, bool streaming) {
    if (streaming && frame.generated == 0 && frame.prefillTotal > 0) {
        set(Speed, tr("prefill"),
            tr("%1 of %2").arg(integerText(frame.prefillDone), integerText(frame.prefillTotal)),
            tr("Prompt positions computed"));
    } else if (frame.tokensPerSecond > 0) {
        set(Speed, tr("decode"), tr("%1 tok/s").arg(threeDigits(frame.tokensPerSecond)),
            tr("Tokens shown per second, over the last 1.5 s"));
    }
    if (frame.cache) {
        const CacheUse& cache = *frame.cache;
        set(Cache, tr("cache"), bytesText(cache.used + cache.mtpUsed),
            tr("Latent cache in use, MTP layer included: %1 for %2 positions")
                .arg(exactBytesText(cache.used + cache.mtpUsed), integerText(cache.positions)));
    }
    if (frame.recorderShare > 0) {
        set(Recorder, tr("recorder"), percentText(frame.recorderShare),
            tr("Share of the engine's time in this answer that recording took"));
        set(Statistics, tr("statistics"), percentText(frame.analysisShare),
            tr("What counting took beside that: load, bias, shadow, co-activation, transitions, "
               "expert reads, all of it for every token"));
    }
}

void StatusStrip::showTiming(const GenerationTiming& timing) {
    if (timing.decodeSeconds > 0 && timing.decodeTokens > 0) {
        const double decode = static_cast<double>(timing.decodeTokens) / timing.decodeSeconds;
        const double prefill =
            timing.prefillSeconds > 0
                ? static_cast<double>(timing.prefillTokens) / timing.prefillSeconds
                : 0;
        set(Speed, tr("decode"), tr("%1 tok/s").arg(threeDigits(decode)),
            tr("The last answer: %1 tokens at %2 tok/s, prompt of %3 tokens at %4 tok/s, %5 reused "
               "from the cache")
                .arg(integerText(timing.decodeTokens), threeDigits(decode),
                     integerText(timing.prefillTokens), threeDigits(prefill),
                     integerText(timing.reusedTokens)));
    }
}

void StatusStrip::setAcceptance(std::int64_t accepted, std::int64_t drafted,
                                const SpeculationGain& gain) {
    if (drafted <= 0) {
        set(Acceptance, {}, {}, {});
        return;
    }
    const double share = static_cast<double>(accepted) / static_cast<double>(drafted);
    const double length = 1 + static_cast<double>(accepted) / static_cast<double>(gain.verifySteps);
    QString value = tr("%1 · τ %2").arg(percentText(share), threeDigits(length));
    if (!std::isnan(gain.gain)) {
        value += QStringLiteral(" · ") + signedPercent(gain.gain);
    }
    set(Acceptance, tr("acceptance"), value,
        tr("Drafts accepted: %1 of %2; %3 tokens per verify step, the bonus token included.\n%4")
            .arg(integerText(accepted), integerText(drafted), threeDigits(length), gainText(gain)));
}

void StatusStrip::setHover(const QString& text) {
    m_hover->setText(literalText(text));
}

void StatusStrip::clearSession() {
    for (const Place place : {Speed, Cache, Acceptance, Recorder, Statistics}) {
        set(place, {}, {}, {});
    }
    setHover({});
}

QString StatusStrip::text() const {
    QStringList shown;
    for (const QLabel* label : m_labels) {
        if (!label->isHidden()) {
            shown.append(label->text());
        }
    }
    return shown.join(QStringLiteral(" · "));
}

QString StatusStrip::hover() const {
    return m_hover->text();
}

}  // namespace gatescope
