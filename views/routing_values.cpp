// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/routing_values.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::size_t sizeOf(int count) {
    return static_cast<std::size_t>(std::max(0, count));
}

/// What came after `before` was counted.
RoutingCounts minus(RoutingCounts after, const RoutingCounts& before) {
    const auto subtract = [](std::vector<std::int64_t>& from, const std::vector<std::int64_t>& by) {
        std::transform(from.begin(), from.end(), by.begin(), from.begin(), std::minus<>());
    };
    subtract(after.counts, before.counts);
    subtract(after.n, before.n);
    return after;
}

void tokenWeights(const RoutingInput& input, std::vector<double>& out) {
    const RoutingShape& shape = input.load->shape;
    const auto topK = sizeOf(shape.topK);
    for (int row = 0; row < input.load->rows(); ++row) {
        const RoutedToken* token = input.token(row);
        if (token == nullptr) {
            continue;
        }
        const std::size_t first = sizeOf(row) * sizeOf(shape.experts);
        std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(first), shape.experts, 0.0);
        const std::size_t from = input.isMtpRow(row) ? 0 : sizeOf(row) * topK;
        for (std::size_t j = from; j < from + topK; ++j) {
            const std::size_t expert = token->routing.experts[j];
            if (expert < sizeOf(shape.experts)) {
                out[first + expert] = static_cast<double>(token->routing.weights[j]);
            }
        }
    }
}

void differences(const RoutingInput& input, RoutingValues& out) {
    const RoutingShape& shape = input.load->shape;
    if (!input.referenceFits()) {
        out.reference.counts.assign(out.shown.counts.size(), 0);
        out.reference.n.assign(out.shown.n.size(), 0);
        return;
    }
    out.reference = countsOf(*input.reference, input.phases);
    if (input.continuesReference) {
        out.shown = minus(std::move(out.shown), out.reference);
    }
    const std::int64_t needed = std::max<std::int64_t>(1, tokensNeeded(shape));
    const std::vector<double> before = relativeLoads(out.reference, shape, needed);
    out.values = relativeLoads(out.shown, shape, needed);
    std::transform(out.values.begin(), out.values.end(), before.begin(), out.values.begin(),
                   std::minus<>());  // NaN on either side stays NaN
}

/// Every row by its own counts, the largest first; equal ones by id.
std::vector<int> expertsByLoad(const RoutingCounts& counts, int experts) {
    std::vector<int> out(counts.counts.size());
    // Count and id in one number sort several times faster than pairs. Ids have 16 bits
    // (TokenRouting), 2^48 tokens never come.
    std::vector<std::uint64_t> row(sizeOf(experts));
    for (std::size_t first = 0; first < out.size(); first += row.size()) {
        const auto own = counts.counts.begin() + static_cast<std::ptrdiff_t>(first);
        const std::int64_t most = *std::max_element(own, own + experts);
        for (std::size_t e = 0; e < row.size(); ++e) {
            row[e] = static_cast<std::uint64_t>(most - counts.counts[first + e]) << 16U | e;
        }
        std::sort(row.begin(), row.end());
        for (std::size_t column = 0; column < row.size(); ++column) {
            out[first + column] = static_cast<int>(row[column] & 0xFFFFU);
        }
    }
    return out;
}

}  // namespace

bool RoutingInput::isMtpRow(int row) const {
    return row >= static_cast<int>(load->shape.layers.size());
}

bool RoutingInput::referenceFits() const {
    if (!load || !reference) {
        return false;
    }
    const RoutingShape& a = load->shape;
    const RoutingShape& b = reference->shape;
    return a.layers == b.layers && a.mtpLayer == b.mtpLayer && a.experts == b.experts &&
           a.topK == b.topK;
}

const RoutedToken* RoutingInput::token(int row) const {
    const RoutedToken* token = isMtpRow(row) ? mtpToken.get() : mainToken.get();
    if (token == nullptr) {
        return nullptr;
    }
    // A token of another model must not be read with this model's shape.
    const std::size_t rows = isMtpRow(row) ? 1 : load->shape.layers.size();
    const TokenRouting& routing = token->routing;
    const std::size_t choices = rows * sizeOf(load->shape.topK);
    const bool fits = sizeOf(routing.rows()) == rows && routing.experts.size() == choices &&
                      routing.weights.size() == choices;
    return fits ? token : nullptr;
}

int RoutingValues::columnOf(int row, int expert) const {
    if (experts.empty() || shown.n.empty()) {
        return expert;
    }
    const auto width = static_cast<std::ptrdiff_t>(experts.size() / shown.n.size());
    const auto first = experts.begin() + row * width;
    return static_cast<int>(std::find(first, first + width, expert) - first);
}

RoutingValues routingValues(const RoutingInput& input) {
    RoutingValues out;
    const RoutingShape& shape = input.load->shape;
    out.shown = countsOf(*input.load, input.phases);
    out.values.assign(out.shown.counts.size(), kNaN);
    switch (input.mode) {
        case RoutingMode::RelativeLoad:
            out.values = relativeLoads(out.shown, shape);
            break;
        case RoutingMode::GateMass:
            out.values = relativeGateMass(*input.load, input.phases);
            break;
        case RoutingMode::ThisToken:
            tokenWeights(input, out.values);
            break;
        case RoutingMode::ZScore:
            out.values = zScores(out.shown, shape);
            break;
        case RoutingMode::Difference:
            differences(input, out);
            break;
    }
    if (input.order == ExpertOrder::ByLoad) {
        out.experts = expertsByLoad(out.shown, shape.experts);
    }
    return out;
}

double differenceSigma(std::int64_t n1, std::int64_t n2, double p) {
    return std::sqrt((1 / p - 1) * (1 / static_cast<double>(n1) + 1 / static_cast<double>(n2)));
}

}  // namespace gatescope
