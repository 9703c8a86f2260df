// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCoreApplication>
#include <QString>
#include <optional>

#include "views/routing_values.h"

namespace gatescope {

/// The words and numbers of RoutingView: names, definitions, the note above the map, the exact
/// value of a cell, the table. Refers to the input and values it was made with.
class RoutingTexts {
    Q_DECLARE_TR_FUNCTIONS(RoutingTexts)

  public:
    RoutingTexts(const RoutingInput& input, const RoutingValues& values)
        : m_input(input), m_values(values) {}

    static QString modeName(RoutingMode mode);
    static QString modeTip(RoutingMode mode);
    static QString phaseName(int phase);
    static QString phaseTip(int phase);
    static QString specialTip();
    static QString noteTip();
    static QString phasesText(unsigned phases, bool brief);

    /// Why there is no picture and what to do about it; empty when there is one.
    QString empty() const;
    /// One line about the selected layer, or the layer that stands out most.
    QString note(std::optional<int> layer) const;
    /// A cell's exact value; empty outside the map.
    QString cell(int layer, int expert) const;
    QString table(QChar separator) const;
    /// For the colour scale.
    QString measure() const;

  private:
    const RoutingShape& shape() const { return m_input.load->shape; }
    bool hasToken() const;
    QString emptyDifference() const;
    int rowForNote(std::optional<int> layer) const;
    double maxVio(int row) const;
    QString layerName(int row) const;
    QString loadNote(std::optional<int> layer) const;
    QString zNote(std::optional<int> layer) const;
    QString differenceNote(std::optional<int> layer) const;
    std::size_t at(int row, int expert) const;
    QString loadCell(int row, int expert) const;
    QString massCell(int row, int expert) const;
    QString tokenCell(int row, int expert) const;
    QString zCell(int row, int expert) const;
    QString differenceCell(int row, int expert) const;

    const RoutingInput& m_input;
    const RoutingValues& m_values;
};

}  // namespace gatescope
