// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

// The one way to include QCustomPlot: its header uses Qt's keywords, which QT_NO_KEYWORDS takes
// away from our own sources.
#include <QObject>

#define foreach Q_FOREACH
#define signals Q_SIGNALS
#define slots Q_SLOTS
#include <qcustomplot.h>
#undef foreach
#undef signals
#undef slots
