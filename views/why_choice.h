// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCoreApplication>
#include <QString>
#include <vector>

#include "engine/analysis/choice.h"
#include "views/number_table.h"
#include "views/why_value.h"

namespace gatescope {

/// A WhyValue worked out for showing: the ranking where affinities are at hand, otherwise what was
/// stored, and the words for both.
class WhyChoice {
    Q_DECLARE_TR_FUNCTIONS(WhyView)

  public:
    /// Whether the arrays of a value fit its shape.
    static bool fits(const WhyValue& value);

    /// Throws Error where shape and sizes do not fit.
    explicit WhyChoice(std::shared_ptr<const WhyValue> value);

    const WhyValue& value() const { return *m_value; }
    /// Affinities (and, for a model with one, the bias) are at hand.
    bool ranked() const { return !m_ranking.experts.empty(); }
    bool replayed() const { return m_source != &m_value->token; }
    const ChoiceRanking& ranking() const { return m_ranking; }
    int topK() const { return m_value->shape.topK; }
    /// Experts for the table: the chosen, as many runner-ups, those the bias kept out, and those of
    /// the record that are not among them; without affinities the chosen.
    const std::vector<int>& listed() const { return m_listed; }
    /// All experts: those of kept groups best first, then those of dropped groups.
    std::vector<int> all() const;

    int chosenAt(int choice) const;  ///< expert
    float weightAt(int choice) const;
    int choiceOf(int expert) const;  ///< index among the choices, -1
    bool decidedByBias(int choice) const;
    /// A bias far from 0 (some models' lies near 11) is drawn without its mean.
    double biasOffset() const;

    QString tokenText() const;    ///< token, layer, groups kept
    QString biasText() const;     ///< what the bias decided, and how; empty without one
    QString numbersText() const;  ///< margins, ties, the weight per affinity
    QString recordText() const;   ///< how the recorded choice compares; empty: nothing to say
    QString expertText(int expert) const;  ///< all digits

    QStringList header() const;
    QStringList headerTips() const;
    bool isSpare(int column) const;  ///< b, and the rank in fixed groups
    std::vector<std::vector<NumberCell>> rows(const QPalette& palette) const;
    QString tableText(QChar separator) const;  ///< every expert, all digits

  private:
    std::vector<NumberCell> rankedRow(const ExpertRank& rank) const;
    std::vector<NumberCell> storedRow(int choice) const;
    std::vector<int> listedExperts() const;
    std::vector<int> recorded() const;
    bool someGroupsDropped() const { return m_value->shape.topkGroups < m_value->shape.groups; }
    QString flipText() const;
    QString partText(const ExpertRank& rank) const;
    QString replayText(const QString& difference) const;
    std::size_t at(int choice) const {
        return static_cast<std::size_t>(m_value->row) * static_cast<std::size_t>(topK()) +
               static_cast<std::size_t>(choice);
    }

    std::shared_ptr<const WhyValue> m_value;
    const RoutedToken* m_source;  ///< whose affinities and weights are shown
    ChoiceRanking m_ranking;      ///< empty without affinities
    std::vector<int> m_listed;
};

}  // namespace gatescope
