// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gatescope {

enum class ReportLanguage : std::uint8_t { English, SimplifiedChinese };
/// "en", "zh".
std::string_view name(ReportLanguage language);
std::optional<ReportLanguage> reportLanguageFromName(std::string_view name);

/// Both languages of a text stand side by side where it is used, so that they cannot part.
class ReportWords {
  public:
    explicit ReportWords(ReportLanguage language) : m_language(language) {}

    ReportLanguage language() const { return m_language; }
    const char* operator()(const char* english, const char* chinese) const {
        return m_language == ReportLanguage::English ? english : chinese;
    }
    /// The same with values in place of {}, {0}, {1} ...
    template <typename... Values>
    std::string operator()(const char* english, const char* chinese,
                           const Values&... values) const {
        return fmt::vformat((*this)(english, chinese), fmt::make_format_args(values...));
    }

  private:
    ReportLanguage m_language;
};

// Numbers as they are read, the same in both languages.

/// Three significant digits, thousands apart by a narrow no-break space; an exponent from 10^7 on
/// and below 10^-4. NaN is an en dash.
std::string threeDigitText(double value);
/// The same with its sign always written.
std::string signedDigitText(double value);
/// A probability; below 10^-300, where doubles end, only that.
std::string probabilityText(double p);
std::string wholeNumber(std::int64_t value);
/// A share as a percentage.
std::string percentage(double share);
/// B, KiB, MiB, GiB or TiB.
std::string byteSize(double bytes);
/// "0.84 (0.81 to 0.87)"; without the part in brackets where it is not known.
std::string withInterval(const ReportWords& words, double value, double low, double high);

}  // namespace gatescope
