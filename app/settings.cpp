// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/settings.h"

#include <QCoreApplication>
#include <QStandardPaths>
#include <algorithm>
#include <string>
#include <string_view>

namespace gatescope {
namespace {

constexpr qsizetype kMostRecent = 10;
constexpr int kAlternatives = 5;
/// One step in so many drafts nothing, or the gain could not be measured; that costs at most as
/// many hundredths of it.
constexpr int kPlainEvery = 48;

QString tr(const char* text) {
    return QCoreApplication::translate("gatescope::ChatSettings", text);
}

QString shortNumber(double value) {
    return QString::number(value, 'g', 4);
}

}  // namespace

ChatSettings ChatSettings::defaults() {
    ChatSettings settings;
    settings.sampling.temperature = 0.6F;
    settings.sampling.topP = 0.95F;
    settings.sampling.seed = 1;
    return settings;
}

QString ChatSettings::summary() const {
    if (sampling.temperature <= 0) {
        return tr("Greedy");
    }
    QStringList parts{tr("Temperature %1").arg(shortNumber(sampling.temperature))};
    if (sampling.topP < 1) {
        parts.append(tr("top-p %1").arg(shortNumber(sampling.topP)));
    }
    if (sampling.topK > 0) {
        parts.append(tr("top-k %1").arg(sampling.topK));
    }
    if (sampling.minP > 0) {
        parts.append(tr("min-p %1").arg(shortNumber(sampling.minP)));
    }
    parts.append(tr("seed %1").arg(sampling.seed));
    return parts.join(QStringLiteral(" · "));
}

QString ChatSettings::ruleText() const {
    return sampling.temperature <= 0 ? tr("greedy")
                                     : tr("temperature %1").arg(shortNumber(sampling.temperature));
}

void ChatSettings::setSpeculate(Speculate mode) {
    speculate = mode;
    if (mode != Speculate::Off) {
        lastSpeculate = mode;
    }
}

QString speculateText(Speculate mode) {
    switch (mode) {
        case Speculate::Mtp:
            return tr("MTP");
        case Speculate::Lookup:
            return tr("lookup");
        case Speculate::Auto:
            return tr("auto");
        case Speculate::Off:
            break;
    }
    return tr("off");
}

GenerationParams ChatSettings::params(bool modelHasMtp) const {
    GenerationParams params;
    params.sampling = sampling;
    params.maxNewTokens = maxNewTokens;
    params.speculate = speculate == Speculate::Mtp && !modelHasMtp ? Speculate::Off : speculate;
    params.drafts = drafts;
    params.mtpRecycle = mtpRecycle;
    params.plainEvery = kPlainEvery;
    params.record = true;
    params.keepScores = true;
    params.alternatives = kAlternatives;
    return params;
}

QString AppSettings::defaultFile() {
    return QStandardPaths::writableLocation(QStandardPaths::GenericConfigLocation) +
           QStringLiteral("/gatescope/gatescope.ini");
}

AppSettings::AppSettings(const QString& file)
    : m_file(file.isEmpty() ? nullptr : std::make_unique<QSettings>(file, QSettings::IniFormat)) {}

QVariant AppSettings::value(const QString& key, const QVariant& fallback) const {
    return m_file ? m_file->value(key, fallback) : fallback;
}

void AppSettings::setValue(const QString& key, const QVariant& value) {
    if (m_file) {
        m_file->setValue(key, value);
    }
}

Theme AppSettings::theme() const {
    const QString name = value(QStringLiteral("theme")).toString();
    return name == QLatin1String("light")  ? Theme::Light
           : name == QLatin1String("dark") ? Theme::Dark
                                           : Theme::System;
}

void AppSettings::setTheme(Theme theme) {
    setValue(QStringLiteral("theme"), theme == Theme::Light  ? QStringLiteral("light")
                                      : theme == Theme::Dark ? QStringLiteral("dark")
                                                             : QStringLiteral("system"));
}

ChatSettings AppSettings::chat() const {
    // A settings file may have been edited by hand: out-of-range values become in-range ones.
    ChatSettings chat = ChatSettings::defaults();
    const auto number = [this](const char* key, float fallback, float low, float high) {
        const float read = value(QLatin1String(key), fallback).toFloat();
        return read >= low && read <= high ? read : fallback;
    };
    const auto text = [this](const char* key) {
        return value(QLatin1String(key)).toString().toStdString();
    };
    SamplingParams& sampling = chat.sampling;
    sampling.temperature = number("chat/temperature", sampling.temperature, 0, 5);
    sampling.topP = number("chat/topP", sampling.topP, 0.01F, 1);
    sampling.topK = static_cast<int>(number("chat/topK", 0, 0, 100000));
    sampling.minP = number("chat/minP", 0, 0, 1);
    sampling.repetitionPenalty = number("chat/repetitionPenalty", 1, 0.5F, 5);
    sampling.seed = value(QStringLiteral("chat/seed"), 1).toULongLong();
    chat.maxNewTokens =
        std::clamp(value(QStringLiteral("chat/maxNewTokens"), 256).toInt(), 1, 1 << 20);
    chat.setSpeculate(speculateFromName(text("chat/lastSpeculate")).value_or(Speculate::Auto));
    // Once it was on or off, and on meant the MTP module.
    const std::string mode = text("chat/speculate");
    chat.setSpeculate(mode == "false" ? Speculate::Off
                                      : speculateFromName(mode).value_or(Speculate::Auto));
    chat.drafts = std::clamp(value(QStringLiteral("chat/drafts"), 0).toInt(), 0, kMaxDrafts);
    chat.mtpRecycle = mtpRecycleFromName(text("chat/mtpRecycle")).value_or(MtpRecycle::Normed);
    return chat;
}

void AppSettings::setChat(const ChatSettings& chat) {
    const SamplingParams& sampling = chat.sampling;
    setValue(QStringLiteral("chat/temperature"), static_cast<double>(sampling.temperature));
    setValue(QStringLiteral("chat/topP"), static_cast<double>(sampling.topP));
    setValue(QStringLiteral("chat/topK"), sampling.topK);
    setValue(QStringLiteral("chat/minP"), static_cast<double>(sampling.minP));
    setValue(QStringLiteral("chat/repetitionPenalty"),
             static_cast<double>(sampling.repetitionPenalty));
    setValue(QStringLiteral("chat/seed"), static_cast<qulonglong>(sampling.seed));
    setValue(QStringLiteral("chat/maxNewTokens"), chat.maxNewTokens);
    const auto text = [](std::string_view name) {
        return QString::fromLatin1(name.data(), static_cast<qsizetype>(name.size()));
    };
    setValue(QStringLiteral("chat/speculate"), text(name(chat.speculate)));
    setValue(QStringLiteral("chat/lastSpeculate"), text(name(chat.lastSpeculate)));
    setValue(QStringLiteral("chat/drafts"), chat.drafts);
    setValue(QStringLiteral("chat/mtpRecycle"), text(name(chat.mtpRecycle)));
}

int AppSettings::zoom() const {
    return std::clamp(value(QStringLiteral("zoom"), 0).toInt(), -6, 16);
}

void AppSettings::setZoom(int steps) {
    setValue(QStringLiteral("zoom"), steps);
}

bool AppSettings::colourAcceptance() const {
    return value(QStringLiteral("transcript/colourAcceptance"), true).toBool();
}

void AppSettings::setColourAcceptance(bool on) {
    setValue(QStringLiteral("transcript/colourAcceptance"), on);
}

RoutingSettings AppSettings::routing() const {
    return {value(QStringLiteral("routing/mode"), 0).toInt(),
            value(QStringLiteral("routing/order"), 0).toInt(),
            value(QStringLiteral("routing/phases"), 0).toUInt()};
}

void AppSettings::setRouting(const RoutingSettings& routing) {
    setValue(QStringLiteral("routing/mode"), routing.mode);
    setValue(QStringLiteral("routing/order"), routing.order);
    setValue(QStringLiteral("routing/phases"), routing.phases);
}

QStringList AppSettings::recentModels() const {
    return value(QStringLiteral("recentModels")).toStringList().mid(0, kMostRecent);
}

void AppSettings::addRecentModel(const QString& dir) {
    QStringList recent = recentModels();
    recent.removeAll(dir);
    recent.prepend(dir);
    setValue(QStringLiteral("recentModels"), QStringList(recent.mid(0, kMostRecent)));
}

void AppSettings::removeRecentModel(const QString& dir) {
    QStringList recent = recentModels();
    recent.removeAll(dir);
    setValue(QStringLiteral("recentModels"), recent);
}

QByteArray AppSettings::geometry() const {
    return value(QStringLiteral("window/geometry")).toByteArray();
}

QByteArray AppSettings::layout() const {
    return value(QStringLiteral("window/layout")).toByteArray();
}

void AppSettings::setWindow(const QByteArray& geometry, const QByteArray& layout) {
    setValue(QStringLiteral("window/geometry"), geometry);
    setValue(QStringLiteral("window/layout"), layout);
}

}  // namespace gatescope
