// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <QWidget>

class QLabel;
class QPushButton;
class QVBoxLayout;

namespace gatescope {

/// What stands where the conversation will be: a sentence, and example prompts to click.
class EmptyChat final : public QWidget {
    Q_OBJECT

  public:
    explicit EmptyChat(QWidget* parent = nullptr);

    /// Title and explanation are shown as plain text. Without prompts there are no cards; with
    /// `offerOpen` a button to open a model folder.
    void setContents(const QString& title, const QString& explanation, const QStringList& prompts,
                     bool offerOpen);
    QStringList prompts() const;
    QList<QPushButton*> cards() const { return m_cards; }

  Q_SIGNALS:
    void promptChosen(const QString& prompt);
    void openModelRequested();

  protected:
    void paintEvent(QPaintEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    void restyle();

    QLabel* m_title;
    QLabel* m_explanation;
    QPushButton* m_open;
    QVBoxLayout* m_cardColumn;
    QList<QPushButton*> m_cards;
};

}  // namespace gatescope
