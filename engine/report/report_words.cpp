// SPDX-License-Identifier: Apache-2.0
#include "engine/report/report_words.h"

#include <array>
#include <cmath>

namespace gatescope {

namespace {

constexpr const char* kNarrowSpace = "\u202f";
constexpr const char* kMinus = "\u2212";

/// Digits in groups of three from the right.
std::string grouped(const std::string& digits) {
    std::string out;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i > 0 && (digits.size() - i) % 3 == 0) out += kNarrowSpace;
        out += digits[i];
    }
    return out;
}

/// Of a finite value >= 0.
std::string magnitude(double value) {
    if (value == 0) return "0";
    if (value >= 1e7 || value < 1e-4) return fmt::format("{:.2e}", value);
    const int exponent = static_cast<int>(std::floor(std::log10(value)));
    const double unit = std::pow(10.0, exponent - 2);
    const double rounded = std::round(value / unit) * unit;
    if (rounded >= 100) return grouped(fmt::format("{:.0f}", rounded));
    // log10 is the old one's: 9.999 has become 10.0 by now.
    const int digits = static_cast<int>(std::floor(std::log10(rounded)));
    return fmt::format("{:.{}f}", rounded, 2 - digits);
}

std::string withSign(double value, const char* plus) {
    if (std::isnan(value)) return "\u2013";
    const char* sign = value < 0 ? kMinus : plus;
    return sign + (std::isinf(value) ? std::string("\u221e") : magnitude(std::abs(value)));
}

}  // namespace

std::string_view name(ReportLanguage language) {
    return language == ReportLanguage::English ? "en" : "zh";
}

std::optional<ReportLanguage> reportLanguageFromName(std::string_view text) {
    for (const auto language : {ReportLanguage::English, ReportLanguage::SimplifiedChinese}) {
        if (name(language) == text) return language;
    }
    return {};
}

std::string threeDigitText(double value) {
    return withSign(value, "");
}

std::string signedDigitText(double value) {
    return withSign(value, value == 0 ? "" : "+");
}

std::string probabilityText(double p) {
    return p < 1e-300 ? "< 1e-300" : threeDigitText(p);
}

std::string wholeNumber(std::int64_t value) {
    const std::string digits = std::to_string(value);
    return value < 0 ? kMinus + grouped(digits.substr(1)) : grouped(digits);
}

std::string percentage(double share) {
    return std::isnan(share) ? threeDigitText(share)
                             : threeDigitText(100 * share) + std::string(kNarrowSpace) + "%";
}

std::string byteSize(double bytes) {
    constexpr std::array<const char*, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
    double value = bytes;
    std::size_t unit = 0;
    while (std::abs(value) >= 1024 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    return threeDigitText(value) + kNarrowSpace + units[unit];
}

std::string withInterval(const ReportWords& words, double value, double low, double high) {
    if (std::isnan(value) || std::isnan(low) || std::isnan(high)) return threeDigitText(value);
    const std::string at = threeDigitText(value), from = threeDigitText(low),
                      to = threeDigitText(high);
    return words("{} ({} to {})", "{}（{} 至 {}）", at, from, to);
}

}  // namespace gatescope
