// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/token_class.h"

namespace gatescope {

class Tokenizer;

/// The bytes of every token of a model, for the window's thread: the tokenizer stays in the
/// engine's and goes with its model.
class TokenTable {
  public:
    explicit TokenTable(const Tokenizer& tokenizer);

    /// Empty for an id that there is not.
    std::string_view bytes(std::int32_t id) const;
    bool isSpecial(std::int32_t id) const;
    TokenClass classOf(std::int32_t id) const;

  private:
    std::string m_bytes;               ///< of all tokens, one after another
    std::vector<std::uint32_t> m_end;  ///< by id, in m_bytes
    std::vector<bool> m_special;       ///< role markers and the like
};

}  // namespace gatescope
