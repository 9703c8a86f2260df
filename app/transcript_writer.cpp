// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/transcript_writer.h"

#include <QCoreApplication>
#include <algorithm>

#include "app/session_parts.h"
#include "app/stored_counts.h"
#include "app/trace_store.h"
#include "engine/model/interventions.h"
#include "engine/session/settings_json.h"
#include "engine/text/utf8_stream.h"
#include "views/transcript_view.h"

namespace gatescope {
namespace {

using Turn = TranscriptView::Turn;

/// Positions of a prompt that are held where only a part of the session is shown.
constexpr std::size_t kMostPrompt = 32'768;

QString tr(const char* text) {
    return QCoreApplication::translate("TranscriptWriter", text);
}

/// What of a token's bytes belongs to the answer's text: end tokens and stop strings do not.
class AnswerText {
  public:
    explicit AnswerText(const StoredTurn& turn) : m_rest(turn.text), m_all(turn.text.empty()) {}

    std::string take(const std::string& bytes) {
        if (m_all) {
            return m_stream.push(bytes);
        }
        const auto end = std::mismatch(bytes.begin(), bytes.end(), m_rest.begin(), m_rest.end());
        const std::string mine(bytes.begin(), end.first);
        m_rest.erase(0, mine.size());
        return m_stream.push(mine);
    }
    std::string rest() { return m_stream.flush() + m_rest; }

  private:
    Utf8Stream m_stream;
    std::string m_rest;
    bool m_all;  ///< interrupted before the text was stored: every token counts
};

}  // namespace

TranscriptWriter::TranscriptWriter(TranscriptView* transcript, TraceStore* store,
                                   SessionParts* parts)
    : m_transcript(transcript), m_store(store), m_parts(parts) {}

void TranscriptWriter::clear() {
    m_answerFirst = -1;
    m_answerInterventions.reset();
    m_exchanges.clear();
    m_next = {};
    m_messageWaits = false;
}

// ---------------------------------------------------------------- stored sessions

void TranscriptWriter::write(const StoredSession& stored, const std::vector<PromptValue>& prompts) {
    for (std::size_t i = 0; i < stored.turns.size(); ++i) {
        const StoredTurn& turn = stored.turns[i];
        if (turn.role == Role::User) {
            writeMessage({}, {});
            m_message = QString::fromStdString(turn.text);
            m_messageWaits = true;
            continue;
        }
        if (i == 0 && stored.extent.cutBefore > 0) {
            cutAnswer(turn);
            continue;
        }
        writePrompt(prompts[i]);
        if (turn.replaced) {
            for (const StepTrace& step : turn.steps) {
                m_store->addReplacedStep(step);
            }
        } else {
            answer(turn);
        }
    }
    writeMessage({}, {});
    m_transcript->flush();
}

void TranscriptWriter::writeMessage(const PromptValue& prompt,
                                    const std::vector<std::int32_t>& numbers) {
    if (std::exchange(m_messageWaits, false)) {
        userTurn(m_message, prompt, numbers);
    }
}

void TranscriptWriter::writePrompt(const PromptValue& prompt) {
    const std::size_t size = prompt.pieces.size();
    const bool tooLong = m_parts->shown() != nullptr && size > kMostPrompt;
    writeMessage(prompt, m_store->setPrompt(prompt.pieces, tooLong ? size - kMostPrompt : 0));
}

/// The part begins within an answer.
void TranscriptWriter::cutAnswer(const StoredTurn& turn) {
    notice(tr("The beginning of this answer is in the part before."));
    m_store->beginAt(turn.tokens.empty() ? 0 : turn.tokens.front().position);
    answer(turn);
}

void TranscriptWriter::answer(const StoredTurn& turn) {
    if (turn.droppedMessages > 0) {
        dropped(turn.droppedMessages);
    }
    const SessionExtent* part = m_parts->shown();
    const bool cut = part != nullptr && m_exchanges.empty();
    given(turn.givenTokens);
    beginAnswer(settingsFromJson(turn.paramsJson).interventions, turn.turn,
                cut ? part->cutBefore : 0);
    m_transcript->beginTurn(Turn::Answer);
    AnswerText text(turn);
    m_parts->add(m_store->size(), static_cast<std::int32_t>(turn.tokens.size()));
    for (const TokenEvent& token : turn.tokens) {
        const std::int32_t number = m_store->addToken(token);
        m_transcript->append({number, QString::fromStdString(text.take(token.bytes)), token.draft});
    }
    if (const std::string rest = text.rest(); !rest.empty()) {
        m_transcript->appendText(QString::fromStdString(rest));
    }
    for (const StepTrace& step : turn.steps) {
        m_store->addStep(step);
    }
    m_transcript->flush();
    endOf(turn);
    changedRouting();
}

void TranscriptWriter::endOf(const StoredTurn& turn) {
    if (m_parts->lastIsCut()) {
        notice(tr("This answer goes on in the part behind."));
        return;
    }
    if (turn.finish == "interrupted") {
        notice(m_stillWritten ? tr("This was still being written when it was opened here.")
                              : tr("The program ended while this was being written."));
        return;
    }
    for (const Finish how : {Finish::Length, Finish::Context, Finish::Cancelled}) {
        if (turn.finish == name(how)) {
            finish(how);
        }
    }
}

// ---------------------------------------------------------------- any session

void TranscriptWriter::userTurn(const QString& message, const PromptValue& prompt,
                                const std::vector<std::int32_t>& numbers) {
    m_transcript->beginTurn(Turn::User);
    m_next = {};
    m_next.text = message;
    std::vector<TranscriptToken> tokens;
    QString together;
    Utf8Stream stream;
    for (std::size_t i = prompt.messageBegin; i < prompt.messageEnd && i < numbers.size(); ++i) {
        std::string text = stream.push(prompt.pieces[i].bytes);
        text += i + 1 == prompt.messageEnd ? stream.flush() : std::string();
        tokens.push_back({numbers[i], QString::fromStdString(text), TokenEvent::Draft::None});
        together += tokens.back().text;
    }
    if (together != message) {  // the tokens could not be told apart from the markers
        m_transcript->appendText(message);
    } else {
        for (const TranscriptToken& token : tokens) {
            m_transcript->append(token);
        }
        if (!tokens.empty()) {
            m_next.question = tokens.front().position;
            m_next.questionEnd = tokens.back().position + 1;
        }
    }
    m_transcript->flush();
}

/// Two ways of routing are never counted together.
void TranscriptWriter::beginAnswer(std::shared_ptr<const Interventions> interventions, int turn,
                                   std::int64_t firstSeq) {
    const bool same = sameInterventions(m_answerInterventions, interventions);
    m_answerInterventions = std::move(interventions);
    m_answerFirst = m_store->size();
    m_next.turn = turn;
    m_next.answer = m_answerFirst;
    m_next.firstSeq = firstSeq;
    m_next.interventions = m_answerInterventions;
    m_exchanges.push_back(std::exchange(m_next, {}));
    m_store->beginAnswer(!same);
}

void TranscriptWriter::takeBack() {
    if (!m_exchanges.empty()) {
        m_next = std::move(m_exchanges.back());
        m_exchanges.pop_back();
    }
}

void TranscriptWriter::given(int tokens) {
    if (tokens > 0) {
        notice(tokens == 1
                   ? tr("Branched: the first token of the answer was given.")
                   : tr("Branched: the first %1 tokens of the answer were given.").arg(tokens));
    }
}

std::int32_t TranscriptWriter::numberOf(int turn, std::int64_t seq) const {
    for (const Exchange& one : m_exchanges) {
        const auto number = static_cast<std::int32_t>(one.answer + seq - one.firstSeq);
        const TraceStore::Entry* entry = m_store->entry(number);
        if (one.turn == turn && seq >= one.firstSeq && entry != nullptr && entry->generated) {
            return number;
        }
    }
    return -1;
}

std::shared_ptr<const Interventions> TranscriptWriter::interventionsOf(std::int32_t number) const {
    const TraceStore::Entry* entry = m_store->entry(number);
    const bool generated = entry != nullptr && entry->generated;
    std::shared_ptr<const Interventions> found;
    for (const Exchange& one : m_exchanges) {
        if (generated && one.answer > number) {
            break;
        }
        found = one.interventions;
        if (!generated && one.answer > number) {
            break;
        }
    }
    return found;
}

void TranscriptWriter::finish(Finish finish) {
    switch (finish) {
        case Finish::Stop:
        case Finish::StopString:
            break;
        case Finish::Length:
            notice(tr("The answer ends here: it reached the limit of new tokens."));
            break;
        case Finish::Context:
            notice(tr("The answer ends here: the context is full."));
            break;
        case Finish::Cancelled:
            notice(tr("Stopped."));
            break;
    }
}

void TranscriptWriter::changedRouting() {
    if (const auto& changed = m_answerInterventions; changed != nullptr && !changed->empty()) {
        notice(tr("This answer was made with changed routing: %1")
                   .arg(QString::fromStdString(
                       describe(*changed, m_model ? &m_model->shape : nullptr))));
    }
}

void TranscriptWriter::notice(const QString& text) {
    m_transcript->beginTurn(Turn::Notice);
    m_transcript->appendText(text);
    m_transcript->flush();
}

void TranscriptWriter::dropped(int messages) {
    const QString context = m_model == nullptr
                                ? tr("the context")
                                : tr("the %1-token context").arg(m_model->contextLimit);
    notice(messages == 1 ? tr("The oldest message no longer fits %1 and was dropped.").arg(context)
                         : tr("The %1 oldest messages no longer fit %2 and were dropped.")
                               .arg(messages)
                               .arg(context));
}

}  // namespace gatescope
