// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/bias_shadow_bar.h"

#include <QCheckBox>
#include <QDoubleSpinBox>
#include <QGridLayout>
#include <QLabel>
#include <QPushButton>
#include <QSignalBlocker>

#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {

BiasShadowBar::BiasShadowBar(QWidget* parent)
    : QWidget(parent),
      m_gamma(new QDoubleSpinBox(this)),
      m_batch(new QSpinBox(this)),
      m_centred(new QCheckBox(tr("Mean-centred"), this)),
      m_apply(new QPushButton(tr("Apply shadow bias to the model…"), this)) {
    m_gamma->setRange(0, 1);
    m_gamma->setDecimals(6);
    m_gamma->setStepType(QAbstractSpinBox::AdaptiveDecimalStepType);
    m_gamma->setPrefix(tr("γ "));
    m_gamma->setAccessibleName(tr("Gamma"));
    m_gamma->setToolTip(
        plainToolTip(tr("how far one update moves a bias; DeepSeek-V3 was trained with 0.001")));
    m_batch->setRange(1, 1 << 20);
    m_batch->setPrefix(tr("batch "));
    m_batch->setAccessibleName(tr("Batch size"));
    m_batch->setToolTip(plainToolTip(tr("tokens between two updates")));
    m_centred->setToolTip(
        plainToolTip(tr("subtract the mean of each update, so that the mean of the bias stays; the "
                        "choices are the same")));
    m_apply->setToolTip(plainToolTip(
        tr("the model then really runs with it: labelled in the window, the log and in exports")));
    setParams({});

    // Two lines: a dock is often narrow.
    auto* layout = new QGridLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setHorizontalSpacing(kGrid);
    layout->setVerticalSpacing(kGrid / 2);
    layout->addWidget(m_gamma, 0, 0);
    layout->addWidget(m_batch, 0, 1);
    layout->addWidget(m_centred, 0, 2);
    layout->addWidget(m_apply, 1, 0, 1, 3, Qt::AlignLeft);
    layout->setColumnStretch(3, 1);

    const auto changed = [this] { Q_EMIT paramsChanged(params()); };
    m_gamma->setKeyboardTracking(false);
    m_batch->setKeyboardTracking(false);
    connect(m_gamma, &QDoubleSpinBox::valueChanged, this, changed);
    connect(m_batch, &QSpinBox::valueChanged, this, changed);
    connect(m_centred, &QCheckBox::toggled, this, changed);
    connect(m_apply, &QPushButton::clicked, this, &BiasShadowBar::applyRequested);
}

void BiasShadowBar::setParams(const ShadowParams& params) {
    const QSignalBlocker gamma(m_gamma);
    const QSignalBlocker batch(m_batch);
    const QSignalBlocker centred(m_centred);
    m_gamma->setValue(params.gamma);
    m_batch->setValue(params.batchTokens);
    m_centred->setChecked(params.meanCentred);
}

ShadowParams BiasShadowBar::params() const {
    return {m_gamma->value(), m_batch->value(), m_centred->isChecked()};
}

void BiasShadowBar::setCanApply(bool can) {
    m_apply->setEnabled(can);
}

}  // namespace gatescope
