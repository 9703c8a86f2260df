// SPDX-License-Identifier: Apache-2.0
#include "tests/simt/crash.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>

namespace simt::detail {

#ifdef __SANITIZE_ADDRESS__

CrashReport::CrashReport(Describe /*describe*/) {}
CrashReport::~CrashReport() = default;

#else

namespace {

constexpr std::array kSignals{SIGSEGV, SIGBUS, SIGFPE};
thread_local CrashReport::Describe whatRuns = nullptr;

/// The handler's own stack: the kernel's may be what has run out.
alignas(16) thread_local std::array<std::byte, std::size_t{32} << 10> handlerStack;

void print(const char* text) {
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, std::strlen(text));
}

void onCrash(int signal) {
    if (whatRuns != nullptr) {
        print("simt: ");
        print(whatRuns());
        print(": access outside memory, to an address that is not aligned, or stack used up\n");
    }
    raise(signal);  // ends the program as it would have ended: the handler is for once
}

void installHandlers() {
    struct sigaction action {};
    action.sa_handler = onCrash;
    action.sa_flags = SA_ONSTACK | static_cast<int>(SA_RESETHAND);
    for (const int signal : kSignals) {
        struct sigaction old {};
        sigaction(signal, nullptr, &old);
        if (old.sa_handler == SIG_DFL) sigaction(signal, &action, nullptr);
    }
}

}  // namespace

CrashReport::CrashReport(Describe describe) {
    static const bool installed = (installHandlers(), true);
    if (installed && whatRuns == nullptr) {
        stack_t stack{};
        stack.ss_sp = handlerStack.data();
        stack.ss_size = handlerStack.size();
        sigaltstack(&stack, nullptr);
    }
    whatRuns = describe;
}

CrashReport::~CrashReport() {
    whatRuns = nullptr;
}

#endif

}  // namespace simt::detail
