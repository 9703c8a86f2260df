// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/report/typesetter.h"

namespace gatescope {

// What a printed report looks like, in points. A4.

inline constexpr double kPageWidth = 595.28;
inline constexpr double kPageHeight = 841.89;
inline constexpr double kSideMargin = 54;
inline constexpr double kTopMargin = 54;
inline constexpr double kBottomMargin = 57;
inline constexpr double kTextWidth = kPageWidth - 2 * kSideMargin;
inline constexpr double kTextBottom = kPageHeight - kBottomMargin;
inline constexpr double kTextHeight = kTextBottom - kTopMargin;
inline constexpr double kFooterBaseLine = kPageHeight - 31;

inline constexpr TextStyle kTitleStyle{.size = 18, .line = 24, .bold = true};
inline constexpr TextStyle kSubtitleStyle{.size = 11.5, .line = 16, .ink = Ink::Muted};
inline constexpr TextStyle kMetaStyle{.size = 8.5, .line = 12, .ink = Ink::Muted};
inline constexpr TextStyle kSectionStyle{.size = 14, .line = 19, .bold = true};
inline constexpr TextStyle kPartStyle{.size = 11, .line = 15.5, .bold = true};
inline constexpr TextStyle kBodyStyle{.size = 9.5, .line = 14};
inline constexpr TextStyle kNoteStyle{.size = 8, .line = 11.5, .ink = Ink::Muted};
inline constexpr TextStyle kContentsSectionStyle{.size = 9.5, .line = 14, .bold = true};
inline constexpr TextStyle kContentsPartStyle{.size = 9, .line = 13};
inline constexpr TextStyle kCaptionStyle{.size = 8.5, .line = 12, .bold = true};
inline constexpr TextStyle kFigureCaptionStyle{.size = 8.5, .line = 12};
inline constexpr TextStyle kCodeStyle{.size = 8, .line = 11, .code = true};
inline constexpr TextStyle kCellStyle{.size = 8, .line = 11};
inline constexpr TextStyle kFooterStyle{.size = 7.5, .line = 10, .ink = Ink::Muted};

inline constexpr double kBlockGap = 8;
inline constexpr double kListGap = 3;
inline constexpr double kListIndent = 13;
inline constexpr double kBarIndent = 9;     ///< of text beside a bar
inline constexpr double kBarWidth = 2;      ///< beside a warning
inline constexpr double kThinBarWidth = 1;  ///< beside verbatim text
inline constexpr double kCaptionGap = 4;

inline constexpr double kCellGap = 12;    ///< between columns
inline constexpr double kCellPad = 2.25;  ///< over and under the lines of a row
inline constexpr double kThinRule = 0.35;
inline constexpr double kRule = 0.75;

}  // namespace gatescope
