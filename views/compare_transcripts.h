// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <array>
#include <memory>

#include "engine/analysis/comparison.h"

class QLabel;
class QSpinBox;

namespace gatescope {

class CompareTokenText;

/// The same answer of both runs of a pair beside each other, with its prompt.
class CompareTranscripts final : public QWidget {
    Q_OBJECT

  public:
    explicit CompareTranscripts(QWidget* parent = nullptr);

    void setPair(std::shared_ptr<const Comparison> comparison, std::size_t pair);
    /// From 0; bounded to what there is.
    void setAnswer(int answer);
    int answer() const;
    CompareTokenText* text(int side) const { return m_texts[static_cast<std::size_t>(side)]; }
    /// Token by token: number, text, probabilities of both.
    QString tableText(QChar separator) const;

  Q_SIGNALS:
    void pointed(const QString& text);
    /// A token of a stored session is to be shown there: by the answer's turn and its number in it.
    void tokenOpened(std::int64_t session, int turn, std::int64_t seq);
    void failed(const QString& message);

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    void makeSide(std::size_t side);
    void fill();
    void elideTitles();
    void open(std::size_t side, std::size_t token);
    const ComparedAnswer* answerOf(std::size_t side) const;
    const ComparedRun* runOf(std::size_t side) const;

    std::shared_ptr<const Comparison> m_comparison;
    std::size_t m_pair = 0;
    QSpinBox* m_number;
    QLabel* m_note;
    std::array<QWidget*, 2> m_columns{};
    std::array<QLabel*, 2> m_titles{};
    std::array<QString, 2> m_fullTitles{};
    std::array<QLabel*, 2> m_prompts{};
    std::array<CompareTokenText*, 2> m_texts{};
    QString m_pointed;
};

}  // namespace gatescope
