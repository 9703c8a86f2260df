// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/report/figure.h"

namespace gatescope {

/// What the inks of a figure look like on one colour of paper: the only place that says so.
struct Inks {
    Rgb page;
    Rgb text;
    Rgb muted;
    Rgb line;
    Rgb accent;
    Rgb second;
    Rgb noData;

    constexpr Rgb of(Ink ink) const {
        switch (ink) {
            case Ink::Text:
                return text;
            case Ink::Muted:
                return muted;
            case Ink::Line:
                return line;
            case Ink::Accent:
                return accent;
            case Ink::Second:
                return second;
            case Ink::NoData:
                return noData;
        }
        return text;
    }
};

/// Paper, and a page read in a light theme.
inline constexpr Inks kLightInks{
    .page = {0xff, 0xff, 0xff},
    .text = {0x1a, 0x1a, 0x1a},
    .muted = {0x5c, 0x5c, 0x5c},
    .line = {0xc4, 0xc4, 0xc4},
    .accent = {0x2f, 0x6f, 0xb3},
    .second = {0xc9, 0x72, 0x2e},
    .noData = {0xe6, 0xe6, 0xe6},
};

/// A page read in a dark theme.
inline constexpr Inks kDarkInks{
    .page = {0x1e, 0x1e, 0x1e},
    .text = {0xe8, 0xe8, 0xe8},
    .muted = {0xa6, 0xa6, 0xa6},
    .line = {0x4a, 0x4a, 0x4a},
    .accent = {0x6a, 0xa9, 0xe9},
    .second = {0xe7, 0x9a, 0x5b},
    .noData = {0x3a, 0x3a, 0x3a},
};

}  // namespace gatescope
