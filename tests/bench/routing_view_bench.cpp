// SPDX-License-Identifier: Apache-2.0
// Processor time of one update of the routing heatmap: new counts, numbers, picture, painting.
//   QT_QPA_PLATFORM=offscreen routing_view_bench [WIDTH HEIGHT]
#include <QApplication>
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <memory>
#include <random>
#include <vector>

#include "views/routing_map.h"
#include "views/routing_texts.h"
#include "views/routing_view.h"
#include "views/selection.h"
#include "views/theme.h"

using namespace gatescope;

namespace {

constexpr int kUpdates = 101;
constexpr int kWarmUp = 12;
constexpr double kUpdatesPerSecond = 30;
constexpr int kTokensPerUpdate = 2;  // what a fast decode adds between two pictures

/// Processor time, not wall time: a share of a core is meant, whatever else the machine does.
double milliseconds(std::clock_t since) {
    return 1000.0 * static_cast<double>(std::clock() - since) / CLOCKS_PER_SEC;
}

double median(std::vector<double> samples) {
    std::nth_element(samples.begin(), samples.begin() + std::ssize(samples) / 2, samples.end());
    return samples[samples.size() / 2];
}

RoutingShape shapeWith(int experts, int topK) {
    RoutingShape shape;
    shape.totalLayers = 61;
    for (int layer = 3; layer < shape.totalLayers; ++layer) {
        shape.layers.push_back(layer);
    }
    shape.mtpLayer = shape.totalLayers;
    shape.experts = experts;
    shape.topK = topK;
    shape.groups = 8;
    shape.topkGroups = 4;
    return shape;
}

class Traffic {
  public:
    explicit Traffic(const RoutingShape& shape) : m_shape(shape), m_counter(shape) {}

    RoutedToken token(int rows) {
        RoutedToken out;
        out.phase = rows == 1 ? Phase::Draft : Phase::Decode;
        std::exponential_distribution<double> skew(4.0 / m_shape.experts);
        for (int row = 0; row < rows; ++row) {
            const int first = static_cast<int>(skew(m_random));
            for (int j = 0; j < m_shape.topK; ++j) {
                out.routing.experts.push_back(
                    static_cast<std::uint16_t>((first + j * (row + 1)) % m_shape.experts));
                out.routing.weights.push_back(0.3F);
            }
        }
        out.routing.margins.assign(static_cast<std::size_t>(rows), 0.01F);
        out.routing.biasDecided.assign(static_cast<std::size_t>(rows), 0);
        return out;
    }
    std::shared_ptr<const RoutingLoad> after(int tokens) {
        for (int i = 0; i < tokens; ++i) {
            m_counter.add(token(static_cast<int>(m_shape.layers.size())), false);
            m_counter.add(token(1), true);
        }
        return m_counter.snapshot();
    }

  private:
    RoutingShape m_shape;
    RoutingLoadCounter m_counter;
    std::mt19937 m_random{7};
};

void run(const RoutingShape& shape, RoutingMode mode, ExpertOrder order, QSize size) {
    Selection selection;
    RoutingView view(&selection);
    Traffic traffic(shape);
    view.resize(size);
    view.setLoad(traffic.after(600));
    view.pinReference();
    view.setMode(mode);
    view.setOrder(order);
    view.setLoad(traffic.after(600));
    view.show();
    auto* map = view.findChild<RoutingMap*>();
    const auto rows = static_cast<int>(shape.layers.size());
    std::vector<double> numbers;
    std::vector<double> whole;
    for (int i = 0; i < kUpdates + kWarmUp; ++i) {
        const auto load = traffic.after(kTokensPerUpdate);
        const auto token = std::make_shared<const RoutedToken>(traffic.token(rows));
        const std::clock_t start = std::clock();
        if (mode == RoutingMode::ThisToken) {
            view.setToken(token, nullptr);
        }
        view.setLoad(load);
        const double computed = milliseconds(start);
        QApplication::processEvents();  // the queued replot, layout and painting
        if (i >= kWarmUp) {
            numbers.push_back(computed);
            whole.push_back(milliseconds(start));
        }
    }
    const double update = median(whole);
    std::printf(
        "%2d x %3d  %-14s %-7s  set %6.2f ms  all %6.2f ms  %5.1f %% of a core at %g/s  (map %d x "
        "%d)\n",
        shape.totalLayers, shape.experts, RoutingTexts::modeName(mode).toUtf8().constData(),
        order == ExpertOrder::ById ? "by id" : "by load", median(numbers), update,
        update * kUpdatesPerSecond / 10, kUpdatesPerSecond, map->width(), map->height());
}

}  // namespace

int main(int argc, char** argv) {
    QApplication application(argc, argv);
    applyTheme(Theme::Light);
    const QStringList arguments = QApplication::arguments();
    const QSize size = arguments.size() == 3 ? QSize(arguments[1].toInt(), arguments[2].toInt())
                                             : QSize(1440, 880);
    for (const int experts : {256, 384}) {
        const RoutingShape shape = shapeWith(experts, 8);
        for (const RoutingMode mode :
             {RoutingMode::RelativeLoad, RoutingMode::GateMass, RoutingMode::ZScore,
              RoutingMode::Difference, RoutingMode::ThisToken}) {
            run(shape, mode, ExpertOrder::ById, size);
        }
        run(shape, RoutingMode::RelativeLoad, ExpertOrder::ByLoad, size);
    }
    return 0;
}
