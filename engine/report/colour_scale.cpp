// SPDX-License-Identifier: Apache-2.0
#include "engine/report/colour_scale.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace gatescope {

const std::array<Rgb, 16> kViridisStops{{{68, 1, 84},
                                         {72, 26, 108},
                                         {71, 47, 125},
                                         {65, 68, 135},
                                         {57, 86, 140},
                                         {49, 104, 142},
                                         {42, 120, 142},
                                         {35, 136, 142},
                                         {31, 152, 139},
                                         {34, 168, 132},
                                         {53, 183, 121},
                                         {84, 197, 104},
                                         {122, 209, 81},
                                         {165, 219, 54},
                                         {210, 226, 27},
                                         {253, 231, 37}}};

const DivergingScale kDivergingLight{{255, 255, 255},
                                     {{{220, 234, 249},
                                       {189, 217, 243},
                                       {152, 196, 236},
                                       {108, 172, 227},
                                       {62, 146, 217},
                                       {28, 118, 192},
                                       {12, 90, 155},
                                       {5, 62, 112}}},
                                     {{{254, 233, 214},
                                       {253, 213, 179},
                                       {252, 191, 141},
                                       {247, 164, 98},
                                       {238, 137, 58},
                                       {221, 110, 26},
                                       {189, 84, 12},
                                       {140, 58, 6}}}};

const DivergingScale kDivergingDark{{43, 46, 51},
                                    {{{43, 53, 65},
                                      {42, 64, 86},
                                      {41, 76, 109},
                                      {40, 91, 135},
                                      {40, 107, 163},
                                      {46, 126, 192},
                                      {78, 152, 217},
                                      {136, 190, 239}}},
                                    {{{64, 51, 42},
                                      {86, 60, 42},
                                      {112, 70, 40},
                                      {140, 82, 37},
                                      {171, 96, 35},
                                      {203, 113, 38},
                                      {232, 137, 58},
                                      {252, 176, 112}}}};

namespace {

constexpr int kQuantitySteps = 63;
constexpr int kDifferenceSteps = 16;  // on either side

std::uint8_t mix(std::uint8_t a, std::uint8_t b, double t) {
    return static_cast<std::uint8_t>(std::lround(a + t * (b - a)));
}

Rgb mix(Rgb a, Rgb b, double t) {
    return {mix(a.r, b.r, t), mix(a.g, b.g, t), mix(a.b, b.b, t)};
}

/// `step` in -kDifferenceSteps..kDifferenceSteps.
Rgb difference(const DivergingScale& scale, int step) {
    const auto& arm = step < 0 ? scale.blue : scale.orange;
    const double place =
        std::abs(step) * static_cast<double>(arm.size()) / static_cast<double>(kDifferenceSteps);
    const auto below = static_cast<std::size_t>(place);
    const Rgb from = below == 0 ? scale.middle : arm[below - 1];
    if (below == arm.size()) return from;
    return mix(from, arm[below], place - static_cast<double>(below));
}

}  // namespace

Rgb viridisAt(double t) {
    const double held = std::isnan(t) ? 0 : std::clamp(t, 0.0, 1.0);
    const double step = std::round(held * kQuantitySteps) / kQuantitySteps;
    const double place = step * static_cast<double>(kViridisStops.size() - 1);
    const std::size_t below = std::min(static_cast<std::size_t>(place), kViridisStops.size() - 2);
    return mix(kViridisStops[below], kViridisStops[below + 1], place - static_cast<double>(below));
}

Rgb divergingAt(double t) {
    const double held = std::isnan(t) ? 0 : std::clamp(t, -1.0, 1.0);
    return difference(kDivergingLight, static_cast<int>(std::lround(held * kDifferenceSteps)));
}

std::optional<Rgb> darkTwin(Rgb light) {
    static const std::map<Rgb, Rgb> twins = [] {
        std::map<Rgb, Rgb> out;
        for (int step = -kDifferenceSteps; step <= kDifferenceSteps; ++step) {
            out.emplace(difference(kDivergingLight, step), difference(kDivergingDark, step));
        }
        return out;
    }();
    const auto found = twins.find(light);
    if (found == twins.end()) return {};
    return found->second;
}

}  // namespace gatescope
