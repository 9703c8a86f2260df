// SPDX-License-Identifier: Apache-2.0
#include "engine/session/stored_names.h"

#include <array>
#include <utility>

#include "engine/error.h"

namespace gatescope {

namespace {

constexpr std::array<std::pair<Phase, std::string_view>, kPhaseCount> kPhases = {
    {{Phase::Prefill, "prefill"},
     {Phase::Decode, "decode"},
     {Phase::Draft, "draft"},
     {Phase::Rejected, "rejected"}}};

constexpr std::array<std::pair<TokenEvent::Draft, std::string_view>, 4> kDrafts = {
    {{TokenEvent::Draft::None, "none"},
     {TokenEvent::Draft::Accepted, "accepted"},
     {TokenEvent::Draft::Rejected, "rejected"},
     {TokenEvent::Draft::Bonus, "bonus"}}};

constexpr std::array<std::pair<DraftSource, std::string_view>, 2> kSources = {
    {{DraftSource::Mtp, "mtp"}, {DraftSource::Lookup, "lookup"}}};

constexpr std::array<std::pair<Role, std::string_view>, 3> kRoles = {
    {{Role::System, "system"}, {Role::User, "user"}, {Role::Assistant, "assistant"}}};

template <class List, class Value>
std::string_view nameIn(const List& list, Value value) {
    for (const auto& [known, text] : list) {
        if (known == value) {
            return text;
        }
    }
    throw Error("session: a value without a name");
}

template <class List>
auto valueIn(const List& list, const std::string& text, const char* what) {
    for (const auto& [value, known] : list) {
        if (known == text) {
            return value;
        }
    }
    throw Error(fmt::format("session: {} \"{}\" is not known", what, text));
}

}  // namespace

std::string_view storedName(Phase phase) {
    return nameIn(kPhases, phase);
}
Phase phaseFromName(const std::string& text) {
    return valueIn(kPhases, text, "phase");
}

std::string_view storedName(TokenEvent::Draft draft) {
    return nameIn(kDrafts, draft);
}
TokenEvent::Draft draftFromName(const std::string& text) {
    return valueIn(kDrafts, text, "draft");
}

std::string_view storedName(DraftSource source) {
    return nameIn(kSources, source);
}
DraftSource draftSourceFromName(const std::string& text) {
    return valueIn(kSources, text, "draft source");
}

Role roleFromName(const std::string& text) {
    return valueIn(kRoles, text, "role");
}

Finish finishFromName(const std::string& text) {
    for (const Finish finish :
         {Finish::Stop, Finish::StopString, Finish::Length, Finish::Context, Finish::Cancelled}) {
        if (name(finish) == text) {
            return finish;
        }
    }
    throw Error(fmt::format("session: finish \"{}\" is not known", text));
}

}  // namespace gatescope
