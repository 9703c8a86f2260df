// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/session_list_view.h"

#include <QDateTime>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QLocale>
#include <QPainter>
#include <QSortFilterProxyModel>
#include <QStackedLayout>
#include <QStandardItemModel>
#include <QStyledItemDelegate>
#include <QToolButton>

#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {
namespace {

enum ItemRole { IdRole = Qt::UserRole, DetailRole, FilterRole };

class SessionDelegate final : public QStyledItemDelegate {
  public:
    using QStyledItemDelegate::QStyledItemDelegate;

    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const override {
        const int lines =
            QFontMetrics(option.font).height() + QFontMetrics(smallFont(option.font)).height();
        return {12 * kGrid, lines + 2 * kGrid};
    }

    void paint(QPainter* painter, const QStyleOptionViewItem& option,
               const QModelIndex& index) const override {
        painter->save();
        const ThemeColours colours = themeColours(option.palette);
        const bool selected = option.state & QStyle::State_Selected;
        if (selected || option.state & QStyle::State_MouseOver) {
            QColor ground = selected ? colours.accent : colours.neutral;
            ground.setAlphaF(selected ? 0.18F : 0.12F);
            painter->fillRect(option.rect, ground);
        }
        if (selected) {
            painter->fillRect(QRect(option.rect.topLeft(), QSize(3, option.rect.height())),
                              colours.accent);
        }
        const QRect text = option.rect.adjusted(kGrid + 4, kGrid - 1, -kGrid, -kGrid);
        painter->setFont(option.font);
        painter->setPen(option.palette.color(QPalette::Text));
        const QFontMetrics title(option.font);
        painter->drawText(text, Qt::AlignTop | Qt::AlignLeft | Qt::TextSingleLine,
                          title.elidedText(index.data().toString(), Qt::ElideRight, text.width()));
        const QFont small = smallFont(option.font);
        painter->setFont(small);
        painter->setPen(colours.muted);
        painter->drawText(text, Qt::AlignBottom | Qt::AlignLeft | Qt::TextSingleLine,
                          QFontMetrics(small).elidedText(index.data(DetailRole).toString(),
                                                         Qt::ElideRight, text.width()));
        painter->restore();
    }
};

}  // namespace

QString whenText(std::int64_t unixMs, std::int64_t nowMs) {
    const QDateTime when = QDateTime::fromMSecsSinceEpoch(unixMs);
    const QDate today = QDateTime::fromMSecsSinceEpoch(nowMs).date();
    const QLocale locale;
    // The C locale's short form has seconds.
    const QString time = locale.language() == QLocale::C
                             ? when.toString(QStringLiteral("HH:mm"))
                             : locale.toString(when.time(), QLocale::ShortFormat);
    if (when.date() == today) {
        return SessionListView::tr("today %1").arg(time);
    }
    if (when.date() == today.addDays(-1)) {
        return SessionListView::tr("yesterday %1").arg(time);
    }
    return when.date().year() == today.year()
               ? locale.toString(when.date(), QStringLiteral("d MMM"))
               : when.date().toString(Qt::ISODate);
}

SessionListView::SessionListView(QWidget* parent)
    : QWidget(parent),
      m_filter(new QLineEdit),
      m_list(new QListView),
      m_empty(new QLabel),
      m_model(new QStandardItemModel(this)),
      m_shown(new QSortFilterProxyModel(this)) {
    m_filter->setPlaceholderText(tr("Filter sessions"));
    m_filter->setClearButtonEnabled(true);
    m_filter->setAccessibleName(tr("Filter sessions"));
    m_filter->installEventFilter(this);
    auto* add = new QToolButton;
    add->setText(QStringLiteral("+"));
    add->setToolTip(tr("New session (Ctrl+N)"));
    add->setAccessibleName(tr("New session"));
    add->setAutoRaise(true);
    connect(add, &QToolButton::clicked, this, &SessionListView::newSessionRequested);

    m_shown->setSourceModel(m_model);
    m_shown->setFilterRole(FilterRole);
    m_shown->setFilterCaseSensitivity(Qt::CaseInsensitive);
    m_list->setModel(m_shown);
    m_list->setItemDelegate(new SessionDelegate(m_list));
    m_list->setFrameShape(QFrame::NoFrame);
    m_list->setEditTriggers(QAbstractItemView::NoEditTriggers);
    m_list->setMouseTracking(true);
    m_list->setUniformItemSizes(true);
    m_list->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_list->setAccessibleName(tr("Sessions"));
    m_list->installEventFilter(this);
    m_empty->setTextFormat(Qt::PlainText);
    m_empty->setWordWrap(true);
    m_empty->setAlignment(Qt::AlignTop | Qt::AlignLeft);
    m_empty->setMargin(kGrid + 4);
    m_empty->setForegroundRole(QPalette::PlaceholderText);

    auto* row = new QHBoxLayout;
    row->setContentsMargins(kGrid, kGrid, kGrid, kGrid);
    row->setSpacing(kGrid / 2);
    row->addWidget(m_filter, 1);
    row->addWidget(add);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addLayout(row);
    column->addWidget(m_empty);
    column->addWidget(m_list, 1);
    column->addStretch(0);

    connect(m_filter, &QLineEdit::textChanged, this, [this](const QString& text) {
        m_shown->setFilterFixedString(text);
        refreshEmpty();
        markCurrent();
    });
    connect(m_list, &QListView::clicked, this,
            [this](const QModelIndex& index) { Q_EMIT opened(index.data(IdRole).toLongLong()); });
    refreshEmpty();
}

void SessionListView::setSessions(const std::vector<SessionListItem>& sessions) {
    if (sessions == m_sessions && m_message.isEmpty()) {
        return;
    }
    m_sessions = sessions;
    m_message.clear();
    const std::int64_t now = QDateTime::currentMSecsSinceEpoch();
    m_model->setRowCount(0);
    for (const SessionListItem& session : sessions) {
        auto* item = new QStandardItem(visibleText(session.title));
        QStringList details{whenText(session.updatedMs, now)};
        if (session.tokens > 0) {  // counted when an answer ends
            details.append(tr("%1 tokens").arg(integerText(session.tokens)));
        }
        details.append(visibleText(session.model));
        const QString detail = details.join(QStringLiteral(" · "));
        item->setData(QVariant::fromValue<qlonglong>(session.id), IdRole);
        item->setData(detail, DetailRole);
        item->setData(session.title + u' ' + session.model, FilterRole);
        item->setToolTip(plainToolTip(session.title + u'\n' + detail));
        m_model->appendRow(item);
    }
    refreshEmpty();
    markCurrent();
}

void SessionListView::setCurrent(std::optional<std::int64_t> session) {
    m_current = session;
    markCurrent();
}

void SessionListView::setMessage(const QString& message) {
    m_message = message;
    refreshEmpty();
}

int SessionListView::shownCount() const {
    return m_shown->rowCount();
}

void SessionListView::markCurrent() {
    m_list->clearSelection();
    m_list->setCurrentIndex({});
    for (int row = 0; m_current && row < m_shown->rowCount(); ++row) {
        const QModelIndex index = m_shown->index(row, 0);
        if (index.data(IdRole).toLongLong() == *m_current) {
            m_list->setCurrentIndex(index);
        }
    }
}

void SessionListView::refreshEmpty() {
    const bool none = m_shown->rowCount() == 0;
    const bool filtered = !m_filter->text().isEmpty() && m_model->rowCount() > 0;
    m_empty->setText(!m_message.isEmpty() ? m_message
                     : filtered           ? tr("No session matches.")
                                          : tr("Conversations appear here as soon as they begin."));
    m_empty->setVisible(none || !m_message.isEmpty());
    m_list->setVisible(!none && m_message.isEmpty());
}

bool SessionListView::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() != QEvent::KeyPress) {
        return QWidget::eventFilter(watched, event);
    }
    const int key = static_cast<QKeyEvent*>(event)->key();
    if (watched == m_filter && key == Qt::Key_Down && shownCount() > 0) {
        m_list->setFocus(Qt::TabFocusReason);
        if (!m_list->currentIndex().isValid()) {
            m_list->setCurrentIndex(m_shown->index(0, 0));
        }
        return true;
    }
    if (watched == m_list && (key == Qt::Key_Return || key == Qt::Key_Enter) &&
        m_list->currentIndex().isValid()) {
        Q_EMIT opened(m_list->currentIndex().data(IdRole).toLongLong());
        return true;
    }
    return QWidget::eventFilter(watched, event);
}

}  // namespace gatescope
