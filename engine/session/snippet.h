// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "engine/session/session_query.h"

namespace gatescope {

/// A piece of about a hundred characters around the first place of `text` in `message`, white space
/// in it made single blanks; "…" where it was cut. Without such a place (other letters of the same
/// kind) the beginning.
SessionSnippet snippetOf(const std::string& message, const std::string& text);

}  // namespace gatescope
