// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QWidget>
#include <memory>
#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

class Selection;

/// One token in one layer.
struct WhyValue {
    RoutedToken token;
    QByteArray tokenBytes;
    int layer = 0;  ///< absolute index
    int row = 0;    ///< the layer's row in token.routing (0 for an MTP token)
    RoutingShape shape;
    std::vector<float> bias;  ///< [E], empty for a model without one
};

/// Why these experts: choice scores with the bias as its own segment, groups, cut and margin, ranks
/// with and without the bias, gate weights. Without the affinities (kept only for recent tokens)
/// what was stored is shown, and said.
class WhyView final : public QWidget {
    Q_OBJECT

  public:
    explicit WhyView(Selection* selection, QWidget* parent = nullptr);
    ~WhyView() override;

    /// nullptr: nothing selected. Ignored until shown when the view is hidden.
    void setValue(std::shared_ptr<const WhyValue> value);

    /// The sentence above the chart as plain text, for tests and the accessible description.
    QString headline() const;
    QString tableText(QChar separator = u'\t') const;
    int computations() const;

  Q_SIGNALS:
    void hoverText(const QString& text);
    void failed(const QString& message);

  protected:
    void showEvent(QShowEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace gatescope
