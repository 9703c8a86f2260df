// SPDX-License-Identifier: Apache-2.0
// Speed of the tokenizer on one core: tokenizer_bench [MODEL_DIR [TEXT_FILE]]. Without a file the
// text is 8 MB of English, Chinese and code, put together from a seed so that runs compare.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/tokenizer.h"

namespace {

using gatescope::TokenId;
using gatescope::Tokenizer;

constexpr std::size_t textBytes = 8'000'000;
constexpr int runs = 7;

std::string readText(const char* path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw std::runtime_error(fmt::format("{}: cannot be opened", path));
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string chineseCharacter(std::mt19937& random) {
    const char32_t code = 0x4E00 + random() % 3000;
    return {static_cast<char>(0xE0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 63)),
            static_cast<char>(0x80 | (code & 63))};
}

/// Words of random letters beside known ones: no text repeats, as in a real one.
std::string mixedText() {
    static constexpr std::array<std::string_view, 24> words = {
        "the",   "router", "of",       "and",  "a",      "small", "expert",  "selects",
        "token", "which",  "language", "is",   "not",    "model", "weights", "balanced",
        "in",    "every",  "layer",    "with", "latent", "cache", "because", "it's"};
    static constexpr std::array<std::string_view, 6> lines = {
        "    for (std::size_t i = 0; i < n; ++i) {\n",       "        sum += x[i] * w[i];\n",
        "    return std::make_unique<Device>(config);\n",    "#include <vector>\n",
        "def forward(self, hidden_states: torch.Tensor):\n", "    }\n\n"};
    std::mt19937 random(1);
    std::string text;
    while (text.size() < textBytes) {
        const auto kind = random() % 4;
        for (int i = 0; i < 12; ++i) {
            if (kind == 0) {
                text += chineseCharacter(random);
            } else if (kind == 1) {
                text += lines[random() % lines.size()];
            } else if (random() % 5 == 0) {
                text += ' ';
                for (auto n = 3 + random() % 8; n > 0; --n) text += char('a' + random() % 26);
            } else {
                text.append(" ").append(words[random() % words.size()]);
            }
        }
        text += kind == 0 ? "。" : kind == 3 ? fmt::format(", {}.\n", random() % 100000) : ". ";
    }
    return text;
}

double medianSeconds(const std::function<void()>& work) {
    std::vector<double> seconds;
    for (int i = 0; i < runs; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        work();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        seconds.push_back(took.count());
    }
    std::sort(seconds.begin(), seconds.end());
    return seconds[runs / 2];
}

void report(std::string_view what, const Tokenizer& tokenizer, const std::string& text) {
    std::vector<TokenId> ids;
    const double seconds = medianSeconds([&] { ids = tokenizer.encode(text); });
    fmt::print("{:<28} {:>9} bytes {:>9} tokens {:>8.2f} MB/s\n", what, text.size(), ids.size(),
               static_cast<double>(text.size()) / 1e6 / seconds);
}

std::string repeated(std::string_view part, std::size_t bytes) {
    std::string text;
    while (text.size() < bytes) text += part;
    return text;
}

void run(const char* dir, const char* file) {
    const double seconds = medianSeconds([&] { Tokenizer{dir}; });
    fmt::print("{:<28} {:>9.1f} ms\n", "load", seconds * 1e3);
    const Tokenizer tokenizer{dir};
    report(file ? file : "mixed text", tokenizer, file ? readText(file) : mixedText());
    for (const std::size_t size : {1'000'000, 2'000'000, 4'000'000}) {
        report("spaces", tokenizer, repeated(" ", size));
        report("spaces, then a digit", tokenizer, repeated(" ", size) + "1");
        report("line ends", tokenizer, repeated("\n", size));
        report("letter a", tokenizer, repeated("a", size));
        report("digits", tokenizer, repeated("7", size));
        report("punctuation", tokenizer, repeated("<", size));
        report("Chinese character", tokenizer, repeated("的", size));
        report("spaces and line ends", tokenizer, repeated("  \n", size));
    }
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(argc > 1 ? argv[1] : GATESCOPE_DEMO_MODEL_DIR, argc > 2 ? argv[2] : nullptr);
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}\n", error.what());
        return 1;
    }
}
