// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/compare_run_card.h"

#include <QComboBox>
#include <QDir>
#include <QDoubleSpinBox>
#include <QEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QStackedWidget>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <limits>

#include "views/flow_layout.h"
#include "views/formats.h"
#include "views/literal_text.h"
#include "views/theme.h"

namespace gatescope {
namespace {

constexpr int kPromptSource = 0;
constexpr int kSessionsSource = 1;
constexpr int kPromptLines = 3;
constexpr Speculate kModes[] = {Speculate::Off, Speculate::Mtp, Speculate::Lookup, Speculate::Auto};

/// A choice may be as wide as its longest text, but not wider than a form has room for.
constexpr int kMostChars = 28;

QString shortened(const QString& text) {
    return text.size() > kMostChars ? text.left(kMostChars - 1) + QChar(0x2026) : text;
}

}  // namespace

CompareRunCard::CompareRunCard(QWidget* parent) : QWidget(parent) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(kGrid / 2);
    column->addWidget(makeHead());
    column->addWidget(makeSource());
    column->addWidget(makeSettings());
    m_status = new QLabel;
    m_status->setObjectName(QStringLiteral("status"));
    m_status->setTextFormat(Qt::PlainText);
    m_status->setWordWrap(true);
    m_status->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_status->hide();
    column->addWidget(m_status);
    refreshSummary();
}

QWidget* CompareRunCard::makeHead() {
    auto* head = new QWidget;
    auto* row = new QHBoxLayout(head);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(kGrid);
    m_name = new QLabel;
    QFont strong = m_name->font();
    strong.setWeight(QFont::DemiBold);
    m_name->setFont(strong);
    m_label = new QLineEdit;
    m_label->setObjectName(QStringLiteral("label"));
    m_label->setMaxLength(24);
    m_label->setPlaceholderText(tr("Label"));
    m_label->setAccessibleName(tr("Label of the run"));
    m_label->setMaximumWidth(16 * kGrid);
    m_source = choice(tr("What is compared"), {tr("Prompt"), tr("Stored sessions")});
    auto* duplicate = new QToolButton;
    duplicate->setText(tr("Duplicate"));
    duplicate->setObjectName(QStringLiteral("duplicate"));
    m_remove = new QToolButton;
    m_remove->setText(tr("Remove"));
    m_remove->setObjectName(QStringLiteral("remove"));
    for (QToolButton* button : {duplicate, m_remove}) {
        button->setAutoRaise(true);
        button->setFocusPolicy(Qt::TabFocus);
    }
    row->addWidget(m_name);
    row->addWidget(m_label);
    row->addWidget(m_source);
    row->addStretch(1);
    row->addWidget(duplicate);
    row->addWidget(m_remove);
    connect(duplicate, &QToolButton::clicked, this, &CompareRunCard::duplicateRequested);
    connect(m_remove, &QToolButton::clicked, this, &CompareRunCard::removeRequested);
    connect(m_label, &QLineEdit::textEdited, this, &CompareRunCard::edited);
    return head;
}

QWidget* CompareRunCard::makeSource() {
    m_prompt = new QPlainTextEdit;
    m_prompt->setObjectName(QStringLiteral("prompt"));
    m_prompt->setTabChangesFocus(true);
    m_prompt->setPlaceholderText(tr("What this run is asked"));
    m_prompt->setFixedHeight(kPromptLines * m_prompt->fontMetrics().lineSpacing() + 2 * kGrid);
    m_prompt->installEventFilter(this);
    m_sessions = new QLineEdit;
    m_sessions->setObjectName(QStringLiteral("sessions"));
    m_sessions->setPlaceholderText(tr("Numbers of sessions, as in 12 or 1,3-5"));
    m_sessions->setAccessibleName(tr("Sessions of this side"));
    m_sessions->installEventFilter(this);
    auto* choose = new QPushButton(tr("Choose…"));
    auto* stored = new QWidget;
    auto* row = new QHBoxLayout(stored);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(kGrid);
    row->addWidget(m_sessions, 1);
    row->addWidget(choose);
    m_sources = new QStackedWidget;
    m_sources->addWidget(m_prompt);
    m_sources->addWidget(stored);
    m_sources->setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    connect(m_prompt, &QPlainTextEdit::textChanged, this, &CompareRunCard::report);
    connect(m_sessions, &QLineEdit::textEdited, this, &CompareRunCard::report);
    connect(choose, &QPushButton::clicked, this, &CompareRunCard::chooseSessionsRequested);
    return m_sources;
}

QDoubleSpinBox* CompareRunCard::real(const QString& prefix, double low, double high, double step) {
    auto* box = new QDoubleSpinBox;
    box->setRange(low, high);
    box->setSingleStep(step);
    box->setDecimals(2);
    box->setPrefix(prefix + u' ');
    box->setAccessibleName(prefix);
    connect(box, &QDoubleSpinBox::valueChanged, this, &CompareRunCard::report);
    return box;
}

QSpinBox* CompareRunCard::whole(const QString& prefix, int low, int high) {
    auto* box = new QSpinBox;
    box->setRange(low, high);
    box->setPrefix(prefix + u' ');
    box->setAccessibleName(prefix);
    connect(box, &QSpinBox::valueChanged, this, &CompareRunCard::report);
    return box;
}

QComboBox* CompareRunCard::choice(const QString& name, const QStringList& texts) {
    auto* box = new QComboBox;
    box->addItems(texts);
    box->setAccessibleName(name);
    connect(box, &QComboBox::currentIndexChanged, this, &CompareRunCard::report);
    return box;
}

QWidget* CompareRunCard::makeSettings() {
    m_fold = new QToolButton;
    m_fold->setObjectName(QStringLiteral("settings"));
    m_fold->setCheckable(true);
    m_fold->setAutoRaise(true);
    m_fold->setArrowType(Qt::RightArrow);
    m_fold->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    m_fold->setFocusPolicy(Qt::TabFocus);
    m_form = new QWidget;
    auto* flow = new FlowLayout(m_form);
    m_temperature = real(tr("Temperature"), 0, 5, 0.05);
    m_topP = real(tr("Top-p"), 0.01, 1, 0.05);
    m_seed = whole(tr("Seed"), 0, std::numeric_limits<int>::max());
    m_seed->setMaximumWidth(18 * kGrid);
    m_maxTokens = whole(tr("At most"), 1, 1 << 20);
    m_maxTokens->setSuffix(tr(" tokens"));
    m_speculate = choice(tr("Speculation"), {});
    for (const Speculate mode : kModes) {
        m_speculate->addItem(tr("Speculation: %1").arg(speculateText(mode)));
    }
    m_interventions = choice(tr("Changed routing"), {tr("The model's own routing")});
    m_model = choice(tr("Model"), {});
    m_device = choice(tr("Device"), {tr("Device as the window's"), QStringLiteral("cpu"),
                                     QStringLiteral("cuda:0"), QStringLiteral("cuda:1")});
    m_precision = choice(tr("Precision"),
                         {tr("Usual precision"), tr("Exact (float32)"), tr("Fast (16-bit)")});
    m_cache =
        choice(tr("Cache"), {tr("Usual cache"), tr("Cache F32"), tr("Cache BF16"), tr("Cache F8")});
    for (QWidget* part :
         QList<QWidget*>{m_temperature, m_topP, m_seed, m_maxTokens, m_speculate, m_interventions,
                         m_model, m_device, m_precision, m_cache}) {
        flow->addWidget(part);
    }
    m_form->hide();
    auto* both = new QWidget;
    auto* column = new QVBoxLayout(both);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(kGrid / 2);
    column->addWidget(m_fold);
    column->addWidget(m_form);
    connect(m_fold, &QToolButton::toggled, this, &CompareRunCard::setSettingsShown);
    connect(m_model, &QComboBox::activated, this, [this](int index) {
        if (index == m_model->count() - 1) {
            chooseModel();
        }
    });
    return both;
}

void CompareRunCard::setSettingsShown(bool shown) {
    m_fold->setChecked(shown);
    m_fold->setArrowType(shown ? Qt::DownArrow : Qt::RightArrow);
    m_form->setVisible(shown);
}

void CompareRunCard::setLetter(const QString& letter) {
    m_letter = letter;
    m_name->setText(tr("Run %1").arg(letter));
    m_prompt->setAccessibleName(tr("Prompt of run %1").arg(letter));
    setAccessibleName(m_name->text());
}

void CompareRunCard::setContext(const CompareContext& context) {
    m_context = context;
    m_setting = true;
    const int wanted = m_interventions->currentIndex();
    while (m_interventions->count() > 1) {
        m_interventions->removeItem(1);
    }
    if (!context.interventions.isEmpty()) {
        m_interventions->addItem(tr("Routing as changed in the window"));
        m_interventions->setItemData(1, plainToolTip(literalText(context.interventions)),
                                     Qt::ToolTipRole);
        m_interventions->setCurrentIndex(std::max(0, wanted));
    }
    m_interventions->setVisible(m_interventions->count() > 1);
    fillModels();
    m_setting = false;
    refreshSummary();
}

void CompareRunCard::fillModels() {
    const QString chosen = m_model->currentData().toString();
    m_model->clear();
    m_model->addItem(m_context.modelName.isEmpty()
                         ? tr("The open model")
                         : tr("Open model: %1").arg(shortened(literalText(m_context.modelName))),
                     QString());
    QStringList dirs = m_context.recentModels;
    if (!chosen.isEmpty() && !dirs.contains(chosen)) {
        dirs.prepend(chosen);
    }
    for (const QString& dir : dirs) {
        m_model->addItem(shortened(literalText(QFileInfo(dir).fileName())), dir);
        m_model->setItemData(m_model->count() - 1, plainToolTip(literalText(dir)), Qt::ToolTipRole);
    }
    m_model->addItem(tr("Another folder…"), QString());
    m_model->setCurrentIndex(chosen.isEmpty() ? 0 : m_model->findData(chosen));
}

void CompareRunCard::chooseModel() {
    auto* dialog = new QFileDialog(this, tr("Model folder of this run"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::Directory);
    dialog->setOption(QFileDialog::ShowDirsOnly);
    m_model->setCurrentIndex(0);
    connect(dialog, &QFileDialog::fileSelected, this, [this](const QString& dir) {
        CompareRunSpec wanted = spec();
        wanted.modelDir = dir;
        setSpec(wanted);
        report();
    });
    dialog->open();
}

void CompareRunCard::setSpec(const CompareRunSpec& spec) {
    m_setting = true;
    m_label->setText(spec.label);
    m_source->setCurrentIndex(spec.stored ? kSessionsSource : kPromptSource);
    m_prompt->setPlainText(spec.prompt);
    m_sessions->setText(spec.sessions);
    m_base = spec.settings;
    m_temperature->setValue(static_cast<double>(spec.settings.sampling.temperature));
    m_topP->setValue(static_cast<double>(spec.settings.sampling.topP));
    constexpr std::uint64_t kMost = std::numeric_limits<int>::max();
    m_seed->setValue(static_cast<int>(std::min(spec.settings.sampling.seed, kMost)));
    m_maxTokens->setValue(spec.settings.maxNewTokens);
    m_speculate->setCurrentIndex(
        static_cast<int>(std::find(std::begin(kModes), std::end(kModes), spec.settings.speculate) -
                         std::begin(kModes)));
    m_interventions->setCurrentIndex(spec.interventions && m_interventions->count() > 1 ? 1 : 0);
    if (!spec.modelDir.isEmpty() && m_model->findData(spec.modelDir) < 0) {
        m_model->insertItem(1, shortened(literalText(QFileInfo(spec.modelDir).fileName())),
                            spec.modelDir);
    }
    m_model->setCurrentIndex(spec.modelDir.isEmpty() ? 0 : m_model->findData(spec.modelDir));
    m_device->setCurrentIndex(spec.device.isEmpty() ? 0
                                                    : std::max(0, m_device->findText(spec.device)));
    m_precision->setCurrentIndex(spec.precision ? 1 + static_cast<int>(*spec.precision) : 0);
    m_cache->setCurrentIndex(spec.cacheType ? 1 + static_cast<int>(*spec.cacheType) : 0);
    m_setting = false;
    report();
}

CompareRunSpec CompareRunCard::spec() const {
    CompareRunSpec spec;
    spec.label = m_label->text().trimmed();
    spec.stored = m_source->currentIndex() == kSessionsSource;
    spec.prompt = m_prompt->toPlainText();
    spec.sessions = m_sessions->text();
    spec.settings = m_base;
    spec.settings.sampling.temperature = static_cast<float>(m_temperature->value());
    spec.settings.sampling.topP = static_cast<float>(m_topP->value());
    spec.settings.sampling.seed = static_cast<std::uint64_t>(m_seed->value());
    spec.settings.maxNewTokens = m_maxTokens->value();
    spec.settings.speculate = kModes[std::max(0, m_speculate->currentIndex())];
    spec.interventions = m_interventions->currentIndex() == 1;
    spec.modelDir = m_model->currentData().toString();
    spec.device = m_device->currentIndex() > 0 ? m_device->currentText() : QString();
    if (m_precision->currentIndex() > 0) {
        spec.precision = static_cast<Precision>(m_precision->currentIndex() - 1);
    }
    if (m_cache->currentIndex() > 0) {
        spec.cacheType = static_cast<CacheType>(m_cache->currentIndex() - 1);
    }
    return spec;
}

void CompareRunCard::report() {
    if (m_setting || m_cache == nullptr) {
        return;
    }
    const bool stored = m_source->currentIndex() == kSessionsSource;
    m_sources->setCurrentIndex(stored ? kSessionsSource : kPromptSource);
    m_sources->setFixedHeight(stored ? m_sessions->sizeHint().height() : m_prompt->maximumHeight());
    m_fold->setVisible(!stored);
    m_form->setVisible(!stored && m_fold->isChecked());
    refreshSummary();
    Q_EMIT edited();
}

void CompareRunCard::refreshSummary() {
    if (m_cache == nullptr) {
        return;
    }
    const CompareRunSpec now = spec();
    QStringList parts{now.settings.summary(),
                      tr("at most %1 tokens").arg(integerText(now.settings.maxNewTokens)),
                      m_speculate->currentText().toLower()};
    if (now.interventions) {
        parts += tr("changed routing");
    }
    if (!now.modelDir.isEmpty()) {
        parts += m_model->currentText();
    }
    for (const QComboBox* box : {m_device, m_precision, m_cache}) {
        if (box->currentIndex() > 0) {
            parts += box->currentText();
        }
    }
    m_fold->setText(parts.join(QStringLiteral(" · ")).replace(u'&', QStringLiteral("&&")));
}

void CompareRunCard::setStatus(const QString& text, bool error) {
    m_status->setText(literalText(text));
    m_status->setVisible(!text.isEmpty());
    m_status->setForegroundRole(error ? QPalette::WindowText : QPalette::PlaceholderText);
    m_status->setAccessibleName(error ? tr("Error: %1").arg(text) : text);
}

QString CompareRunCard::status() const {
    return m_status->text();
}

void CompareRunCard::setRemovable(bool removable) {
    m_remove->setEnabled(removable);
}

bool CompareRunCard::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::KeyPress) {
        const auto* key = static_cast<QKeyEvent*>(event);
        const bool enter = key->key() == Qt::Key_Return || key->key() == Qt::Key_Enter;
        if (enter && (watched == m_sessions || (key->modifiers() & Qt::ControlModifier) != 0)) {
            Q_EMIT runRequested();
            return true;
        }
    }
    return QWidget::eventFilter(watched, event);
}

}  // namespace gatescope
