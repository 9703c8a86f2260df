// SPDX-License-Identifier: Apache-2.0
#include "engine/report/report_metrics.h"

namespace gatescope {

std::vector<ReportMetric> reportMetrics(const ReportWords& words) {
    const char* simulated = words(
        "simulated for n up to 512, beyond that from the counts' limiting "
        "distribution",
        "n 不超过 512 时由模拟得到，更大时由计数的极限分布得到");
    const char* exact = words("mean exact; 95 % point simulated or from the limit",
                              "均值为精确值；95 % 分位点由模拟或极限分布得到");
    return {
        {&BalanceRow::maxVio, "MaxVio",
         words("max q - 1 of the summed counts, q = c E / (n k) (Wang et al. 2024, global)",
               "汇总计数的 max q - 1，q = c E / (n k)（Wang 等 2024，全局）"),
         simulated},
        {&BalanceRow::stepMaxVio, words("MaxVio per step", "每步 MaxVio"),
         words("mean over steps of each step's own MaxVio; one token alone always gives E/k - 1",
               "各步自身 MaxVio 的均值；单个词元必然为 E/k - 1"),
         words("a mixture over the sizes of the steps", "按各步词元数混合")},
        {&BalanceRow::minVio, "MinVio", words("1 - min q", "1 - min q"), simulated},
        {&BalanceRow::avgVio, "AvgVio", words("mean of |q - 1|", "|q - 1| 的均值"), exact},
        {&BalanceRow::cv, "CV",
         words("population standard deviation of the counts over their mean",
               "计数的总体标准差除以均值"),
         words("sqrt((E - k) / (n k)), exact as a root mean square",
               "sqrt((E - k) / (n k))，作为均方根精确")},
        {&BalanceRow::gini, "Gini",
         words("2 sum j c_(j) / (E N) - (E + 1)/E, counts ascending; 0 is even",
               "2 Σ j c_(j) / (E N) - (E + 1)/E，计数升序；0 为均衡"),
         exact},
        {&BalanceRow::entropy, words("Normalised entropy", "归一化熵"),
         words("-sum p ln p / ln E of the shares p; 1 is even, smaller is less even",
               "份额 p 的 -Σ p ln p / ln E；1 为均衡，越小越不均衡"),
         exact},
        {&BalanceRow::effectiveExperts, words("Effective experts", "有效专家数"),
         words("exp(-sum p ln p); smaller is less even", "exp(-Σ p ln p)；越小越不均衡"),
         simulated},
        {&BalanceRow::distinct, words("Experts seen", "出现的专家数"),
         words("experts chosen at least once", "至少被选中一次的专家数"),
         words("E (1 - (1 - k/E)^n)", "E (1 - (1 - k/E)^n)")},
    };
}

}  // namespace gatescope
