// When a product rounds its operands to bfloat16, and the conversions to pairs that it needs. The
// kernels of products then run on pairs as on floats, with half as many elements along the sum.
#pragma once

#include <string>
#include <vector>

#include "cpu/form_step.h"

namespace symk::cpu {

/// Whether the attribute `products` says "bfloat16". Throws Error for other words than that and
/// "float32", and where the operands are not float32.
bool rounds_products(const Binding& binding, const char* kernel);

/// Pairs along the last axis but `inner`: x is (outer, groups, k, inner), of which `type` keeps the
/// shape but for k, which is halved in its axis.
Conversion pairs_along(int input, const Type& type, int axis, int64_t groups);

/// Rows of `columns` pixels of `channels` elements each, of an input of a convolution, as the
/// gradient by the kernel wants them: pair q is (pixel q - before, pixel q - before + stride) for q
/// < width; pixels outside of the row or behind `last` are zero.
struct PixelPairs {
  int64_t rows, columns, channels, before, stride, width, last;
};
Conversion pairs_of_pixels(int input, const Type& type, const PixelPairs& pairs);

}  // namespace symk::cpu
