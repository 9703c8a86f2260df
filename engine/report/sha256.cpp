// SPDX-License-Identifier: Apache-2.0
#include "engine/report/sha256.h"

#include <glib.h>

#include <memory>
#include <new>

namespace gatescope {

std::string sha256Hex(std::string_view bytes) {
    const std::unique_ptr<gchar, decltype(&g_free)> hex(
        g_compute_checksum_for_data(G_CHECKSUM_SHA256,
                                    reinterpret_cast<const guchar*>(bytes.data()), bytes.size()),
        &g_free);
    if (hex == nullptr) throw std::bad_alloc();
    return hex.get();
}

}  // namespace gatescope
