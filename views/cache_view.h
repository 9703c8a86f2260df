// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>

#include "engine/trace/step_trace.h"
#include "views/dock_view.h"

namespace gatescope {

struct CacheValue {
    CacheUse use;
    int layers = 0;     ///< main layers with a cache (all of them)
    int mtpLayers = 0;  ///< MTP layers with a cache of their own
};

/// Bytes of the latent cache: used, reserved, per token and layer, beside the same context as
/// expanded multi-head attention, and at the maximum context.
class CacheView final : public DockView {
    Q_OBJECT

  public:
    explicit CacheView(QWidget* parent = nullptr);
    ~CacheView() override;

    /// nullptr: no model.
    void setValue(std::shared_ptr<const CacheValue> value);

    QString tableText(QChar separator = u'\t') const;

  protected:
    void compute() override;

  private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace gatescope
