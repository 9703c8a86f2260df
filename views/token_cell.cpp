// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/token_cell.h"

#include <QCoreApplication>

#include "views/formats.h"
#include "views/speculation_texts.h"

namespace gatescope {

namespace {

QString tr(const char* text) {
    return QCoreApplication::translate("gatescope::TokenCell", text);
}

QString rejectedText(const TokenCell& cell) {
    const QString id = QString::number(cell.rejectedDraftId);
    return cell.rejectedBytes.isEmpty() ? tr("in place of a rejected draft (id %1)").arg(id)
                                        : tr("in place of a rejected draft %1 (id %2)")
                                              .arg(quotedToken(cell.rejectedBytes, 40), id);
}

}  // namespace

QString draftText(const TokenCell& cell) {
    QString fate;
    switch (cell.draft) {
        case TokenEvent::Draft::None:
            return {};
        case TokenEvent::Draft::Accepted:
            fate = tr("accepted draft");
            break;
        case TokenEvent::Draft::Rejected:
            fate = rejectedText(cell);
            break;
        case TokenEvent::Draft::Bonus:
            fate = tr("bonus token behind accepted drafts");
            break;
    }
    if (!cell.source) {
        return fate;
    }
    return cell.drafted == 1 ? tr("%1, by %2").arg(fate, sourceText(*cell.source))
                             : tr("%1, by %2 in a step of %3 drafts")
                                   .arg(fate, sourceText(*cell.source))
                                   .arg(cell.drafted);
}

}  // namespace gatescope
