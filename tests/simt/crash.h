// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace simt::detail {

/// While it lives a crash of the calling thread prints `describe()` before the program ends: a
/// kernel's access outside memory or to an address that is not aligned stops the program. Does
/// nothing with AddressSanitizer, which has its own report.
class CrashReport {
  public:
    using Describe = const char* (*)();
    explicit CrashReport(Describe describe);
    ~CrashReport();
    CrashReport(const CrashReport&) = delete;
    CrashReport& operator=(const CrashReport&) = delete;
};

}  // namespace simt::detail
