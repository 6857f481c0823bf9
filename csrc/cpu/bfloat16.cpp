// float32 to pairs of bfloat16. The loops have no branches, so that compilers make vectors of them.
#include "cpu/bfloat16.h"

namespace symk::cpu::SYMK_ISA {
namespace {

constexpr uint32_t kExponent = 0x7f800000, kSign = 0x80000000, kQuiet = 0x00400000;
constexpr uint32_t kHigh = 0xffff0000;

/// x in the high half, rounded; the low half is of no meaning.
[[gnu::always_inline]] inline uint32_t rounded(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  const uint32_t magnitude = bits & ~kSign;
  const uint32_t nearest = bits + 0x7fff + ((bits >> 16) & 1);
  const uint32_t normal = magnitude > kExponent ? bits | kQuiet : nearest;
  return (bits & kExponent) == 0 ? bits & kSign : normal;
}

[[gnu::always_inline]] inline void store_pair(float* to, uint32_t first, uint32_t second) {
  const uint32_t pair = first >> 16 | (second & kHigh);
  __builtin_memcpy(to, &pair, sizeof pair);
}

void join(const float* first, const float* second, int64_t count, float* pairs) {
  if (first && second) {
    for (int64_t i = 0; i < count; ++i)
      store_pair(pairs + i, rounded(first[i]), rounded(second[i]));
  } else if (first) {
    for (int64_t i = 0; i < count; ++i) store_pair(pairs + i, rounded(first[i]), 0);
  } else if (second) {
    for (int64_t i = 0; i < count; ++i) store_pair(pairs + i, 0, rounded(second[i]));
  } else {
    for (int64_t i = 0; i < count; ++i) store_pair(pairs + i, 0, 0);
  }
}

void pair_up(const float* x, int64_t count, float* pairs) {
  const int64_t whole = count / 2;
  for (int64_t i = 0; i < whole; ++i)
    store_pair(pairs + i, rounded(x[2 * i]), rounded(x[2 * i + 1]));
  if (count % 2) store_pair(pairs + whole, rounded(x[count - 1]), 0);
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const BfloatKernels& BfloatKernels::of<Isa::SYMK_ISA>() {
  static constexpr BfloatKernels table = {&SYMK_ISA::join, &SYMK_ISA::pair_up};
  return table;
}

}  // namespace symk::cpu
