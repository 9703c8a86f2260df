// SPDX-License-Identifier: Apache-2.0
#include "engine/model/interventions.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "engine/error.h"

namespace gatescope {

namespace {

constexpr int kMaxTopK = 32;

// --- in words -------------------------------------------------------------------------------

/// "3-10, 12".
std::string ranges(std::vector<int> values) {
    std::sort(values.begin(), values.end());
    std::string text;
    for (std::size_t i = 0; i < values.size();) {
        auto end = i + 1;
        while (end < values.size() && values[end] == values[end - 1] + 1) ++end;
        if (!text.empty()) text += ", ";
        text += end - i > 1 ? fmt::format("{}-{}", values[i], values[end - 1])
                            : fmt::format("{}", values[i]);
        i = end;
    }
    return text;
}

std::string named(const char* what, const std::vector<int>& values) {
    return fmt::format("{}{} {}", what, values.size() == 1 ? "" : "s", ranges(values));
}

std::string inLayers(std::vector<int> layers, const RoutingShape* shape) {
    std::sort(layers.begin(), layers.end());
    if (shape) {
        if (layers == shape->layers) return "in all MoE layers";
        auto all = shape->layers;
        all.push_back(shape->mtpLayer);
        if (shape->mtpLayer >= 0 && layers == all) return "in all MoE layers and the MTP layer";
    }
    return fmt::format("in {}", named("layer", layers));
}

/// What is changed in one layer, one text for each kind of change, in the order they are told in.
std::vector<std::pair<int, std::string>> changes(const LayerIntervention& layer,
                                                 const std::string& biasLabel) {
    std::vector<std::pair<int, std::string>> texts;
    if (layer.biasOff) texts.emplace_back(0, "bias off");
    if (!layer.bias.empty())
        texts.emplace_back(
            1, biasLabel.empty() ? "bias replaced" : fmt::format("bias replaced ({})", biasLabel));
    if (layer.topK) texts.emplace_back(2, fmt::format("top-k {}", *layer.topK));
    if (layer.topkGroups)
        texts.emplace_back(3, fmt::format("{} group{} kept", *layer.topkGroups,
                                          *layer.topkGroups == 1 ? "" : "s"));
    if (!layer.off.empty()) texts.emplace_back(4, named("expert", layer.off) + " off");
    if (!layer.forced.empty()) texts.emplace_back(5, named("expert", layer.forced) + " forced");
    return texts;
}

// --- checks ---------------------------------------------------------------------------------

/// The checks of one layer. `shape` is checked with its configuration.
class LayerCheck {
  public:
    LayerCheck(const LayerIntervention& layer, const RoutingShape& shape)
        : m_layer(layer),
          m_shape(shape),
          m_topK(layer.topK.value_or(shape.topK)),
          m_keptGroups(layer.topkGroups.value_or(shape.topkGroups)),
          m_groupSize(shape.experts / shape.groups) {}

    void run() const {
        checkLayer();
        checkExperts();
        checkCounts();
        checkForced();
        checkEligible();
        checkBias();
    }

  private:
    [[noreturn]] void fail(const std::string& cause) const {
        throw Error(fmt::format("layer {}: {}", m_layer.layer, cause));
    }

    void checkLayer() const {
        const bool main =
            std::binary_search(m_shape.layers.begin(), m_shape.layers.end(), m_layer.layer);
        if (!main && (m_shape.mtpLayer < 0 || m_layer.layer != m_shape.mtpLayer))
            fail("the model has no router there");
    }

    void checkExperts() const {
        std::set<int> off;
        std::set<int> forced;
        for (const auto& [experts, seen] :
             {std::pair{&m_layer.off, &off}, std::pair{&m_layer.forced, &forced}}) {
            for (const int expert : *experts) {
                if (expert < 0 || expert >= m_shape.experts)
                    fail(fmt::format("there is no expert {}, only 0 to {}", expert,
                                     m_shape.experts - 1));
                if (!seen->insert(expert).second)
                    fail(fmt::format("expert {} is named twice", expert));
                if (off.contains(expert) && forced.contains(expert))
                    fail(fmt::format("expert {} cannot be both off and forced", expert));
            }
        }
    }

    void checkCounts() const {
        if (m_topK < 1 || m_topK > std::min(kMaxTopK, m_shape.experts))
            fail(fmt::format("cannot choose {} experts, only 1 to {}", m_topK,
                             std::min(kMaxTopK, m_shape.experts)));
        if (m_keptGroups < 1 || m_keptGroups > m_shape.groups)
            fail(fmt::format("cannot keep {} groups, only 1 to {}", m_keptGroups, m_shape.groups));
        if (m_topK > m_keptGroups * m_groupSize)
            fail(fmt::format("{} experts are more than the {} in the kept groups", m_topK,
                             m_keptGroups * m_groupSize));
    }

    void checkForced() const {
        if (static_cast<int>(m_layer.forced.size()) > m_topK)
            fail(fmt::format("{} experts are forced, but only {} chosen", m_layer.forced.size(),
                             m_topK));
        std::set<int> groups;
        for (const int expert : m_layer.forced) groups.insert(expert / m_groupSize);
        if (static_cast<int>(groups.size()) > m_keptGroups)
            fail(fmt::format("the forced experts lie in {} groups, but only {} are kept",
                             groups.size(), m_keptGroups));
    }

    void checkEligible() const {
        const int fewest = fewestEligible();
        if (fewest < m_topK)
            fail(fmt::format(
                "a token may find only {} expert{} left on, fewer than the {} to choose", fewest,
                fewest == 1 ? "" : "s", m_topK));
    }

    /// Experts left on in the kept groups, in the worst case: groups that are sure to be kept
    /// first, then those whose score is an ordinary one, then those that score lowest.
    int fewestEligible() const {
        struct Group {
            int tier;
            int on;
        };
        std::vector<Group> groups(static_cast<std::size_t>(m_shape.groups), {1, m_groupSize});
        const auto groupOf = [&](int expert) -> Group& {
            return groups[static_cast<std::size_t>(expert / m_groupSize)];
        };
        for (const int expert : m_layer.off) --groupOf(expert).on;
        const int ordinary = m_shape.hasBias && m_groupSize > 1 ? 2 : 1;
        for (auto& group : groups)
            if (group.on < ordinary) group.tier = group.on == 0 ? 3 : 2;
        for (const int expert : m_layer.forced) groupOf(expert).tier = 0;
        std::sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
            return std::pair(a.tier, a.on) < std::pair(b.tier, b.on);
        });
        int sum = 0;
        for (int i = 0; i < m_keptGroups; ++i) sum += groups[static_cast<std::size_t>(i)].on;
        return sum;
    }

    void checkBias() const {
        if (m_layer.biasOff && !m_layer.bias.empty())
            fail("the bias cannot be both off and replaced");
        if (m_layer.biasOff && !m_shape.hasBias)
            fail("the model has no correction bias to switch off");
        if (!m_layer.bias.empty() &&
            m_layer.bias.size() != static_cast<std::size_t>(m_shape.experts))
            fail(
                fmt::format("{} bias values for {} experts", m_layer.bias.size(), m_shape.experts));
        for (std::size_t e = 0; e < m_layer.bias.size(); ++e)
            if (!(std::abs(m_layer.bias[e]) <= kMaxAppliedBias))
                fail(fmt::format("the bias of expert {} is {}, not a number from {} to {}", e,
                                 m_layer.bias[e], -kMaxAppliedBias, kMaxAppliedBias));
    }

    const LayerIntervention& m_layer;
    const RoutingShape& m_shape;
    int m_topK;
    int m_keptGroups;
    int m_groupSize;
};

}  // namespace

bool LayerIntervention::empty() const {
    return off.empty() && forced.empty() && !topK && !topkGroups && !biasOff && bias.empty();
}

bool Interventions::empty() const {
    return std::all_of(layers.begin(), layers.end(),
                       [](const LayerIntervention& layer) { return layer.empty(); });
}

std::string describe(const Interventions& interventions, const RoutingShape* shape) {
    std::map<std::pair<int, std::string>, std::vector<int>> layersOf;
    for (const auto& layer : interventions.layers)
        for (auto& change : changes(layer, interventions.biasLabel))
            layersOf[std::move(change)].push_back(layer.layer);
    std::string text;
    for (const auto& [change, layers] : layersOf) {
        if (!text.empty()) text += "; ";
        text += change.second + " " + inLayers(layers, shape);
    }
    return text;
}

void checkInterventions(const Interventions& interventions, const RoutingShape& shape) {
    if (shape.experts < 1 || shape.groups < 1)
        throw Error("the model has no routed experts to intervene on");
    std::set<int> seen;
    for (const auto& layer : interventions.layers) {
        if (!seen.insert(layer.layer).second)
            throw Error(fmt::format("layer {}: named twice", layer.layer));
        LayerCheck(layer, shape).run();
    }
}

RoutingShape runShape(const RoutingShape& shape, const Interventions& interventions) {
    const auto find = [&](int layer) {
        return std::find_if(interventions.layers.begin(), interventions.layers.end(),
                            [layer](const LayerIntervention& l) { return l.layer == layer; });
    };
    RoutingShape run = shape;
    std::set<int> topKs;
    std::set<int> keptGroups;
    for (const int layer : shape.layers) {
        const auto found = find(layer);
        const bool changed = found != interventions.layers.end();
        topKs.insert(changed ? found->topK.value_or(shape.topK) : shape.topK);
        keptGroups.insert(changed ? found->topkGroups.value_or(shape.topkGroups)
                                  : shape.topkGroups);
    }
    if (shape.mtpLayer >= 0) {
        const auto found = find(shape.mtpLayer);
        topKs.insert(found != interventions.layers.end() ? found->topK.value_or(shape.topK)
                                                         : shape.topK);
    }
    if (!topKs.empty()) run.topK = *topKs.rbegin();
    if (keptGroups.size() == 1) run.topkGroups = *keptGroups.begin();
    return run;
}

}  // namespace gatescope
