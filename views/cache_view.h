// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <memory>

#include "engine/trace/step_trace.h"

namespace gatescope {

struct CacheValue {
    CacheUse use;
    int layers = 0;     ///< main layers with a cache (all of them)
    int mtpLayers = 0;  ///< MTP layers with a cache of their own
};

/// Bytes of the latent cache: used, reserved, per token and layer, beside the same context as
/// expanded multi-head attention, and at the maximum context.
class CacheView final : public QWidget {
    Q_OBJECT

  public:
    explicit CacheView(QWidget* parent = nullptr);
    ~CacheView() override;

    /// nullptr: no model.
    void setValue(std::shared_ptr<const CacheValue> value);

    QString tableText(QChar separator = u'\t') const;
    int computations() const;

  Q_SIGNALS:
    void hoverText(const QString& text);
    void failed(const QString& message);

  protected:
    void showEvent(QShowEvent* event) override;

  private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace gatescope
