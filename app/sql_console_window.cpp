// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/sql_console_window.h"

#include <QCloseEvent>
#include <QKeyEvent>
#include <QPlainTextEdit>
#include <QVBoxLayout>
#include <exception>
#include <utility>

#include "engine/error.h"
#include "engine/session/console_views.h"
#include "engine/session/sql_console.h"
#include "views/theme.h"

namespace gatescope {

namespace {

/// What a query came to: rows, names that want values, or one sentence.
struct Outcome {
    std::shared_ptr<const SqlResult> result;
    QStringList missing;
    QString error;
};

QString text(std::string_view utf8) {
    return QString::fromUtf8(utf8.data(), static_cast<qsizetype>(utf8.size()));
}

/// A number where all of the text is one.
SqlCell cellOf(const QString& typed) {
    bool number = false;
    if (const qlonglong whole = typed.toLongLong(&number); number) {
        return static_cast<std::int64_t>(whole);
    }
    if (const double value = typed.toDouble(&number); number) {
        return value;
    }
    return typed.toStdString();
}

Outcome ask(const std::filesystem::path& file, const std::string& sql, const SqlValues& values,
            const std::stop_token& stop) {
    Outcome outcome;
    try {
        SqlConsole console(file);
        bool complete = true;
        SqlParameters parameters;
        for (const std::string& name : console.parameters(sql)) {
            const QString key = QString::fromStdString(name);
            outcome.missing += key;
            complete = complete && !values.value(key).isEmpty();
            parameters[name] = cellOf(values.value(key));
        }
        if (complete) {
            outcome.missing.clear();
            outcome.result =
                std::make_shared<const SqlResult>(console.run(sql, parameters, {}, stop));
        }
    } catch (const Cancelled&) {
        outcome.error = SqlConsoleWindow::tr("Cancelled.");
    } catch (const std::exception& error) {
        outcome.error = QString::fromUtf8(error.what());
    }
    return outcome;
}

}  // namespace

SqlConsoleWindow::SqlConsoleWindow(std::filesystem::path sessions, std::filesystem::path queries,
                                   QWidget* parent)
    : QWidget(parent, Qt::Window),
      m_file(std::move(sessions)),
      m_queries(std::move(queries)),
      m_view(new SqlConsoleView),
      m_worker(new QObject) {
    setWindowTitle(tr("SQL console"));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(m_view);
    resize(120 * kGrid, 84 * kGrid);
    m_worker->moveToThread(&m_thread);
    connect(&m_thread, &QThread::finished, m_worker, &QObject::deleteLater);
    m_thread.setObjectName(QStringLiteral("sql"));
    m_thread.start();
    connect(m_view, &SqlConsoleView::runRequested, this, &SqlConsoleWindow::run);
    connect(m_view, &SqlConsoleView::cancelRequested, this, &SqlConsoleWindow::cancel);
    connect(m_view, &SqlConsoleView::saveRequested, this,
            [this](const QString& name, const QString& sql) {
                change([&](SavedQueries& saved) {
                    saved.save({name.toStdString(), {}, sql.toStdString(), false});
                });
            });
    connect(m_view, &SqlConsoleView::removeRequested, this, [this](const QString& name) {
        change([&](SavedQueries& saved) { saved.remove(name.toStdString()); });
    });
    fillSchema();
    fillQueries();
    m_view->editor()->setFocus(Qt::OtherFocusReason);
}

SqlConsoleWindow::~SqlConsoleWindow() {
    cancel();
    m_thread.quit();
    m_thread.wait();
}

void SqlConsoleWindow::setSession(std::optional<std::int64_t> session) {
    m_view->setDefaultValue(QStringLiteral("session"),
                            session ? QString::number(*session) : QString());
}

void SqlConsoleWindow::run(const QString& sql, const SqlValues& values) {
    m_stop = std::stop_source();
    QMetaObject::invokeMethod(
        m_worker,
        [this, sql = sql.toStdString(), values, stop = m_stop.get_token()] {
            auto outcome = std::make_shared<const Outcome>(ask(m_file, sql, values, stop));
            QMetaObject::invokeMethod(
                this,
                [this, outcome] {
                    if (outcome->result != nullptr) {
                        m_view->setResult(outcome->result);
                    } else if (!outcome->missing.isEmpty()) {
                        m_view->setParameters(outcome->missing);
                    } else {
                        m_view->setError(outcome->error);
                    }
                },
                Qt::QueuedConnection);
        },
        Qt::QueuedConnection);
}

void SqlConsoleWindow::cancel() {
    m_stop.request_stop();
}

void SqlConsoleWindow::fillSchema() {
    std::vector<SqlSchemaItem> schema;
    for (const ConsoleView& view : consoleViews()) {
        SqlSchemaItem item{text(view.name), text(view.about), {}};
        for (const ConsoleColumn& column : view.columns) {
            item.columns.emplace_back(text(column.name), text(column.about));
        }
        schema.push_back(std::move(item));
    }
    m_view->setSchema(schema);
}

void SqlConsoleWindow::fillQueries() {
    std::vector<SqlQueryItem> items;
    const auto add = [&items](const SavedQuery& query) {
        items.push_back({text(query.name), text(query.about), text(query.sql), query.builtIn});
    };
    try {
        for (const SavedQuery& query : m_queries.list()) {
            add(query);
        }
    } catch (const Error& error) {
        items.clear();
        for (const SavedQuery& query : builtInQueries()) {
            add(query);
        }
        m_view->setError(QString::fromUtf8(error.what()));
    }
    m_view->setQueries(items);
}

void SqlConsoleWindow::change(const std::function<void(SavedQueries&)>& work) {
    try {
        work(m_queries);
        fillQueries();
    } catch (const Error& error) {
        m_view->setError(QString::fromUtf8(error.what()));
    }
}

void SqlConsoleWindow::closeEvent(QCloseEvent* event) {
    cancel();
    QWidget::closeEvent(event);
}

void SqlConsoleWindow::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Escape) {
        cancel();
        return;
    }
    QWidget::keyPressEvent(event);
}

}  // namespace gatescope
