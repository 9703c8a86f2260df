// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/sampling_dialog.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QPushButton>
#include <QSpinBox>
#include <QStandardItemModel>
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
      m_speculate(new QComboBox),
      m_drafts(whole(0, kMaxDrafts)),
      m_recycle(new QComboBox) {
    setWindowTitle(tr("Sampling"));
    m_temperature->setSpecialValueText(tr("0 (greedy)"));
    m_topP->setToolTip(tr("1: off"));
    m_topK->setSpecialValueText(tr("off"));
    m_minP->setSpecialValueText(tr("off"));
    m_penalty->setToolTip(tr("1: off"));
    m_seed->setToolTip(tr("The same seed gives the same text; Regenerate takes the next one."));
    addSpeculation();
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
    form->addRow(tr("Spe&culate"), m_speculate);
    form->addRow(tr("&Drafts per step"), m_drafts);
    form->addRow(tr("MTP &goes on from"), m_recycle);
    auto* buttons =
        new QDialogButtonBox(QDialogButtonBox::RestoreDefaults | QDialogButtonBox::Close);
    form->addRow(buttons);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::close);
    connect(buttons->button(QDialogButtonBox::RestoreDefaults), &QPushButton::clicked, this,
            [this] {
                setSettings(ChatSettings::defaults());
                report();
            });
}

void SamplingDialog::addSpeculation() {
    m_speculate->setObjectName(QStringLiteral("speculate"));
    const std::pair<Speculate, QString> modes[] = {
        {Speculate::Off, tr("Nothing is drafted.")},
        {Speculate::Mtp, tr("The model's MTP module drafts.")},
        {Speculate::Lookup, tr("What followed earlier in the text is drafted; needs no module.")},
        {Speculate::Auto,
         tr("Every step takes the source and depth that paid best so far, or drafts nothing.")}};
    for (const auto& [mode, tip] : modes) {
        QString text = speculateText(mode);
        text[0] = text[0].toUpper();
        m_speculate->addItem(text, static_cast<int>(mode));
        m_speculate->setItemData(m_speculate->count() - 1, tip, Qt::ToolTipRole);
    }
    m_speculate->setToolTip(
        tr("Drafts tokens ahead and verifies them in one pass. The text is the same as without."));
    m_drafts->setObjectName(QStringLiteral("drafts"));
    m_drafts->setSpecialValueText(tr("auto"));
    m_drafts->setToolTip(
        tr("auto: 1 by MTP, 4 by lookup, up to 4 chosen by auto. For auto, the "
           "most it may choose."));
    m_recycle->setObjectName(QStringLiteral("recycle"));
    m_recycle->addItem(tr("its normed state"), static_cast<int>(MtpRecycle::Normed));
    m_recycle->addItem(tr("its raw state"), static_cast<int>(MtpRecycle::Raw));
    m_recycle->addItem(tr("the model's state"), static_cast<int>(MtpRecycle::Main));
    m_recycle->setToolTip(
        tr("Which state the MTP module continues from when it drafts more than one token: its own "
           "after the shared head's norm, its own before it, or the main model's again."));
    for (const QComboBox* box : {m_speculate, m_recycle}) {
        connect(box, &QComboBox::currentIndexChanged, this, &SamplingDialog::report);
    }
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
    m_speculate->setCurrentIndex(m_speculate->findData(static_cast<int>(settings.speculate)));
    m_lastSpeculate = settings.lastSpeculate;
    m_drafts->setValue(settings.drafts);
    m_recycle->setCurrentIndex(m_recycle->findData(static_cast<int>(settings.mtpRecycle)));
    m_setting = false;
}

void SamplingDialog::setModelHasMtp(bool has) {
    const int mtp = m_speculate->findData(static_cast<int>(Speculate::Mtp));
    if (auto* items = qobject_cast<QStandardItemModel*>(m_speculate->model())) {
        items->item(mtp)->setEnabled(has);
    }
    m_recycle->setEnabled(has);
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
    settings.setSpeculate(m_lastSpeculate);
    settings.setSpeculate(static_cast<Speculate>(m_speculate->currentData().toInt()));
    settings.drafts = m_drafts->value();
    settings.mtpRecycle = static_cast<MtpRecycle>(m_recycle->currentData().toInt());
    return settings;
}

void SamplingDialog::report() {
    if (!m_setting) {
        Q_EMIT changed(settings());
    }
}

}  // namespace gatescope
