// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/report/report_figures.h"
#include "engine/report/report_words.h"

namespace gatescope {

namespace {

constexpr double kLeft = 40;
constexpr double kTop = 22;
constexpr double kPlot = 120;
constexpr double kBottom = 28;
constexpr double kLetters = 7.5;
constexpr int kMostSteps = 6;  // of the axis; niceStep() needs no more

/// 1, 2 or 5 times a power of ten, so that about four steps make `most`.
double niceStep(double most) {
    const double power = std::pow(10.0, std::floor(std::log10(most / 4)));
    for (const double step : {1.0, 2.0, 5.0}) {
        if (most / (step * power) <= 5) return step * power;
    }
    return 10 * power;
}

class BarsDrawing {
  public:
    explicit BarsDrawing(const BarsFigure& bars) : m_bars(bars) {
        m_out.title = bars.title;
        m_out.width = kFigureWidth;
        m_out.height = kTop + kPlot + kBottom;
        double most = bars.reference;
        for (const auto* values : {&bars.values, &bars.second, &bars.mean, &bars.bound}) {
            for (const double value : *values) {
                if (std::isfinite(value)) most = std::max(most, value);
            }
        }
        m_most = most > 0 ? most * 1.05 : 1;
        m_place =
            (kFigureWidth - kLeft) / std::max<double>(1, static_cast<double>(bars.values.size()));
    }

    Figure result() {
        addAxis();
        for (std::size_t i = 0; i < m_bars.values.size(); ++i) addBar(i);
        if (m_bars.reference > 0) {
            line(kLeft, kFigureWidth, yOf(m_bars.reference), Ink::Text, 0.75, true);
        }
        addLabels();
        addLegend();
        return std::move(m_out);
    }

  private:
    double yOf(double value) const { return kTop + kPlot * (1 - value / m_most); }

    void line(double from, double to, double y, Colour colour, double width, bool dashed) {
        m_out.items.emplace_back(FigureLine{{{from, y}, {to, y}}, colour, width, dashed});
    }

    void text(double x, double y, std::string letters, TextAnchor anchor) {
        m_out.items.emplace_back(
            FigureText{x, y, std::move(letters), kLetters, anchor, Ink::Muted, false});
    }

    void addAxis() {
        const double step = niceStep(m_most);
        for (int i = 0; i <= kMostSteps && i * step <= m_most; ++i) {
            line(kLeft, kFigureWidth, yOf(i * step), Ink::Line, i == 0 ? 0.75 : 0.4, false);
            text(kLeft - 4, yOf(i * step) + 2.7, threeDigitText(i * step), TextAnchor::End);
        }
    }

    void rect(double x, double width, double value, Colour colour) {
        if (!std::isfinite(value) || value <= 0) return;
        m_out.items.emplace_back(FigureRect{x, yOf(value), width, yOf(0) - yOf(value), colour});
    }

    void addBar(std::size_t i) {
        const double x = kLeft + m_place * static_cast<double>(i);
        const double used = std::min(m_place * 0.72, 30.0);
        const double from = x + (m_place - used) / 2;
        const double width = m_bars.second.empty() ? used : used / 2;
        rect(from, width, m_bars.values[i], Ink::Accent);
        if (!m_bars.second.empty()) rect(from + width, width, m_bars.second[i], Ink::Second);
        if (i < m_bars.mean.size() && std::isfinite(m_bars.mean[i])) {
            line(x + m_place * 0.05, x + m_place * 0.95, yOf(m_bars.mean[i]), Ink::Text, 1, false);
        }
        if (i < m_bars.bound.size() && std::isfinite(m_bars.bound[i])) {
            line(x + m_place * 0.05, x + m_place * 0.95, yOf(m_bars.bound[i]), Ink::Text, 0.75,
                 true);
        }
    }

    void addLabels() {
        std::size_t longest = 1;
        for (const std::string& label : m_bars.labels) longest = std::max(longest, label.size());
        int every = 1;
        while (every * m_place < 5.0 * static_cast<double>(longest) + 4) every *= 2;
        for (std::size_t i = 0; i < m_bars.labels.size(); i += static_cast<std::size_t>(every)) {
            text(kLeft + m_place * (static_cast<double>(i) + 0.5), kTop + kPlot + 10,
                 m_bars.labels[i], TextAnchor::Middle);
        }
        text(kLeft + (kFigureWidth - kLeft) / 2, kTop + kPlot + 22, m_bars.axis,
             TextAnchor::Middle);
    }

    void addLegend() {
        constexpr double kStep = 115, kBase = 9;
        double x = kLeft;
        const auto square = [&](const std::string& letters, Ink ink) {
            if (letters.empty()) return;
            m_out.items.emplace_back(FigureRect{x, kBase - 6, 7, 7, ink});
            text(x + 11, kBase, letters, TextAnchor::Start);
            x += kStep;
        };
        const auto stroke = [&](const std::string& letters, bool dashed) {
            if (letters.empty()) return;
            line(x, x + 12, kBase - 2.5, Ink::Text, dashed ? 0.75 : 1, dashed);
            text(x + 16, kBase, letters, TextAnchor::Start);
            x += kStep;
        };
        square(m_bars.valueName, Ink::Accent);
        square(m_bars.secondName, Ink::Second);
        stroke(m_bars.meanName, false);
        stroke(m_bars.boundName, true);
    }

    const BarsFigure& m_bars;
    Figure m_out;
    double m_most = 1;
    double m_place = 1;
};

}  // namespace

Figure draw(const BarsFigure& bars) {
    return BarsDrawing(bars).result();
}

}  // namespace gatescope
