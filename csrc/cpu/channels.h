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

/// Calls f(channel, block) for blocks of `most` vectors, half as many, and so on; only the last
/// vector of all may be in part. Where masks cost nothing, any single vector is one in part.
template <class T, int most, class F>
[[gnu::always_inline]] inline void for_channels(int64_t channels, F&& f, int64_t first = 0) {
  constexpr int width = Vec<T>::width;
  int64_t c = first;
  if constexpr (most > 1 || !kFreeMasks) {
    for (; c + most * width <= channels; c += most * width) f(c, WholeBlock<T, most>{});
  }
  if constexpr (most > 1) {
    for_channels<T, most / 2>(channels, f, c);
  } else {
    for (; c < channels; c += width)
      f(c, PartBlock<T>{static_cast<int>(channels - c < width ? channels - c : width)});
  }
}

}  // namespace symk::cpu::SYMK_ISA
