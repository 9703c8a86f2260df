// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/generation.h"

namespace gatescope {

std::string_view name(Finish finish) {
    switch (finish) {
        case Finish::Stop:
            return "stop";
        case Finish::StopString:
            return "stop_string";
        case Finish::Length:
            return "length";
        case Finish::Context:
            return "context";
        case Finish::Cancelled:
            return "cancelled";
    }
    return "unknown";
}

}  // namespace gatescope
