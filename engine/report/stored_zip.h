// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace gatescope {

/// The entries of a zip archive in memory whose entries are stored, not compressed, by name. They
/// are parts of `archive`. Reads zip64 too. Throws Error naming `file` and the entry if anything
/// lies outside the archive, is compressed or encrypted, or has its name twice. Checksums are not
/// looked at: PyTorch can be told to leave them out.
std::map<std::string, std::string_view> readStoredZip(std::string_view archive,
                                                      const std::string& file);

}  // namespace gatescope
