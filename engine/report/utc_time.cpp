// SPDX-License-Identifier: Apache-2.0
#include "engine/report/utc_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace gatescope {

std::string isoUtc(std::int64_t unixMs) {
    using namespace std::chrono;
    constexpr std::int64_t kFirst = -62'135'596'800'000;
    constexpr std::int64_t kLast = 253'402'300'799'999;
    const sys_seconds time =
        floor<seconds>(sys_time<milliseconds>(milliseconds(std::clamp(unixMs, kFirst, kLast))));
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(time - day);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

}  // namespace gatescope
