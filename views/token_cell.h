// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QString>
#include <limits>
#include <memory>
#include <optional>

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
    QByteArray rejectedBytes;           ///< of that draft; empty where they are not known
    std::optional<DraftSource> source;  ///< who drafted in its step; unset: nobody, or not known
    int drafted = 0;                    ///< how many drafts its step made
    std::shared_ptr<const RoutedToken> main;  ///< null: not routed (yet)
};

/// "accepted draft by lookup (4 drafts)", "in place of a rejected draft “ the” (id 278) ..."; empty
/// for a token of a plain step.
QString draftText(const TokenCell& cell);

}  // namespace gatescope
