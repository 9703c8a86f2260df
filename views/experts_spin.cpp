// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/experts_spin.h"

#include <algorithm>

namespace gatescope {

ExpertsLayerSpin::ExpertsLayerSpin(QWidget* parent) : QSpinBox(parent) {
    setSpecialValueText(QString(QChar(0x2013)));
    setRange(-1, -1);
    setKeyboardTracking(false);
}

void ExpertsLayerSpin::setShape(const RoutingShape& shape) {
    std::vector<int> layers = shape.layers;
    if (shape.mtpLayer >= 0) {
        layers.push_back(shape.mtpLayer);
    }
    if (layers != m_layers || shape.mtpLayer != m_mtpLayer) {
        m_layers = std::move(layers);
        m_mtpLayer = shape.mtpLayer;
        setRange(-1, static_cast<int>(m_layers.size()) - 1);
        updateGeometry();
    }
}

int ExpertsLayerSpin::rowOf(int layer) const {
    const auto found = std::find(m_layers.begin(), m_layers.end(), layer);
    return found == m_layers.end() ? -1 : static_cast<int>(found - m_layers.begin());
}

void ExpertsLayerSpin::setLayer(std::optional<int> layer) {
    setValue(layer ? rowOf(*layer) : -1);
}

std::optional<int> ExpertsLayerSpin::layer() const {
    const int row = value();
    return row >= 0 && row < static_cast<int>(m_layers.size())
               ? std::optional(m_layers[static_cast<std::size_t>(row)])
               : std::nullopt;
}

QString ExpertsLayerSpin::textFromValue(int row) const {
    if (row < 0 || row >= static_cast<int>(m_layers.size())) {
        return specialValueText();
    }
    const int layer = m_layers[static_cast<std::size_t>(row)];
    return layer == m_mtpLayer ? tr("%1 MTP").arg(layer) : QString::number(layer);
}

int ExpertsLayerSpin::valueFromText(const QString& text) const {
    bool isNumber = false;
    const int layer = text.trimmed().section(u' ', 0, 0).toInt(&isNumber);
    return isNumber ? rowOf(layer) : -1;
}

QValidator::State ExpertsLayerSpin::validate(QString& text, int&) const {
    const bool known = text == specialValueText() || valueFromText(text) >= 0;
    return known ? QValidator::Acceptable : QValidator::Intermediate;
}

}  // namespace gatescope
