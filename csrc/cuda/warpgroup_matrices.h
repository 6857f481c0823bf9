// Two matrices, or batches of them, as the source of a product by warp groups.
#pragma once

#include "cuda/warpgroup_tile.h"

namespace symk::cuda {

/// The operands as they lie in memory, for sums that are added up again.
struct PlainOperands {
  const float *a, *b;
  const int64_t *a_starts, *b_starts;  // of each product, or null
  int64_t a_row, a_column, b_row, b_column;

  SYMK_HD float added(int64_t product, int64_t row, int64_t column, int64_t first,
                      int64_t last) const {
    const float* const left = a + (a_starts != nullptr ? a_starts[product] : 0) + row * a_row;
    const float* const right =
        b + (b_starts != nullptr ? b_starts[product] : 0) + column * b_column;
    float sum = 0;
    SYMK_ROLLED
    for (int64_t d = first; d < last && !math::is_nan(sum); ++d)
      sum = math::fma(left[d * a_column], right[d * b_row], sum);
    return sum;
  }
};

template <class Form>
struct MatrixSource {
  TensorMap left, right;
  int left_slices, right_slices;  // from one product to the next
  PlainOperands plain;

  /// The first ones.
  struct Lines {
    int left, right, left_slice, right_slice;
  };
  SYMK_HD Lines lines(const TilePlace& place) const {
    return {place.row * Form::rows, place.column * Form::columns, place.product * left_slices,
            place.product * right_slices};
  }
  SYMK_HD void copy(const Stages<Form>& stages, int stage, const Lines& lines, int depth,
                    Barrier* full) const {
    SYMK_UNROLLED
    for (int part = 0; part < Form::parts; ++part) {
      copy_box(stages.left(stage, part), left, depth, lines.left, lines.left_slice + part, full);
      copy_box(stages.right(stage, part), right, depth, lines.right, lines.right_slice + part,
               full);
    }
  }
  SYMK_HD int64_t row(int64_t number) const { return number; }
  SYMK_HD float added(const TilePlace& place, int64_t row, int64_t column, int64_t first,
                      int64_t last) const {
    return plain.added(place.product, row, column, first, last);
  }
};

}  // namespace symk::cuda
