// The counter-based generator Philox 4x32-10: a block of four words from a seed and a counter,
// nothing else. Source: Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2,
// 3".
#pragma once

#include "math/lanes.h"

namespace symk::math {
inline namespace SYMK_ISA {

constexpr int kPhiloxRounds = 10;
constexpr uint32_t kPhiloxFirst = 0xD2511F53, kPhiloxSecond = 0xCD9E8D57;  // multipliers
constexpr uint32_t kPhiloxKeyFirst = 0x9E3779B9;                           // the golden ratio
constexpr uint32_t kPhiloxKeySecond = 0xBB67AE85;                          // sqrt(3) - 1

struct PhiloxBlock {
  uint32_t word[4];
};

SYMK_HD PhiloxBlock philox(uint64_t seed, uint64_t counter) {
  uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32), c2 = 0,
           c3 = 0;
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const uint64_t first = uint64_t{kPhiloxFirst} * c0, second = uint64_t{kPhiloxSecond} * c2;
    c0 = static_cast<uint32_t>(second >> 32) ^ c1 ^ k0;
    c2 = static_cast<uint32_t>(first >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(second);
    c3 = static_cast<uint32_t>(first);
    k0 += kPhiloxKeyFirst;
    k1 += kPhiloxKeySecond;
  }
  return {{c0, c1, c2, c3}};
}

/// A number in [0, 1) of 24 bits, and one of 53 bits from two words.
SYMK_HD float uniform24(uint32_t word) {
  return static_cast<float>(static_cast<int32_t>(word >> 8)) * 0x1p-24f;
}
SYMK_HD double uniform53(uint32_t high, uint32_t low) {
  const double upper = static_cast<double>(static_cast<int32_t>(high >> 5));
  const double lower = static_cast<double>(static_cast<int32_t>(low >> 6));
  return (upper * 0x1p26 + lower) * 0x1p-53;
}

}  // namespace SYMK_ISA
}  // namespace symk::math
