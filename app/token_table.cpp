// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/token_table.h"

#include "engine/text/tokenizer.h"

namespace gatescope {

TokenTable::TokenTable(const Tokenizer& tokenizer) {
    const auto size = static_cast<TokenId>(tokenizer.vocabSize());
    for (TokenId id = 0; id < size; ++id) {
        m_bytes += tokenizer.bytes(id);
        m_end.push_back(static_cast<std::uint32_t>(m_bytes.size()));
        m_special.push_back(tokenizer.isAdded(id));
    }
}

std::string_view TokenTable::bytes(std::int32_t id) const {
    const auto at = static_cast<std::size_t>(id);  // below 0 is beyond the end
    if (at >= m_end.size()) {
        return {};
    }
    const std::uint32_t begin = at > 0 ? m_end[at - 1] : 0;
    return std::string_view(m_bytes).substr(begin, m_end[at] - begin);
}

bool TokenTable::isSpecial(std::int32_t id) const {
    const auto at = static_cast<std::size_t>(id);
    return at < m_special.size() && m_special[at];
}

TokenClass TokenTable::classOf(std::int32_t id) const {
    return tokenClass(bytes(id), isSpecial(id));
}

}  // namespace gatescope
