// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/compare_forced.h"

#include "engine/decode/forced_run.h"
#include "engine/error.h"

namespace gatescope::cli {

LoadedModel& ForcedPairs::modelOf(const ComparedRun& run, const std::stop_token& stop) {
    if (m_model && m_fingerprint == run.modelFingerprint) return *m_model;
    if (run.modelPath.empty()) {
        throw Error(fmt::format("{}: its sessions do not say where the model is", run.label));
    }
    m_model.reset();
    m_model = loadModel(run.modelPath, m_options, stop);
    m_fingerprint = m_model->fingerprint();
    if (m_fingerprint != run.modelFingerprint) {
        throw Error(fmt::format("{}: {} is not the model that its sessions were made with",
                                run.label, run.modelPath));
    }
    return *m_model;
}

AlignedComparison ForcedPairs::compare(const ComparedRun& a, const ComparedRun& b,
                                       const Progress& progress, const std::stop_token& stop) {
    const auto side = [&](const ComparedRun& run) {
        return ForcedSide{run.label,
                          [this, &run, &stop]() -> LoadedModel& { return modelOf(run, stop); },
                          commonInterventions(run)};
    };
    return forcedComparison(a, side(a), side(b), {}, progress, stop);
}

}  // namespace gatescope::cli
