// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cairo.h>
#include <pango/pangocairo.h>

#include <memory>
#include <string>

#include "engine/error.h"

namespace gatescope {

struct FreeCairo {
    void operator()(cairo_t* context) const { cairo_destroy(context); }
    void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
    void operator()(cairo_font_options_t* options) const { cairo_font_options_destroy(options); }
};

struct FreePango {
    void operator()(PangoAttrList* list) const { pango_attr_list_unref(list); }
    void operator()(PangoFontDescription* font) const { pango_font_description_free(font); }
    void operator()(PangoContext* context) const { g_object_unref(context); }
    void operator()(PangoFontMap* map) const { g_object_unref(map); }
    void operator()(PangoLayout* layout) const { g_object_unref(layout); }
};

using CairoContext = std::unique_ptr<cairo_t, FreeCairo>;
using CairoSurface = std::unique_ptr<cairo_surface_t, FreeCairo>;
using CairoFontOptions = std::unique_ptr<cairo_font_options_t, FreeCairo>;
using PangoAttributes = std::unique_ptr<PangoAttrList, FreePango>;
using PangoFontName = std::unique_ptr<PangoFontDescription, FreePango>;
using PangoContextHandle = std::unique_ptr<PangoContext, FreePango>;
using PangoFontMapHandle = std::unique_ptr<PangoFontMap, FreePango>;
using PangoLayoutHandle = std::unique_ptr<PangoLayout, FreePango>;

/// Throws Error with `item` ("page 3") unless the status is success.
inline void checkCairo(cairo_status_t status, const std::string& item) {
    if (status != CAIRO_STATUS_SUCCESS) {
        throw fileError("report", item, cairo_status_to_string(status));
    }
}

}  // namespace gatescope
