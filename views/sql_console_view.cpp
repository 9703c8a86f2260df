// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/sql_console_view.h"

#include <QClipboard>
#include <QEvent>
#include <QFileDialog>
#include <QFontDatabase>
#include <QFormLayout>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QInputDialog>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSplitter>
#include <QStackedWidget>
#include <QTableView>
#include <QTreeWidget>
#include <QVBoxLayout>

#include "engine/error.h"
#include "engine/session/sql_table_text.h"
#include "views/formats.h"
#include "views/literal_text.h"
#include "views/message_label.h"
#include "views/number_table.h"
#include "views/sql_result_model.h"
#include "views/theme.h"
#include "views/view_export.h"

namespace gatescope {

namespace {

constexpr int kMessagePage = 0;
constexpr int kTablePage = 1;
constexpr int kMeasuredRows = 200;  ///< for the width of a column
constexpr int kWidestColumn = 40 * kGrid;

QLabel* heading(const QString& text) {
    auto* label = new QLabel(text);
    QFont font = label->font();
    font.setBold(true);
    label->setFont(font);
    return label;
}

QWidget* headed(const QString& text, QWidget* below) {
    auto* box = new QWidget;
    auto* column = new QVBoxLayout(box);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(kGrid / 2);
    column->addWidget(heading(text));
    column->addWidget(below, 1);
    return box;
}

}  // namespace

SqlConsoleView::SqlConsoleView(QWidget* parent)
    : QWidget(parent), m_model(new SqlResultModel(this)) {
    auto* split = new QSplitter(Qt::Horizontal);
    split->setChildrenCollapsible(false);
    split->addWidget(makeSide());
    split->addWidget(makeMain());
    split->setStretchFactor(1, 1);
    split->setSizes({32 * kGrid, 88 * kGrid});
    auto* outer = new QVBoxLayout(this);
    outer->setContentsMargins(kGrid, kGrid, kGrid, kGrid);
    outer->addWidget(split);
    restyle();
    refresh();
}

QWidget* SqlConsoleView::makeSide() {
    m_queryList = new QListWidget;
    m_queryList->setAccessibleName(tr("Saved queries"));
    connect(m_queryList, &QListWidget::currentRowChanged, this, &SqlConsoleView::choose);
    connect(m_queryList, &QListWidget::itemActivated, this, &SqlConsoleView::run);
    m_schema = new QTreeWidget;
    m_schema->setHeaderHidden(true);
    m_schema->setAccessibleName(tr("Tables and views"));
    connect(m_schema, &QTreeWidget::itemDoubleClicked, this, [this](QTreeWidgetItem* item) {
        m_editor->insertPlainText(item->text(0));
        m_editor->setFocus(Qt::OtherFocusReason);
    });
    auto* side = new QSplitter(Qt::Vertical);
    side->setChildrenCollapsible(false);
    side->addWidget(headed(tr("Saved queries"), m_queryList));
    side->addWidget(headed(tr("What can be asked"), m_schema));
    return side;
}

QWidget* SqlConsoleView::makeMain() {
    m_editor = new QPlainTextEdit;
    m_editor->setTabChangesFocus(true);
    m_editor->setAccessibleName(tr("Query"));
    m_editor->setPlaceholderText(tr("SELECT … – one statement, read-only"));
    m_editor->installEventFilter(this);
    connect(m_editor, &QPlainTextEdit::textChanged, this, [this] {
        m_valueBox->hide();
        refresh();
    });
    m_valueBox = new QWidget;
    m_valueRows = new QFormLayout(m_valueBox);
    m_valueRows->setContentsMargins(0, 0, 0, 0);
    m_valueBox->hide();
    auto* top = new QWidget;
    auto* column = new QVBoxLayout(top);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(kGrid);
    column->addWidget(m_editor, 1);
    column->addWidget(m_valueBox);
    column->addWidget(makeButtons());
    m_message = makeMessageLabel();
    m_table = new QTableView;
    m_table->setModel(m_model);
    m_table->setAccessibleName(tr("Result"));
    m_table->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
    m_table->setWordWrap(false);
    m_table->installEventFilter(this);
    m_table->verticalHeader()->setDefaultAlignment(Qt::AlignRight | Qt::AlignVCenter);
    m_table->horizontalHeader()->setResizeContentsPrecision(kMeasuredRows);
    m_pages = new QStackedWidget;
    m_pages->addWidget(m_message);
    m_pages->addWidget(m_table);
    m_status = new QLabel;
    m_status->setTextFormat(Qt::PlainText);
    m_status->setWordWrap(true);
    m_status->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    auto* main = new QSplitter(Qt::Vertical);
    main->setChildrenCollapsible(false);
    main->addWidget(top);
    auto* bottom = new QWidget;
    auto* rows = new QVBoxLayout(bottom);
    rows->setContentsMargins(0, 0, 0, 0);
    rows->addWidget(m_pages, 1);
    rows->addWidget(m_status);
    main->addWidget(bottom);
    main->setStretchFactor(1, 1);
    main->setSizes({28 * kGrid, 48 * kGrid});
    return main;
}

QWidget* SqlConsoleView::makeButtons() {
    auto* box = new QWidget;
    auto* row = new QHBoxLayout(box);
    row->setContentsMargins(0, 0, 0, 0);
    const auto add = [this, row](const QString& text, const QString& tip, auto slot) {
        auto* button = new QPushButton(text);
        button->setToolTip(plainToolTip(tip));
        connect(button, &QPushButton::clicked, this, slot);
        row->addWidget(button);
        return button;
    };
    m_run = add(tr("Run"), tr("Run the query (Ctrl+Enter)"), &SqlConsoleView::run);
    m_cancel =
        add(tr("Cancel"), tr("End the running query (Esc)"), [this] { Q_EMIT cancelRequested(); });
    row->addStretch(1);
    m_save = add(tr("Save query…"), tr("Keep the text under a name"), &SqlConsoleView::askName);
    m_remove = add(tr("Remove query"), tr("Remove the saved query that is chosen"), [this] {
        const int at = m_queryList->currentRow();
        Q_EMIT removeRequested(m_queries[static_cast<std::size_t>(at)].name);
    });
    m_copy = add(tr("Copy"), tr("Copy the whole result, with tabs"), &SqlConsoleView::copy);
    m_export = add(tr("Save result…"), tr("As CSV or JSON"), &SqlConsoleView::askFile);
    return box;
}

void SqlConsoleView::setQueries(const std::vector<SqlQueryItem>& queries) {
    const QSignalBlocker quiet(m_queryList);
    const QListWidgetItem* current = m_queryList->currentItem();
    const QString name = current != nullptr ? current->text() : QString();
    m_queries = queries;
    m_queryList->clear();
    for (const SqlQueryItem& query : queries) {
        auto* item = new QListWidgetItem(visibleText(query.name), m_queryList);
        item->setToolTip(plainToolTip(query.about.isEmpty() ? query.name : query.about));
        if (item->text() == name) {
            m_queryList->setCurrentItem(item);
        }
    }
    refresh();
}

void SqlConsoleView::setSchema(const std::vector<SqlSchemaItem>& schema) {
    m_schema->clear();
    for (const SqlSchemaItem& table : schema) {
        auto* top = new QTreeWidgetItem(m_schema, {table.name});
        top->setToolTip(0, plainToolTip(table.about));
        for (const auto& [name, about] : table.columns) {
            auto* column = new QTreeWidgetItem(top, {name});
            column->setToolTip(0, plainToolTip(about));
        }
    }
}

void SqlConsoleView::setDefaultValue(const QString& name, const QString& value) {
    m_defaults[name] = value;
}

void SqlConsoleView::setParameters(const QStringList& names) {
    setRunning(false);
    const SqlValues before = values();
    while (m_valueRows->rowCount() > 0) {
        m_valueRows->removeRow(0);
    }
    m_fields.clear();
    QLineEdit* empty = nullptr;
    for (const QString& name : names) {
        auto* field = new QLineEdit(before.value(name, m_defaults.value(name)));
        connect(field, &QLineEdit::returnPressed, this, &SqlConsoleView::run);
        m_valueRows->addRow(u':' + visibleText(name), field);
        m_fields[name] = field;
        empty = empty == nullptr && field->text().isEmpty() ? field : empty;
    }
    m_valueBox->setVisible(!names.isEmpty());
    if (empty == nullptr) {
        run();
        return;
    }
    empty->setFocus(Qt::OtherFocusReason);
    setStatus(tr("Give each name a value and run the query again."), false);
}

SqlValues SqlConsoleView::values() const {
    SqlValues values;
    for (auto it = m_fields.begin(); !m_valueBox->isHidden() && it != m_fields.end(); ++it) {
        values[it.key()] = it.value()->text();
    }
    return values;
}

void SqlConsoleView::run() {
    if (!m_run->isEnabled()) {
        return;
    }
    setRunning(true);
    Q_EMIT runRequested(m_editor->toPlainText(), values());
}

void SqlConsoleView::setRunning(bool running) {
    m_running = running;
    if (running) {
        setStatus(tr("Running…"), false);
    }
    refresh();
}

void SqlConsoleView::setResult(std::shared_ptr<const SqlResult> result) {
    m_result = std::move(result);
    m_model->setResult(m_result);
    m_table->resizeColumnsToContents();
    for (int c = 0; c < m_model->columnCount(); ++c) {
        m_table->setColumnWidth(c, qMin(m_table->columnWidth(c), kWidestColumn));
    }
    const auto rows = static_cast<std::int64_t>(m_result->rows.size());
    QString text = tr("%1 in %2 s")
                       .arg(rows == 1 ? tr("1 row") : tr("%1 rows").arg(integerText(rows)),
                            threeDigits(m_result->seconds));
    if (m_result->truncated()) {
        text += QStringLiteral(" · ") + QString::fromStdString(m_result->notice);
    }
    setStatus(text, false);
    setRunning(false);
}

void SqlConsoleView::setError(const QString& error) {
    setStatus(literalText(error), true);
    setRunning(false);
}

QString SqlConsoleView::statusText() const {
    return m_status->text();
}

void SqlConsoleView::choose(int row) {
    if (row >= 0) {
        QTextCursor all(m_editor->document());  // what was there comes back by Ctrl+Z
        all.select(QTextCursor::Document);
        all.insertText(m_queries[static_cast<std::size_t>(row)].sql);
    }
    refresh();
}

void SqlConsoleView::askName() {
    bool accepted = false;
    const QString name =
        QInputDialog::getText(this, tr("Save query"), tr("Name"), QLineEdit::Normal, {}, &accepted);
    if (accepted && !name.trimmed().isEmpty()) {
        Q_EMIT saveRequested(name.trimmed(), m_editor->toPlainText());
    }
}

void SqlConsoleView::askFile() {
    const QString file = QFileDialog::getSaveFileName(
        this, tr("Save result"), QStringLiteral("result.csv"),
        tr("Comma-separated values (*.csv)") + QStringLiteral(";;") + tr("JSON (*.json)"));
    if (!file.isEmpty()) {
        saveResult(file);
    }
}

void SqlConsoleView::saveResult(const QString& file) {
    try {
        saveText(QString::fromStdString(file.endsWith(QLatin1String(".json")) ? toJson(*m_result)
                                                                              : toCsv(*m_result)),
                 file);
    } catch (const Error& error) {
        setStatus(QString::fromUtf8(error.what()), true);
    }
}

QString SqlConsoleView::tableText(QChar separator) const {
    QString text;
    const auto line = [&text, separator](const QStringList& cells) {
        text += cells.join(separator) + u'\n';
    };
    QStringList cells;
    for (const std::string& column : m_result->columns) {
        cells += tableField(QString::fromStdString(column), separator);
    }
    line(cells);
    for (int r = 0; r < m_model->rowCount(); ++r) {
        cells.clear();
        for (int c = 0; c < m_model->columnCount(); ++c) {
            cells += tableField(m_model->exactText(m_model->index(r, c)), separator);
        }
        line(cells);
    }
    return text;
}

void SqlConsoleView::copy() {
    QGuiApplication::clipboard()->setText(tableText(u'\t'));
}

void SqlConsoleView::setStatus(const QString& text, bool error) {
    m_error = error;
    m_status->setText(text);
    restyle();
}

void SqlConsoleView::refresh() {
    const int at = m_queryList->currentRow();
    const bool own = at >= 0 && !m_queries[static_cast<std::size_t>(at)].builtIn;
    const bool text = !m_editor->document()->isEmpty();
    m_run->setEnabled(!m_running && text);
    m_cancel->setEnabled(m_running);
    m_save->setEnabled(text);
    m_remove->setEnabled(own);
    m_copy->setEnabled(m_result != nullptr);
    m_export->setEnabled(m_result != nullptr);
    m_message->setText(
        tr("Choose a saved query or write a SELECT, then run it (Ctrl+Enter). The "
           "sessions cannot be changed from here."));
    m_pages->setCurrentIndex(m_result != nullptr ? kTablePage : kMessagePage);
}

void SqlConsoleView::restyle() {
    m_editor->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
    m_table->setFont(tabularFont(font()));
    m_table->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + kGrid / 2);
    const ThemeColours colours = themeColours(palette());
    QPalette own = palette();
    own.setColor(QPalette::WindowText, m_error ? colours.error : colours.muted);
    m_status->setPalette(own);
}

void SqlConsoleView::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) {
        restyle();
    }
}

bool SqlConsoleView::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::KeyPress) {
        const auto* key = static_cast<QKeyEvent*>(event);
        const bool enter = key->key() == Qt::Key_Return || key->key() == Qt::Key_Enter;
        if (watched == m_editor && enter && key->modifiers().testFlag(Qt::ControlModifier)) {
            run();
            return true;
        }
        if (key->key() == Qt::Key_Escape && m_running) {
            Q_EMIT cancelRequested();
            return true;
        }
        if (watched == m_table && key->matches(QKeySequence::Copy)) {
            QGuiApplication::clipboard()->setText(m_model->exactText(m_table->currentIndex()));
            return true;
        }
    }
    return QWidget::eventFilter(watched, event);
}

}  // namespace gatescope
