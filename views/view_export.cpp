// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/view_export.h"

#include <QAction>
#include <QClipboard>
#include <QCoreApplication>
#include <QFileDialog>
#include <QFileInfo>
#include <QGuiApplication>
#include <QMenu>
#include <QSaveFile>
#include <QSvgGenerator>

#include "engine/error.h"
#include "views/plot.h"

namespace gatescope {

namespace {

QString text(const char* source) {
    return QCoreApplication::translate("ViewExport", source);
}

constexpr char kLabelProperty[] = "gatescopeExportLabel";

/// The plot's label as a line above the picture while it lives.
class PictureLabel {
  public:
    explicit PictureLabel(QCustomPlot* plot) : m_plot(plot) {
        const QString label = exportLabel(plot);
        if (label.isEmpty()) {
            return;
        }
        m_text = new QCPItemText(plot);
        m_text->setLayer(QStringLiteral("overlay"));
        m_text->setClipToAxisRect(false);
        m_text->position->setType(QCPItemPosition::ptViewportRatio);
        m_text->position->setCoords(0, 0);
        m_text->setPositionAlignment(Qt::AlignLeft | Qt::AlignTop);
        m_text->setTextAlignment(Qt::AlignLeft);
        m_text->setPadding(QMargins(4, 2, 4, 2));
        m_text->setFont(plot->font());
        m_text->setColor(plot->palette().color(QPalette::Text));
        m_text->setBrush(plot->palette().brush(QPalette::AlternateBase));
        m_text->setText(plot->fontMetrics().elidedText(label, Qt::ElideRight, plot->width() - 12));
    }
    ~PictureLabel() {
        if (m_text != nullptr) {
            m_plot->removeItem(m_text);
        }
    }
    PictureLabel(const PictureLabel&) = delete;
    PictureLabel& operator=(const PictureLabel&) = delete;

  private:
    QCustomPlot* m_plot;
    QCPItemText* m_text = nullptr;
};

/// The table with the label as its first line, quoted where the separator needs it.
QString labelled(const QWidget* widget, const QString& table, QChar separator) {
    QString label = exportLabel(widget);
    if (label.isEmpty()) {
        return table;
    }
    if (separator == u',') {
        label = u'"' + label.replace(u'"', QStringLiteral("\"\"")) + u'"';
    }
    return label + u'\n' + table;
}

void saveSvg(QCustomPlot* plot, const QString& file) {
    QSaveFile out(file);
    if (!out.open(QIODevice::WriteOnly)) {
        throw fileError(file.toStdString(), {}, out.errorString().toStdString());
    }
    QSvgGenerator generator;
    generator.setOutputDevice(&out);
    generator.setSize(plot->size());
    generator.setViewBox(QRect(QPoint(0, 0), plot->size()));
    generator.setTitle(plot->accessibleName());
    QCPPainter painter;
    painter.begin(&generator);
    painter.setMode(QCPPainter::pmVectorized);
    painter.fillRect(QRect(QPoint(0, 0), plot->size()),
                     plot->palette().brush(QPalette::Active, QPalette::Base));
    plot->toPainter(&painter, plot->width(), plot->height());
    painter.end();
    if (!out.commit()) {
        throw fileError(file.toStdString(), {}, out.errorString().toStdString());
    }
}

void attempt(const ViewExport& what, const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        what.failed(QString::fromUtf8(error.what()));
    }
}

void askAndSavePicture(QWidget* parent, const ViewExport& what) {
    QString filter;
    QString file = QFileDialog::getSaveFileName(
        parent, text("Save picture"), what.name + QStringLiteral(".png"),
        text("PNG picture (*.png)") + QStringLiteral(";;") + text("SVG drawing (*.svg)") +
            QStringLiteral(";;") + text("PDF document (*.pdf)"),
        &filter);
    if (file.isEmpty()) {
        return;
    }
    if (QFileInfo(file).suffix().isEmpty()) {
        file += filter.contains(QLatin1String("*.svg"))   ? QStringLiteral(".svg")
                : filter.contains(QLatin1String("*.pdf")) ? QStringLiteral(".pdf")
                                                          : QStringLiteral(".png");
    }
    attempt(what, [&] { savePicture(what.plot, file); });
}

void askAndSaveTable(QWidget* parent, const ViewExport& what) {
    const QString file =
        QFileDialog::getSaveFileName(parent, text("Save table"), what.name + QStringLiteral(".csv"),
                                     text("Comma-separated values (*.csv)"));
    if (!file.isEmpty()) {
        attempt(what, [&] { saveText(labelled(parent, what.table(u','), u','), file); });
    }
}

}  // namespace

void setExportLabel(QWidget* root, const QString& label) {
    root->setProperty(kLabelProperty, label);
}

QString exportLabel(const QWidget* widget) {
    for (; widget != nullptr; widget = widget->parentWidget()) {
        const QVariant label = widget->property(kLabelProperty);
        if (label.isValid()) {
            return label.toString();
        }
    }
    return {};
}

void savePicture(QCustomPlot* plot, const QString& file) {
    const PictureLabel label(plot);
    const QString suffix = QFileInfo(file).suffix().toLower();
    if (suffix == QLatin1String("svg")) {
        saveSvg(plot, file);
        return;
    }
    const bool isPdf = suffix == QLatin1String("pdf");
    if (!isPdf && suffix != QLatin1String("png")) {
        throw fileError(file.toStdString(), {}, "pictures are saved as .png, .svg or .pdf");
    }
    const bool saved = isPdf ? plot->savePdf(file, plot->width(), plot->height())
                             : plot->savePng(file, plot->width(), plot->height(), 2.0);
    if (!saved) {
        throw fileError(file.toStdString(), {}, "the picture could not be written");
    }
}

void saveText(const QString& content, const QString& file) {
    QSaveFile out(file);
    if (!out.open(QIODevice::WriteOnly) || out.write(content.toUtf8()) < 0 || !out.commit()) {
        throw fileError(file.toStdString(), {}, out.errorString().toStdString());
    }
}

void installExportMenu(QWidget* widget, const ViewExport& what) {
    auto* copyValue = new QAction(text("Copy value"), widget);
    copyValue->setShortcut(QKeySequence::Copy);
    copyValue->setShortcutContext(Qt::WidgetShortcut);
    QObject::connect(copyValue, &QAction::triggered, widget, [what] {
        const QString value = what.value();
        if (!value.isEmpty()) {
            QGuiApplication::clipboard()->setText(value);
        }
    });
    auto* copyTable = new QAction(text("Copy table"), widget);
    QObject::connect(copyTable, &QAction::triggered, widget, [widget, what] {
        QGuiApplication::clipboard()->setText(labelled(widget, what.table(u'\t'), u'\t'));
    });
    auto* separator = new QAction(widget);
    separator->setSeparator(true);
    auto* picture = new QAction(text("Save picture…"), widget);
    QObject::connect(picture, &QAction::triggered, widget,
                     [widget, what] { askAndSavePicture(widget, what); });
    auto* table = new QAction(text("Save table as CSV…"), widget);
    QObject::connect(table, &QAction::triggered, widget,
                     [widget, what] { askAndSaveTable(widget, what); });
    widget->addActions({copyValue, copyTable, separator, picture, table});
    widget->setContextMenuPolicy(Qt::ActionsContextMenu);
}

}  // namespace gatescope
