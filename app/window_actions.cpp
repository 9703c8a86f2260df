// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window_actions.h"

#include <QAction>
#include <QActionGroup>
#include <QMainWindow>
#include <QMenu>
#include <QMenuBar>
#include <tuple>

#include "app/settings.h"

namespace gatescope {

WindowActions::WindowActions(QMainWindow* window) : QObject(window), m_window(window) {
    addFileMenu();
    addChatMenu();
    addViewMenu();
    addToolsMenu();
    addHelpMenu();
}

QAction* WindowActions::add(QMenu* menu, const QString& text,
                            const QList<QKeySequence>& shortcuts) {
    QAction* action = menu->addAction(text);
    action->setShortcuts(shortcuts);
    m_all.append(action);
    return action;
}

void WindowActions::addFileMenu() {
    QMenu* menu = m_window->menuBar()->addMenu(tr("&File"));
    openModel = add(menu, tr("&Open model folder…"), {QKeySequence(Qt::CTRL | Qt::Key_O)});
    recentModels = menu->addMenu(tr("&Recent models"));
    devices = menu->addMenu(tr("Run on &device"));
    menu->addSeparator();
    newSession = add(menu, tr("&New session"), {QKeySequence(Qt::CTRL | Qt::Key_N)});
    exportSessions = add(menu, tr("&Export sessions…"), {QKeySequence(Qt::CTRL | Qt::Key_E)});
    importSessions = add(menu, tr("&Import sessions…"));
    sqlConsole = add(menu, tr("S&QL console"), {QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_L)});
    menu->addSeparator();
    quit = add(menu, tr("&Quit"), {QKeySequence(Qt::CTRL | Qt::Key_Q)});
    quit->setMenuRole(QAction::QuitRole);
}

void WindowActions::addChatMenu() {
    QMenu* menu = m_window->menuBar()->addMenu(tr("&Chat"));
    stop = add(menu, tr("&Stop"), {QKeySequence(Qt::Key_Escape)});
    regenerate = add(menu, tr("&Regenerate"), {QKeySequence(Qt::CTRL | Qt::Key_R)});
    branch = add(menu, tr("&Branch at the token"), {QKeySequence(Qt::CTRL | Qt::Key_B)});
    branchWith = menu->addMenu(tr("Branch &with"));
    editMessage = add(menu, tr("E&dit and ask again…"), {QKeySequence(Qt::CTRL | Qt::Key_D)});
    menu->addSeparator();
    find = add(menu, tr("&Find…"), {QKeySequence(Qt::CTRL | Qt::Key_F)});
    earlier = add(menu, tr("Show earl&ier"), {QKeySequence(Qt::ALT | Qt::Key_PageUp)});
    later = add(menu, tr("Show la&ter"), {QKeySequence(Qt::ALT | Qt::Key_PageDown)});
    menu->addSeparator();
    sampling = add(menu, tr("S&ampling…"), {QKeySequence(Qt::CTRL | Qt::Key_Comma)});
    speculate = add(menu, tr("Sp&eculation"), {QKeySequence(Qt::CTRL | Qt::Key_M)});
    speculate->setCheckable(true);
    addSpeculateModes(menu);
}

void WindowActions::addSpeculateModes(QMenu* menu) {
    speculateModes = menu->addMenu(tr("Speculate &by"));
    m_modes = new QActionGroup(this);
    const std::pair<QString, Speculate> names[] = {{tr("&Off"), Speculate::Off},
                                                   {tr("&MTP module"), Speculate::Mtp},
                                                   {tr("&Lookup in the text"), Speculate::Lookup},
                                                   {tr("&Auto"), Speculate::Auto}};
    for (const auto& [text, mode] : names) {
        QAction* action = speculateModes->addAction(text);
        action->setCheckable(true);
        action->setData(static_cast<int>(mode));
        m_modes->addAction(action);
        connect(action, &QAction::triggered, this,
                [this, mode = mode] { Q_EMIT speculateChosen(mode); });
    }
}

void WindowActions::setSpeculate(Speculate mode, bool hasMtp) {
    speculate->setChecked(mode != Speculate::Off);
    speculate->setIconText(tr("Speculation: %1").arg(speculateText(mode)));
    for (QAction* action : m_modes->actions()) {
        const auto own = static_cast<Speculate>(action->data().toInt());
        action->setChecked(own == mode);
        action->setEnabled(own != Speculate::Mtp || hasMtp);
    }
}

void WindowActions::addColourMenu(QMenu* menu) {
    QMenu* colours = menu->addMenu(tr("&Colour transcript by"));
    auto* group = new QActionGroup(this);
    colourNothing = colours->addAction(tr("&Nothing"));
    colourAcceptance = colours->addAction(tr("&Acceptance"));
    for (QAction* action : {colourNothing, colourAcceptance}) {
        action->setCheckable(true);
        group->addAction(action);
        connect(action, &QAction::triggered, this,
                [this, action] { Q_EMIT colourAcceptanceChosen(action == colourAcceptance); });
    }
}

void WindowActions::setColourAcceptance(bool on) {
    colourNothing->setChecked(!on);
    colourAcceptance->setChecked(on);
}

void WindowActions::addViewMenu() {
    QMenu* menu = m_window->menuBar()->addMenu(tr("&View"));
    docks = menu->addMenu(tr("&Docks"));
    resetLayout = add(menu, tr("&Reset layout"));
    menu->addSeparator();
    QMenu* themes = menu->addMenu(tr("&Theme"));
    m_themes = new QActionGroup(this);
    const std::pair<QString, Theme> names[] = {{tr("As the &system"), Theme::System},
                                               {tr("&Light"), Theme::Light},
                                               {tr("&Dark"), Theme::Dark}};
    for (const auto& [text, theme] : names) {
        QAction* action = themes->addAction(text);
        action->setCheckable(true);
        action->setData(static_cast<int>(theme));
        m_themes->addAction(action);
        connect(action, &QAction::triggered, this,
                [this, theme = theme] { Q_EMIT themeChosen(theme); });
    }
    addColourMenu(menu);
    menu->addSeparator();
    zoomIn = add(menu, tr("Larger &text"),
                 {QKeySequence(Qt::CTRL | Qt::Key_Equal), QKeySequence(Qt::CTRL | Qt::Key_Plus)});
    zoomOut = add(menu, tr("S&maller text"), {QKeySequence(Qt::CTRL | Qt::Key_Minus)});
    zoomReset = add(menu, tr("&Normal text"), {QKeySequence(Qt::CTRL | Qt::Key_0)});
    menu->addSeparator();
    selectionBack = add(menu, tr("Selection &back"), {QKeySequence(Qt::ALT | Qt::Key_Left)});
    selectionForward = add(menu, tr("Selection &forward"), {QKeySequence(Qt::ALT | Qt::Key_Right)});
    menu->addSeparator();
    QMenu* go = menu->addMenu(tr("&Go to"));
    goToInput = add(go, tr("Go to &message"), {QKeySequence(Qt::CTRL | Qt::Key_1)});
    goToTranscript = add(go, tr("Go to &transcript"), {QKeySequence(Qt::CTRL | Qt::Key_2)});
    goToCompare = add(go, tr("Go to com&pare"), {QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_P)});
    goToSessions = add(go, tr("Go to &sessions"), {QKeySequence(Qt::CTRL | Qt::Key_3)});
    addDockActions(go);
}

void WindowActions::addDockActions(QMenu* menu) {
    const auto key = [](Qt::Key digit) { return QKeySequence(Qt::CTRL | digit); };
    const auto letter = [](Qt::Key which) { return QKeySequence(Qt::CTRL | Qt::SHIFT | which); };
    const std::tuple<const char*, QString, QKeySequence> places[] = {
        {"routing", tr("Go to &routing"), key(Qt::Key_4)},
        {"balance", tr("Go to &balance"), key(Qt::Key_5)},
        {"bias", tr("Go to b&ias"), key(Qt::Key_6)},
        {"experts", tr("Go to &experts"), key(Qt::Key_7)},
        {"specialists", tr("Go to s&pecialists"), key(Qt::Key_8)},
        {"why", tr("Go to &why this expert"), key(Qt::Key_9)},
        {"interventions", tr("Go to i&nterventions"), letter(Qt::Key_I)},
        {"tokens", tr("Go to to&kens"), letter(Qt::Key_T)},
        {"cache", tr("Go to &cache"), letter(Qt::Key_C)},
        {"speculation", tr("Go to specu&lation"), letter(Qt::Key_S)}};
    for (const auto& [name, text, shortcut] : places) {
        goToDocks.emplace_back(QLatin1String(name), add(menu, text, {shortcut}));
    }
}

void WindowActions::addToolsMenu() {
    QMenu* menu = m_window->menuBar()->addMenu(tr("&Tools"));
    makeReport =
        add(menu, tr("Load-balance &report…"), {QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_R)});
    planPlacement =
        add(menu, tr("Plan &expert placement…"), {QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_E)});
}

void WindowActions::addHelpMenu() {
    QMenu* menu = m_window->menuBar()->addMenu(tr("&Help"));
    keys = add(menu, tr("&Keys"), {QKeySequence(Qt::Key_F1)});
    about = add(menu, tr("&About Gatescope"));
    about->setMenuRole(QAction::AboutRole);
}

void WindowActions::setTheme(Theme theme) {
    for (QAction* action : m_themes->actions()) {
        action->setChecked(action->data().toInt() == static_cast<int>(theme));
    }
}

QList<std::pair<QString, QString>> WindowActions::keyTable() const {
    QList<std::pair<QString, QString>> table;
    for (const QAction* action : m_all) {
        if (!action->shortcut().isEmpty()) {
            table.append({action->text().remove(u'&').remove(QChar(0x2026)),
                          action->shortcut().toString(QKeySequence::NativeText)});
        }
    }
    table.append({tr("Send the message"), tr("Enter")});
    table.append({tr("New line in the message"), tr("Shift+Enter")});
    table.append({tr("In the transcript: token before, after"), tr("Left, Right")});
    table.append({tr("In the transcript: line above, below"), tr("Up, Down")});
    table.append({tr("In the transcript: first, last token"), tr("Home, End")});
    table.append({tr("In a picture: move the cursor, select"), tr("Arrows, Enter")});
    table.append({tr("In the routing map: sort, pin, unpin"), tr("S, P, U")});
    table.append({tr("In the tokens: one, ten; first, last; pin"),
                  tr("Left, Right, Ctrl+Left, Ctrl+Right; Home, End; P")});
    table.append(
        {tr("In the sessions: rename, tags, pin, delete, undo"), tr("F2, T, P, Del, Ctrl+Z")});
    table.append(
        {tr("In the sessions: compare the selected, run one again, export"), tr("C, R, E")});
    table.append({tr("In the sessions: open in a window of its own"), tr("Ctrl+Enter")});
    table.append({tr("Close a session's own window"), tr("Ctrl+W")});
    table.append({tr("Copy the selected text"), tr("Ctrl+C")});
    return table;
}

}  // namespace gatescope
