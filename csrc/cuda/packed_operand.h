// Operands of products as warp groups multiply them: rounded to what they are multiplied as, and
// each line (a row of A, a column of B) with its depths together, at a multiple of 16 bytes.
//
// Values between steps are of float32, and products of TF32 want both operands along the depth: so
// an operand is written anew before its product, once for all tiles that read it. One of TF32 that
// lies so already is left in its place, and rounded while it is copied.
#pragma once

#include "cuda/divider.h"
#include "cuda/mma.h"
#include "cuda/tensor_map.h"

namespace symk::cuda {

/// How many depths of a line a box has.
constexpr int64_t box_depth(Factor factor) {
  return factor == Factor::kBfloat16 || factor == Factor::kFloat16 ? kBoxLineBytes / 2
                                                                   : kBoxLineBytes / 4;
}

/// How a factor is kept in words of 32 bits. float32 has two parts, that of TF32 and the rest.
template <Factor factor>
struct PackedFactor {
  static constexpr int parts = factor == Factor::kFloat32 ? 2 : 1;
  static constexpr int per_word = factor == Factor::kBfloat16 || factor == Factor::kFloat16 ? 2 : 1;
  static constexpr BoxElement element = per_word == 2 ? BoxElement::kBits16 : BoxElement::kBits32;
  static constexpr int depths_per_line = static_cast<int>(box_depth(factor));

  /// Of `per_word` neighbours along the depth.
  SYMK_HD static uint32_t word(int part, const float* numbers) {
    if constexpr (factor == Factor::kFloat32) {
      const float big = math::nearest_tf32(numbers[0]);
      return math::float_bits(part == 0 ? big : numbers[0] - big);
    } else if constexpr (factor == Factor::kTf32) {
      return tf32_bits(numbers[0]);
    } else {
      return pair_bits<factor>(numbers[0], numbers[1]);
    }
  }
};

/// An operand as a step finds it when it binds. `products` is 1 where all share one matrix.
struct OperandForm {
  int64_t line_step = 0, depth_step = 0;  // in elements; one of them is 1
  int64_t lines = 0, depth = 0, products = 1;
};

/// Writes an operand anew; a block has a square of it.
template <Factor factor>
struct PackOperand {
  using Packed = PackedFactor<factor>;
  static constexpr int kLines = 32, kDepths = 64, kThreads = 256;

  const float* data;
  const int64_t* starts;  // of each product; null where they are a step apart
  int64_t product_step;
  OperandForm form;
  int64_t words;  // of a line
  uint32_t* packed;
  Divider across = Divider((form.depth + kDepths - 1) / kDepths);
  Divider down = Divider((form.lines + kLines - 1) / kLines);

  /// Below 2^31: squares of so many would hold more than any memory.
  int64_t blocks() const { return form.products * across.divisor() * down.divisor(); }

  SYMK_HD void operator()(int64_t block) const {
    __shared__ float tile[kDepths][kLines + 1];
    auto square = static_cast<uint32_t>(block);
    uint32_t row = across.divide(square);
    const uint32_t product = down.divide(row);
    const int64_t depth = int64_t{square} * kDepths, line = int64_t{row} * kLines;
    read(tile, data + (starts != nullptr ? starts[product] : product * product_step), line, depth);
    __syncthreads();
    SYMK_UNROLLED
    for (int part = 0; part < Packed::parts; ++part)
      write(tile, part, (int64_t{product} * Packed::parts + part) * form.lines, line, depth);
  }

 private:
  /// Neighbouring threads read what are neighbours in memory.
  SYMK_HD void read(float (&tile)[kDepths][kLines + 1], const float* from, int64_t line,
                    int64_t depth) const {
    const bool along_depth = form.depth_step == 1;
    SYMK_UNROLLED
    for (int i = 0; i < kLines * kDepths / kThreads; ++i) {
      const int e = static_cast<int>(threadIdx.x) + i * kThreads;
      const int l = along_depth ? e / kDepths : e % kLines;
      const int d = along_depth ? e % kDepths : e / kLines;
      const bool inside = line + l < form.lines && depth + d < form.depth;
      tile[d][l] =
          inside ? from[(line + l) * form.line_step + (depth + d) * form.depth_step] : 0.0f;
    }
  }

  SYMK_HD void write(const float (&tile)[kDepths][kLines + 1], int part, int64_t first_line,
                     int64_t line, int64_t depth) const {
    constexpr int across = kDepths / Packed::per_word;
    SYMK_UNROLLED
    for (int i = 0; i < kLines * across / kThreads; ++i) {
      const int e = static_cast<int>(threadIdx.x) + i * kThreads;
      const int l = e / across, word = e % across, d = word * Packed::per_word;
      if (line + l >= form.lines || depth + d >= form.depth) continue;
      float numbers[Packed::per_word];
      SYMK_UNROLLED
      for (int n = 0; n < Packed::per_word; ++n) numbers[n] = tile[d + n][l];
      packed[(first_line + line + l) * words + depth / Packed::per_word + word] =
          Packed::word(part, numbers);
    }
  }
};

/// An operand of a step: whether it is written anew, and where. One that is not has lines of a
/// multiple of 16 bytes; so it begins at one, also where it is a row of a larger array.
template <Factor factor>
class PackedOperand {
  using Packed = PackedFactor<factor>;

 public:
  PackedOperand() = default;
  /// `product_step`: elements from one matrix of a batch to the next, where it is the same for all
  /// of them, else -1.
  PackedOperand(const OperandForm& form, int64_t product_step)
      : form_(form), product_step_(product_step) {
    constexpr int64_t words_of_16_bytes = 4;
    const int64_t words = (form.depth + Packed::per_word - 1) / Packed::per_word;
    words_ = (words + words_of_16_bytes - 1) / words_of_16_bytes * words_of_16_bytes;
    in_place_ = factor == Factor::kTf32 && form.depth_step == 1 && form.line_step % 4 == 0 &&
                has_even_steps() && product_step % 4 == 0;
  }

  int64_t scratch_bytes() const {
    return in_place_ ? 0 : form_.products * Packed::parts * form_.lines * words_ * 4;
  }

  /// Where the operand lies, a slice for each product and part, when what writes it has been done:
  /// that is asked for here.
  BoxArray pack(const Queue& queue, const float* data, const int64_t* starts, void* scratch) const {
    BoxArray array;
    array.depth = form_.depth;
    array.lines = form_.lines;
    if (in_place_) {
      array.data = data;
      array.element = BoxElement::kRounded;
      array.slices = form_.products;
      array.line_step = form_.line_step * 4;
      array.slice_step = form_.products == 1 ? array.line_step * array.lines : product_step_ * 4;
      return array;
    }
    const PackOperand<factor> pack = {data,          has_even_steps() ? nullptr : starts,
                                      product_step_, form_,
                                      words_,        static_cast<uint32_t*>(scratch)};
    blocks(queue, pack.blocks(), PackOperand<factor>::kThreads, 0, pack);
    array.data = scratch;
    array.element = Packed::element;
    array.slices = form_.products * Packed::parts;
    array.line_step = words_ * 4;
    array.slice_step = words_ * 4 * form_.lines;
    return array;
  }
  /// From one product to the next; 0 where they share one.
  int slices_per_product() const { return form_.products == 1 ? 0 : Packed::parts; }

 private:
  bool has_even_steps() const { return form_.products == 1 || product_step_ >= 0; }

  OperandForm form_;
  int64_t product_step_ = 0, words_ = 0;
  bool in_place_ = false;
};

}  // namespace symk::cuda
