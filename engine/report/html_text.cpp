// SPDX-License-Identifier: Apache-2.0
#include "engine/report/html_text.h"

namespace gatescope {

std::string htmlText(std::string_view bytes, LineEnds ends) {
    std::string out;
    for (const char c : visibleText(bytes, ends)) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::string scriptJson(std::string_view json) {
    std::string out;
    out.reserve(json.size());
    for (const char c : json) {
        if (c == '<') {
            out += "\\u003c";  // outside of strings JSON has none
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace gatescope
