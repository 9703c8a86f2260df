// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "engine/decode/generation.h"
#include "engine/decode/stop_strings.h"
#include "engine/text/tokenizer.h"
#include "engine/text/utf8_stream.h"

namespace gatescope {

/// The text side of a generation: token bytes to printable text, end tokens, stop strings.
class TokenStream {
  public:
    /// `tokenizer` may be null: no text.
    TokenStream(const Tokenizer* tokenizer, const GenerationParams& params);

    bool isEnd(std::int32_t id) const;
    /// Bytes of the id as the log keeps them.
    std::string bytes(std::int32_t id) const;
    /// What may be shown after this token; end tokens show nothing.
    std::string push(std::int32_t id);
    bool stopStringMet() const { return m_stops.met(); }
    /// What was held back; the text is complete after it.
    std::string finish();
    const std::string& text() const { return m_text; }

  private:
    const Tokenizer* m_tokenizer;
    const GenerationParams* m_params;
    Utf8Stream m_utf8;
    StopStrings m_stops;
    std::string m_text;
};

}  // namespace gatescope
