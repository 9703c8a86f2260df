// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/colour_maps.h"

#include <array>

namespace gatescope {

namespace {

// Every 17th of viridis' 256 colours; linear between them.
constexpr std::array<QRgb, 16> kViridis{
    qRgb(68, 1, 84),    qRgb(72, 26, 108),  qRgb(71, 47, 125),  qRgb(65, 68, 135),
    qRgb(57, 86, 140),  qRgb(49, 104, 142), qRgb(42, 120, 142), qRgb(35, 136, 142),
    qRgb(31, 152, 139), qRgb(34, 168, 132), qRgb(53, 183, 121), qRgb(84, 197, 104),
    qRgb(122, 209, 81), qRgb(165, 219, 54), qRgb(210, 226, 27), qRgb(253, 231, 37)};

// Half of the diverging scale, from the middle outwards, without the middle itself.
constexpr std::array<QRgb, 8> kOrangeArm{
    qRgb(254, 233, 214), qRgb(253, 213, 179), qRgb(252, 191, 141), qRgb(247, 164, 98),
    qRgb(238, 137, 58),  qRgb(221, 110, 26),  qRgb(189, 84, 12),   qRgb(140, 58, 6)};
constexpr std::array<QRgb, 8> kBlueArm{
    qRgb(220, 234, 249), qRgb(189, 217, 243), qRgb(152, 196, 236), qRgb(108, 172, 227),
    qRgb(62, 146, 217),  qRgb(28, 118, 192),  qRgb(12, 90, 155),   qRgb(5, 62, 112)};
constexpr std::array<QRgb, 8> kOrangeArmDark{
    qRgb(64, 51, 42),  qRgb(86, 60, 42),   qRgb(112, 70, 40),  qRgb(140, 82, 37),
    qRgb(171, 96, 35), qRgb(203, 113, 38), qRgb(232, 137, 58), qRgb(252, 176, 112)};
constexpr std::array<QRgb, 8> kBlueArmDark{
    qRgb(43, 53, 65),   qRgb(42, 64, 86),   qRgb(41, 76, 109),  qRgb(40, 91, 135),
    qRgb(40, 107, 163), qRgb(46, 126, 192), qRgb(78, 152, 217), qRgb(136, 190, 239)};

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
    for (std::size_t i = 0; i < kViridis.size(); ++i) {
        gradient.setColorStopAt(static_cast<double>(i) / (kViridis.size() - 1),
                                QColor(kViridis[i]));
    }
    finish(gradient, nan);
    return gradient;
}

QCPColorGradient blueWhiteOrange(bool dark, const QColor& nan) {
    const auto& blue = dark ? kBlueArmDark : kBlueArm;
    const auto& orange = dark ? kOrangeArmDark : kOrangeArm;
    QCPColorGradient gradient;
    gradient.clearColorStops();
    gradient.setColorStopAt(0.5, dark ? QColor(43, 46, 51) : QColor(Qt::white));
    for (std::size_t i = 0; i < blue.size(); ++i) {
        const double reach = 0.5 * static_cast<double>(i + 1) / static_cast<double>(blue.size());
        gradient.setColorStopAt(0.5 - reach, QColor(blue[i]));
        gradient.setColorStopAt(0.5 + reach, QColor(orange[i]));
    }
    finish(gradient, nan);
    return gradient;
}

}  // namespace gatescope
