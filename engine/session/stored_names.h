// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "engine/decode/generation.h"
#include "engine/text/chat_format.h"
#include "engine/trace/step_trace.h"

// The words by which a session file names our enumerations. Reading throws Error for any other
// word.

namespace gatescope {

std::string_view storedName(Phase phase);
Phase phaseFromName(const std::string& name);

std::string_view storedName(TokenEvent::Draft draft);
TokenEvent::Draft draftFromName(const std::string& name);

std::string_view storedName(DraftSource source);
DraftSource draftSourceFromName(const std::string& name);

Role roleFromName(const std::string& name);
Finish finishFromName(const std::string& text);  ///< the reverse of name(Finish)

}  // namespace gatescope
