// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QList>
#include <QObject>
#include <QString>
#include <utility>
#include <vector>

#include "engine/decode/generation.h"
#include "views/theme.h"

class QAction;
class QActionGroup;
class QMainWindow;
class QMenu;

namespace gatescope {

/// The menus of the window and the actions in them; what they do is connected by the window.
class WindowActions final : public QObject {
    Q_OBJECT

  public:
    explicit WindowActions(QMainWindow* window);

    QAction* openModel = nullptr;
    QMenu* recentModels = nullptr;  ///< filled by the window when it opens
    QMenu* devices = nullptr;       ///< filled by DeviceMenu
    QAction* newSession = nullptr;
    QAction* exportSessions = nullptr;
    QAction* importSessions = nullptr;
    QAction* sqlConsole = nullptr;
    QAction* quit = nullptr;
    QAction* find = nullptr;
    QAction* earlier = nullptr;  ///< parts of a long session
    QAction* later = nullptr;
    QAction* stop = nullptr;
    QAction* regenerate = nullptr;
    QAction* branch = nullptr;    ///< at the selected token
    QMenu* branchWith = nullptr;  ///< filled by BranchMenu when it opens
    QAction* editMessage = nullptr;
    QAction* sampling = nullptr;
    QAction* speculate = nullptr;      ///< between off and what was chosen last
    QMenu* speculateModes = nullptr;   ///< off, MTP, lookup, auto
    QAction* colourNothing = nullptr;  ///< of the transcript
    QAction* colourAcceptance = nullptr;
    QMenu* docks = nullptr;
    QAction* resetLayout = nullptr;
    QAction* zoomIn = nullptr;
    QAction* zoomOut = nullptr;
    QAction* zoomReset = nullptr;
    QAction* selectionBack = nullptr;
    QAction* selectionForward = nullptr;
    QAction* goToInput = nullptr;
    QAction* goToTranscript = nullptr;
    QAction* goToCompare = nullptr;
    QAction* goToSessions = nullptr;
    std::vector<std::pair<QString, QAction*>> goToDocks;  ///< by name, see WindowDocks::names()
    QAction* makeReport = nullptr;
    QAction* planPlacement = nullptr;
    QAction* keys = nullptr;
    QAction* about = nullptr;

    void setTheme(Theme theme);
    /// `hasMtp`: the MTP module can be chosen.
    void setSpeculate(Speculate mode, bool hasMtp);
    void setColourAcceptance(bool on);
    /// What F1 shows: action and key, then the keys that belong to single views.
    QList<std::pair<QString, QString>> keyTable() const;

  Q_SIGNALS:
    void themeChosen(gatescope::Theme theme);
    void speculateChosen(gatescope::Speculate mode);
    void colourAcceptanceChosen(bool on);

  private:
    QAction* add(QMenu* menu, const QString& text, const QList<QKeySequence>& shortcuts = {});
    void addFileMenu();
    void addChatMenu();
    void addSpeculateModes(QMenu* menu);
    void addViewMenu();
    void addColourMenu(QMenu* menu);
    void addDockActions(QMenu* menu);
    void addToolsMenu();
    void addHelpMenu();

    QMainWindow* m_window;
    QActionGroup* m_themes = nullptr;
    QActionGroup* m_modes = nullptr;
    QList<QAction*> m_all;
};

}  // namespace gatescope
