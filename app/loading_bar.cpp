// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/loading_bar.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QProgressBar>
#include <QPushButton>

#include "views/literal_text.h"
#include "views/theme.h"

namespace gatescope {
namespace {

constexpr int kSteps = 1000;
constexpr double kTellAfterSeconds = 1.0;  // an estimate from less is noise

}  // namespace

LoadingBar::LoadingBar(QWidget* parent)
    : QWidget(parent), m_text(new QLabel), m_bar(new QProgressBar) {
    m_text->setTextFormat(Qt::PlainText);
    m_bar->setTextVisible(false);
    m_bar->setMaximumHeight(kGrid);
    auto* cancel = new QPushButton(tr("Cancel"));
    connect(cancel, &QPushButton::clicked, this, &LoadingBar::cancelled);
    auto* column = new QVBoxLayout;
    column->setSpacing(kGrid / 2);
    column->addWidget(m_text);
    column->addWidget(m_bar);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(2 * kGrid, kGrid, kGrid, kGrid);
    row->setSpacing(2 * kGrid);
    row->addLayout(column, 1);
    row->addWidget(cancel);
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Maximum);
    hide();
}

void LoadingBar::start(const QString& what) {
    m_title = literalText(what);
    m_text->setText(tr("Loading %1").arg(m_title));
    m_bar->setRange(0, 0);
    m_since.start();
    show();
}

void LoadingBar::setProgress(const QString& what, quint64 done, quint64 total) {
    QString text = tr("Loading %1 · %2").arg(m_title, literalText(what));
    if (total > 0) {
        const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
        m_bar->setRange(0, kSteps);
        m_bar->setValue(static_cast<int>(share * kSteps));
        const double seconds = static_cast<double>(m_since.elapsed()) / 1000.0;
        if (seconds > kTellAfterSeconds && share > 0.02) {
            const int left = static_cast<int>(seconds / share * (1 - share) + 0.5);
            text += tr(" · %n s left", nullptr, left);
        }
    }
    m_text->setText(text);
}

void LoadingBar::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.fillRect(rect(), palette().color(QPalette::Base));
    painter.fillRect(QRect(0, height() - 1, width(), 1), themeColours(palette()).grid);
}

}  // namespace gatescope
