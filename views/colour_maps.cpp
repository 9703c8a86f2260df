// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/colour_maps.h"

#include "engine/report/colour_scale.h"

namespace gatescope {

namespace {

QColor colour(Rgb rgb) {
    return QColor(rgb.r, rgb.g, rgb.b);
}

void finish(QCPColorGradient& gradient, const QColor& nan) {
    gradient.setColorInterpolation(QCPColorGradient::ciRGB);
    gradient.setNanHandling(QCPColorGradient::nhNanColor);
    gradient.setNanColor(nan);
    gradient.setLevelCount(256);
}

}  // namespace

QCPColorGradient viridis(const QColor& nan) {
    QCPColorGradient gradient;
    gradient.clearColorStops();
    for (std::size_t i = 0; i < kViridisStops.size(); ++i) {
        gradient.setColorStopAt(static_cast<double>(i) / (kViridisStops.size() - 1),
                                colour(kViridisStops[i]));
    }
    finish(gradient, nan);
    return gradient;
}

QCPColorGradient blueWhiteOrange(bool dark, const QColor& nan) {
    const DivergingScale& scale = dark ? kDivergingDark : kDivergingLight;
    QCPColorGradient gradient;
    gradient.clearColorStops();
    gradient.setColorStopAt(0.5, colour(scale.middle));
    for (std::size_t i = 0; i < scale.blue.size(); ++i) {
        const double reach =
            0.5 * static_cast<double>(i + 1) / static_cast<double>(scale.blue.size());
        gradient.setColorStopAt(0.5 - reach, colour(scale.blue[i]));
        gradient.setColorStopAt(0.5 + reach, colour(scale.orange[i]));
    }
    finish(gradient, nan);
    return gradient;
}

}  // namespace gatescope
