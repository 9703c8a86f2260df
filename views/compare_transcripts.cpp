// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/compare_transcripts.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QSpinBox>
#include <algorithm>

#include "views/compare_texts.h"
#include "views/compare_token_text.h"
#include "views/formats.h"
#include "views/message_label.h"
#include "views/number_table.h"
#include "views/theme.h"
#include "views/view_export.h"

namespace gatescope {
namespace {

constexpr int kPromptChars = 200;

}  // namespace

CompareTranscripts::CompareTranscripts(QWidget* parent)
    : QWidget(parent), m_number(new QSpinBox), m_note(makeNoteLabel()) {
    m_number->setPrefix(tr("Answer "));
    m_number->setAccessibleName(tr("Answer that is shown"));
    m_number->setMinimum(1);
    auto* head = new QHBoxLayout;
    head->setContentsMargins(kGrid, 0, kGrid, 0);
    head->setSpacing(kGrid);
    head->addWidget(m_number);
    head->addWidget(m_note, 1);
    auto* sides = new QHBoxLayout;
    sides->setSpacing(kGrid);
    for (std::size_t side = 0; side < 2; ++side) {
        makeSide(side);
        sides->addWidget(m_columns[side], 1);
    }
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(kGrid / 2);
    column->addLayout(head);
    column->addLayout(sides, 1);
    connect(m_number, &QSpinBox::valueChanged, this, &CompareTranscripts::fill);
}

void CompareTranscripts::makeSide(std::size_t side) {
    m_titles[side] = new QLabel;
    m_titles[side]->setTextFormat(Qt::PlainText);
    m_titles[side]->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
    m_prompts[side] = makeNoteLabel();
    m_prompts[side]->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_prompts[side]->setAlignment(Qt::AlignLeft | Qt::AlignTop);
    auto* text = new CompareTokenText;
    m_texts[side] = text;
    text->setObjectName(side == 0 ? QStringLiteral("answerA") : QStringLiteral("answerB"));
    m_columns[side] = new QWidget;
    m_columns[side]->installEventFilter(this);
    auto* column = new QVBoxLayout(m_columns[side]);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    for (QLabel* label : {m_titles[side], m_prompts[side]}) {
        label->setContentsMargins(kGrid, 0, kGrid, 0);
        column->addWidget(label);
    }
    column->addWidget(text, 1);
    connect(text, &CompareTokenText::pointed, this, [this](const QString& what) {
        m_pointed = what;
        Q_EMIT pointed(what);
    });
    connect(text, &CompareTokenText::tokenChosen, this, [this, side](std::size_t token) {
        m_texts[1 - side]->setCurrent(token);  // the same number beside it
    });
    connect(text, &CompareTokenText::tokenOpened, this,
            [this, side](std::size_t token) { open(side, token); });
    ViewExport what;
    what.name = QStringLiteral("compare-answers");
    what.value = [this, text] {
        const QString selected = text->textCursor().selectedText();
        return selected.isEmpty() ? m_pointed : selected;
    };
    what.table = [this](QChar separator) { return tableText(separator); };
    what.failed = [this](const QString& message) { Q_EMIT failed(message); };
    installExportMenu(text, what);
}

const ComparedRun* CompareTranscripts::runOf(std::size_t side) const {
    if (m_comparison == nullptr || m_pair >= m_comparison->pairs.size()) {
        return nullptr;
    }
    const PairComparison& pair = m_comparison->pairs[m_pair];
    return &m_comparison->runs[static_cast<std::size_t>(side == 0 ? pair.a : pair.b)];
}

const ComparedAnswer* CompareTranscripts::answerOf(std::size_t side) const {
    const ComparedRun* run = runOf(side);
    const auto index = static_cast<std::size_t>(answer());
    return run != nullptr && index < run->answers.size() ? &run->answers[index] : nullptr;
}

int CompareTranscripts::answer() const {
    return m_number->value() - 1;
}

void CompareTranscripts::setAnswer(int answer) {
    m_number->setValue(answer + 1);
}

void CompareTranscripts::setPair(std::shared_ptr<const Comparison> comparison, std::size_t pair) {
    for (CompareTokenText* text : m_texts) {
        text->setAnswer(nullptr, 0);  // what it points into may go
    }
    m_comparison = std::move(comparison);
    m_pair = pair;
    std::size_t most = 1;
    for (const std::size_t side : {0U, 1U}) {
        most = std::max(most, runOf(side) != nullptr ? runOf(side)->answers.size() : 0);
    }
    const QSignalBlocker block(m_number);
    m_number->setMaximum(static_cast<int>(most));
    m_number->setSuffix(tr(" of %1").arg(most));
    m_number->setVisible(most > 1);
    fill();
}

void CompareTranscripts::elideTitles() {
    for (std::size_t side = 0; side < m_titles.size(); ++side) {
        const int room = m_columns[side]->width() - 2 * kGrid;
        m_titles[side]->setText(
            m_titles[side]->fontMetrics().elidedText(m_fullTitles[side], Qt::ElideRight, room));
    }
}

bool CompareTranscripts::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::Resize) {
        elideTitles();
    }
    return QWidget::eventFilter(watched, event);
}

void CompareTranscripts::fill() {
    const ComparedAnswer* a = answerOf(0);
    const ComparedAnswer* b = answerOf(1);
    const std::size_t common = a != nullptr && b != nullptr ? commonTokens(*a, *b) : 0;
    for (const std::size_t side : {0U, 1U}) {
        const ComparedAnswer* of = side == 0 ? a : b;
        const ComparedRun* run = runOf(side);
        if (run != nullptr) {
            const auto index = static_cast<int>(run - m_comparison->runs.data());
            m_fullTitles[side] = CompareTexts::title(*m_comparison, index);
            m_titles[side]->setToolTip(plainToolTip(m_fullTitles[side]));
        }
        m_prompts[side]->setText(of != nullptr
                                     ? visibleText(QString::fromStdString(of->prompt), kPromptChars)
                                     : tr("This run has no such answer."));
        m_texts[side]->setAnswer(of, common);
        m_texts[side]->setAccessibleName(tr("Answer of %1").arg(m_fullTitles[side]));
    }
    elideTitles();
    if (a == nullptr || b == nullptr) {
        m_note->clear();
    } else if (common == a->tokens.size() && common == b->tokens.size()) {
        m_note->setText(tr("All %1 tokens are the same.").arg(integerText(a->tokens.size())));
    } else if (common == 0) {
        m_note->setText(tr("They differ from the first token on (%1 and %2 tokens).")
                            .arg(integerText(a->tokens.size()), integerText(b->tokens.size())));
    } else {
        m_note->setText(tr("The first %1 of %2 and %3 tokens are the same (grey); the first that "
                           "differs is underlined.")
                            .arg(integerText(common), integerText(a->tokens.size()),
                                 integerText(b->tokens.size())));
    }
}

void CompareTranscripts::open(std::size_t side, std::size_t token) {
    const ComparedAnswer* of = answerOf(side);
    if (of != nullptr && token < of->tokens.size()) {
        Q_EMIT tokenOpened(of->session, of->turn, static_cast<std::int64_t>(token));
    }
}

QString CompareTranscripts::tableText(QChar separator) const {
    const QStringList header{tr("token"), tr("A"),   tr("p A"),    tr("raw p A"),
                             tr("B"),     tr("p B"), tr("raw p B")};
    QString out = header.join(separator) + u'\n';
    const ComparedAnswer* sides[] = {answerOf(0), answerOf(1)};
    std::size_t most = 0;
    for (const ComparedAnswer* side : sides) {
        most = std::max(most, side != nullptr ? side->tokens.size() : 0);
    }
    for (std::size_t i = 0; i < most; ++i) {
        QStringList cells{QString::number(i + 1)};
        for (const ComparedAnswer* side : sides) {
            if (side == nullptr || i >= side->tokens.size()) {
                cells << QString() << QString() << QString();
                continue;
            }
            const TokenEvent& at = side->tokens[i];
            cells << tableField(gatescope::tokenText(QByteArray::fromStdString(at.bytes)),
                                separator)
                  << allDigits(at.probability) << allDigits(at.rawProbability);
        }
        out += cells.join(separator) + u'\n';
    }
    return out;
}

}  // namespace gatescope
