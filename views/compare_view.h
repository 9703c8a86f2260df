// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <memory>

#include "engine/analysis/comparison.h"
#include "views/compare_aligned_view.h"
#include "views/dock_view.h"

namespace gatescope {

class Selection;

/// A comparison of two to eight runs: what can be said on top, below it on pages of their own the
/// answers, maps, layers, experts, runs and what both do with the same tokens.
class CompareView final : public DockView {
    Q_OBJECT

  public:
    enum Page { Answers, Maps, Layers, Experts, Runs, SameTokens };

    /// Does not own the selection, which must outlive the view.
    explicit CompareView(Selection* selection, QWidget* parent = nullptr);
    ~CompareView() override;

    /// Null: nothing is compared. `token`: a token's text, ready to be shown; may be empty.
    void setComparison(std::shared_ptr<const Comparison> comparison,
                       std::function<QString(std::int32_t)> token = {});
    /// Of a pair of the present comparison.
    void setAligned(std::size_t pair, CompareAligned aligned);
    /// While A's tokens go through both, or why they cannot.
    void setForcible(bool can, const QString& why = {});
    /// What the next comparison is to be made with.
    void setOptions(const ComparisonOptions& options);
    const ComparisonOptions& options() const;

    void setPage(Page page);
    Page page() const;
    void setPair(std::size_t pair);
    std::size_t pair() const;

    /// The sentences on top.
    QString verdictText() const;
    /// What a page's table holds, all digits.
    QString tableText(Page page, QChar separator = u'\t') const;
    /// Everything, as .json or .csv. Throws Error.
    void save(const QString& file) const;

  Q_SIGNALS:
    void optionsChanged(const gatescope::ComparisonOptions& options);
    /// As CompareTranscripts::tokenOpened().
    void tokenOpened(std::int64_t session, int turn, std::int64_t seq);
    /// A's tokens are to go through both runs of this pair.
    void forcedRequested(std::size_t pair);

  protected:
    void compute() override;

  private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace gatescope
