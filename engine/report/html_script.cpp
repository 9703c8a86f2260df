// SPDX-License-Identifier: Apache-2.0
#include "engine/report/html_writer.h"

namespace gatescope {

namespace {

// Changing it changes its hash; tests/engine/report/html_writer_test.cpp says what that is.
constexpr std::string_view kScript = R"js(
(function () {
  "use strict";
  var data = null, tip = document.getElementById("tip"), text = document.body.dataset.cell || "";
  function rows() {
    if (data === null) {
      try { data = JSON.parse(document.getElementById("report-data").textContent).layers || []; }
      catch (error) { data = []; }
    }
    return data;
  }
  function show(event) {
    var group = event.target.closest("[data-map]");
    if (!group) { tip.hidden = true; return; }
    var svg = group.ownerSVGElement, point = svg.createSVGPoint();
    point.x = event.clientX; point.y = event.clientY;
    var cell = point.matrixTransform(group.getScreenCTM().inverse());
    var first = Number(group.dataset.map.split(" ")[1]);
    var row = rows()[first + Math.floor(cell.y)];
    var expert = row && row.experts && row.experts[Math.floor(cell.x)];
    if (!expert) { tip.hidden = true; return; }
    var values = [row.layer, Math.floor(cell.x), expert.count, expert.relative_load];
    tip.textContent = text.replace(/\{(\d)\}/g, function (all, i) {
      var value = values[Number(i)];
      return value === null || value === undefined ? "\u2013" : String(value);
    });
    tip.hidden = false;
    tip.style.left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = (event.clientY + 18) + "px";
  }
  document.addEventListener("mousemove", show);
  function fold(open) {
    document.querySelectorAll("details").forEach(function (at) { at.open = open; });
  }
  fold(false);
  window.addEventListener("beforeprint", function () { fold(true); });
})();
)js";
constexpr std::string_view kHash = "sha256-/vmkfD5ZiJBtOOV0qlC+a28fzAg1LaSjA9vjrCu58kM=";

}  // namespace

std::string_view htmlScript() {
    return kScript;
}

std::string_view htmlScriptHash() {
    return kHash;
}

}  // namespace gatescope
