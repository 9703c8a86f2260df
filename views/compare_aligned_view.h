// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QWidget>
#include <functional>
#include <memory>
#include <optional>

#include "engine/analysis/aligned_comparison.h"
#include "engine/analysis/comparison.h"

class QLabel;
class QPushButton;
class QSplitter;

namespace gatescope {

class CompareSeriesChart;
class NumberTable;

/// Two runs on the same tokens, position by position.
struct CompareAligned {
    std::shared_ptr<const AlignedComparison> value;  ///< null: not computed
    bool forced = false;  ///< A's tokens went through both; otherwise what both ran by themselves
    QString problem;      ///< why there is no value: one sentence
};

/// What two runs do with identical tokens: shared experts and moved mass by layer, by token, the
/// next token's divergence, and where they part first.
class CompareAlignedView final : public QWidget {
    Q_OBJECT

  public:
    explicit CompareAlignedView(QWidget* parent = nullptr);

    /// `token`: a token's text, ready to be shown; may be empty.
    void setAligned(const CompareAligned& aligned, const QString& labelA, const QString& labelB,
                    std::function<QString(std::int32_t)> token = {});
    /// Layer of the shared selection.
    void setSelected(std::optional<int> layer);
    /// Whether A's tokens can be sent through both now; else why not.
    void setForcible(bool can, const QString& why);

    QString layersText(QChar separator) const;
    QString tokensText(QChar separator) const;
    QString summary() const;

  Q_SIGNALS:
    void forcedRequested();
    void pointed(const QString& text);
    void layerChosen(int layer);
    void failed(const QString& message);

  private:
    void fill();
    void fillLayers();
    void fillTokens();
    void fillFirsts();
    void addChart(CompareSeriesChart* chart, const QString& name,
                  std::function<QString(QChar)> table);
    QString shown(std::int32_t id) const;

    CompareAligned m_aligned;
    QString m_labelA;
    QString m_labelB;
    std::function<QString(std::int32_t)> m_token;
    QLabel* m_summary;
    QPushButton* m_forced;
    CompareSeriesChart* m_layers;
    CompareSeriesChart* m_tokens;
    CompareSeriesChart* m_kl;
    NumberTable* m_firsts;
    QSplitter* m_splitter;
};

}  // namespace gatescope
