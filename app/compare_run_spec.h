// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QStringList>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "app/settings.h"
#include "engine/model/interventions.h"
#include "kernels/latent_layout.h"
#include "kernels/precision.h"

namespace gatescope {

/// One run of a comparison as it was set up: a prompt to be answered, or stored sessions.
struct CompareRunSpec {
    QString label;
    bool stored = false;
    QString sessions;  ///< of a stored one: "12" or "1,3-5"
    QString prompt;
    ChatSettings settings = ChatSettings::defaults();
    bool interventions = false;  ///< those the window has now
    QString modelDir;            ///< empty: the open model's
    QString device;              ///< empty: as the window's
    std::optional<Precision> precision;
    std::optional<CacheType> cacheType;

    /// The open model cannot be used.
    bool needsOwnModel() const {
        return !modelDir.isEmpty() || !device.isEmpty() || precision || cacheType;
    }
};

/// What the window has that runs can be set up with.
struct CompareContext {
    QString modelName;  ///< of the open model; empty: none is open
    bool hasMtp = true;
    QString interventions;  ///< what the window changes about routing; empty: nothing
    QStringList recentModels;
    ChatSettings settings = ChatSettings::defaults();  ///< of the chat: what a new run begins with
};

}  // namespace gatescope
