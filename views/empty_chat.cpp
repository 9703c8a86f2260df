// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/empty_chat.h"

#include <QEvent>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QVBoxLayout>

#include "views/literal_text.h"
#include "views/theme.h"

namespace gatescope {
namespace {

constexpr int kColumnWidth = 52 * kGrid;

/// A flat button with its text at the left, wrapped: QPushButton can do neither.
class Card final : public QPushButton {
  public:
    explicit Card(const QString& prompt) : m_prompt(prompt) {
        setAccessibleName(prompt);
        setCursor(Qt::PointingHandCursor);
        QSizePolicy policy(QSizePolicy::Expanding, QSizePolicy::Preferred);
        policy.setHeightForWidth(true);
        setSizePolicy(policy);
        setAttribute(Qt::WA_Hover);
    }
    QString prompt() const { return m_prompt; }
    bool hasHeightForWidth() const override { return true; }
    int heightForWidth(int width) const override {
        const QRect text = fontMetrics().boundingRect(QRect(0, 0, width - 5 * kGrid, 10000),
                                                      Qt::TextWordWrap | Qt::AlignLeft, m_prompt);
        return text.height() + 2 * kGrid + 4;
    }
    QSize sizeHint() const override { return {30 * kGrid, heightForWidth(30 * kGrid)}; }
    QSize minimumSizeHint() const override { return {16 * kGrid, fontMetrics().height() + 20}; }

  protected:
    void paintEvent(QPaintEvent*) override {
        QPainter painter(this);
        painter.setRenderHint(QPainter::Antialiasing);
        const ThemeColours colours = themeColours(palette());
        const bool lit = underMouse() || hasFocus();
        QColor ground = lit ? colours.accent : colours.neutral;
        ground.setAlphaF(isDown() ? 0.28F : 0.12F);
        painter.setPen(QPen(lit ? colours.accent : colours.grid, 1));
        painter.setBrush(ground);
        painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6);
        painter.setPen(palette().color(QPalette::Text));
        painter.drawText(rect().adjusted(2 * kGrid, kGrid, -3 * kGrid, -kGrid),
                         Qt::TextWordWrap | Qt::AlignLeft | Qt::AlignVCenter, m_prompt);
        painter.setPen(lit ? colours.accent : colours.muted);
        painter.drawText(rect().adjusted(0, 0, -kGrid - 4, 0), Qt::AlignRight | Qt::AlignVCenter,
                         QStringLiteral("›"));
    }

  private:
    QString m_prompt;
};

}  // namespace

EmptyChat::EmptyChat(QWidget* parent)
    : QWidget(parent),
      m_title(new QLabel),
      m_explanation(new QLabel),
      m_open(new QPushButton(tr("Open model folder…"))) {
    m_title->setTextFormat(Qt::PlainText);
    m_title->setWordWrap(true);
    m_explanation->setTextFormat(Qt::PlainText);
    m_explanation->setWordWrap(true);
    m_explanation->setForegroundRole(QPalette::PlaceholderText);
    auto* column = new QWidget;
    column->setMaximumWidth(kColumnWidth);
    auto* inner = new QVBoxLayout(column);
    inner->setContentsMargins(0, 0, 0, 0);
    inner->setSpacing(kGrid);
    inner->addWidget(m_title);
    inner->addWidget(m_explanation);
    inner->addSpacing(kGrid);
    m_cardColumn = new QVBoxLayout;
    m_cardColumn->setSpacing(kGrid);
    inner->addLayout(m_cardColumn);
    inner->addWidget(m_open, 0, Qt::AlignLeft);
    auto* row = new QHBoxLayout;
    row->addStretch(1);
    row->addWidget(column, 100);
    row->addStretch(1);
    auto* outer = new QVBoxLayout(this);
    outer->setContentsMargins(3 * kGrid, 2 * kGrid, 3 * kGrid, 2 * kGrid);
    outer->addStretch(2);
    outer->addLayout(row);
    outer->addStretch(3);
    connect(m_open, &QPushButton::clicked, this, &EmptyChat::openModelRequested);
    restyle();
}

void EmptyChat::setContents(const QString& title, const QString& explanation,
                            const QStringList& prompts, bool offerOpen) {
    m_title->setText(literalText(title));
    m_explanation->setText(literalText(explanation));
    qDeleteAll(m_cards);
    m_cards.clear();
    for (const QString& prompt : prompts) {
        auto* card = new Card(prompt);
        connect(card, &QPushButton::clicked, this, [this, prompt] { Q_EMIT promptChosen(prompt); });
        m_cardColumn->addWidget(card);
        m_cards.append(card);
    }
    m_open->setVisible(offerOpen);
}

QStringList EmptyChat::prompts() const {
    QStringList result;
    for (const QPushButton* card : m_cards) {
        result.append(static_cast<const Card*>(card)->prompt());
    }
    return result;
}

void EmptyChat::restyle() {
    QFont big = font();
    big.setPointSizeF(big.pointSizeF() * 1.4);
    big.setWeight(QFont::DemiBold);
    m_title->setFont(big);
}

void EmptyChat::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::FontChange) {
        restyle();
    }
}

void EmptyChat::paintEvent(QPaintEvent*) {
    QPainter(this).fillRect(rect(), palette().color(QPalette::Base));
}

}  // namespace gatescope
