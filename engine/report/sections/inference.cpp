// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cmath>

#include "engine/report/sections/sections.h"

namespace gatescope {

namespace {

void addRates(DocumentBuilder& out, const ReportedSpeculation& value) {
    const ReportWords& words = out.words;
    DocumentTable table{words("Acceptance by source of the drafts", "按草稿来源的接受率"),
                        {{words("source", "来源")},
                         {words("verify steps D", "验证步 D"), true},
                         {words("drafted", "草稿"), true},
                         {words("accepted", "接受"), true},
                         {words("rate (95 %)", "接受率（95 %）"), true},
                         {words("tokens per step, tau", "每步词元 tau"), true},
                         {words("without bonus", "不含奖励词元"), true}},
                        {},
                        false};
    const auto add = [&](std::string source, const SpeculationRates& rates) {
        if (rates.steps == 0) return;
        table.rows.push_back({std::move(source), wholeNumber(rates.steps),
                              wholeNumber(rates.drafted), wholeNumber(rates.accepted),
                              withInterval(words, rates.rate, rates.rate95.low, rates.rate95.high),
                              threeDigitText(rates.length),
                              threeDigitText(rates.lengthWithoutBonus)});
    };
    add(words("MTP module", "MTP 模块"),
        value.bySource[static_cast<std::size_t>(DraftSource::Mtp)]);
    add(words("lookup", "查找"), value.bySource[static_cast<std::size_t>(DraftSource::Lookup)]);
    add(words("all", "全部"), value.all);
    out.add(std::move(table));
}

void addPositions(DocumentBuilder& out, const ReportedSpeculation& value) {
    const ReportWords& words = out.words;
    DocumentTable table{words("Acceptance by place of the draft", "按草稿位置的接受率"),
                        {{words("place", "位置"), true},
                         {words("accepted", "接受"), true},
                         {words("reached", "到达"), true},
                         {words("conditional alpha (95 %)", "条件接受率 alpha（95 %）"), true},
                         {words("of all steps, P (95 %)", "占全部步 P（95 %）"), true}},
                        {},
                        false};
    int place = 0;
    for (const DraftPosition& at : value.all.positions) {
        table.rows.push_back(
            {std::to_string(++place), wholeNumber(at.accepted), wholeNumber(at.reached),
             withInterval(words, at.conditional, at.conditional95.low, at.conditional95.high),
             withInterval(words, at.unconditional, at.unconditional95.low,
                          at.unconditional95.high)});
    }
    out.add(std::move(table));
}

void addCost(DocumentBuilder& out, const ReportedSpeculation& value) {
    const ReportWords& words = out.words;
    const SpeculationGain& gain = value.gain;
    std::vector<std::vector<std::string>> rows;
    if (value.reads.steps > 0) {
        rows.push_back({words("Different experts read per verify step, all layers",
                              "每个验证步读取的不同专家数，所有层"),
                        threeDigitText(value.reads.distinct)});
        rows.push_back({words("Plain decoding for the same output", "普通解码得到同样输出"),
                        threeDigitText(value.reads.plain)});
        rows.push_back({words("Read for rejected drafts only", "仅为被拒绝草稿读取"),
                        percentage(value.reads.wastedShare)});
    }
    if (std::isfinite(gain.plainTokensPerSecond)) {
        rows.push_back({words("Tokens per second, plain steps", "普通步每秒词元"),
                        threeDigitText(gain.plainTokensPerSecond)});
        rows.push_back({words("Tokens per second, speculating", "推测解码每秒词元"),
                        threeDigitText(gain.tokensPerSecond)});
        rows.push_back({words("Measured gain", "实测收益"), percentage(gain.gain)});
    }
    if (!rows.empty()) {
        out.facts(words("What speculation costs and gains", "推测解码的代价与收益"),
                  std::move(rows));
    }
}

}  // namespace

void addCache(DocumentBuilder& out, const ReportValue& report) {
    if (!report.cache) return;
    const ReportWords& words = out.words;
    const CacheUse& cache = report.cache->largest;
    out.section("cache", words("Latent KV cache", "潜在 KV 缓存"));
    const auto bytes = [](std::int64_t count) { return byteSize(static_cast<double>(count)); };
    const std::string times = threeDigitText(static_cast<double>(cache.expandedBytesPerPosition) /
                                             static_cast<double>(cache.bytesPerPosition));
    std::vector<std::vector<std::string>> rows{
        {words("Stored as", "存储类型"), cache.dtype},
        {words("Bytes per token, main layers", "每词元字节数，主层"),
         wholeNumber(cache.bytesPerPosition)},
        {words("The same context as expanded multi-head attention", "同样上下文的展开多头注意力"),
         words("{} bytes per token, {} times as many", "每词元 {} 字节，{} 倍",
               wholeNumber(cache.expandedBytesPerPosition), times)},
        {words("Longest context of an answer", "回答中最长的上下文"),
         words("{} tokens: {} used, {} reserved", "{} 个词元：已用 {}，预留 {}",
               wholeNumber(cache.positions), bytes(cache.used), bytes(cache.reserved))},
        {words("At the longest context the model allows", "在模型允许的最长上下文"),
         words("{} tokens: {}", "{} 个词元：{}", wholeNumber(cache.maxPositions),
               byteSize(static_cast<double>(cache.maxPositions) *
                        static_cast<double>(cache.bytesPerPosition)))}};
    if (cache.mtpBytesPerPosition > 0) {
        rows.push_back({words("MTP layer, apart", "MTP 层，另计"),
                        words("{} bytes per token", "每词元 {} 字节",
                              wholeNumber(cache.mtpBytesPerPosition))});
    }
    const std::string n = wholeNumber(report.cache->answers);
    out.facts(words("n = {} answers", "n = {} 个回答", n), std::move(rows));
}

void addSpeculation(DocumentBuilder& out, const ReportValue& report) {
    if (!report.speculation) return;
    const ReportWords& words = out.words;
    out.section("speculation", words("Speculative decoding", "推测解码"));
    addRates(out, *report.speculation);
    addPositions(out, *report.speculation);
    addCost(out, *report.speculation);
    out.note(words(
        "tau = 1 + accepted / D, the bonus token included. alpha_i: accepted at place i of those "
        "that "
        "were reached; P_i: of all verify steps, however deep they drafted. Intervals are "
        "Wilson's. "
        "Rates of different depths are not comparable: who drafts deeper begins at other places.",
        "tau = 1 + 接受数 / D，含奖励词元。alpha_i：到达第 i "
        "位者中被接受的比例；P_i：占全部验证步的"
        "比例，不论草稿深度。区间为 Wilson 区间。不同深度的接受率不可比较，因为起始位置不同。"));
}

}  // namespace gatescope
