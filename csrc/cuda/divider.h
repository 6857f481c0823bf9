// Division by a number that is known when a step binds, without the instructions of a division.
#pragma once

#include <cstdint>

#include "cuda/launch.h"

namespace symk::cuda {

/// x / divisor for 0 <= x < 2^31 and 1 <= divisor < 2^31. With 2^(s-1) < divisor <= 2^s, the factor
/// is 2^(31+s) / divisor, rounded up by less than 1: so the product is too large by less than
/// x / 2^(31+s), which is below 1 / divisor and changes no quotient.
class Divider {
 public:
  Divider() = default;
  explicit Divider(int64_t divisor) : divisor_(static_cast<uint32_t>(divisor)) {
    while ((uint64_t{1} << shift_) < divisor_) ++shift_;
    factor_ = ((uint64_t{1} << (31 + shift_)) + divisor_ - 1) / divisor_;
    shift_ += 31;
  }

  SYMK_BOTH uint32_t quotient(uint32_t x) const {
    return static_cast<uint32_t>((uint64_t{x} * factor_) >> shift_);
  }
  /// Makes x its remainder and returns the quotient.
  SYMK_BOTH uint32_t divide(uint32_t& x) const {
    const uint32_t q = quotient(x);
    x -= q * divisor_;
    return q;
  }
  SYMK_BOTH uint32_t divisor() const { return divisor_; }

 private:
  uint32_t divisor_ = 1, shift_ = 0;
  uint64_t factor_ = uint64_t{1} << 31;
};

}  // namespace symk::cuda
