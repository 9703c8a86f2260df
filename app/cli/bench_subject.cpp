// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench_subject.h"

#include <fmt/format.h>

#include "app/cli/bench_speeds.h"
#include "engine/analysis/prompt_set.h"
#include "engine/decode/conversation.h"
#include "engine/error.h"
#include "engine/model/decoder.h"
#include "engine/model/demo_model.h"
#include "engine/model/make_device.h"
#include "engine/model/placed_model.h"

namespace gatescope::cli {
namespace {

std::filesystem::path promptFile(const BenchOptions& options) {
    if (!options.prompts.empty()) return options.prompts;
    const std::filesystem::path demo = demoModelDir();
    if (demo.empty())
        throw Error("the demo model's prompts are not installed here; name --prompts");
    return demo / "domain-prompts.jsonl";
}

/// The first prompts of every domain, in the order of the file: domains take turns.
void takePrompts(DraftingSubject& subject, const PromptSet& set, int perDomain) {
    subject.domains = set.domains;
    std::vector<int> taken(set.domains.size(), 0);
    for (const LabelledPrompt& prompt : set.prompts) {
        const auto domain = static_cast<std::size_t>(prompt.domain);
        if (perDomain > 0 && taken[domain] == perDomain) continue;
        ++taken[domain];
        try {
            Conversation conversation(*subject.model);
            subject.prompts.push_back({domain, conversation.prepare(prompt.prompt).ids});
        } catch (const Error& error) {
            throw fileError(set.file, fmt::format("line {}", prompt.line), error.what());
        }
    }
}

DraftingSubject openModel(const BenchOptions& options) {
    DraftingSubject subject;
    const std::filesystem::path dir =
        options.model.empty() ? demoModelDir() : std::filesystem::path(options.model);
    if (dir.empty()) throw Error("the demo model is not installed here; name a model folder");
    const PromptSet set = readPromptSet(promptFile(options));
    subject.model = loadModel(dir, options.common);
    subject.decoder = &subject.model->decoder();
    subject.described = {subject.model->name(), "as stored", subject.model->weightBytes()};
    subject.vocabLimit = static_cast<int>(subject.model->tokenizer().vocabSize());
    subject.stopTokens = answerEnds(*subject.model);
    takePrompts(subject, set, options.perDomain);
    return subject;
}

/// Ids without meaning, other ones in every prompt.
DraftingSubject openRandom(const BenchOptions& options) {
    DraftingSubject subject;
    subject.weights = openShape(options, subject.described);
    subject.device = makeDevice(options.common.load.device);
    const PlacedModel placed = placeModel(*subject.weights, *subject.device, options.common.load);
    subject.owned =
        openDecoder(*subject.weights, *subject.device, placed.options, options.common.quiet);
    subject.decoder = subject.owned.get();
    subject.domains = {"random tokens"};
    const auto count = static_cast<std::size_t>(options.perDomain > 0 ? options.perDomain : 1);
    const auto length = static_cast<std::size_t>(options.promptTokens);
    const std::vector<std::int32_t> ids =
        randomIds(static_cast<std::int64_t>(count * length), subject.decoder->config().vocabSize);
    for (std::size_t i = 0; i < count; ++i) {
        const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(i * length);
        subject.prompts.push_back({0, {begin, begin + static_cast<std::ptrdiff_t>(length)}});
    }
    return subject;
}

}  // namespace

DraftingSubject openDraftingSubject(const BenchOptions& options) {
    return options.shape.empty() ? openModel(options) : openRandom(options);
}

}  // namespace gatescope::cli
