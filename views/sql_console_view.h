// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMap>
#include <QWidget>
#include <memory>
#include <vector>

#include "engine/session/sql_result.h"

class QFormLayout;
class QLabel;
class QLineEdit;
class QListWidget;
class QPlainTextEdit;
class QPushButton;
class QStackedWidget;
class QTableView;
class QTreeWidget;

namespace gatescope {

class SqlResultModel;

/// A saved query as the list shows it.
struct SqlQueryItem {
    QString name;
    QString about;
    QString sql;
    bool builtIn = false;
};

/// A table or view with its columns, each with what it means.
struct SqlSchemaItem {
    QString name;
    QString about;
    std::vector<std::pair<QString, QString>> columns;
};

/// Values for the names in a query, as typed.
using SqlValues = QMap<QString, QString>;

/// An editor for one query, saved ones, what can be asked about, and the rows that came back.
class SqlConsoleView final : public QWidget {
    Q_OBJECT

  public:
    explicit SqlConsoleView(QWidget* parent = nullptr);

    void setQueries(const std::vector<SqlQueryItem>& queries);
    void setSchema(const std::vector<SqlSchemaItem>& schema);
    /// What a parameter of this name is unless a person types something else.
    void setDefaultValue(const QString& name, const QString& value);
    /// The names the query wants values for. Runs it at once if there are values for all.
    void setParameters(const QStringList& names);
    void setRunning(bool running);
    void setResult(std::shared_ptr<const SqlResult> result);
    void setError(const QString& error);

    QPlainTextEdit* editor() const { return m_editor; }
    QListWidget* queries() const { return m_queryList; }
    QTreeWidget* schema() const { return m_schema; }
    QTableView* table() const { return m_table; }
    QString statusText() const;
    SqlValues values() const;
    /// The whole result by separator, first line the names.
    QString tableText(QChar separator) const;
    /// Writes it by the file's ending: .json, else CSV.
    void saveResult(const QString& file);

  public Q_SLOTS:
    void run();

  Q_SIGNALS:
    void runRequested(const QString& sql, const gatescope::SqlValues& values);
    void cancelRequested();
    void saveRequested(const QString& name, const QString& sql);
    void removeRequested(const QString& name);

  protected:
    void changeEvent(QEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    QWidget* makeSide();
    QWidget* makeMain();
    QWidget* makeButtons();
    void choose(int row);
    void askName();
    void askFile();
    void copy();
    void setStatus(const QString& text, bool error);
    void refresh();
    void restyle();

    QListWidget* m_queryList;
    QTreeWidget* m_schema;
    QPlainTextEdit* m_editor;
    QWidget* m_valueBox;
    QFormLayout* m_valueRows;
    QPushButton* m_run;
    QPushButton* m_cancel;
    QPushButton* m_remove;
    QPushButton* m_save;
    QPushButton* m_copy;
    QPushButton* m_export;
    QStackedWidget* m_pages;
    QLabel* m_message;
    QTableView* m_table;
    QLabel* m_status;
    SqlResultModel* m_model;
    std::vector<SqlQueryItem> m_queries;
    SqlValues m_defaults;
    QMap<QString, QLineEdit*> m_fields;
    std::shared_ptr<const SqlResult> m_result;
    bool m_running = false;
    bool m_error = false;
};

}  // namespace gatescope
