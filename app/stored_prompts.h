// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/engine_messages.h"

namespace gatescope {

/// A prompt of which only the token ids are known. `tokens`: of the model it was made for, to show
/// its text and to find the newest message in it; null: not at hand, then a token is shown as its
/// number.
PromptValue promptOfIds(const std::vector<std::int32_t>& ids, const std::string& message = {},
                        const TokenTable* tokens = nullptr);

/// The prompts of a stored session by turn; empty for turns without one.
std::vector<PromptValue> promptsOf(const StoredSession& stored, const TokenTable* tokens);

}  // namespace gatescope
