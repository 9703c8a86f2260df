// SPDX-License-Identifier: Apache-2.0
#include "engine/report/html_writer.h"

#include <fmt/format.h>

#include <variant>

#include "engine/report/figure_svg.h"
#include "engine/report/html_text.h"
#include "engine/report/utc_time.h"

namespace gatescope {

namespace {

constexpr std::string_view kStyle = R"css(
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,"Noto Sans","DejaVu Sans",
"Noto Sans CJK SC",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:56rem;margin:0 auto;padding:2rem 1.5rem 4rem}
h1{font-size:1.7rem;line-height:1.2;margin:0}
h2{font-size:1.25rem;margin:2.5rem 0 .5rem;padding-top:1rem;border-top:1px solid var(--line)}
h3{font-size:1.05rem;margin:1.75rem 0 .5rem}
p,ul{margin:.5rem 0}
header p{margin:.25rem 0;color:var(--muted)}
.subtitle{font-size:1.1rem;overflow-wrap:anywhere}
.note,figcaption,caption{font-size:.85rem;color:var(--muted)}
.warning{border-left:3px solid var(--second);padding-left:.75rem}
nav ul{columns:2;list-style:none;padding:0}
a{color:var(--accent)}
a:focus-visible,summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
figure{margin:1.25rem 0;overflow-x:auto}
svg{display:block;width:100%;min-width:30rem;height:auto}
.table{overflow-x:auto;margin:1.25rem 0}
table{border-collapse:collapse;min-width:40%}
caption{text-align:left;padding-bottom:.35rem}
th,td{padding:.2rem .75rem .2rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th{font-weight:600;font-size:.85rem;vertical-align:bottom}
.n{text-align:right;white-space:nowrap;padding:.2rem 0 .2rem .75rem}
th.n{white-space:normal}
.n+td:not(.n),.n+th:not(.n){padding-left:1.25rem}
.c,pre{font-family:ui-monospace,"DejaVu Sans Mono","Noto Sans Mono CJK SC",monospace;font-size:.85rem}
td{overflow-wrap:break-word}
pre{white-space:pre-wrap;overflow-wrap:anywhere;border-left:3px solid var(--line);padding-left:.75rem;margin:.35rem 0}
details{margin:.75rem 0}
summary{cursor:pointer;font-size:.9rem}
#tip{position:fixed;pointer-events:none;background:var(--text);color:var(--page);padding:.2rem .5rem;
border-radius:4px;font-size:.85rem;max-width:24rem}
#tip[hidden]{display:none}
@media print{@page{size:A4;margin:16mm}body{font-size:10pt}main{max-width:none;padding:0}nav{display:none}
#tip{display:none}h2,h3{break-after:avoid}figure,tr,.warning{break-inside:avoid}thead{display:table-header-group}
svg{min-width:0}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
)css";

void add(std::string& out, const DocumentHeading& heading) {
    const int level = heading.level == 1 ? 2 : 3;  // the title is the first
    out += fmt::format("<h{0} id=\"{1}\">{2}</h{0}>\n", level, htmlText(heading.anchor),
                       htmlText(heading.text));
}

void add(std::string& out, const DocumentParagraph& paragraph) {
    const char* kind = paragraph.kind == ParagraphKind::Note      ? " class=\"note\""
                       : paragraph.kind == ParagraphKind::Warning ? " class=\"warning\""
                                                                  : "";
    out += fmt::format("<p{}>{}</p>\n", kind, htmlText(paragraph.text));
}

void add(std::string& out, const DocumentList& list) {
    out += "<ul>\n";
    for (const std::string& item : list.items) out += "<li>" + htmlText(item) + "</li>\n";
    out += "</ul>\n";
}

std::string classOf(const DocumentColumn& column) {
    return column.number ? " class=\"n\"" : column.code ? " class=\"c\"" : "";
}

void add(std::string& out, const DocumentTable& table) {
    const std::string caption = htmlText(table.caption);
    if (table.folded) {
        out +=
            fmt::format("<details open><summary>{} [{}]</summary>\n", caption, table.rows.size());
    }
    out += "<div class=\"table\"><table>";
    if (!table.folded && !caption.empty()) out += "<caption>" + caption + "</caption>";
    out += "<thead><tr>";
    for (const DocumentColumn& column : table.columns) {
        out += fmt::format("<th scope=\"col\"{}>{}</th>", classOf(column), htmlText(column.title));
    }
    out += "</tr></thead><tbody>\n";
    for (const std::vector<std::string>& row : table.rows) {
        out += "<tr>";
        for (std::size_t i = 0; i < row.size() && i < table.columns.size(); ++i) {
            out += fmt::format("<td{}>{}</td>", classOf(table.columns[i]), htmlText(row[i]));
        }
        out += "</tr>\n";
    }
    out += "</tbody></table></div>\n";
    if (table.folded) out += "</details>\n";
}

void add(std::string& out, const DocumentFigure& figure) {
    out += "<figure>" + figureSvg(figure.figure) + "<figcaption>" + htmlText(figure.caption) +
           "</figcaption></figure>\n";
}

void add(std::string& out, const DocumentVerbatim& verbatim) {
    if (!verbatim.caption.empty()) {
        out += "<p class=\"note\">" + htmlText(verbatim.caption) + "</p>\n";
    }
    out += "<pre>" + htmlText(verbatim.text, LineEnds::Kept) + "</pre>\n";
}

std::string head(const Document& document) {
    // No address may be asked for anything, and no script runs but the page's own.
    return fmt::format(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'; script-src '{}'\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"generator\" content=\"{}\">\n<title>{}</title>\n<style>\n{}{}</style>\n"
        "</head>\n",
        htmlText(document.language), htmlScriptHash(), htmlText(document.program),
        htmlText(document.title + " \u00b7 " + document.subtitle), svgStyle(), kStyle);
}

std::string contents(const Document& document) {
    std::string out = "<nav><h3>" + htmlText(document.contentsTitle) + "</h3><ul>\n";
    for (const DocumentBlock& block : document.blocks) {
        const auto* heading = std::get_if<DocumentHeading>(&block);
        if (heading == nullptr || heading->level != 1) continue;
        out += fmt::format("<li><a href=\"#{}\">{}</a></li>\n", htmlText(heading->anchor),
                           htmlText(heading->text));
    }
    return out + "</ul></nav>\n";
}

}  // namespace

std::string htmlPage(const Document& document, const HtmlExtras& extras) {
    std::string out = head(document);
    out += fmt::format(
        "<body data-cell=\"{}\">\n<main>\n<header><h1>{}</h1>\n"
        "<p class=\"subtitle\">{}</p>\n<p>{} \u00b7 {}</p></header>\n",
        htmlText(extras.cellText), htmlText(document.title), htmlText(document.subtitle),
        htmlText(document.program), isoUtc(document.createdMs));
    out += contents(document);
    for (const DocumentBlock& block : document.blocks) {
        std::visit([&out](const auto& at) { add(out, at); }, block);
    }
    out += "</main>\n<div id=\"tip\" hidden></div>\n";
    out += "<script type=\"application/json\" id=\"report-data\">" + scriptJson(extras.json) +
           "</script>\n";
    out += "<script>" + std::string(htmlScript()) + "</script>\n</body>\n</html>\n";
    return out;
}

}  // namespace gatescope
