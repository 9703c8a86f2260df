// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractScrollArea>
#include <QImage>
#include <QString>
#include <map>

namespace gatescope {

/// Pages below each other, as wide as there is room for. It asks for the pictures that are seen,
/// and keeps the newest few.
class PageView final : public QAbstractScrollArea {
    Q_OBJECT

  public:
    explicit PageView(QWidget* parent = nullptr);

    /// `size`: of every page, in points. Pictures from before are forgotten.
    void setPages(int pages, QSizeF size);
    /// Instead of pages; empty: the pages.
    void setMessage(const QString& message);
    void setImage(int page, double scale, const QImage& image);

    int pages() const { return m_pages; }
    int currentPage() const;  ///< from 0; the one in the middle of the view
    bool hasImage(int page) const { return m_images.count(page) > 0; }
    QSize sizeHint() const override;

  Q_SIGNALS:
    /// `scale`: device pixels a point.
    void imageWanted(int page, double scale);
    void currentPageChanged(int page);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void scrollContentsBy(int dx, int dy) override;
    void keyPressEvent(QKeyEvent* event) override;

  private:
    double pointScale() const;  ///< logical pixels a point
    double pageHeight() const;  ///< in logical pixels
    double topOf(int page) const;
    void fit();
    void askForSeen();

    struct Picture {
        double scale = 0;
        QImage image;
    };
    int m_pages = 0;
    QSizeF m_size;
    QString m_message;
    std::map<int, Picture> m_images;
    std::map<int, double> m_asked;
    int m_current = -1;
};

}  // namespace gatescope
