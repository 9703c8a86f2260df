// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace gatescope {

/// Rewrites a regular expression of a tokenizer.json, which Hugging Face matches with Oniguruma,
/// as one that means the same to PCRE2 under UTF | UCP | MULTILINE:
///  - \s, \w, \d, \h and their negations become the Unicode sets Oniguruma uses (White_Space, Word,
///    Nd, ASCII hex digits); \b is defined by that Word;
///  - \p{Name} of a script means the property Script, not Script_Extensions;
///  - class operations ([a&&[^b]], nested classes) become lookaheads;
///  - (?m) is "dot matches newline" as in Ruby; groups do not capture;
///  - an expression that is one branch A+REST, A a single-character set, does not search again from
///    inside a run of A that failed as a whole, which would take quadratic time (\s+$).
/// What is not sure to mean the same (back references, POSIX brackets, \G, verbs, ...) is refused.
/// Throws Error with the cause only; the caller knows file and item.
std::string translateOnigurumaRegex(std::string_view pattern);

}  // namespace gatescope
