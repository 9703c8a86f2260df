// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace gatescope {

/// Turns a stream of token bytes into printable UTF-8: holds back an incomplete character until it
/// is whole, and replaces what can never become one by U+FFFD per maximal subpart.
class Utf8Stream {
  public:
    /// What may be printed after these bytes.
    std::string push(std::string_view bytes);
    /// What is left at the end: U+FFFD if a character was cut off, else empty.
    std::string flush();

  private:
    std::string m_pending;  ///< at most 3 bytes: a prefix of a valid sequence
};

/// The whole text at once.
std::string toValidUtf8(std::string_view bytes);
bool isValidUtf8(std::string_view bytes);

}  // namespace gatescope
