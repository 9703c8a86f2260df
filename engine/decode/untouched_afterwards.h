// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>

#include "engine/model/decoder.h"

namespace gatescope {

/// A decoder that is to be without interventions and with an empty cache, now and whatever happens
/// until the end of the block.
class UntouchedAfterwards {
  public:
    explicit UntouchedAfterwards(Decoder& decoder) : m_decoder(decoder) { restore(); }
    ~UntouchedAfterwards() {
        try {
            restore();
        } catch (const std::exception&) {
            // A device that fails here says so in its next operation.
        }
    }
    UntouchedAfterwards(const UntouchedAfterwards&) = delete;
    UntouchedAfterwards& operator=(const UntouchedAfterwards&) = delete;

  private:
    void restore() {
        m_decoder.truncate(0);
        m_decoder.setInterventions({});
    }
    Decoder& m_decoder;
};

}  // namespace gatescope
