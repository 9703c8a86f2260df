// SPDX-License-Identifier: Apache-2.0
//
// Speculative sampling is exact: the first three tokens of many answers, drafted and verified, are
// distributed as the model's own probabilities say, which are computed here from plain passes.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <random>

#include "engine/decode/generator.h"
#include "tests/engine/model/golden.h"

namespace gatescope::test {
namespace {

using Tokens = std::vector<std::int32_t>;

// Answers for each of the four settings; GATESCOPE_SPECULATIVE_SAMPLES=50000 makes 200,000 in all.
// Sanitizers look for other errors than these.
int answers() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 200;
#endif
    const char* asked = std::getenv("GATESCOPE_SPECULATIVE_SAMPLES");
    return asked ? std::atoi(asked) : 5000;
}

/// Softmax at a temperature, cut to the nucleus of mass p and normalised again: the definition, in
/// double precision.
std::vector<double> processed(std::span<const float> logits, double temperature, double topP) {
    std::vector<std::pair<double, std::size_t>> sorted;
    double sum = 0;
    const double largest = *std::max_element(logits.begin(), logits.end());
    for (std::size_t i = 0; i < logits.size(); ++i) {
        sorted.emplace_back(std::exp((logits[i] - largest) / temperature), i);
        sum += sorted.back().first;
    }
    std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
        return a.first > b.first || (a.first == b.first && a.second < b.second);
    });
    std::vector<double> p(logits.size());
    double mass = 0;
    for (const auto& [weight, id] : sorted) {
        if (mass >= topP * sum) break;
        p[id] = weight;
        mass += weight;
    }
    for (auto& value : p) value /= mass;
    return p;
}

/// The probabilities of all continuations of up to three tokens that matter: those of one token,
/// of two, and of three after the likelier pairs.
class Expected {
  public:
    Expected(GoldenModel& model, const Tokens& prompt, const SamplingParams& sampling)
        : m_model(model), m_prompt(prompt), m_sampling(sampling) {}

    std::map<Tokens, double> ofLength(std::size_t length, double least) {
        std::map<Tokens, double> level{{{}, 1.0}};
        for (std::size_t i = 0; i < length; ++i) {
            std::map<Tokens, double> next;
            for (const auto& [tokens, probability] : level) {
                const auto p = after(tokens);
                for (std::size_t id = 0; id < p.size(); ++id) {
                    if (probability * p[id] < least) continue;
                    auto longer = tokens;
                    longer.push_back(static_cast<std::int32_t>(id));
                    next[longer] = probability * p[id];
                }
            }
            level = std::move(next);
        }
        return level;
    }

    const std::vector<double>& after(const Tokens& tokens) {
        const auto [at, missing] = m_known.try_emplace(tokens);
        if (missing) {
            auto text = m_prompt;
            text.insert(text.end(), tokens.begin(), tokens.end());
            auto& decoder = m_model.decoder;
            // As generate() does: prompts expanded, answers absorbed.
            const auto prompt = static_cast<std::int64_t>(m_prompt.size());
            decoder.truncate(tokens.empty() ? 0 : std::min(decoder.length(), prompt));
            if (decoder.length() < prompt) {
                decoder.truncate(0);
                decoder.forward(m_prompt, pass(AttentionPath::Expanded));
            }
            for (const auto id : tokens) decoder.forward({&id, 1}, pass(AttentionPath::Absorbed));
            at->second = processed(decoder.logits(), m_sampling.temperature, m_sampling.topP);
        }
        return at->second;
    }

  private:
    static ForwardOptions pass(AttentionPath path) {
        ForwardOptions options;
        options.path = path;
        return options;
    }

    GoldenModel& m_model;
    Tokens m_prompt;
    SamplingParams m_sampling;
    std::map<Tokens, std::vector<double>> m_known;
};

/// Upper tail of the chi-square distribution (Wilson & Hilferty 1931: the cube root is nearly
/// normal), in standard deviations.
double chiSquareDeviations(double chi, double degrees) {
    const double spread = 2 / (9 * degrees);
    return (std::cbrt(chi / degrees) - (1 - spread)) / std::sqrt(spread);
}

/// Everything not listed shares one cell.
void expectDistribution(const std::map<Tokens, int>& counts,
                        const std::map<Tokens, double>& probabilities, int n) {
    double chi = 0;
    double listed = 0;
    int inList = 0;
    for (const auto& [tokens, p] : probabilities) {
        const auto found = counts.find(tokens);
        const int got = found == counts.end() ? 0 : found->second;
        chi += (got - n * p) * (got - n * p) / (n * p);
        listed += p;
        inList += got;
    }
    double degrees = static_cast<double>(probabilities.size()) - 1;
    const double rest = n * (1 - listed);
    if (rest >= 5) {
        chi += (n - inList - rest) * (n - inList - rest) / rest;
        degrees += 1;
    }
    ASSERT_GE(degrees, 5) << "too few continuations to say anything";
    const double deviations = chiSquareDeviations(chi, degrees);
    EXPECT_LT(deviations, 4.3) << "chi-square " << chi << " of " << degrees << " degrees";
}

/// A prompt that ends as a passage in it begins, and whose passage may well go on the same way, but
/// need not: what a lookup drafts after the first token is then sometimes accepted.
Tokens promptWithEcho(GoldenModel& model, const SamplingParams& sampling) {
    std::mt19937 random(5);
    constexpr std::size_t kSecond = 4, kThird = 5;  // of the passage, in the prompt
    for (int attempt = 0; attempt < 2000; ++attempt) {
        Tokens prompt(8);
        for (auto& id : prompt) id = static_cast<std::int32_t>(random() % 250);
        prompt.back() = prompt[kSecond - 1];
        const auto after = [&](const Tokens& tokens) {
            model.decoder.truncate(0);
            return Expected(model, prompt, sampling).after(tokens);
        };
        const auto likeliest = [](const std::vector<double>& p) {
            return static_cast<std::int32_t>(std::max_element(p.begin(), p.end()) - p.begin());
        };
        for (int again = 0; again < 3; ++again) {
            prompt[kSecond] = likeliest(after({}));
            prompt[kThird] = likeliest(after({prompt[kSecond]}));
        }
        const auto first = after({});
        const auto second = after({prompt[kSecond]});
        const double p = first[static_cast<std::size_t>(prompt[kSecond])];
        const double q = second[static_cast<std::size_t>(prompt[kThird])];
        const auto open =
            std::count_if(first.begin(), first.end(), [](double v) { return v > 0.01; });
        if (p > 0.1 && q > 0.2 && q < 0.8 && open >= 8) return prompt;
    }
    throw std::runtime_error("no prompt with an echo");
}

struct Setting {
    Speculate source;
    float temperature;
};

class SpeculativeSampling : public testing::TestWithParam<Setting> {};
INSTANTIATE_TEST_SUITE_P(Golden, SpeculativeSampling,
                         testing::Values(Setting{Speculate::Mtp, 0.7f},
                                         Setting{Speculate::Mtp, 1.3f},
                                         Setting{Speculate::Lookup, 0.7f},
                                         Setting{Speculate::Lookup, 1.3f}),
                         [](const auto& test) {
                             return std::string(name(test.param.source)) +
                                    (test.param.temperature < 1 ? "_cold" : "_hot");
                         });

TEST_P(SpeculativeSampling, TokensAreDistributedAsTheModelSays) {
    GoldenModel model("v3-fp8", 1);
    GenerationParams params;
    params.maxNewTokens = 3;
    params.speculate = GetParam().source;
    params.drafts = 2;
    params.record = false;
    params.sampling.temperature = GetParam().temperature;
    params.sampling.topP = 0.9f;
    const auto prompt = promptWithEcho(model, params.sampling);
    const int n = answers();
    std::vector<std::map<Tokens, int>> counts(4);
    std::int64_t accepted = 0;
    GenerationSink ignored;
    for (int i = 0; i < n; ++i) {
        params.sampling.seed = 1000003u * static_cast<std::uint64_t>(i) + 17;
        const auto result = generate(model.decoder, nullptr, prompt, params, ignored);
        accepted += result.speculation.accepted;
        for (std::size_t length = 1; length <= 3; ++length)
            ++counts[length][{result.ids.begin(),
                              result.ids.begin() + static_cast<std::ptrdiff_t>(length)}];
    }
    if (n < 1000) GTEST_SKIP() << "too few answers for a distribution";
    EXPECT_GT(accepted, n / 100) << "drafts must be accepted for this to test anything";
    model.decoder.truncate(0);
    Expected expected(model, prompt, params.sampling);
    for (std::size_t length = 1; length <= 3; ++length) {
        SCOPED_TRACE(length);
        expectDistribution(counts[length], expected.ofLength(length, 5.0 / n), n);
    }
}

}  // namespace
}  // namespace gatescope::test
