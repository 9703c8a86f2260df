// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QTextEdit>
#include <QTimer>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

class Selection;

/// One token as the transcript shows it.
struct TranscriptToken {
    std::int32_t position = -1;  ///< what Selection calls position; -1: text without a token
    QString text;                ///< may be empty: half a character, an end token
    TokenEvent::Draft draft = TokenEvent::Draft::None;
};

/// The conversation. Text is shown literally: nothing in it is ever taken for markup, and the
/// document loads no resources. Streamed tokens are collected and shown at most 30 times a second.
///
/// Every token can be clicked, or reached with the arrow keys; the one in the Selection is
/// outlined. Coloured by acceptance, accepted drafts are underlined in the accepted colour, tokens
/// that replaced a rejected draft in the rejected colour, and under a bonus token there is a dot.
/// The tokens of setMarked() stand on a tinted ground.
class TranscriptView final : public QTextEdit {
    Q_OBJECT

  public:
    enum class Turn { User, Answer, Notice };
    enum class Colour { Nothing, Acceptance };

    explicit TranscriptView(Selection* selection, QWidget* parent = nullptr);

    void clearTranscript();
    /// Begins a message; what is appended next belongs to it.
    void beginTurn(Turn turn);
    void append(const TranscriptToken& token);
    void appendText(const QString& text) { append({-1, text, TokenEvent::Draft::None}); }
    /// Shows a caret after the last token.
    void setStreaming(bool streaming);
    /// Takes the last answer and everything after it out again. False if there is none.
    bool removeLastAnswer();
    bool isEmpty() const { return m_turns.empty(); }

    /// Positions to mark, ascending.
    void setMarked(std::vector<std::int32_t> positions);
    int markedShown() const;  ///< how many of the marked tokens are in the transcript
    bool hasDrafts() const { return m_hasDrafts; }
    bool hasBonus() const;
    void setColour(Colour colour);
    Colour colour() const { return m_colour; }
    /// What else the hover text tells about a token, by its position: its draft.
    void setDescriber(std::function<QString(std::int32_t position)> describe);

    /// Shows what is still waiting for the timer.
    void flush();
    int tokenCount() const { return static_cast<int>(m_spans.size()); }
    /// The whole transcript, messages apart by an empty line.
    QString plainText() const;
    /// Where a token stands, in viewport coordinates; null if unknown. For tests.
    QRect tokenRect(std::int32_t position) const;
    /// Scrolls so that the token stands at an edge of the view. Nothing if it is not here.
    void scrollTo(std::int32_t position, Qt::Edge edge);
    void setZoom(int steps);
    int zoom() const { return m_zoom; }

    QVariant loadResource(int type, const QUrl& url) override;

  Q_SIGNALS:
    /// The number of tokens or drafts shown changed, or the marks did.
    void contentsShown();
    /// "token 7 · "small" ..." under the pointer, empty when there is none.
    void hoverText(const QString& text);
    void zoomChanged(int steps);
    /// The context menu is about to open at a token, or nowhere (-1): others may add to it.
    void menuWanted(QMenu* menu, std::int32_t position);
    /// The person scrolled or stepped to the beginning, or to the end, of what is shown.
    void beginningReached();
    void endReached();

  protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void changeEvent(QEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    QMimeData* createMimeDataFromSelection() const override;

  private:
    struct Span {
        int start = 0;
        int length = 0;
        std::int32_t position = -1;
        TokenEvent::Draft draft = TokenEvent::Draft::None;
    };
    struct TurnRange {
        Turn turn = Turn::User;
        int start = 0;  ///< document position
        std::size_t firstSpan = 0;
    };

    void insert(const TranscriptToken& token);
    void restyle();
    QTextBlockFormat blockFormat(Turn turn, bool first) const;
    QTextCharFormat charFormat(Turn turn) const;
    void updateSelected();
    void makeVisible(const Span& span);
    void tellEdge();

    const Span* spanOf(std::int32_t position) const;
    const Span* spanAt(const QPoint& viewportPoint) const;
    int spanIndex(std::int32_t position) const;
    void select(int index);
    int neighbourLine(int index, int direction) const;
    std::vector<QRectF> rects(const Span& span) const;
    std::pair<std::size_t, std::size_t> visibleSpans(const QRect& clip) const;
    bool isMarked(std::int32_t position) const;
    void paintGround(QPainter& painter, const QRect& clip) const;
    void paintDraft(QPainter& painter, TokenEvent::Draft draft, const QRectF& place) const;
    void paintOver(QPainter& painter, const QRect& clip) const;

    Selection* m_selection;
    std::vector<TranscriptToken> m_waiting;
    QTimer m_flushTimer;
    std::vector<TurnRange> m_turns;
    std::vector<Span> m_spans;  ///< by start
    std::vector<std::int32_t> m_marked;
    std::optional<std::int32_t> m_selected;
    QPoint m_pressed;
    double m_basePointSize = 0;
    int m_zoom = 0;
    bool m_streaming = false;
    bool m_hasDrafts = false;
    Colour m_colour = Colour::Acceptance;
    std::function<QString(std::int32_t)> m_describe;
};

}  // namespace gatescope
