// SPDX-License-Identifier: Apache-2.0
#include "engine/session/model_session.h"

#include <filesystem>

#include "engine/model/loaded_model.h"

namespace gatescope {

SessionInfo sessionInfo(const LoadedModel& model, std::string title) {
    SessionInfo info;
    info.title = std::move(title);
    info.modelName = model.name();
    info.modelPath = std::filesystem::absolute(model.dir()).string();
    info.modelFingerprint = model.fingerprint();
    info.configJson = model.configJson();
    info.device = model.deviceName();
    info.precision = model.precisionName();
    info.shape = model.routingShape();
    return info;
}

}  // namespace gatescope
