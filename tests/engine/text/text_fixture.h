// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "engine/error.h"
#include "engine/text/tokenizer.h"

namespace gatescope::test {

namespace fs = std::filesystem;

inline const fs::path goldenTokenizerDir = fs::path(GATESCOPE_GOLDEN_DIR) / "tokenizer";

inline std::string readAll(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    EXPECT_TRUE(in) << path;
    return {std::istreambuf_iterator<char>(in), {}};
}

inline nlohmann::json readJson(const fs::path& path) {
    return nlohmann::json::parse(readAll(path));
}

/// A folder of its own for one test, removed at its end.
class ModelDir {
  public:
    ModelDir() {
        std::string name = (fs::temp_directory_path() / "gatescope-text-XXXXXX").string();
        if (!mkdtemp(name.data())) throw Error("no temporary folder");
        m_path = name;
    }
    ~ModelDir() {
        std::error_code ignored;
        fs::remove_all(m_path, ignored);
    }
    ModelDir(const ModelDir&) = delete;
    ModelDir& operator=(const ModelDir&) = delete;

    const fs::path& path() const { return m_path; }
    void write(const std::string& name, const std::string& content) const {
        std::ofstream(m_path / name, std::ios::binary) << content;
    }
    void write(const std::string& name, const nlohmann::json& content) const {
        write(name, content.dump());
    }

  private:
    fs::path m_path;
};

/// The golden tokenizer.json, to be changed by a test.
inline nlohmann::json goldenTokenizer() {
    return readJson(goldenTokenizerDir / "tokenizer.json");
}

inline Tokenizer load(const nlohmann::json& tokenizer, const nlohmann::json& settings = {}) {
    const ModelDir dir;
    dir.write("tokenizer.json", tokenizer);
    if (!settings.is_null()) dir.write("tokenizer_config.json", settings);
    return Tokenizer(dir.path());
}

/// What the Error says, or "" if there is none.
template <typename Work>
std::string errorOf(Work work) {
    try {
        work();
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

inline std::string fromHex(const std::string& hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    return bytes;
}

inline std::string utf8(char32_t c) {
    const auto tail = [&](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3F)); };
    if (c < 0x80) return std::string(1, static_cast<char>(c));
    if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), tail(0)};
    if (c < 0x10000) return {static_cast<char>(0xE0 | c >> 12), tail(6), tail(0)};
    return {static_cast<char>(0xF0 | c >> 18), tail(12), tail(6), tail(0)};
}

/// Valid UTF-8 of all kinds: white space, letters, marks, emoji, Chinese, code, markers.
inline std::string randomText(std::mt19937& random, std::size_t parts) {
    static const std::string samples[] = {"<｜User｜>",
                                          "</think>",
                                          "<｜end▁of▁sentence｜>",
                                          "don't",
                                          " they'll",
                                          "12345",
                                          "\r\n",
                                          "    return x[i];\n",
                                          "模型选择专家。",
                                          "👨‍👩‍👧",
                                          "é",
                                          "한국어",
                                          "\t",
                                          "  ",
                                          "\xC2\xA0",
                                          "<｜",
                                          "▁",
                                          "for (int i = 0; i < n; ++i) {"};
    std::string text;
    for (std::size_t i = 0; i < parts; ++i) {
        switch (random() % 4) {
            case 0:
                text += samples[random() % std::size(samples)];
                break;
            case 1:
                text += static_cast<char>(random() % 128);
                break;
            case 2:
                text += utf8(0x20 + random() % 0x3000);
                break;
            default:
                // Skips the surrogates.
                const char32_t c = random() % (0x110000 - 0x800);
                text += utf8(c < 0xD800 ? c : c + 0x800);
        }
    }
    return text;
}

}  // namespace gatescope::test
