// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <random>
#include <string>

#include "engine/session/session_log.h"
#include "engine/session/session_store.h"

namespace gatescope::test {

/// A folder of its own for one test, removed with everything in it.
class TempFolder {
  public:
    TempFolder();
    ~TempFolder();
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    std::filesystem::path operator/(const std::string& name) const { return m_path / name; }
    const std::filesystem::path& path() const { return m_path; }

  private:
    std::filesystem::path m_path;
};

/// Values with every field set to something arbitrary, bytes of any kind among them.
class Arbitrary {
  public:
    explicit Arbitrary(unsigned seed) : m_random(seed) {}
    std::uint32_t below(std::uint32_t bound) {
        return static_cast<std::uint32_t>(m_random() % bound);
    }
    std::string bytes();  ///< NULs, broken UTF-8, emoji, empty
    std::string text();   ///< the same, a little longer
    TokenEvent token();
    StepTrace step();
    GenerationParams params();
    GenerationResult result();
    SessionInfo info();

  private:
    float number();
    std::int64_t large();
    SpeculativeStep speculation();
    TokenRouting routing(int rows);
    RoutedToken routed(int rows);
    std::mt19937_64 m_random;
};

/// A token with this number, cheap to make and to recognise.
TokenEvent numberedToken(int number);

void expectSame(const TokenEvent& actual, const TokenEvent& expected);
void expectSame(const StepTrace& actual, const StepTrace& expected);
void expectSame(const CacheUse& actual, const CacheUse& expected);
void expectSame(const GenerationResult& actual, const GenerationResult& expected);
void expectSame(const SessionInfo& actual, const SessionInfo& expected);

std::string readFile(const std::filesystem::path& file);
void writeFile(const std::filesystem::path& file, const std::string& bytes);

/// "ok" or SQLite's first complaint.
std::string quickCheck(const std::filesystem::path& file);

/// The end of an answer of that many numbered tokens.
GenerationResult endOf(int tokens);

/// A closed session file with one session of one answer.
void makeSessionFile(const std::filesystem::path& file, int tokens = 50);

}  // namespace gatescope::test
