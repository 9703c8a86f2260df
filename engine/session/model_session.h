// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "engine/session/session_log.h"

namespace gatescope {

class LoadedModel;

/// What a session with this model is stored with.
SessionInfo sessionInfo(const LoadedModel& model, std::string title);

}  // namespace gatescope
