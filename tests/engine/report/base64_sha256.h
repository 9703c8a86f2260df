// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glib.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace gatescope {

/// By GLib, which the program itself takes nothing of here.
inline std::string base64Sha256(std::string_view bytes) {
    const std::unique_ptr<GChecksum, decltype(&g_checksum_free)> sum(
        g_checksum_new(G_CHECKSUM_SHA256), &g_checksum_free);
    g_checksum_update(sum.get(), reinterpret_cast<const guchar*>(bytes.data()),
                      static_cast<gssize>(bytes.size()));
    std::array<guint8, 32> digest{};
    gsize size = digest.size();
    g_checksum_get_digest(sum.get(), digest.data(), &size);
    const std::unique_ptr<gchar, decltype(&g_free)> text(g_base64_encode(digest.data(), size),
                                                         &g_free);
    return text.get();
}

}  // namespace gatescope
