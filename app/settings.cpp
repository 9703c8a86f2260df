// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/settings.h"

#include <QCoreApplication>
#include <QStandardPaths>
#include <algorithm>

namespace gatescope {
namespace {

constexpr qsizetype kMostRecent = 10;
constexpr int kAlternatives = 5;

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

GenerationParams ChatSettings::params(bool modelHasMtp) const {
    GenerationParams params;
    params.sampling = sampling;
    params.maxNewTokens = maxNewTokens;
    params.speculate = speculate && modelHasMtp ? Speculate::Mtp : Speculate::Off;
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
    SamplingParams& sampling = chat.sampling;
    sampling.temperature = number("chat/temperature", sampling.temperature, 0, 5);
    sampling.topP = number("chat/topP", sampling.topP, 0.01F, 1);
    sampling.topK = static_cast<int>(number("chat/topK", 0, 0, 100000));
    sampling.minP = number("chat/minP", 0, 0, 1);
    sampling.repetitionPenalty = number("chat/repetitionPenalty", 1, 0.5F, 5);
    sampling.seed = value(QStringLiteral("chat/seed"), 1).toULongLong();
    chat.maxNewTokens =
        std::clamp(value(QStringLiteral("chat/maxNewTokens"), 256).toInt(), 1, 1 << 20);
    chat.speculate = value(QStringLiteral("chat/speculate"), true).toBool();
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
    setValue(QStringLiteral("chat/speculate"), chat.speculate);
}

int AppSettings::zoom() const {
    return std::clamp(value(QStringLiteral("zoom"), 0).toInt(), -6, 16);
}

void AppSettings::setZoom(int steps) {
    setValue(QStringLiteral("zoom"), steps);
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
