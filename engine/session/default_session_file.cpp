// SPDX-License-Identifier: Apache-2.0
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "engine/error.h"
#include "engine/session/session_store.h"

namespace gatescope {

namespace {

namespace fs = std::filesystem;

fs::path homeFolder() {
    const char* home = std::getenv("HOME");
    if (home != nullptr && fs::path(home).is_absolute()) {
        return home;
    }
    passwd entry{};
    passwd* found = nullptr;
    std::array<char, 16384> buffer{};
    if (getpwuid_r(getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
        found != nullptr) {
        return entry.pw_dir;
    }
    throw Error("session file: this user has no home folder; name a file with --session");
}

/// The base directory specification has relative values ignored.
fs::path dataFolder() {
    const char* data = std::getenv("XDG_DATA_HOME");
    return data != nullptr && fs::path(data).is_absolute() ? fs::path(data)
                                                           : homeFolder() / ".local" / "share";
}

}  // namespace

fs::path defaultSessionFile() {
    const fs::path folder = dataFolder() / "gatescope";
    std::error_code error;
    fs::create_directories(folder.parent_path(), error);
    if (error) {
        throw fileError(folder.parent_path().string(), "", "cannot be created: " + error.message());
    }
    if (mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
        throw fileError(folder.string(), "",
                        "cannot be created: " + std::generic_category().message(errno));
    }
    return folder / "sessions.db";
}

}  // namespace gatescope
