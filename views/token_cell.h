// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <limits>
#include <memory>

#include "engine/trace/step_trace.h"

namespace gatescope {

/// One token of the conversation as the strip shows it.
struct TokenCell {
    std::int32_t number = 0;  ///< Selection::position; ascends from cell to cell
    std::int32_t id = 0;
    QByteArray bytes;
    bool special = false;
    bool prompt = false;
    float probability = std::numeric_limits<float>::quiet_NaN();  ///< NaN: not sampled, or unknown
    TokenEvent::Draft draft = TokenEvent::Draft::None;
    std::int32_t rejectedDraftId = -1;
    std::shared_ptr<const RoutedToken> main;  ///< null: not routed (yet)
};

}  // namespace gatescope
