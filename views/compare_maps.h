// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <array>
#include <memory>
#include <optional>

#include "engine/analysis/comparison.h"

class QBoxLayout;
class QLabel;

namespace gatescope {

class RoutingMap;

/// Three maps of layers and experts: both runs on one scale, and their difference. Beside each
/// other where there is room, else below each other; zoomed together.
class CompareMaps final : public QWidget {
    Q_OBJECT

  public:
    explicit CompareMaps(QWidget* parent = nullptr);

    /// `pair` is an index into the comparison's pairs; null: nothing.
    void setPair(std::shared_ptr<const Comparison> comparison, std::size_t pair);
    void setSelected(std::optional<int> layer, std::optional<int> expert);

    enum Which { A, B, Difference };
    RoutingMap* map(Which which) const { return m_maps[static_cast<std::size_t>(which)]; }
    /// Layer, expert, counts, shares and difference, a line for each expert.
    QString tableText(QChar separator) const;

  Q_SIGNALS:
    void pointed(const QString& text);
    void cellChosen(int layer, int expert);
    void failed(const QString& message);

  protected:
    void resizeEvent(QResizeEvent* event) override;

  private:
    void makeMap(std::size_t index);
    void fill();
    void showCell(std::size_t map, int layer, int expert);
    const PairComparison* pair() const;

    std::shared_ptr<const Comparison> m_comparison;
    std::size_t m_pair = 0;
    std::array<RoutingMap*, 3> m_maps{};
    std::array<QLabel*, 3> m_titles{};
    QBoxLayout* m_layout;
    QString m_pointed;
    bool m_zooming = false;
};

}  // namespace gatescope
