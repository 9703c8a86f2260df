// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/token_stream.h"

#include <algorithm>

namespace gatescope {

TokenStream::TokenStream(const Tokenizer* tokenizer, const GenerationParams& params)
    : m_tokenizer(tokenizer), m_params(&params), m_stops(params.stopStrings) {}

bool TokenStream::isEnd(std::int32_t id) const {
    return std::find(m_params->stopTokens.begin(), m_params->stopTokens.end(), id) !=
           m_params->stopTokens.end();
}

std::string TokenStream::bytes(std::int32_t id) const {
    return m_tokenizer ? std::string(m_tokenizer->bytes(id)) : std::string();
}

std::string TokenStream::push(std::int32_t id) {
    if (!m_tokenizer || isEnd(id)) return {};
    auto shown = m_stops.push(m_utf8.push(m_tokenizer->bytes(id)));
    m_text += shown;
    return shown;
}

std::string TokenStream::finish() {
    if (m_stops.met()) return {};
    auto shown = m_stops.push(m_utf8.flush());
    if (!m_stops.met()) shown += m_stops.flush();
    m_text += shown;
    return shown;
}

}  // namespace gatescope
