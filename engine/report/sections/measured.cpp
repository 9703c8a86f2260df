// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "engine/report/sections/sections.h"
#include "engine/report/utc_time.h"

namespace gatescope {

namespace {

std::string joined(const std::set<std::string>& parts) {
    std::string out;
    for (const std::string& part : parts) {
        if (!out.empty()) out += ", ";
        out += part;
    }
    return out;
}

std::string shapeText(const ReportWords& words, const RoutingShape& shape) {
    const auto layers = shape.layers.size();
    std::string out = words("{} MoE layers of {}, {} routed experts, top-{}",
                            "共 {1} 层，其中 {0} 个 MoE 层，{2} 个路由专家，top-{3}", layers,
                            shape.totalLayers, shape.experts, shape.topK);
    if (shape.groups > 1) {
        out += words(", within {} of {} groups", "，限于 {1} 组中的 {0} 组", shape.topkGroups,
                     shape.groups);
    }
    if (shape.mtpLayer >= 0) {
        out += words(", MTP layer {}", "，MTP 层 {}", shape.mtpLayer);
    }
    return out;
}

/// Settings and seeds, each once; many of them as a number.
std::string settingsOf(const ReportWords& words, const ReportValue& report) {
    std::set<std::string> settings;
    for (const ReportedSession& session : report.sessions) {
        for (const ReportedAnswer& answer : session.answers) settings.insert(answer.settings);
    }
    if (settings.size() <= 4) return joined(settings);
    const auto count = settings.size();
    return words("{} different ones, listed with the sessions", "{} 种，见会话列表", count);
}

void addModel(DocumentBuilder& out, const ReportValue& report) {
    const ReportWords& words = out.words;
    const ReportedModel& model = report.model;
    std::vector<std::vector<std::string>> rows;
    const auto fact = [&rows](const char* what, std::string value) {
        if (!value.empty()) rows.push_back({what, std::move(value)});
    };
    fact(words("Source", "来源"), report.source == ReportSource::Sessions
                                      ? report.sourceName
                                      : report.sourceName + " (" + report.sourceFormat + ")");
    fact(words("Model", "模型"), model.name);
    fact(words("Fingerprint", "指纹"), model.fingerprint);
    fact(words("Router", "路由"), shapeText(words, model.shape));
    fact(words("Weights", "权重"), model.quantisation);
    std::set<std::string> devices, precisions;
    std::int64_t first = 0, last = 0, answers = 0;
    for (const ReportedSession& session : report.sessions) {
        devices.insert(session.device);
        precisions.insert(session.precision);
        first = first == 0 ? session.createdMs : std::min(first, session.createdMs);
        last = std::max(last, session.createdMs);
        answers += static_cast<std::int64_t>(session.answers.size());
    }
    if (report.source == ReportSource::Sessions) {
        fact(words("Device", "设备"), joined(devices));
        fact(words("Precision", "精度"), joined(precisions));
        fact(words("Sessions", "会话"),
             wholeNumber(static_cast<std::int64_t>(report.sessions.size())));
        fact(words("Answers", "回答"), wholeNumber(answers));
        fact(words("Begun", "开始时间"), isoUtc(first) == isoUtc(last)
                                             ? isoUtc(first)
                                             : isoUtc(first) + " \u2013 " + isoUtc(last));
        fact(words("Settings and seeds", "设置与随机种子"), settingsOf(words, report));
        fact(words("Counted below", "以下计入"), phasesText(words, report.phases));
    }
    if (report.changedRoutingAnswers > 0) {
        fact(words("Left out", "未计入"),
             words("answers whose routing was changed by interventions: {}",
                   "{} 个回答的路由被干预改变", report.changedRoutingAnswers));
    }
    out.facts("", std::move(rows));
}

void addPhases(DocumentBuilder& out, const ReportValue& report) {
    const ReportWords& words = out.words;
    DocumentTable table{words("Positions routed, by phase", "各阶段经过路由的位置数"),
                        {{words("Phase", "阶段")},
                         {words("main layers", "主层"), true},
                         {words("MTP layer", "MTP 层"), true},
                         {words("special, main", "特殊词元，主层"), true},
                         {words("special, MTP", "特殊词元，MTP"), true}},
                        {},
                        false};
    for (int i = 0; i < kPhaseCount; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const PhaseLoad& ordinary = report.load->phases[at];
        const PhaseLoad& special = report.load->special[at];
        if (ordinary.tokens + ordinary.mtpTokens + special.tokens + special.mtpTokens == 0)
            continue;
        table.rows.push_back({phasesText(words, 1U << static_cast<unsigned>(i)),
                              wholeNumber(ordinary.tokens), wholeNumber(ordinary.mtpTokens),
                              wholeNumber(special.tokens), wholeNumber(special.mtpTokens)});
    }
    out.add(std::move(table));
    out.note(words(
        "A position is routed when it is the input of a pass: the last token of an answer never "
        "is, "
        "and prompt tokens that were in the cache already are not routed again. Rejected drafts "
        "cost expert reads but are no output; they are in no figure below unless named.",
        "位置作为前向输入时才经过路由：回答的最后一个词元从不经过，已在缓存中的提示词元也不会再次"
        "路由。被拒绝的草稿会读取专家但不是输出，除非注明，下文均不计入。"));
}

}  // namespace

void addMeasured(DocumentBuilder& out, const ReportValue& report) {
    out.section("measured", out.words("What was measured", "测量内容"));
    addModel(out, report);
    if (report.source == ReportSource::Sessions) addPhases(out, report);
}

}  // namespace gatescope
