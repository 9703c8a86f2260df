// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QSettings>
#include <QString>
#include <QStringList>
#include <memory>

#include "engine/decode/generation.h"
#include "views/theme.h"

namespace gatescope {

/// How answers are made; what the person set in the sampling dialog.
struct ChatSettings {
    SamplingParams sampling;
    int maxNewTokens = 256;
    Speculate speculate = Speculate::Auto;
    Speculate lastSpeculate = Speculate::Auto;  ///< what to switch on again; never Off
    int drafts = 0;                             ///< per step; 0: chosen by itself
    MtpRecycle mtpRecycle = MtpRecycle::Normed;

    /// What DeepSeek recommends for its chat models: temperature 0.6, top-p 0.95.
    static ChatSettings defaults();
    /// "Temperature 0.6 · top-p 0.95 · seed 1"
    QString summary() const;
    /// "greedy", "temperature 0.6": what acceptance depends on.
    QString ruleText() const;
    void setSpeculate(Speculate mode);
    /// The MTP module cannot be asked to draft where there is none.
    GenerationParams params(bool modelHasMtp) const;
};

/// "off", "MTP", "lookup", "auto", for people.
QString speculateText(Speculate mode);

/// What the Routing dock was set to; the numbers are its enumerations'.
struct RoutingSettings {
    int mode = 0;
    int order = 0;
    unsigned phases = 0;  ///< 0: the default
};

/// Everything kept between runs, in one INI file. An empty file name: nothing is kept (screenshots,
/// tests of first starts).
class AppSettings final {
  public:
    /// The user's own file, under $XDG_CONFIG_HOME/gatescope.
    static QString defaultFile();
    explicit AppSettings(const QString& file);

    Theme theme() const;
    void setTheme(Theme theme);
    ChatSettings chat() const;
    void setChat(const ChatSettings& chat);
    int zoom() const;
    void setZoom(int steps);
    bool colourAcceptance() const;  ///< in the transcript
    void setColourAcceptance(bool on);

    RoutingSettings routing() const;
    void setRouting(const RoutingSettings& routing);

    QStringList recentModels() const;  ///< newest first
    void addRecentModel(const QString& dir);
    void removeRecentModel(const QString& dir);

    QByteArray geometry() const;
    QByteArray layout() const;
    void setWindow(const QByteArray& geometry, const QByteArray& layout);

  private:
    QVariant value(const QString& key, const QVariant& fallback = {}) const;
    void setValue(const QString& key, const QVariant& value);

    std::unique_ptr<QSettings> m_file;
};

}  // namespace gatescope
