// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/specialists.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "engine/analysis/binomial.h"
#include "engine/analysis/false_discovery.h"
#include "engine/analysis/jensen_shannon.h"

namespace gatescope {

namespace {

std::size_t at(int index) {
    return static_cast<std::size_t>(index);
}

/// p-values of one half (or of both together) over [rows * E * D].
struct Tests {
    std::vector<double> pValues;
    std::vector<double> adjusted;
};

/// An expert's choices by domain, and the tokens of these.
struct ExpertCounts {
    std::int64_t chosen = 0;  ///< over all domains, c_i
    std::int64_t tokens = 0;  ///< n
};

ExpertCounts expertCounts(const SpecialisationValue& value, int row, int expert, int half) {
    ExpertCounts out;
    for (int domain = 0; domain < value.domainCount(); ++domain) {
        out.chosen += value.count(row, expert, domain, half);
        out.tokens += value.tokens(row, domain, half);
    }
    return out;
}

std::size_t cellOf(const SpecialisationValue& value, int row, int expert, int domain) {
    return (at(row) * at(value.shape.experts) + at(expert)) * value.domains.size() + at(domain);
}

/// P(X >= count) of X ~ Bin(c_i, n_d / n). A count that is no larger than expected gets 1: it
/// cannot be significant, and the tails are costly.
double upperTail(std::int64_t count, std::int64_t tokens, const ExpertCounts& all) {
    if (all.tokens == 0) return 1;
    const double share = static_cast<double>(tokens) / static_cast<double>(all.tokens);
    if (static_cast<double>(count) <= static_cast<double>(all.chosen) * share) return 1;
    return BinomialTails(all.chosen, share).upper(count);
}

Tests testAll(const SpecialisationValue& value, int half) {
    Tests out;
    out.pValues.reserve(at(value.rows()) * at(value.shape.experts) * value.domains.size());
    for (int row = 0; row < value.rows(); ++row) {
        for (int expert = 0; expert < value.shape.experts; ++expert) {
            const ExpertCounts all = expertCounts(value, row, expert, half);
            for (int domain = 0; domain < value.domainCount(); ++domain) {
                const std::int64_t tokens = value.tokens(row, domain, half);
                out.pValues.push_back(
                    upperTail(value.count(row, expert, domain, half), tokens, all));
            }
        }
    }
    const auto main = static_cast<std::ptrdiff_t>(
        cellOf(value, static_cast<int>(value.shape.layers.size()), 0, 0));
    const std::span<const double> family(out.pValues);
    out.adjusted = adjustedPValues(family.first(static_cast<std::size_t>(main)));
    const auto mtp = adjustedPValues(family.subspan(static_cast<std::size_t>(main)));
    out.adjusted.insert(out.adjusted.end(), mtp.begin(), mtp.end());
    return out;
}

bool isTopDomain(const SpecialisationValue& value, int row, int expert, int domain, int half) {
    const double own = value.affinity(row, expert, domain, half);
    for (int other = 0; other < value.domainCount(); ++other) {
        if (value.affinity(row, expert, other, half) > own) return false;
    }
    return own > 0;
}

HalfEvidence evidenceOf(const SpecialisationValue& value, const Specialist& specialist, int half,
                        const Tests& tests) {
    const auto [row, expert, domain] =
        std::tuple(specialist.row, specialist.expert, specialist.domain);
    const std::size_t cell = cellOf(value, row, expert, domain);
    HalfEvidence out;
    out.tokens = value.tokens(row, domain, half);
    out.chosen = value.count(row, expert, domain, half);
    out.lift = value.lift(row, expert, domain, half);
    out.ratio = value.ratio(row, expert, domain, half);
    out.pValue = tests.pValues[cell];
    out.topDomain = isTopDomain(value, row, expert, domain, half);
    out.significant = tests.adjusted[cell] <= value.rule.falseDiscoveryRate;
    out.holds = out.topDomain && out.significant && out.ratio >= value.rule.leastRatio;
    return out;
}

Specialist specialistAt(const SpecialisationValue& value, int row, int expert, int domain,
                        const Tests& tests) {
    const std::size_t cell = cellOf(value, row, expert, domain);
    Specialist out;
    out.row = row;
    out.layer = value.layerOfRow(row);
    out.expert = expert;
    out.domain = domain;
    out.tokens = value.tokens(row, domain);
    out.chosen = value.count(row, expert, domain);
    out.affinity = value.affinity(row, expert, domain);
    out.lift = value.lift(row, expert, domain);
    out.ratio = value.ratio(row, expert, domain);
    out.share = value.affinityShare(row, expert, domain);
    out.pValue = tests.pValues[cell];
    out.adjusted = tests.adjusted[cell];
    return out;
}

/// Mean ranks, so that equal values rank equally.
std::vector<double> ranks(std::span<const double> values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&values](std::size_t a, std::size_t b) { return values[a] < values[b]; });
    std::vector<double> out(values.size());
    for (std::size_t first = 0; first < order.size();) {
        std::size_t last = first + 1;
        while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
        const double rank = static_cast<double>(first + last - 1) / 2;
        for (std::size_t i = first; i < last; ++i) out[order[i]] = rank;
        first = last;
    }
    return out;
}

/// D(i, .) of one half over the domains that both halves hold, appended to `out`; and less its
/// mean, appended to `centred`.
void appendAffinities(const SpecialisationValue& value, int row, int expert, int half,
                      std::vector<double>& out, std::vector<double>& centred) {
    const std::size_t first = out.size();
    for (int domain = 0; domain < value.domainCount(); ++domain) {
        if (value.tokens(row, domain, 0) > 0 && value.tokens(row, domain, 1) > 0) {
            out.push_back(value.affinity(row, expert, domain, half));
        }
    }
    const double sum =
        std::accumulate(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(), 0.0);
    const auto count = static_cast<double>(out.size() - first);
    for (std::size_t i = first; i < out.size(); ++i) centred.push_back(out[i] - sum / count);
}

std::vector<std::int64_t> domainLoad(const SpecialisationValue& value, int row, int domain) {
    std::vector<std::int64_t> out(at(value.shape.experts));
    for (int expert = 0; expert < value.shape.experts; ++expert) {
        out[at(expert)] = value.count(row, expert, domain);
    }
    return out;
}

}  // namespace

std::vector<Specialist> findSpecialists(const SpecialisationValue& value) {
    const Tests all = testAll(value, kBothHalves);
    const std::array<Tests, 2> halves{testAll(value, 0), testAll(value, 1)};
    std::vector<Specialist> out;
    for (int row = 0; row < value.rows(); ++row) {
        for (int expert = 0; expert < value.shape.experts; ++expert) {
            for (int domain = 0; domain < value.domainCount(); ++domain) {
                const bool found = value.ratio(row, expert, domain) >= value.rule.leastRatio &&
                                   all.adjusted[cellOf(value, row, expert, domain)] <=
                                       value.rule.falseDiscoveryRate &&
                                   isTopDomain(value, row, expert, domain, kBothHalves);
                if (!found) continue;
                Specialist specialist = specialistAt(value, row, expert, domain, all);
                for (int half = 0; half < 2; ++half) {
                    specialist.halves[at(half)] =
                        evidenceOf(value, specialist, half, halves[at(half)]);
                }
                specialist.replicated = specialist.halves[0].holds && specialist.halves[1].holds;
                out.push_back(std::move(specialist));
            }
        }
    }
    std::stable_sort(out.begin(), out.end(), [](const Specialist& a, const Specialist& b) {
        return a.replicated != b.replicated ? a.replicated : a.ratio > b.ratio;
    });
    return out;
}

double pearson(std::span<const double> a, std::span<const double> b) {
    const auto n = static_cast<double>(a.size());
    const double meanA = std::accumulate(a.begin(), a.end(), 0.0) / n;
    const double meanB = std::accumulate(b.begin(), b.end(), 0.0) / n;
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        ab += (a[i] - meanA) * (b[i] - meanB);
        aa += (a[i] - meanA) * (a[i] - meanA);
        bb += (b[i] - meanB) * (b[i] - meanB);
    }
    const double scale = std::sqrt(aa) * std::sqrt(bb);
    return scale > 0 ? ab / scale : std::numeric_limits<double>::quiet_NaN();
}

double spearman(std::span<const double> a, std::span<const double> b) {
    return pearson(ranks(a), ranks(b));
}

std::vector<Replication> replicationOf(const SpecialisationValue& value) {
    std::vector<Replication> out(at(value.rows()));
    for (int row = 0; row < value.rows(); ++row) {
        std::array<std::vector<double>, 2> plain;
        std::array<std::vector<double>, 2> centred;
        for (int half = 0; half < 2; ++half) {
            for (int expert = 0; expert < value.shape.experts; ++expert) {
                appendAffinities(value, row, expert, half, plain[at(half)], centred[at(half)]);
            }
        }
        Replication& replication = out[at(row)];
        replication.cells = static_cast<std::int64_t>(plain[0].size());
        replication.pearson = pearson(plain[0], plain[1]);
        replication.spearman = spearman(plain[0], plain[1]);
        replication.pearsonCentred = pearson(centred[0], centred[1]);
    }
    return out;
}

std::vector<DomainDivergence> divergenceOf(const SpecialisationValue& value) {
    std::vector<DomainDivergence> out(at(value.rows()));
    for (int row = 0; row < value.rows(); ++row) {
        std::vector<std::vector<std::int64_t>> loads;
        for (int domain = 0; domain < value.domainCount(); ++domain) {
            if (value.tokens(row, domain) > 0) loads.push_back(domainLoad(value, row, domain));
        }
        DomainDivergence& sum = out[at(row)];
        for (std::size_t a = 0; a < loads.size(); ++a) {
            for (std::size_t b = a + 1; b < loads.size(); ++b) {
                const JensenShannon pair = jensenShannon(loads[a], loads[b]);
                ++sum.pairs;
                sum.equal += pair.equal;
                sum.weighted += pair.weighted;
                sum.bias += pair.bias;
                sum.corrected += pair.corrected;
            }
        }
        // Without a pair: NaN.
        for (double* mean : {&sum.equal, &sum.weighted, &sum.bias, &sum.corrected}) {
            *mean /= sum.pairs;
        }
    }
    return out;
}

}  // namespace gatescope
