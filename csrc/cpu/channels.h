// Walks over the channels of a pixel in blocks of vectors, for kernels that treat every channel
// alike. For files compiled per instruction set: everything is in the namespace of the set.
#pragma once

#include "cpu/vec/vec.h"

namespace symk::cpu::SYMK_ISA {

/// Some vectors of channels that are walked together; `lanes` of each are in use.
template <class T, int vectors>
struct ChannelBlock {
  static constexpr int count = vectors;
  int lanes;

  [[gnu::always_inline]] Vec<T> load(const T* p, int k) const {
    p += k * Vec<T>::width;
    return lanes == Vec<T>::width ? Vec<T>::load(p) : Vec<T>::load_partial(p, lanes);
  }
  [[gnu::always_inline]] void store(Vec<T> v, T* p, int k) const {
    p += k * Vec<T>::width;
    if (lanes == Vec<T>::width)
      v.store(p);
    else
      v.store_partial(p, lanes);
  }
};

/// Calls f(channel, block) for blocks of `most` vectors, half as many, and so on; only the last
/// vector of all may be in part.
template <class T, int most, class F>
[[gnu::always_inline]] inline void for_channels(int64_t channels, F&& f, int64_t first = 0) {
  constexpr int width = Vec<T>::width;
  int64_t c = first;
  for (; c + most * width <= channels; c += most * width) f(c, ChannelBlock<T, most>{width});
  if constexpr (most > 1) {
    for_channels<T, most / 2>(channels, f, c);
  } else if (c < channels) {
    f(c, ChannelBlock<T, 1>{static_cast<int>(channels - c)});
  }
}

}  // namespace symk::cpu::SYMK_ISA
