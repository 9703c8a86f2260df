// SPDX-License-Identifier: Apache-2.0
#define PCRE2_CODE_UNIT_WIDTH 8
#include "engine/text/regex.h"

#include <pcre2.h>

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <string>

#include "engine/error.h"
#include "engine/text/regex_translate.h"

namespace gatescope {
namespace {

// An expression of the kind tokenizers use gives up at most one step per character and branch; one
// that explodes reaches this at once. (The JIT counts less often than the interpreter.)
constexpr std::size_t stepsPerCall = 1'000'000;
constexpr std::size_t stepsPerByte = 32;
constexpr std::size_t jitStackStart = 32 * 1024;
constexpr std::size_t jitStackMost = 64 * 1024 * 1024;  ///< address space, committed on use
constexpr std::uint32_t heapLimitKiB = 256 * 1024;

std::string message(int code) {
    std::array<PCRE2_UCHAR, 256> buffer{};
    pcre2_get_error_message(code, buffer.data(), buffer.size());
    return reinterpret_cast<const char*>(buffer.data());
}

template <auto Free>
struct Release {
    template <typename T>
    void operator()(T* object) const {
        Free(object);
    }
};

template <typename T>
T* allocated(T* object) {
    if (!object) throw std::bad_alloc();
    return object;
}

}  // namespace

struct RegexScratch::Impl {
    std::unique_ptr<pcre2_match_data, Release<pcre2_match_data_free>> data{
        allocated(pcre2_match_data_create(1, nullptr))};
    std::unique_ptr<pcre2_match_context, Release<pcre2_match_context_free>> context{
        allocated(pcre2_match_context_create(nullptr))};
    std::unique_ptr<pcre2_jit_stack, Release<pcre2_jit_stack_free>> stack{
        pcre2_jit_stack_create(jitStackStart, jitStackMost, nullptr)};

    Impl() {
        pcre2_set_heap_limit(context.get(), heapLimitKiB);
        // Without a stack of its own the JIT uses 32 KiB of the machine's and the interpreter
        // takes over where that is too little: slower, not wrong.
        if (stack) pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
    }
};

RegexScratch::RegexScratch() : m_impl(std::make_unique<Impl>()) {}
RegexScratch::~RegexScratch() = default;

struct Regex::Impl {
    std::unique_ptr<pcre2_code, Release<pcre2_code_free>> code;
    bool jit = false;
};

Regex::Regex(std::string_view pattern, std::uint32_t options) : m_impl(std::make_unique<Impl>()) {
    int error = 0;
    PCRE2_SIZE at = 0;
    m_impl->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                     options | PCRE2_UTF, &error, &at, nullptr));
    if (!m_impl->code) throw Error("the regular expression is not valid: " + message(error));
    m_impl->jit = pcre2_jit_compile(m_impl->code.get(), PCRE2_JIT_COMPLETE) == 0;
}

Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Regex Regex::oniguruma(std::string_view pattern) {
    // '^' and '$' stand at lines in Oniguruma.
    return {translateOnigurumaRegex(pattern),
            PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C};
}

Regex Regex::literal(std::string_view text) {
    return {text, PCRE2_LITERAL};
}

std::optional<Regex::Match> Regex::search(std::string_view text, std::size_t from,
                                          RegexScratch& scratch) const {
    const auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    pcre2_match_data* data = scratch.m_impl->data.get();
    pcre2_match_context* context = scratch.m_impl->context.get();
    const std::size_t steps =
        stepsPerCall + std::min(text.size(), std::size_t{1} << 26) * stepsPerByte;
    pcre2_set_match_limit(context, static_cast<std::uint32_t>(std::min<std::size_t>(
                                       steps, std::numeric_limits<std::uint32_t>::max())));
    int result = PCRE2_ERROR_JIT_STACKLIMIT;
    if (m_impl->jit) {
        result = pcre2_jit_match(m_impl->code.get(), subject, text.size(), from, 0, data, context);
    }
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) {
        result = pcre2_match(m_impl->code.get(), subject, text.size(), from,
                             PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, context);
    }
    if (result == PCRE2_ERROR_NOMATCH) return std::nullopt;
    if (result == PCRE2_ERROR_MATCHLIMIT || result == PCRE2_ERROR_HEAPLIMIT ||
        result == PCRE2_ERROR_DEPTHLIMIT) {
        throw Error("the regular expression takes too many steps on this text");
    }
    if (result < 0) throw Error("the regular expression failed: " + message(result));
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data);
    return Match{range[0], range[1]};
}

}  // namespace gatescope
