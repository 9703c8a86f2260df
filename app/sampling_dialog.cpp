// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/sampling_dialog.h"

#include <QCheckBox>
#include <QDialogButtonBox>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QPushButton>
#include <QSpinBox>
#include <algorithm>
#include <limits>

#include "views/theme.h"

namespace gatescope {

SamplingDialog::SamplingDialog(QWidget* parent)
    : QDialog(parent),
      m_temperature(real(0, 5, 0.05, 2)),
      m_topP(real(0.01, 1, 0.05, 2)),
      m_topK(whole(0, 100000)),
      m_minP(real(0, 1, 0.01, 3)),
      m_penalty(real(0.5, 5, 0.05, 2)),
      m_seed(whole(0, std::numeric_limits<int>::max())),
      m_maxTokens(whole(1, 1 << 20)),
      m_speculate(new QCheckBox(tr("Speculate with the MTP module"))) {
    setWindowTitle(tr("Sampling"));
    m_temperature->setSpecialValueText(tr("0 (greedy)"));
    m_topP->setToolTip(tr("1: off"));
    m_topK->setSpecialValueText(tr("off"));
    m_minP->setSpecialValueText(tr("off"));
    m_penalty->setToolTip(tr("1: off"));
    m_seed->setToolTip(tr("The same seed gives the same text; Regenerate takes the next one."));
    m_speculate->setToolTip(
        tr("Drafts one token per step and verifies it. With temperature 0 the "
           "text is the same as without."));
    auto* form = new QFormLayout(this);
    form->setContentsMargins(2 * kGrid, 2 * kGrid, 2 * kGrid, 2 * kGrid);
    form->setSpacing(kGrid);
    form->addRow(tr("&Temperature"), m_temperature);
    form->addRow(tr("Top-&p"), m_topP);
    form->addRow(tr("Top-&k"), m_topK);
    form->addRow(tr("&Min-p"), m_minP);
    form->addRow(tr("&Repetition penalty"), m_penalty);
    form->addRow(tr("&Seed"), m_seed);
    form->addRow(tr("&New tokens at most"), m_maxTokens);
    form->addRow(m_speculate);
    auto* buttons =
        new QDialogButtonBox(QDialogButtonBox::RestoreDefaults | QDialogButtonBox::Close);
    form->addRow(buttons);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::close);
    connect(buttons->button(QDialogButtonBox::RestoreDefaults), &QPushButton::clicked, this,
            [this] {
                setSettings(ChatSettings::defaults());
                report();
            });
    connect(m_speculate, &QCheckBox::toggled, this, &SamplingDialog::report);
}

QDoubleSpinBox* SamplingDialog::real(double low, double high, double step, int decimals) {
    auto* box = new QDoubleSpinBox;
    box->setRange(low, high);
    box->setSingleStep(step);
    box->setDecimals(decimals);
    box->setAlignment(Qt::AlignRight);
    connect(box, &QDoubleSpinBox::valueChanged, this, &SamplingDialog::report);
    return box;
}

QSpinBox* SamplingDialog::whole(int low, int high) {
    auto* box = new QSpinBox;
    box->setRange(low, high);
    box->setAlignment(Qt::AlignRight);
    connect(box, &QSpinBox::valueChanged, this, &SamplingDialog::report);
    return box;
}

void SamplingDialog::setSettings(const ChatSettings& settings) {
    m_setting = true;
    const SamplingParams& sampling = settings.sampling;
    m_temperature->setValue(static_cast<double>(sampling.temperature));
    m_topP->setValue(static_cast<double>(sampling.topP));
    m_topK->setValue(sampling.topK);
    m_minP->setValue(static_cast<double>(sampling.minP));
    m_penalty->setValue(static_cast<double>(sampling.repetitionPenalty));
    constexpr std::uint64_t kMost = std::numeric_limits<int>::max();
    m_seed->setValue(static_cast<int>(std::min(sampling.seed, kMost)));
    m_maxTokens->setValue(settings.maxNewTokens);
    m_speculate->setChecked(settings.speculate);
    m_setting = false;
}

void SamplingDialog::setModelHasMtp(bool has) {
    m_speculate->setEnabled(has);
}

ChatSettings SamplingDialog::settings() const {
    ChatSettings settings;
    SamplingParams& sampling = settings.sampling;
    sampling.temperature = static_cast<float>(m_temperature->value());
    sampling.topP = static_cast<float>(m_topP->value());
    sampling.topK = m_topK->value();
    sampling.minP = static_cast<float>(m_minP->value());
    sampling.repetitionPenalty = static_cast<float>(m_penalty->value());
    sampling.seed = static_cast<std::uint64_t>(m_seed->value());
    settings.maxNewTokens = m_maxTokens->value();
    settings.speculate = m_speculate->isChecked();
    return settings;
}

void SamplingDialog::report() {
    if (!m_setting) {
        Q_EMIT changed(settings());
    }
}

}  // namespace gatescope
