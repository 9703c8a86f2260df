// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/regex.h"

namespace gatescope {

class JsonValue;

/// What becomes of the matches of a Split, in the words of tokenizer.json.
enum class SplitBehavior { Isolated, Removed, MergedWithPrevious, MergedWithNext, Contiguous };

/// A text cut in pieces. The pieces point into the text, or into `owned` where a stage changed it.
struct Pieces {
    std::vector<std::string_view> list;  ///< in order, none empty
    std::deque<std::string> owned;
};

/// The pre_tokenizer of a tokenizer.json: Split and Digits stages, then one ByteLevel stage. Each
/// stage sees every piece of the stage before on its own, so a lookahead ends at its border.
class PreTokenizer {
  public:
    /// Throws Error naming file, item and cause: other types, bad expressions, no ByteLevel.
    static PreTokenizer fromJson(const JsonValue& preTokenizer);

    /// Cuts `text` (valid UTF-8) and appends the pieces. Throws Error naming the stage if an
    /// expression takes more steps than the text justifies.
    void split(std::string_view text, Pieces& pieces, RegexScratch& scratch) const;

  private:
    struct Stage {
        std::string item;  ///< where it stands in the file, for messages
        Regex regex;
        SplitBehavior behavior;
        bool invert;
    };

    void addStages(const JsonValue& value, int depth);
    void addSplit(const JsonValue& value);
    void addDigits(const JsonValue& value);
    void addByteLevel(const JsonValue& value);

    std::vector<Stage> m_stages;
    std::size_t m_beforePrefix = 0;  ///< stages that run before ByteLevel adds its space
    bool m_addPrefixSpace = false;
    bool m_hasByteLevel = false;
};

}  // namespace gatescope
