// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "engine/analysis/load_map.h"
#include "engine/report/report_figures.h"
#include "engine/report/sections/sections.h"

namespace gatescope {

namespace {

/// The largest value but for the outermost hundredth, at least 2: one cell must not wash out all.
double quantityLimit(std::vector<double> values) {
    values.erase(
        std::remove_if(values.begin(), values.end(), [](double v) { return std::isnan(v); }),
        values.end());
    if (values.empty()) return 2;
    const auto at = values.end() - 1 - static_cast<std::ptrdiff_t>(values.size() / 100);
    std::nth_element(values.begin(), at, values.end());
    return std::max(2.0, *at);
}

LoadMapFigure mapOf(const ReportWords& words, const ReportValue& report) {
    LoadMapFigure map;
    map.shape = report.model.shape;
    map.expertAxis = words("expert", "专家");
    map.layerAxis = words("layer", "层");
    map.noData = words("not enough tokens", "词元不足");
    return map;
}

void addRelativeLoad(DocumentBuilder& out, const ReportValue& report, unsigned phases,
                     const std::string& title, bool interactive) {
    const ReportWords& words = out.words;
    const RoutingCounts counts = countsOf(*report.load, phases);
    if (std::all_of(counts.n.begin(), counts.n.end(), [](std::int64_t n) { return n == 0; }))
        return;
    LoadMapFigure map = mapOf(words, report);
    map.title = title;
    map.values = relativeLoads(counts, map.shape);
    map.limit = quantityLimit(map.values);
    map.unit = words("relative load (1 is the fair share)", "相对负载（1 为公平份额）");
    if (interactive) map.map = "balance";
    const std::string n = wholeNumber(counts.n.front()),
                      mtp = wholeNumber(map.shape.mtpLayer >= 0 ? counts.n.back() : 0);
    std::string caption =
        words("{}: q = c E / (n k); n = {} tokens", "{}：q = c E / (n k)；n = {} 个词元", title, n);
    if (map.shape.mtpLayer >= 0) caption += words(", MTP layer {}", "，MTP 层 {}", mtp);
    out.figure(draw(map), caption + words(".", "。"));
}

void addZScores(DocumentBuilder& out, const ReportValue& report) {
    const ReportWords& words = out.words;
    LoadMapFigure map = mapOf(words, report);
    map.title = words("Distance from a uniform router", "与均匀路由的距离");
    map.values = zScores(countsOf(*report.load, report.phases), map.shape);
    map.scale = LoadMapScale::Difference;
    map.limit = divergingLimit(map.values, 4);
    map.unit = words("standard deviations from chance", "偏离偶然的标准差数");
    const auto needed = tokensNeeded(map.shape);
    out.figure(
        draw(map),
        words("{}: (c - n k/E) / sqrt(n k/E (1 - k/E)), for independent tokens; shown from {} "
              "tokens on, where an expert is expected 5 times.",
              "{}：(c - n k/E) / sqrt(n k/E (1 - k/E))，按词元独立计算；自 {} "
              "个词元起显示，此时每个专家期望被选中 5 次。",
              map.title, needed));
}

void addGateMass(DocumentBuilder& out, const ReportValue& report) {
    const ReportWords& words = out.words;
    LoadMapFigure map = mapOf(words, report);
    map.values = relativeGateMass(*report.load, report.phases);
    if (std::all_of(map.values.begin(), map.values.end(), [](double v) { return std::isnan(v); })) {
        return;
    }
    map.title = words("Gate mass", "门控权重占比");
    map.limit = quantityLimit(map.values);
    map.unit = words("relative gate mass (1 is the fair share)", "相对门控权重（1 为公平份额）");
    out.figure(draw(map), words("{}: share of the layer's gate weights times E. How much of the "
                                "layer's output an expert makes, not how often it is asked.",
                                "{}：该专家占本层门控权重的份额乘以 "
                                "E。表示专家对本层输出的贡献，而非被选中的次数。",
                                map.title));
}

}  // namespace

void addLoadMaps(DocumentBuilder& out, const ReportValue& report) {
    const ReportWords& words = out.words;
    out.section("maps", words("Load by layer and expert", "各层各专家的负载"));
    addRelativeLoad(out, report, report.phases, words("Relative load", "相对负载"), true);
    addZScores(out, report);
    addGateMass(out, report);
    if (report.source == ReportSource::Loads) return;
    const unsigned prefill = 1U << static_cast<unsigned>(Phase::Prefill);
    const unsigned decode = 1U << static_cast<unsigned>(Phase::Decode);
    if (report.load->tokens(0, prefill) > 0 && report.load->tokens(0, decode) > 0) {
        out.part("maps-phases", words("Prompt and answer apart", "提示与回答分开"));
        addRelativeLoad(out, report, prefill, words("Prompt", "提示"), false);
        addRelativeLoad(out, report, decode, words("Answer", "回答"), false);
    }
}

}  // namespace gatescope
