// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

namespace gatescope {

/// One thing that was compared with golden data.
struct Check {
    std::string subject;   ///< what was run: "v3-mini expanded", "routing cases", "tokenizer"
    std::string quantity;  ///< what was compared: "logits max"
    bool passed = false;
    double measured = 0;  ///< the worst deviation, or how many values differ
    double limit = 0;     ///< passes up to and including this
    std::string note;     ///< how much was compared, where the worst or the first difference is
    /// The class of tolerances the limit is from; "always": holds whatever the arithmetic.
    std::string tolerance = "always";
};

using CheckSink = std::function<void(const Check&)>;

}  // namespace gatescope
