// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "engine/model/loaded_model.h"
#include "engine/progress.h"

namespace gatescope {

/// Lends the open model, or loads another one and keeps it until a third is asked for. On the
/// engine's thread.
class ModelLender {
  public:
    /// `open` may be null; it was loaded with `options`.
    ModelLender(LoadedModel* open, LoadOptions options, Progress progress)
        : m_open(open), m_options(std::move(options)), m_progress(std::move(progress)) {}

    const LoadOptions& options() const { return m_options; }
    /// Throws Error when none is open.
    LoadedModel& open();
    /// The model of a folder under options of its own. `changed`: they differ from the open one's.
    LoadedModel& lend(const std::filesystem::path& dir, const LoadOptions& options, bool changed);
    /// The model of stored sessions, under the window's options.
    LoadedModel& lend(const std::string& dir, const std::string& fingerprint);

  private:
    LoadedModel* m_open;
    LoadOptions m_options;
    Progress m_progress;
    std::unique_ptr<LoadedModel> m_other;
    std::string m_otherKey;
};

}  // namespace gatescope
