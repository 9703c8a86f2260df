// SPDX-License-Identifier: Apache-2.0
#include <simt/options.h>

#include <cstdlib>
#include <sstream>

namespace simt {

namespace {

template <typename T>
void readVariable(const char* name, T& value) {
    const char* text = std::getenv(name);
    if (text == nullptr) return;
    std::istringstream stream(text);
    stream >> value;
}

/// "call:after:error"
void readFault(std::vector<Fault>& faults) {
    const char* text = std::getenv("GATESCOPE_SIMT_FAIL");
    if (text == nullptr) return;
    std::istringstream stream(text);
    Fault fault;
    int error = 0;
    char colon = 0;
    if (std::getline(stream, fault.call, ':') && stream >> fault.after >> colon >> error) {
        fault.error = static_cast<cudaError_t>(error);
        faults.push_back(fault);
    }
}

Options fromEnvironment() {
    Options options;
    readVariable("GATESCOPE_SIMT_DEVICES", options.deviceCount);
    readVariable("GATESCOPE_SIMT_DEVICE_MEMORY", options.deviceMemoryBytes);
    readVariable("GATESCOPE_SIMT_LANE_ORDER", options.laneOrderSeed);
    readVariable("GATESCOPE_SIMT_DEFER", options.deferWork);
    readFault(options.faults);
    return options;
}

}  // namespace

Options& options() {
    static Options options = fromEnvironment();
    return options;
}

}  // namespace simt
