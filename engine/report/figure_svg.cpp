// SPDX-License-Identifier: Apache-2.0
#include "engine/report/figure_svg.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <set>

#include "engine/report/colour_scale.h"
#include "engine/report/html_text.h"
#include "engine/report/inks.h"

namespace gatescope {

namespace {

constexpr std::array<std::pair<Ink, const char*>, 6> kInks{{{Ink::Text, "text"},
                                                            {Ink::Muted, "muted"},
                                                            {Ink::Line, "line"},
                                                            {Ink::Accent, "accent"},
                                                            {Ink::Second, "second"},
                                                            {Ink::NoData, "no-data"}}};

const char* nameOf(Ink ink) {
    for (const auto& [at, name] : kInks) {
        if (at == ink) return name;
    }
    return "text";
}

std::string hex(Rgb colour) {
    return fmt::format("#{:02x}{:02x}{:02x}", colour.r, colour.g, colour.b);
}

/// Name of the custom property of a colour that is another on dark pages.
std::string twinName(Rgb light) {
    return fmt::format("d{:02x}{:02x}{:02x}", light.r, light.g, light.b);
}

/// `what` is "fill" or "stroke".
std::string paint(const char* what, const Colour& colour) {
    if (const Ink* ink = std::get_if<Ink>(&colour)) {
        return fmt::format("style=\"{}:var(--{})\"", what, nameOf(*ink));
    }
    const Rgb rgb = std::get<Rgb>(colour);
    if (darkTwin(rgb)) return fmt::format("style=\"{}:var(--{})\"", what, twinName(rgb));
    return fmt::format("{}=\"{}\"", what, hex(rgb));
}

/// Up to two decimals, none of them zeros at the end.
std::string number(double value) {
    std::string text = fmt::format("{:.2f}", value);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text == "-0" ? "0" : text;
}

void add(std::string& out, const FigureRect& rect) {
    out += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" {}/>", number(rect.x),
                       number(rect.y), number(rect.width), number(rect.height),
                       paint("fill", rect.fill));
}

void add(std::string& out, const FigureLine& line) {
    if (line.points.empty()) return;
    std::string points;
    for (const FigurePoint& point : line.points) {
        points +=
            fmt::format("{}{},{}", points.empty() ? "" : " ", number(point.x), number(point.y));
    }
    out += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke-width=\"{}\" {}{}/>", points,
                       number(line.width), line.dashed ? "stroke-dasharray=\"3 2\" " : "",
                       paint("stroke", line.stroke));
}

void add(std::string& out, const FigureText& text) {
    const char* anchor = text.anchor == TextAnchor::Middle ? " text-anchor=\"middle\""
                         : text.anchor == TextAnchor::End  ? " text-anchor=\"end\""
                                                           : "";
    const std::string turned = text.upwards ? fmt::format(" transform=\"rotate(-90 {} {})\"",
                                                          number(text.x), number(text.y))
                                            : "";
    out += fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"{}\"{}{} {}>{}</text>", number(text.x),
                       number(text.y), number(text.size), anchor, turned, paint("fill", text.fill),
                       htmlText(text.text));
}

/// In units of cells, one path for each colour, neighbours in a row together.
void add(std::string& out, const FigureGrid& grid) {
    std::map<Colour, std::string> paths;
    for (int row = 0; row < grid.rows; ++row) {
        const Colour* cells = grid.cells.data() + static_cast<std::ptrdiff_t>(row) * grid.columns;
        for (int begin = 0, end = 0; begin < grid.columns; begin = end) {
            for (end = begin + 1; end < grid.columns && cells[end] == cells[begin];) ++end;
            paths[cells[begin]] +=
                fmt::format("M{} {}h{}v1h-{}z", begin, row, end - begin, end - begin);
        }
    }
    const std::string map =
        grid.map.empty() ? ""
                         : fmt::format(" data-map=\"{}\" data-rows=\"{}\" data-columns=\"{}\"",
                                       htmlText(grid.map), grid.rows, grid.columns);
    out += fmt::format(
        "<g{} transform=\"translate({} {}) scale({:.5g} {:.5g})\" shape-rendering=\"crispEdges\">",
        map, number(grid.x), number(grid.y), grid.cellWidth, grid.cellHeight);
    for (const auto& [colour, path] : paths) {
        out += fmt::format("<path {} d=\"{}\"/>", paint("fill", colour), path);
    }
    out += "</g>";
}

/// Every colour of the scale of differences once.
std::set<Rgb> differences() {
    std::set<Rgb> out;
    for (int i = -100; i <= 100; ++i) out.insert(divergingAt(i / 100.0));
    return out;
}

std::string properties(const Inks& inks, bool dark) {
    std::string out = fmt::format("--page:{};", hex(inks.page));
    for (const auto& [ink, name] : kInks) out += fmt::format("--{}:{};", name, hex(inks.of(ink)));
    for (const Rgb light : differences()) {
        out += fmt::format("--{}:{};", twinName(light), hex(dark ? *darkTwin(light) : light));
    }
    return out;
}

}  // namespace

std::string figureSvg(const Figure& figure) {
    std::string out =
        fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">",
                    number(figure.width), number(figure.height), htmlText(figure.title));
    for (const FigureItem& item : figure.items) {
        std::visit([&out](const auto& at) { add(out, at); }, item);
    }
    return out + "</svg>";
}

std::string svgStyle() {
    return fmt::format(
        ":root{{color-scheme:light dark;{}}}\n@media screen and (prefers-color-scheme:dark){{"
        ":root{{{}}}}}\n@media print{{:root{{color-scheme:light}}}}\n",
        properties(kLightInks, false), properties(kDarkInks, true));
}

}  // namespace gatescope
