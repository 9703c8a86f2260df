// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "engine/report/colour_scale.h"
#include "engine/report/report_figures.h"
#include "engine/report/report_words.h"

namespace gatescope {

namespace {

constexpr double kLeft = 40;    // layers' numbers and their axis
constexpr double kTop = 22;     // the scale
constexpr double kBottom = 26;  // experts' numbers and their axis
constexpr double kLetters = 7.5;
constexpr double kGap = 4;  // before the MTP layer

class LoadMapDrawing {
  public:
    explicit LoadMapDrawing(const LoadMapFigure& map) : m_map(map) {
        const int rows = static_cast<int>(map.shape.layers.size()) + (hasMtp() ? 1 : 0);
        m_cellWidth = (kFigureWidth - kLeft) / std::max(1, map.shape.experts);
        m_cellHeight = std::clamp(300.0 / std::max(1, rows), 4.5, 14.0);
        m_out.title = map.title;
        m_out.width = kFigureWidth;
    }

    Figure result() {
        const int main = static_cast<int>(m_map.shape.layers.size());
        addRows(0, main, kTop);
        double bottom = kTop + main * m_cellHeight;
        if (hasMtp()) {
            addRows(main, 1, bottom + kGap);
            bottom += kGap + m_cellHeight;
        }
        m_out.height = bottom + kBottom;
        addScale();
        addExpertNumbers(bottom);
        addLayerNumbers();
        return std::move(m_out);
    }

  private:
    bool hasMtp() const { return m_map.shape.mtpLayer >= 0; }

    void addRows(int first, int rows, double y) {
        const int experts = m_map.shape.experts;
        FigureGrid grid{kLeft, y, m_cellWidth, m_cellHeight, rows, experts, {}, {}};
        if (!m_map.map.empty()) grid.map = fmt::format("{} {}", m_map.map, first);
        const std::size_t from =
            static_cast<std::size_t>(first) * static_cast<std::size_t>(experts);
        const std::size_t count =
            static_cast<std::size_t>(rows) * static_cast<std::size_t>(experts);
        for (std::size_t i = from; i < from + count; ++i) {
            grid.cells.push_back(colourOf(m_map.values[i]));
        }
        m_out.items.emplace_back(std::move(grid));
    }

    Colour colourOf(double value) const {
        if (std::isnan(value)) return Ink::NoData;
        const double t = value / m_map.limit;
        return m_map.scale == LoadMapScale::Quantity ? viridisAt(t) : divergingAt(t);
    }

    void text(double x, double y, std::string letters, TextAnchor anchor = TextAnchor::Start) {
        m_out.items.emplace_back(
            FigureText{x, y, std::move(letters), kLetters, anchor, Ink::Muted, false});
    }

    /// Colours from left to right, with the ends' values; what has no data beside it.
    void addScale() {
        constexpr int kSteps = 33;
        constexpr double kWidth = 132, kHeight = 7, kBase = 9;
        const bool difference = m_map.scale == LoadMapScale::Difference;
        const double low = difference ? -m_map.limit : 0;
        text(kLeft, kBase, m_map.unit);
        const double x = kLeft + 190;
        text(x - 4, kBase, difference ? signedDigitText(low) : "0", TextAnchor::End);
        FigureGrid grid{x, kBase - kHeight + 1, kWidth / kSteps, kHeight, 1, kSteps, {}, {}};
        for (int i = 0; i < kSteps; ++i) {
            grid.cells.push_back(colourOf(low + (m_map.limit - low) * i / (kSteps - 1)));
        }
        m_out.items.emplace_back(std::move(grid));
        const std::string most =
            difference ? signedDigitText(m_map.limit) : threeDigitText(m_map.limit);
        text(x + kWidth + 4, kBase, "\u2265 " + most);
        const bool missing = std::any_of(m_map.values.begin(), m_map.values.end(),
                                         [](double value) { return std::isnan(value); });
        if (!missing) return;
        m_out.items.emplace_back(FigureRect{x + kWidth + 44, kBase - 6, 7, 7, Ink::NoData});
        text(x + kWidth + 54, kBase, m_map.noData);
    }

    void addExpertNumbers(double bottom) {
        const int experts = m_map.shape.experts;
        int every = 1;
        while (every * m_cellWidth < 22) every *= 2;
        for (int expert = 0; expert < experts; expert += every) {
            text(kLeft + (expert + 0.5) * m_cellWidth, bottom + 9, std::to_string(expert),
                 TextAnchor::Middle);
        }
        text(kLeft + (kFigureWidth - kLeft) / 2, bottom + 20, m_map.expertAxis, TextAnchor::Middle);
    }

    void addLayerNumbers() {
        int every = 1;
        while (every * m_cellHeight < 9) every *= 2;
        const auto& layers = m_map.shape.layers;
        const auto label = [this](double top, const std::string& letters) {
            text(kLeft - 4, top + m_cellHeight / 2 + 2.7, letters, TextAnchor::End);
        };
        for (std::size_t row = 0; row < layers.size(); row += static_cast<std::size_t>(every)) {
            label(kTop + static_cast<double>(row) * m_cellHeight, std::to_string(layers[row]));
        }
        const double main = static_cast<double>(layers.size()) * m_cellHeight;
        if (hasMtp()) label(kTop + main + kGap, "MTP");
        m_out.items.emplace_back(FigureText{9, kTop + main / 2, m_map.layerAxis, kLetters,
                                            TextAnchor::Middle, Ink::Muted, true});
    }

    const LoadMapFigure& m_map;
    Figure m_out;
    double m_cellWidth = 0;
    double m_cellHeight = 0;
};

}  // namespace

Figure draw(const LoadMapFigure& map) {
    return LoadMapDrawing(map).result();
}

}  // namespace gatescope
