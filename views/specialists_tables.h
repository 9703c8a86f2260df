// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <vector>

#include "engine/analysis/specialisation.h"
#include "views/number_table.h"

namespace gatescope {

// What SpecialistsView writes into its tables.

QStringList specialistsHeader();
QStringList tokensHeader();
QStringList replicationHeader();

/// From this column of the specialists on the largest come first.
inline constexpr int kFirstDescendingColumn = 3;
/// Indices into value.specialists; column -1: as they are in the value.
std::vector<std::size_t> sortedSpecialists(const SpecialisationValue& value, int column,
                                           bool descending);
/// Those not found in both halves in the colour `muted`.
std::vector<std::vector<NumberCell>> specialistsRows(const SpecialisationValue& value,
                                                     const std::vector<std::size_t>& order,
                                                     const QColor& muted);
std::vector<std::vector<NumberCell>> tokensRows(const SpecialisationValue& value,
                                                const std::vector<VocabularyEntry>& entries);
std::vector<std::vector<NumberCell>> replicationRows(const SpecialisationValue& value);

/// The name with what it rests on.
QString nameText(const Specialist& specialist);
/// What is called a specialist.
QString ruleText(const SpecialistRule& rule);
/// D(i, d) of a layer as a table: domain, expert, n, chosen, affinity, lift.
QString affinityText(const SpecialisationValue& value, int row, QChar separator);

}  // namespace gatescope
