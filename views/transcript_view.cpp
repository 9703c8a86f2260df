// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/transcript_view.h"

#include <QClipboard>
#include <QContextMenuEvent>
#include <QGuiApplication>
#include <QImage>
#include <QKeyEvent>
#include <QMenu>
#include <QMimeData>
#include <QScrollBar>
#include <QTextBlock>
#include <QTextDocument>
#include <QTextDocumentFragment>
#include <algorithm>

#include "views/formats.h"
#include "views/literal_text.h"
#include "views/selection.h"
#include "views/theme.h"

namespace gatescope {
namespace {

constexpr int kFlushMs = 33;  // 30 times a second: inserting every token alone lags (relayout)
constexpr int kMinZoom = -6;
constexpr int kMaxZoom = 16;

/// A picture of one transparent pixel. Not an empty value: Qt would then open the name as a file.
QImage nothing() {
    QImage image(1, 1, QImage::Format_ARGB32);
    image.fill(Qt::transparent);
    return image;
}

/// QTextEdit::setDocument() and tests may go around the view's loadResource().
class ClosedDocument final : public QTextDocument {
  public:
    using QTextDocument::QTextDocument;

  protected:
    QVariant loadResource(int, const QUrl&) override { return nothing(); }
};

}  // namespace

TranscriptView::TranscriptView(Selection* selection, QWidget* parent)
    : QTextEdit(parent), m_selection(selection) {
    setDocument(new ClosedDocument(this));
    document()->setUndoRedoEnabled(false);
    document()->setDocumentMargin(2 * kGrid);
    setReadOnly(true);
    setAcceptRichText(false);
    setTextInteractionFlags(Qt::TextSelectableByMouse);
    setFocusPolicy(Qt::StrongFocus);
    setAcceptDrops(false);
    viewport()->setAcceptDrops(false);
    viewport()->setMouseTracking(true);
    viewport()->setCursor(Qt::IBeamCursor);
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setAccessibleName(tr("Transcript"));
    m_flushTimer.setSingleShot(true);
    m_flushTimer.setInterval(kFlushMs);
    connect(&m_flushTimer, &QTimer::timeout, this, &TranscriptView::flush);
    connect(m_selection, &Selection::changed, this, &TranscriptView::updateSelected);
    m_basePointSize = font().pointSizeF();
    // Only what a person does is an action; the value is set behind it.
    connect(verticalScrollBar(), &QAbstractSlider::actionTriggered, this, &TranscriptView::tellEdge,
            Qt::QueuedConnection);
}

QVariant TranscriptView::loadResource(int, const QUrl&) {
    return nothing();
}

void TranscriptView::clearTranscript() {
    m_flushTimer.stop();
    m_waiting.clear();
    m_spans.clear();
    m_turns.clear();
    m_marked.clear();
    m_selected.reset();
    m_hasDrafts = false;
    document()->clear();
    Q_EMIT contentsShown();
}

void TranscriptView::beginTurn(Turn turn) {
    flush();
    QTextCursor cursor(document());
    cursor.movePosition(QTextCursor::End);
    if (m_turns.empty()) {
        cursor.setBlockFormat(blockFormat(turn, true));
        cursor.setBlockCharFormat(charFormat(turn));
    } else {
        cursor.insertBlock(blockFormat(turn, true), charFormat(turn));
    }
    m_turns.push_back({turn, cursor.position(), m_spans.size()});
    verticalScrollBar()->setValue(verticalScrollBar()->maximum());
}

void TranscriptView::append(const TranscriptToken& token) {
    m_waiting.push_back(token);
    if (!m_flushTimer.isActive()) {
        m_flushTimer.start();
    }
}

void TranscriptView::setStreaming(bool streaming) {
    m_streaming = streaming;
    viewport()->update();
}

void TranscriptView::flush() {
    m_flushTimer.stop();
    if (m_waiting.empty() || m_turns.empty()) {
        m_waiting.clear();
        return;
    }
    // Follow the text only for a person who is at its end; somebody reading above stays there.
    const bool atEnd = verticalScrollBar()->value() >= verticalScrollBar()->maximum() - kGrid;
    // Together: a paragraph is laid out anew after each edit, and one may hold a whole answer.
    QTextCursor together(document());
    together.beginEditBlock();
    for (const TranscriptToken& token : std::exchange(m_waiting, {})) {
        insert(token);
    }
    together.endEditBlock();
    if (atEnd) {
        verticalScrollBar()->setValue(verticalScrollBar()->maximum());
    }
    viewport()->update();
    Q_EMIT contentsShown();
}

void TranscriptView::insert(const TranscriptToken& token) {
    QTextCursor cursor(document());
    cursor.movePosition(QTextCursor::End);
    const int start = cursor.position();
    const Turn turn = m_turns.back().turn;
    const QStringList lines = literalText(token.text).split(u'\n');
    cursor.insertText(lines.front(), charFormat(turn));
    for (qsizetype i = 1; i < lines.size(); ++i) {
        cursor.insertBlock(blockFormat(turn, false), charFormat(turn));
        cursor.insertText(lines[i], charFormat(turn));
    }
    if (token.position >= 0) {
        m_spans.push_back({start, cursor.position() - start, token.position, token.draft});
        m_hasDrafts = m_hasDrafts || token.draft != TokenEvent::Draft::None;
    }
}

bool TranscriptView::removeLastAnswer() {
    flush();
    const auto answer = std::find_if(m_turns.rbegin(), m_turns.rend(), [](const TurnRange& range) {
        return range.turn == Turn::Answer;
    });
    if (answer == m_turns.rend()) {
        return false;
    }
    const TurnRange removed = *answer;
    m_spans.resize(removed.firstSpan);
    m_turns.erase(answer.base() - 1, m_turns.end());
    QTextCursor cursor(document());
    cursor.setPosition(std::max(0, removed.start - (m_turns.empty() ? 0 : 1)));
    cursor.movePosition(QTextCursor::End, QTextCursor::KeepAnchor);
    cursor.removeSelectedText();
    m_hasDrafts = std::any_of(m_spans.begin(), m_spans.end(), [](const Span& span) {
        return span.draft != TokenEvent::Draft::None;
    });
    Q_EMIT contentsShown();
    return true;
}

void TranscriptView::setMarked(std::vector<std::int32_t> positions) {
    m_marked = std::move(positions);
    viewport()->update();
    Q_EMIT contentsShown();
}

int TranscriptView::markedShown() const {
    return static_cast<int>(std::count_if(m_spans.begin(), m_spans.end(), [this](const Span& span) {
        return isMarked(span.position);
    }));
}

bool TranscriptView::isMarked(std::int32_t position) const {
    return std::binary_search(m_marked.begin(), m_marked.end(), position);
}

QString TranscriptView::plainText() const {
    QString text;
    for (std::size_t i = 0; i < m_turns.size(); ++i) {
        const bool last = i + 1 == m_turns.size();
        QTextCursor cursor(document());
        cursor.setPosition(m_turns[i].start);
        if (last) {
            cursor.movePosition(QTextCursor::End, QTextCursor::KeepAnchor);
        } else {
            cursor.setPosition(m_turns[i + 1].start - 1, QTextCursor::KeepAnchor);
        }
        text += cursor.selectedText().replace(QChar::ParagraphSeparator, u'\n');
        text += last ? QString() : QStringLiteral("\n\n");
    }
    return text;
}

// ---------------------------------------------------------------- looks

QTextBlockFormat TranscriptView::blockFormat(Turn turn, bool first) const {
    QTextBlockFormat format;
    const bool panel = turn == Turn::User;
    format.setLeftMargin(panel ? 1.5 * kGrid : 0);
    format.setRightMargin(panel ? 1.5 * kGrid : 0);
    format.setTopMargin(!first ? 0 : m_turns.empty() ? kGrid : panel ? 3 * kGrid : 2 * kGrid);
    format.setLineHeight(125, QTextBlockFormat::ProportionalHeight);
    return format;
}

QTextCharFormat TranscriptView::charFormat(Turn turn) const {
    QTextCharFormat format;
    if (turn == Turn::Notice) {
        format.setForeground(themeColours(palette()).muted);
        format.setProperty(QTextFormat::FontSizeAdjustment, -1);
    }
    return format;
}

void TranscriptView::restyle() {
    for (std::size_t i = 0; i < m_turns.size(); ++i) {
        if (m_turns[i].turn != Turn::Notice) {
            continue;
        }
        QTextCursor cursor(document());
        cursor.setPosition(m_turns[i].start);
        if (i + 1 < m_turns.size()) {
            cursor.setPosition(m_turns[i + 1].start - 1, QTextCursor::KeepAnchor);
        } else {
            cursor.movePosition(QTextCursor::End, QTextCursor::KeepAnchor);
        }
        cursor.mergeCharFormat(charFormat(Turn::Notice));
    }
}

void TranscriptView::setZoom(int steps) {
    steps = std::clamp(steps, kMinZoom, kMaxZoom);
    if (steps == m_zoom) {
        return;
    }
    m_zoom = steps;
    QFont zoomed = font();
    zoomed.setPointSizeF(std::max(5.0, m_basePointSize + m_zoom));
    setFont(zoomed);
    Q_EMIT zoomChanged(m_zoom);
}

void TranscriptView::changeEvent(QEvent* event) {
    QTextEdit::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) {
        restyle();
        viewport()->update();
    }
}

// ---------------------------------------------------------------- selecting

int TranscriptView::spanIndex(std::int32_t position) const {
    const auto found = std::lower_bound(
        m_spans.begin(), m_spans.end(), position,
        [](const Span& span, std::int32_t wanted) { return span.position < wanted; });
    return found != m_spans.end() && found->position == position
               ? static_cast<int>(found - m_spans.begin())
               : -1;
}

const TranscriptView::Span* TranscriptView::spanOf(std::int32_t position) const {
    const int index = spanIndex(position);
    return index < 0 ? nullptr : &m_spans[static_cast<std::size_t>(index)];
}

void TranscriptView::updateSelected() {
    const auto position = m_selection->position();
    if (position == m_selected) {
        return;
    }
    m_selected = position;
    if (const Span* span = position ? spanOf(*position) : nullptr) {
        makeVisible(*span);
    }
    viewport()->update();
}

void TranscriptView::select(int index) {
    if (!m_spans.empty()) {
        index = std::clamp(index, 0, static_cast<int>(m_spans.size()) - 1);
        m_selection->setPosition(m_spans[static_cast<std::size_t>(index)].position);
    }
}

void TranscriptView::makeVisible(const Span& span) {
    const std::vector<QRectF> places = rects(span);
    if (places.empty()) {
        return;
    }
    const QRectF place = places.front();
    QScrollBar* bar = verticalScrollBar();
    if (place.top() < kGrid) {
        bar->setValue(bar->value() + static_cast<int>(place.top()) - 2 * kGrid);
    } else if (place.bottom() > viewport()->height() - kGrid) {
        bar->setValue(bar->value() + static_cast<int>(place.bottom()) - viewport()->height() +
                      2 * kGrid);
    }
}

void TranscriptView::scrollTo(std::int32_t position, Qt::Edge edge) {
    const Span* span = spanOf(position);
    const std::vector<QRectF> places = span != nullptr ? rects(*span) : std::vector<QRectF>();
    if (places.empty()) {
        return;
    }
    QScrollBar* bar = verticalScrollBar();
    const double off = edge == Qt::TopEdge
                           ? places.front().top() - 2 * kGrid
                           : places.back().bottom() - viewport()->height() + 2 * kGrid;
    bar->setValue(bar->value() + static_cast<int>(off));
}

void TranscriptView::tellEdge() {
    const QScrollBar* bar = verticalScrollBar();
    if (bar->value() == bar->minimum() && bar->maximum() > bar->minimum()) {
        Q_EMIT beginningReached();
    } else if (bar->value() == bar->maximum() && bar->maximum() > bar->minimum()) {
        Q_EMIT endReached();
    }
}

void TranscriptView::mousePressEvent(QMouseEvent* event) {
    m_pressed = event->pos();
    QTextEdit::mousePressEvent(event);
}

void TranscriptView::mouseReleaseEvent(QMouseEvent* event) {
    QTextEdit::mouseReleaseEvent(event);
    const bool dragged = (event->pos() - m_pressed).manhattanLength() > 4;
    if (event->button() != Qt::LeftButton || dragged || textCursor().hasSelection()) {
        return;
    }
    if (const Span* span = spanAt(event->pos())) {
        m_selection->setPosition(span->position);
    } else {
        m_selection->setPosition({});
    }
}

void TranscriptView::mouseMoveEvent(QMouseEvent* event) {
    QTextEdit::mouseMoveEvent(event);
    const Span* span = spanAt(event->pos());
    viewport()->setCursor(span != nullptr ? Qt::PointingHandCursor : Qt::IBeamCursor);
    if (span == nullptr) {
        Q_EMIT hoverText({});
        return;
    }
    QTextCursor cursor(document());
    cursor.setPosition(span->start);
    cursor.setPosition(span->start + span->length, QTextCursor::KeepAnchor);
    const QString text = cursor.selectedText().replace(QChar::ParagraphSeparator, u'\n');
    QString hover = tr("token %1 · %2").arg(span->position).arg(quotedToken(text.toUtf8()));
    if (const QString more = m_describe ? m_describe(span->position) : QString(); !more.isEmpty()) {
        hover += QStringLiteral(" · ") + more;
    }
    Q_EMIT hoverText(hover);
}

void TranscriptView::setDescriber(std::function<QString(std::int32_t position)> describe) {
    m_describe = std::move(describe);
}

bool TranscriptView::hasBonus() const {
    return std::any_of(m_spans.begin(), m_spans.end(),
                       [](const Span& span) { return span.draft == TokenEvent::Draft::Bonus; });
}

void TranscriptView::setColour(Colour colour) {
    if (colour != m_colour) {
        m_colour = colour;
        viewport()->update();
        Q_EMIT contentsShown();
    }
}

/// Who reads the end goes on reading it.
void TranscriptView::resizeEvent(QResizeEvent* event) {
    QScrollBar* bar = verticalScrollBar();
    const bool atEnd = bar->value() >= bar->maximum() - kGrid;
    QTextEdit::resizeEvent(event);
    if (atEnd) {
        bar->setValue(bar->maximum());
    }
}

void TranscriptView::leaveEvent(QEvent* event) {
    QTextEdit::leaveEvent(event);
    Q_EMIT hoverText({});
}

void TranscriptView::keyPressEvent(QKeyEvent* event) {
    if (event == QKeySequence::Copy) {
        copy();
        return;
    }
    if (event == QKeySequence::SelectAll) {
        selectAll();
        return;
    }
    const int last = static_cast<int>(m_spans.size()) - 1;
    int current = m_selected ? spanIndex(*m_selected) : -1;
    switch (event->modifiers() & ~Qt::KeypadModifier ? 0 : event->key()) {
        case Qt::Key_Right:
            select(current < 0 ? 0 : current + 1);
            return;
        case Qt::Key_Left:
            select(current < 0 ? last : current - 1);
            return;
        case Qt::Key_Down:
            select(current < 0 ? 0 : neighbourLine(current, 1));
            return;
        case Qt::Key_Up:
            select(current < 0 ? last : neighbourLine(current, -1));
            if (current == 0) {
                Q_EMIT beginningReached();
            }
            return;
        case Qt::Key_Home:
            select(0);
            return;
        case Qt::Key_End:
            select(last);
            return;
        case Qt::Key_PageDown:
            verticalScrollBar()->triggerAction(QAbstractSlider::SliderPageStepAdd);
            return;
        case Qt::Key_PageUp:
            verticalScrollBar()->triggerAction(QAbstractSlider::SliderPageStepSub);
            return;
        default:
            event->ignore();  // shortcuts and the window's keys
    }
}

void TranscriptView::wheelEvent(QWheelEvent* event) {
    if (event->modifiers() & Qt::ControlModifier) {
        setZoom(m_zoom + (event->angleDelta().y() > 0 ? 1 : -1));
        event->accept();
        return;
    }
    QTextEdit::wheelEvent(event);
}

void TranscriptView::contextMenuEvent(QContextMenuEvent* event) {
    QMenu menu(this);
    QAction* copySelected = menu.addAction(tr("Copy"), this, &QTextEdit::copy);
    copySelected->setEnabled(textCursor().hasSelection());
    menu.addAction(tr("Copy all"), this,
                   [this] { QGuiApplication::clipboard()->setText(plainText()); })
        ->setEnabled(!m_turns.empty());
    menu.addAction(tr("Select all"), this, &QTextEdit::selectAll);
    const bool byKey = event->reason() == QContextMenuEvent::Keyboard;
    const Span* span = byKey ? nullptr : spanAt(event->pos());
    Q_EMIT menuWanted(&menu, span != nullptr ? span->position
                             : byKey         ? m_selected.value_or(-1)
                                             : -1);
    menu.exec(event->globalPos());
}

QMimeData* TranscriptView::createMimeDataFromSelection() const {
    auto* plain = new QMimeData;
    plain->setText(textCursor().selection().toPlainText());
    return plain;
}

}  // namespace gatescope
