// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/generation.h"

#include <algorithm>

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

namespace {

constexpr std::array<std::string_view, 4> kSpeculateNames{"off", "mtp", "lookup", "auto"};
constexpr std::array<std::string_view, 3> kRecycleNames{"normed", "raw", "main"};

template <class Value, std::size_t N>
std::optional<Value> valueNamed(const std::array<std::string_view, N>& names,
                                std::string_view name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return {};
    return static_cast<Value>(found - names.begin());
}

}  // namespace

std::string_view name(Speculate speculate) {
    return kSpeculateNames.at(static_cast<std::size_t>(speculate));
}

std::optional<Speculate> speculateFromName(std::string_view name) {
    return valueNamed<Speculate>(kSpeculateNames, name);
}

std::string_view name(MtpRecycle recycle) {
    return kRecycleNames.at(static_cast<std::size_t>(recycle));
}

std::optional<MtpRecycle> mtpRecycleFromName(std::string_view name) {
    return valueNamed<MtpRecycle>(kRecycleNames, name);
}

}  // namespace gatescope
