// SPDX-License-Identifier: Apache-2.0
#include "engine/report/report_document.h"

#include "engine/report/sections/sections.h"

namespace gatescope {

Document reportDocument(const ReportValue& report, ReportLanguage language) {
    Document document;
    DocumentBuilder out(document, language);
    const ReportWords& words = out.words;
    document.language = words("en", "zh-Hans");
    document.title = words("Expert load balance", "专家负载均衡报告");
    document.subtitle = report.model.name.empty() ? report.sourceName : report.model.name;
    document.program = report.program;
    document.createdMs = report.createdMs;
    document.contentsTitle = words("Contents", "目录");
    document.pageOf = words("page {} of {}", "第 {} 页，共 {} 页");
    for (const auto add : {addSummary, addMeasured, addLoadMaps, addBalance, addHotAndCold, addBias,
                           addCoactivation, addCache, addSpeculation, addComparison, addPlacement,
                           addLimits, addDefinitions, addSessions}) {
        add(out, report);
    }
    return document;
}

}  // namespace gatescope
