// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/planner_dialog.h"

#include <QDialogButtonBox>
#include <QEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QHideEvent>
#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>
#include <utility>

#include "app/notice_bar.h"
#include "app/placement_worker.h"
#include "engine/report/placement_export.h"
#include "views/message_label.h"
#include "views/placement_form.h"
#include "views/placement_tables.h"
#include "views/placement_view.h"
#include "views/theme.h"

namespace gatescope {

namespace {

constexpr int kTypingPauseMs = 250;
constexpr QSize kDialogSize(134 * kGrid, 98 * kGrid);
constexpr int kFormWidth = 44 * kGrid;

QString endingOf(PlacementTarget target) {
    switch (target) {
        case PlacementTarget::Eplb:
            return QStringLiteral("npy");
        case PlacementTarget::TensorRtLlm:
            return QStringLiteral("yaml");
        case PlacementTarget::Sglang:
        case PlacementTarget::Vllm:
        case PlacementTarget::VllmAscend:
            break;
    }
    return QStringLiteral("json");
}

QString sidecarOf(const QString& file) {
    return QString::fromStdString(placementMetaFile(file.toStdString()).string());
}

}  // namespace

PlannerDialog::PlannerDialog(std::filesystem::path sessionFile,
                             std::function<std::vector<std::int64_t>()> chosen, QWidget* parent)
    : QDialog(parent),
      m_chosenNow(std::move(chosen)),
      m_worker(new PlacementWorker(std::move(sessionFile), this)),
      m_form(new PlacementForm),
      m_view(new PlacementView),
      m_notice(new NoticeBar),
      m_status(makeNoteLabel()),
      m_save(new QPushButton(tr("&Save placement…"))) {
    setWindowTitle(tr("Plan expert placement"));
    m_typing.setSingleShot(true);
    m_typing.setInterval(kTypingPauseMs);
    lay();
    connectParts();
    resize(kDialogSize);
}

PlannerDialog::~PlannerDialog() = default;

void PlannerDialog::lay() {
    auto* form = new QScrollArea;
    form->setFrameShape(QFrame::NoFrame);
    form->setWidgetResizable(true);
    form->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    form->setFocusPolicy(Qt::NoFocus);
    auto* padded = new QWidget;
    auto* padding = new QVBoxLayout(padded);
    padding->setContentsMargins(0, 0, kGrid, 0);
    padding->addWidget(m_form);
    padding->addStretch(1);
    form->setWidget(padded);
    form->setFixedWidth(kFormWidth);
    auto* row = new QHBoxLayout;
    row->setSpacing(2 * kGrid);
    row->addWidget(form);
    row->addWidget(m_view, 1);
    auto* buttons = new QDialogButtonBox;
    buttons->addButton(m_save, QDialogButtonBox::ActionRole);
    QPushButton* close = buttons->addButton(QDialogButtonBox::Close);
    close->setText(tr("&Close"));
    close->setAutoDefault(false);
    m_save->setDefault(true);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    auto* bottom = new QHBoxLayout;
    bottom->addWidget(m_status, 1);
    bottom->addWidget(buttons);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(2 * kGrid, 2 * kGrid, 2 * kGrid, 2 * kGrid);
    column->setSpacing(2 * kGrid);
    column->addWidget(m_notice);
    column->addLayout(row, 1);
    column->addLayout(bottom);
}

void PlannerDialog::connectParts() {
    connect(m_form, &PlacementForm::trafficChanged, this, &PlannerDialog::readTraffic);
    connect(m_form, &PlacementForm::planChanged, this, &PlannerDialog::changeLater);
    connect(&m_typing, &QTimer::timeout, this, &PlannerDialog::plan);
    connect(m_worker, &PlacementWorker::trafficRead, this, &PlannerDialog::onTraffic);
    connect(m_worker, &PlacementWorker::planned, this, &PlannerDialog::onPlanned);
    connect(m_worker, &PlacementWorker::failed, this, &PlannerDialog::onFailed);
    connect(m_worker, &PlacementWorker::progressed, m_status, &QLabel::setText);
    connect(m_worker, &PlacementWorker::saved, this, &PlannerDialog::onSaved);
    connect(m_view, &PlacementView::hoverText, this, [this](const QString& text) {
        if (!m_busy) {
            m_status->setText(text);
        }
    });
    connect(m_view, &PlacementView::failed, this,
            [this](const QString& error) { m_notice->showNotice(NoticeBar::Kind::Error, error); });
    connect(m_save, &QPushButton::clicked, this, &PlannerDialog::askWhere);
}

void PlannerDialog::bringUp() {
    show();
    raise();
    activateWindow();
    m_chosen = m_chosenNow();
    m_form->setChosenSessions(m_chosen.size());
    readTraffic();
}

bool PlannerDialog::event(QEvent* event) {
    if (event->type() == QEvent::WindowActivate) {
        followChosen();
    }
    return QDialog::event(event);
}

void PlannerDialog::followChosen() {
    const std::vector<std::int64_t> chosen = m_chosenNow();
    if (chosen == m_chosen) {
        return;
    }
    m_chosen = chosen;
    m_form->setChosenSessions(m_chosen.size());
    if (m_form->inputs().traffic == PlacementInputs::Traffic::ChosenSessions) {
        readTraffic();
    }
}

void PlannerDialog::hideEvent(QHideEvent* event) {
    QDialog::hideEvent(event);
    if (!event->spontaneous()) {  // closed, not minimised
        m_typing.stop();
        m_worker->cancel();
    }
}

void PlannerDialog::setBusy(const QString& what) {
    m_busy = !what.isEmpty();
    m_status->setText(what);
    m_save->setEnabled(canSave());
}

bool PlannerDialog::canSave() const {
    return !m_busy && !m_saving && m_view->plan() != nullptr;
}

void PlannerDialog::empty(const QString& message) {
    m_view->setMessage(message);
    m_view->setPlan(nullptr, m_target);
    setBusy({});
}

void PlannerDialog::readTraffic() {
    m_typing.stop();
    m_worker->cancel();
    m_notice->showNotice(NoticeBar::Kind::Error, {});
    const PlacementInputs inputs = m_form->inputs();
    m_read = false;
    m_form->setFacts({});
    switch (inputs.traffic) {
        case PlacementInputs::Traffic::Recorded:
            if (inputs.loads.isEmpty()) {
                empty(tr("Choose a file or folder with the loads that an engine recorded."));
                return;
            }
            m_worker->readRecorded(inputs.loads);
            break;
        case PlacementInputs::Traffic::ChosenSessions:
            if (m_chosen.empty()) {
                empty(tr("Choose the sessions in the list first."));
                return;
            }
            m_worker->readSessions(m_chosen);
            break;
        case PlacementInputs::Traffic::AllSessions:
            m_worker->readSessions({});
            break;
    }
    empty(tr("Reading the traffic…"));
    setBusy(tr("Reading…"));
}

void PlannerDialog::onTraffic(const TrafficFacts& facts) {
    m_read = true;
    m_form->setFacts(facts);
    m_view->setMessage(tr("Planning…"));
    plan();
}

void PlannerDialog::changeLater() {
    if (!m_read) {
        return;  // what is set counts when the traffic is there
    }
    m_worker->cancel();
    setBusy(tr("Planning…"));
    m_typing.start();
}

void PlannerDialog::plan() {
    m_typing.stop();
    setBusy(tr("Planning…"));
    m_worker->plan(m_form->inputs());
}

void PlannerDialog::onPlanned(std::shared_ptr<const PlacementPlan> plan, PlacementTarget target) {
    m_target = target;
    m_notice->showNotice(NoticeBar::Kind::Error, {});
    m_view->setPlan(std::move(plan), target);
    setBusy({});
}

void PlannerDialog::onFailed(const QString& error) {
    m_notice->showNotice(NoticeBar::Kind::Error, error);
    empty(tr("Nothing is planned."));
}

void PlannerDialog::onSaved(const QString& file, const QString& error) {
    m_saving = false;
    setBusy(m_busy ? m_status->text() : QString());
    if (!error.isEmpty()) {
        m_notice->showNotice(NoticeBar::Kind::Error, error);
        return;
    }
    m_notice->showNotice(NoticeBar::Kind::Info,
                         tr("Saved as %1; what it is made from is in %2.")
                             .arg(file, QFileInfo(sidecarOf(file)).fileName()));
}

void PlannerDialog::askWhere() {
    if (!canSave()) {
        return;
    }
    auto* dialog = new QFileDialog(this, tr("Save the placement for %1").arg(targetName(m_target)));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setDefaultSuffix(endingOf(m_target));
    dialog->selectFile(QStringLiteral("placement.") + endingOf(m_target));
    connect(dialog, &QFileDialog::fileSelected, this, &PlannerDialog::saveTo);
    dialog->open();
}

void PlannerDialog::saveTo(const QString& file) {
    if (!canSave()) {
        return;
    }
    if (!QFileInfo::exists(file) && QFileInfo::exists(sidecarOf(file))) {
        m_notice->showNotice(NoticeBar::Kind::Error,  // nobody agreed to replace that one
                             tr("%1 is there already; choose another name.").arg(sidecarOf(file)));
        return;
    }
    m_saving = true;
    m_save->setEnabled(false);
    m_worker->save(m_view->plan(), m_target, file);
}

}  // namespace gatescope
