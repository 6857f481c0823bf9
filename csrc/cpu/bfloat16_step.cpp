// Conversions of operands to pairs of bfloat16, cut into parts.
#include "cpu/bfloat16_step.h"

#include "cpu/bfloat16.h"
#include "cpu/dispatch.h"
#include "cpu/parts.h"
#include "cpu/require.h"

namespace symk::cpu {
namespace {

/// count things of `size` elements each are cut into parts that are worth a thread.
template <class F>
void in_parts(ThreadPool& pool, int64_t count, int64_t size, F&& rows) {
  const int64_t parts = clamp(count * size / kPartElements, 1, clamp(count, 1, kMaxParts));
  run_parts(pool, parts, [&](int64_t part) {
    rows(part_begin(count, part, parts), part_begin(count, part + 1, parts));
  });
}

/// x (outer, k, inner) to pairs (outer, ceil(k / 2), inner).
struct Pairing {
  int64_t outer, k, inner;

  void operator()(const float* x, float* pairs, ThreadPool& pool) const {
    const auto& kernels_here = kernels<BfloatKernels>();
    const int64_t pair_count = divide_up(k, 2);
    if (inner == 1) {
      in_parts(pool, outer, k, [&](int64_t first, int64_t last) {
        if (k % 2 == 0)
          return kernels_here.pair_up(x + first * k, (last - first) * k,
                                      pairs + first * pair_count);
        for (int64_t i = first; i < last; ++i)
          kernels_here.pair_up(x + i * k, k, pairs + i * pair_count);
      });
      return;
    }
    in_parts(pool, outer * pair_count, 2 * inner, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const int64_t d = i % pair_count * 2;
        const float* row = x + (i / pair_count * k + d) * inner;
        kernels_here.join(row, d + 1 < k ? row + inner : nullptr, inner, pairs + i * inner);
      }
    });
  }
};

void pair_pixels(const PixelPairs& p, const float* x, float* pairs) {
  const auto& kernels_here = kernels<BfloatKernels>();
  const auto pixel = [&](int64_t place) {
    const bool inside = place >= 0 && place < p.columns && place + p.before < p.last;
    return inside ? x + place * p.channels : nullptr;
  };
  for (int64_t q = 0; q < p.width; ++q, pairs += p.channels)
    kernels_here.join(pixel(q - p.before), pixel(q - p.before + p.stride), p.channels, pairs);
}

}  // namespace

bool rounds_products(const Binding& binding, const char* kernel) {
  if (!binding.has("products")) return false;
  const std::string products = binding.text("products");
  require(products == "bfloat16" || products == "float32", kernel,
          "products must be of float32 or bfloat16");
  if (products == "float32") return false;
  require(!binding.outputs().empty() && binding.outputs()[0].dtype == DType::kFloat32, kernel,
          "products of bfloat16 must have a float32 result");
  return true;
}

Conversion pairs_along(int input, const Type& type, int axis, int64_t groups) {
  Pairing pairing = {groups, type.shape[axis] / groups, 1};
  for (int i = 0; i < axis; ++i) pairing.outer *= type.shape[i];
  for (int i = axis + 1; i < type.rank; ++i) pairing.inner *= type.shape[i];
  Type pairs = type;
  pairs.shape[axis] = groups * divide_up(pairing.k, 2);
  const std::string form = form_of("bfloat16", {pairing.outer, pairing.k, pairing.inner});
  const auto convert = [input, pairing](const void* const* in, void* to, ThreadPool& pool) {
    pairing(static_cast<const float*>(in[input]), static_cast<float*>(to), pool);
  };
  return {input, pairs, pairs.bytes(), form, convert};
}

Conversion pairs_of_pixels(int input, const Type& type, const PixelPairs& p) {
  const int64_t bytes =
      checked_multiply(checked_multiply(p.rows, p.width), checked_multiply(p.channels, 4));
  const auto convert = [input, p](const void* const* in, void* to, ThreadPool& pool) {
    const float* x = static_cast<const float*>(in[input]);
    float* pairs = static_cast<float*>(to);
    in_parts(pool, p.rows, 2 * p.width * p.channels, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row)
        pair_pixels(p, x + row * p.columns * p.channels, pairs + row * p.width * p.channels);
    });
  };
  const std::string form = form_of(
      "bfloat16 pixels", {p.rows, p.columns, p.channels, p.before, p.stride, p.width, p.last});
  return {input, type, bytes, form, convert};
}

}  // namespace symk::cpu
