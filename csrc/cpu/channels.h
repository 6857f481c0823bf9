// Walks over the channels of a pixel in blocks of vectors, for kernels that treat every channel
// alike. For files compiled per instruction set: everything is in the namespace of the set.
#pragma once

#include "cpu/vec/vec.h"

namespace symk::cpu::SYMK_ISA {

/// Some whole vectors of channels that are walked together.
template <class T, int vectors>
struct WholeBlock {
  static constexpr int count = vectors;

  [[gnu::always_inline]] Vec<T> load(const T* p, int k) const {
    return Vec<T>::load(p + k * Vec<T>::width);
  }
  [[gnu::always_inline]] void store(Vec<T> v, T* p, int k) const { v.store(p + k * Vec<T>::width); }
  [[gnu::always_inline]] Mask<T> lanes() const { return first_lanes<T>(Vec<T>::width); }
};

/// The first lanes of one vector.
template <class T>
struct PartBlock {
  static constexpr int count = 1;
  int used;

  [[gnu::always_inline]] Vec<T> load(const T* p, int) const {
    return Vec<T>::load_partial(p, used);
  }
  [[gnu::always_inline]] void store(Vec<T> v, T* p, int) const { v.store_partial(p, used); }
  [[gnu::always_inline]] Mask<T> lanes() const { return first_lanes<T>(used); }
};

/// Calls f(channel, block) for whole blocks of `most` vectors, half as many, and so on to `least`;
/// gives the first channel that is left.
template <class T, int most, int least = 1, class F>
[[gnu::always_inline]] inline int64_t for_whole_channels(int64_t channels, F&& f,
                                                         int64_t first = 0) {
  constexpr int64_t step = most * Vec<T>::width;
  int64_t c = first;
  for (; c + step <= channels; c += step) f(c, WholeBlock<T, most>{});
  if constexpr (most > least) c = for_whole_channels<T, most / 2, least>(channels, f, c);
  return c;
}

/// The same for all channels from `first` on; only the last vector of all may be in part. With
/// `masked`, any single vector is one in part: one body less, but a vector in part is no operand of
/// a multiplication in memory.
template <class T, int most, bool masked = false, class F>
[[gnu::always_inline]] inline void for_channels(int64_t channels, F&& f, int64_t first = 0) {
  constexpr int64_t width = Vec<T>::width;
  int64_t c = first;
  if constexpr (most > 1 || !masked)
    c = for_whole_channels<T, most, masked ? 2 : 1>(channels, f, first);
  for (; c < channels; c += width)
    f(c, PartBlock<T>{static_cast<int>(channels - c < width ? channels - c : width)});
}

}  // namespace symk::cpu::SYMK_ISA
