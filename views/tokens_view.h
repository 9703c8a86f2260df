// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "views/dock_view.h"
#include "views/token_cell.h"

namespace gatescope {

class Selection;

/// The conversation as a strip of tokens with a scrubber: step through it, pin one token and
/// compare its experts with those of the current one, layer by layer. The current token is
/// Selection::position.
class TokensView final : public DockView {
    Q_OBJECT

  public:
    explicit TokensView(Selection* selection, QWidget* parent = nullptr);
    ~TokensView() override;

    /// The model whose routing the tokens hold; forgets the pinned token.
    void setShape(const RoutingShape& shape);
    /// The tokens from now on, in order; called at every batch. `cellAt` takes an index below
    /// `count` and is asked only for what is on screen, so that its work does not grow with
    /// `count`; it must stay valid until the next call.
    void setTokens(int count, std::function<TokenCell(int index)> cellAt);

    /// Whether the selection follows the newest token. The application moves the selection; the
    /// view only shows the state and asks for it.
    void setFollowing(bool following);
    bool following() const;
    /// False: nothing is ever added, so there is nothing to follow.
    void setGrowing(bool growing);

    std::optional<std::int32_t> pinned() const;  ///< a number

    /// Every token; asks for all cells.
    QString tableText(QChar separator = u'\t') const;
    /// The comparison with the pinned token by layer; empty without one.
    QString comparisonText(QChar separator = u'\t') const;

  Q_SIGNALS:
    /// The person wants the selection to follow the newest token, or to stay.
    void followRequested(bool follow);

  protected:
    void compute() override;
    void changeEvent(QEvent* event) override;

  private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace gatescope
