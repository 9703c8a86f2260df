// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/model_lender.h"

#include "engine/error.h"

namespace gatescope {
namespace {

std::string keyOf(const std::filesystem::path& dir, const LoadOptions& options) {
    return fmt::format("{}\n{}\n{}\n{}", dir.string(), options.device.name,
                       options.device.precision ? static_cast<int>(*options.device.precision) : -1,
                       options.cacheType ? static_cast<int>(*options.cacheType) : -1);
}

}  // namespace

LoadedModel& ModelLender::open() {
    if (m_open == nullptr) {
        throw Error("no model is open");
    }
    return *m_open;
}

LoadedModel& ModelLender::lend(const std::filesystem::path& dir, const LoadOptions& options,
                               bool changed) {
    const bool sameFolder = m_open != nullptr && (dir.empty() || dir == m_open->dir());
    if (sameFolder && !changed) {
        return *m_open;
    }
    const std::filesystem::path folder = dir.empty() ? open().dir() : dir;
    const std::string key = keyOf(folder, options);
    if (m_other == nullptr || m_otherKey != key) {
        m_other.reset();
        m_other = LoadedModel::load(folder, options, m_progress);
        m_otherKey = key;
    }
    return *m_other;
}

LoadedModel& ModelLender::lend(const std::string& dir, const std::string& fingerprint) {
    if (m_open != nullptr && m_open->fingerprint() == fingerprint) {
        return *m_open;
    }
    if (dir.empty()) {
        throw Error("the sessions do not say where their model is");
    }
    LoadedModel& model = lend(dir, m_options, false);
    if (model.fingerprint() != fingerprint) {
        throw Error(fmt::format("{}: it is not the model that the sessions were made with", dir));
    }
    return model;
}

}  // namespace gatescope
