// Runs products: on tensor cores where the device has them and a product is large enough to fill a
// tile, else as float32 and float64 are multiplied (tile.h).
#pragma once

#include "cuda/tensor_tile.h"
#include "cuda/tile.h"

namespace symk::cuda {

/// Whether tensor cores take a product of float32 of this size.
inline bool takes_tensor_cores(const Queue& queue, const ProductSize& size) {
  constexpr int64_t least = 16;  // an instruction multiplies 16 rows, over a depth of 8 or 16
  constexpr int64_t most = (int64_t{1} << 31) - 1024;  // a tile less: places are counted in 31 bits
  const auto sizes = {size.rows, size.columns, size.depth};
  return queue.tensor_cores && std::min(sizes) >= least && std::max(sizes) < most;
}

/// Runs the products of a source.
template <class T, class Source>
void run_product(const Queue& queue, const Source& source, const ProductSize& size,
                 const ProductCut& cut) {
  if constexpr (sizeof(T) == 8) {
    run_tiles<DoubleTile, Source, T>(queue, source, size, cut);
  } else if (takes_tensor_cores(queue, size)) {
    run_on_tensor_cores(queue, source, size, cut);
  } else if (cut.large) {
    run_tiles<LargeTile, Source, T>(queue, source, size, cut);
  } else {
    run_tiles<SmallTile, Source, T>(queue, source, size, cut);
  }
}

}  // namespace symk::cuda
