// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <vector>

#include "app/engine_messages.h"
#include "engine/analysis/speculation_stats.h"

class QLabel;
class QStatusBar;

namespace gatescope {

/// The status bar: what runs where and how fast on the left, the value under the pointer on the
/// right. A figure that is not known yet has no place.
class StatusStrip final : public QObject {
    Q_OBJECT

  public:
    explicit StatusStrip(QStatusBar* bar);

    void setModel(const ModelFacts* model);
    void showFrame(const LiveFrame& frame, bool streaming);
    void showTiming(const GenerationTiming& timing);
    /// Acceptance, tau and measured gain; nothing while nothing was drafted.
    void setAcceptance(std::int64_t accepted, std::int64_t drafted, const SpeculationGain& gain);
    void setHover(const QString& text);
    void clearSession();
    QString text() const;  ///< the left side, for tests
    QString hover() const;

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    enum Place { Model, Device, Speed, Cache, Acceptance, Recorder, Statistics, PlaceCount };
    void set(Place place, const QString& name, const QString& value, const QString& tip);
    void restyle();

    QStatusBar* m_bar;
    std::vector<QLabel*> m_labels;
    QLabel* m_hover;
};

}  // namespace gatescope
