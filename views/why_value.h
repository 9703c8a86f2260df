// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QString>
#include <memory>
#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

/// One token in one layer.
struct WhyValue {
    RoutedToken token;  ///< as recorded
    QByteArray tokenBytes;
    int layer = 0;  ///< absolute index
    int row = 0;    ///< the layer's row in token.routing (0 for an MTP token)
    RoutingShape shape;
    std::vector<float> bias;  ///< [E], empty for a model without one

    /// What can be said of affinities that are not in `token`.
    enum class Scores : std::uint8_t {
        Known,         ///< they are in `token`, or in `replayed`
        Recomputing,   ///< a replay runs
        NotKept,       ///< a replay can bring them back: the view asks for it
        CannotReplay,  ///< `reason` says why
    };
    Scores scores = Scores::Known;
    QString reason;  ///< one sentence for CannotReplay, e.g. "The model is not open."
    /// The same token computed again with its affinities, null without a replay.
    std::shared_ptr<const RoutedToken> replayed;
};

}  // namespace gatescope
