// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/analysis/sparse_counts.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

inline constexpr int kBothHalves = -1;

/// Which token a routed position stands for when vocabulary is counted.
enum class VocabularyKey : std::uint8_t {
    Input,  ///< the token that went in
    Next,   ///< the token that truly came after it (given or generated); main layers only
};
inline constexpr int kVocabularyKeys = 2;

/// Thresholds of what is called a specialist. They are part of the value, so that they can be
/// shown.
struct SpecialistRule {
    double leastRatio = 2.0;            ///< D(i, d) over the expert's mean D in the other domains
    double falseDiscoveryRate = 0.05;   ///< Benjamini-Hochberg over experts x layers x domains
    std::int64_t leastVocabulary = 10;  ///< n_v below which a token is not ranked
    double shrinkage = 10;              ///< a in (n_iv + a k/E) / (n_v + a)
    int tokensNamed = 8;                ///< of each vocabulary kind, kept per expert
};

/// A token id an expert is chosen for more often than for others.
struct VocabularyEntry {
    std::int32_t id = 0;
    std::string bytes;        ///< of the token, empty without a tokenizer
    std::int64_t tokens = 0;  ///< n_v
    std::int64_t chosen = 0;  ///< n_iv
    double share = 0;         ///< n_iv / n_v
    double shrunk = 0;        ///< (n_iv + a k/E) / (n_v + a): pulled to chance where n_v is small
    double lift = 0;          ///< shrunk over k/E
};

/// What one half of the prompts says about a specialist.
struct HalfEvidence {
    std::int64_t tokens = 0;  ///< n of the domain in this half
    std::int64_t chosen = 0;
    double lift = 0;   ///< D over k/E
    double ratio = 0;  ///< D over the expert's mean D in the other domains
    double pValue = 1;
    bool topDomain = false;    ///< the domain is the expert's highest here too
    bool significant = false;  ///< after Benjamini-Hochberg within this half
    bool holds = false;        ///< all of it: top domain, ratio at least leastRatio, significant
};

/// An expert whose choices favour one domain.
struct Specialist {
    int row = 0;
    int layer = 0;
    int expert = 0;
    int domain = 0;
    std::int64_t tokens = 0;  ///< n of the domain
    std::int64_t chosen = 0;
    double affinity = 0;  ///< D(i, d)
    double lift = 0;      ///< D over k/E
    double ratio = 0;  ///< D over the mean D in the other domains; infinite if never chosen there
    double share = 0;  ///< D over the sum of D over all domains
    double pValue = 1;
    double adjusted = 1;  ///< p-value after Benjamini-Hochberg
    std::array<HalfEvidence, 2> halves;
    bool replicated = false;  ///< holds in both halves
    /// Input tokens of this domain of which the expert gets most beyond chance, n_iv - n_v k/E,
    /// all counted in the domain; unlike the vocabulary this favours what is frequent.
    std::vector<VocabularyEntry> tokensServed;
    std::string name;  ///< "layer 4 expert 17: arithmetic (3.1x), tokens '=', digits"
};

/// How alike the two halves of the prompts see a layer.
struct Replication {
    std::int64_t cells = 0;     ///< n: experts x domains counted in both halves
    double pearson = 0;         ///< of D(i, d)
    double spearman = 0;        ///< of D(i, d)
    double pearsonCentred = 0;  ///< of D(i, d) less the expert's mean over domains: without this,
                                ///< an expert that is busy everywhere counts as replication
};

/// How far the domains of a layer are apart, over all pairs of domains, in bits.
struct DomainDivergence {
    int pairs = 0;
    double equal = 0;      ///< mean JSD with equal weights
    double weighted = 0;   ///< mean JSD_w
    double bias = 0;       ///< mean of what JSD_w would be if nothing differed
    double corrected = 0;  ///< weighted - bias
};

/// Which experts serve which domain and which tokens, counted over a labelled prompt set. Rows as
/// in RoutingLoad: main MoE layers, then the MTP layer. Only ordinary tokens: special tokens and
/// rejected drafts are left out.
struct SpecialisationValue {
    RoutingShape shape;
    std::vector<std::string> domains;
    SpecialistRule rule;
    std::vector<std::int64_t> tokenCounts;  ///< [2 (main, MTP) * 2 halves * D] n
    std::vector<std::int64_t> counts;       ///< [rows * 2 halves * D * E] times chosen
    std::vector<double> gateMass;           ///< [rows * D * E] sum of gate weights
    std::vector<std::vector<VocabularyEntry>> vocabulary[kVocabularyKeys];  ///< [rows * E]
    std::int64_t vocabularyTokens[kVocabularyKeys] = {};  ///< main positions counted
    bool vocabularyFull = false;  ///< the memory limit was reached: later tokens are not in it
    std::vector<Specialist> specialists;       ///< replicated first, then by ratio
    std::vector<Replication> replication;      ///< [rows]
    std::vector<DomainDivergence> divergence;  ///< [rows]

    int rows() const {
        return static_cast<int>(shape.layers.size()) + (shape.mtpLayer >= 0 ? 1 : 0);
    }
    int domainCount() const { return static_cast<int>(domains.size()); }
    int layerOfRow(int row) const;
    int rowOfLayer(int layer) const;  ///< -1: not an MoE layer
    double chance() const;            ///< k / E

    std::int64_t tokens(int row, int domain, int half = kBothHalves) const;  ///< n
    std::int64_t count(int row, int expert, int domain, int half = kBothHalves) const;
    /// Domain affinity D(i, d): the share of the domain's tokens for which the expert is among the
    /// k chosen (OLMoE, Muennighoff et al. 2024). NaN without tokens.
    double affinity(int row, int expert, int domain, int half = kBothHalves) const;
    /// D over chance k/E. NaN without tokens.
    double lift(int row, int expert, int domain, int half = kBothHalves) const;
    /// D(i, d) over the sum of D(i, .) of the expert. NaN without tokens or choices.
    double affinityShare(int row, int expert, int domain) const;
    /// D(i, d) over the mean of D(i, .) in the other domains that have tokens.
    double ratio(int row, int expert, int domain, int half = kBothHalves) const;
    /// Share of the gate mass of the domain's tokens that the expert got, so that a layer's shares
    /// add up to 1 (after the relevance score of expert-specialised fine-tuning, averaged over
    /// tokens and not over samples). NaN without tokens.
    double gateShare(int row, int expert, int domain) const;
    /// Tokens from which on a fair expert is missed with probability at most 0.05 / E; below it a
    /// cell says little.
    std::int64_t enoughTokens() const;
};

/// Counts which experts the tokens of labelled prompts chose. Not thread-safe.
class SpecialisationCounter {
  public:
    /// Largest number of different (row, expert, domain, token id) cells kept for each vocabulary
    /// kind; the table then takes at most 128 MiB.
    static constexpr std::size_t kVocabularyCells = std::size_t{1} << 22;

    SpecialisationCounter(RoutingShape shape, std::vector<std::string> domains,
                          std::size_t vocabularyCells = kVocabularyCells);

    /// Positions of one prompt must arrive in order, prompts one after the other. Throws Error for
    /// routing that does not fit the shape, a domain or a half that there is not.
    void add(const RoutedToken& token, bool mtp, int domain, int half);
    void add(const StepTrace& step, int domain, int half);

    using TokenBytes = std::function<std::string(std::int32_t id)>;
    /// Everything derived from the counts. `tokenBytes` may be empty.
    std::shared_ptr<const SpecialisationValue> value(const TokenBytes& tokenBytes = {},
                                                     const SpecialistRule& rule = {}) const;

  private:
    /// A main position whose next token is not known yet.
    struct Pending {
        std::int32_t position = 0;
        int domain = 0;
        int half = 0;
        std::vector<std::uint16_t> experts;
    };
    void check(const RoutedToken& token, bool mtp, int domain, int half) const;
    void countDomain(const RoutedToken& token, bool mtp, int domain, int half);
    void countVocabulary(VocabularyKey key, std::int32_t id, int domain,
                         const std::vector<std::uint16_t>& experts, bool mtp);
    void resolvePending(const RoutedToken& token, int domain, int half);

    SpecialisationValue m_counts;  ///< counts and shape only
    std::size_t m_cellLimit;
    SparseCounts m_cells[kVocabularyKeys];  ///< by ((row * E + expert) * D + domain, id): n_iv
    SparseCounts m_ids[kVocabularyKeys];    ///< by (main or MTP * D + domain, id): n_v
    std::optional<Pending> m_pending;
};

}  // namespace gatescope
