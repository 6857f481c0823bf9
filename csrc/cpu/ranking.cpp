// The largest elements of blocks of rows, and which elements are as large as some limit.
#include "cpu/ranking.h"

#include "cpu/vec/vec.h"

namespace symk::cpu::SYMK_ISA {
namespace {

template <class T>
T top_of_block(const T* x, int64_t n) {
  using V = Vec<T>;
  constexpr T infinity = static_cast<T>(__builtin_inf());
  V found(-infinity);
  Mask<T> strange = is_nan(found);
  int64_t i = 0;
  for (; i + V::width <= n; i += V::width) {
    const V value = V::load(x + i);
    strange = strange | is_nan(value);
    found = max(value, found);
  }
  if (i < n) {
    const int rest = static_cast<int>(n - i);
    const V value = select(first_lanes<T>(rest), V::load_partial(x + i, rest), V(-infinity));
    strange = strange | is_nan(value);
    found = max(value, found);
  }
  return mask_bits(strange) != 0 ? infinity : reduce_max(found);
}

template <class T>
void block_tops(const T* row, int64_t n, int64_t length, T* tops) {
  for (int64_t first = 0; first < n; first += length) {
    *tops++ = top_of_block(row + first, n - first < length ? n - first : length);
  }
}

template <class T>
uint64_t not_below(const T* x, int n, T limit) {
  using V = Vec<T>;
  uint64_t bits = 0;
  for (int i = 0; i < n; i += V::width) {
    const int lanes = n - i < V::width ? n - i : V::width;
    const Mask<T> below = V::load_partial(x + i, lanes) < V(limit);
    bits |= static_cast<uint64_t>(mask_bits(first_lanes<T>(lanes) & ~below)) << i;
  }
  return bits;
}

template <class T>
int64_t count_above(const T* x, int64_t n, T limit) {
  using V = Vec<T>;
  int64_t above = 0;
  Mask<T> finite = first_lanes<T>(V::width);
  for (int64_t i = 0; i < n; i += V::width) {
    const int lanes = n - i < V::width ? static_cast<int>(n - i) : V::width;
    const V value = V::load_partial(x + i, lanes);
    finite = finite & (abs(value) < V(static_cast<T>(__builtin_inf())));
    above += __builtin_popcount(mask_bits(first_lanes<T>(lanes) & (value > V(limit))));
  }
  return mask_bits(finite) == mask_bits(first_lanes<T>(V::width)) ? above : n;
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const RankingKernels& RankingKernels::of<Isa::SYMK_ISA>() {
  static constexpr RankingKernels table = {
      {SYMK_ISA::block_tops<float>, SYMK_ISA::not_below<float>, SYMK_ISA::count_above<float>},
      {SYMK_ISA::block_tops<double>, SYMK_ISA::not_below<double>, SYMK_ISA::count_above<double>},
  };
  return table;
}

}  // namespace symk::cpu
