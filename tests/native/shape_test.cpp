// The kernels that move elements against plain loops: random shapes with zeros and ones, all item
// sizes, negative steps, planes around the transposed tile, arrays long enough to be split over
// parts.
#include <numeric>

#include "arrays.h"

using namespace symk;
using namespace symk::test;

namespace {

const std::vector<DType> kDTypes = {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kInt8,
                                    DType::kInt32,   DType::kInt64,   DType::kBool};

std::vector<int64_t> random_shape(std::mt19937& generator, int most_axes) {
  const std::vector<int64_t> sizes = {0, 1, 1, 2, 2, 3, 4, 5, 8, 17, 33};
  std::vector<int64_t> shape(static_cast<size_t>(random_integer(0, most_axes, generator)));
  for (int64_t& size : shape) size = random_choice(sizes, generator);
  return shape;
}

void check_transpose(const Array& x, const std::vector<int64_t>& perm) {
  const std::vector<int64_t> shape = shape_of(x.type);
  std::vector<int64_t> turned;
  for (int64_t axis : perm) turned.push_back(shape[static_cast<size_t>(axis)]);
  Array y(x.type.dtype, turned);
  for (int64_t i = 0; i < y.type.count(); ++i) {
    const std::vector<int64_t> at = coordinates(i, turned);
    std::vector<int64_t> source(at.size());
    for (size_t axis = 0; axis < at.size(); ++axis)
      source[static_cast<size_t>(perm[axis])] = at[axis];
    y.set(i, x[flat_index(source, shape)]);
  }
  GivenBinding binding;
  binding.list_values["perm"] = perm;
  check_kernel("transpose", binding, {&x}, {&y}, 0);
}

void check_transposes(std::mt19937& generator) {
  for (int repeat = 0; repeat < 200; ++repeat) {
    const std::vector<int64_t> shape = random_shape(generator, 5);
    std::vector<int64_t> perm(shape.size());
    std::iota(perm.begin(), perm.end(), 0);
    std::shuffle(perm.begin(), perm.end(), generator);
    check_transpose(random_array(random_choice(kDTypes, generator), shape, generator), perm);
  }
  const std::vector<std::pair<std::vector<int64_t>, std::vector<int64_t>>> rows = {
      {{64, 64}, {1, 0}},
      {{67, 129}, {1, 0}},
      {{700, 301}, {1, 0}},
      {{3, 40, 37}, {0, 2, 1}},
      {{50, 60, 3}, {2, 0, 1}},
      {{3, 50, 60}, {1, 2, 0}},
      {{2, 28, 28, 70}, {0, 3, 1, 2}},
      {{40, 9, 2}, {1, 0, 2}},
      {{9, 40, 32}, {1, 0, 2}},
      {{4, 5, 6, 7}, {3, 2, 1, 0}}};
  for (const auto& row : rows) {
    for (DType dtype : kDTypes)
      check_transpose(random_array(dtype, row.first, generator), row.second);
  }
}

void check_broadcasts(std::mt19937& generator) {
  for (int repeat = 0; repeat < 150; ++repeat) {
    const std::vector<int64_t> wanted = random_shape(generator, 5);
    const size_t lead =
        static_cast<size_t>(random_integer(0, static_cast<int64_t>(wanted.size()), generator));
    std::vector<int64_t> shape(wanted.begin() + static_cast<int64_t>(lead), wanted.end());
    for (int64_t& size : shape) size = random_integer(0, 1, generator) ? size : 1;
    const Array x = random_array(random_choice(kDTypes, generator), shape, generator);
    Array y(x.type.dtype, wanted);
    for (int64_t i = 0; i < y.type.count(); ++i) {
      std::vector<int64_t> at = coordinates(i, wanted);
      at.erase(at.begin(), at.begin() + static_cast<int64_t>(lead));
      for (size_t axis = 0; axis < at.size(); ++axis) at[axis] = shape[axis] == 1 ? 0 : at[axis];
      y.set(i, x[flat_index(at, shape)]);
    }
    check_kernel("broadcast_to", {}, {&x}, {&y}, 0);
  }
}

void check_concats(std::mt19937& generator) {
  for (int repeat = 0; repeat < 100; ++repeat) {
    std::vector<int64_t> shape = random_shape(generator, 4);
    if (shape.empty()) continue;
    const size_t axis =
        static_cast<size_t>(random_integer(0, static_cast<int64_t>(shape.size()) - 1, generator));
    const DType dtype = random_choice(kDTypes, generator);
    std::vector<Array> parts;
    std::vector<int64_t> whole = shape;
    whole[axis] = 0;
    for (int64_t k = random_integer(1, 4, generator); k > 0; --k) {
      shape[axis] = random_integer(0, 9, generator);
      whole[axis] += shape[axis];
      parts.push_back(random_array(dtype, shape, generator));
    }
    Array y(dtype, whole);
    for (int64_t i = 0; i < y.type.count(); ++i) {
      std::vector<int64_t> at = coordinates(i, whole);
      size_t part = 0;
      while (at[axis] >= parts[part].type.shape[axis]) at[axis] -= parts[part++].type.shape[axis];
      y.set(i, parts[part][flat_index(at, shape_of(parts[part].type))]);
    }
    std::vector<const Array*> in;
    for (const Array& part : parts) in.push_back(&part);
    GivenBinding binding;
    binding.integer_values["axis"] = static_cast<int64_t>(axis);
    check_kernel("concat", binding, in, {&y}, 0);
  }
}

void check_slices(std::mt19937& generator) {
  for (int repeat = 0; repeat < 300; ++repeat) {
    const std::vector<int64_t> shape = random_shape(generator, 4);
    const bool unit_steps = random_integer(0, 2, generator) == 0;
    std::vector<int64_t> begin, step, part;
    for (int64_t size : shape) {
      step.push_back(unit_steps ? 1
                                : random_choice(std::vector<int64_t>{1, 2, 3, -1, -2}, generator));
      begin.push_back(size == 0 ? 0 : random_integer(0, size - 1, generator));
      const int64_t room = step.back() > 0 ? size - 1 - begin.back() : begin.back();
      part.push_back(size == 0 ? 0
                               : random_integer(0, room / std::abs(step.back()) + 1, generator));
    }
    const DType dtype = random_choice(kDTypes, generator);
    const Array x = random_array(dtype, shape, generator), g = random_array(dtype, part, generator);
    Array y(dtype, part), dx(dtype, shape);
    for (int64_t i = 0; i < y.type.count(); ++i) {
      std::vector<int64_t> at = coordinates(i, part);
      for (size_t axis = 0; axis < at.size(); ++axis)
        at[axis] = begin[axis] + at[axis] * step[axis];
      y.set(i, x[flat_index(at, shape)]);
      dx.set(flat_index(at, shape), g[i]);
    }
    GivenBinding binding;
    binding.list_values["begin"] = begin;
    binding.list_values["step"] = step;
    check_kernel("slice", binding, {&x}, {&y}, 0);
    check_kernel("slice_grad", binding, {&g}, {&dx}, 0);
  }
}

void check_pads(std::mt19937& generator) {
  for (int repeat = 0; repeat < 200; ++repeat) {
    const std::vector<int64_t> shape = random_shape(generator, 4);
    std::vector<int64_t> before, after, whole;
    for (int64_t size : shape) {
      const bool padded = random_integer(0, 1, generator) == 1;
      before.push_back(padded ? random_integer(0, 3, generator) : 0);
      after.push_back(padded ? random_integer(0, 3, generator) : 0);
      whole.push_back(before.back() + size + after.back());
    }
    DType dtype = random_choice(kDTypes, generator);
    if (dtype == DType::kFloat16) dtype = DType::kInt16;
    const Array x = random_array(dtype, shape, generator);
    Array y(dtype, whole);
    y.fill(1);
    for (int64_t i = 0; i < x.type.count(); ++i) {
      std::vector<int64_t> at = coordinates(i, shape);
      for (size_t axis = 0; axis < at.size(); ++axis) at[axis] += before[axis];
      y.set(flat_index(at, whole), x[i]);
    }
    GivenBinding binding;
    binding.list_values["before"] = before;
    binding.list_values["after"] = after;
    binding.real_values["value"] = 1;
    check_kernel("pad", binding, {&x}, {&y}, 0);
  }
}

/// Bits of float16 fill values: normal, rounded, the largest, overflow, subnormal, both zeros.
void check_half_fill() {
  const std::vector<std::pair<double, int>> rows = {
      {1.0, 0x3c00},         {-2.5, 0xc100},          {65504, 0x7bff}, {65520, 0x7c00},
      {0x1p-24, 1},          {0x1p-14, 0x400},        {0.0, 0},        {-0.0, 0x8000},
      {1 + 0x1p-11, 0x3c00}, {1 + 0x1.8p-10, 0x3c02}, {0x1p-26, 0}};
  for (const auto& row : rows) {
    const Array x(DType::kFloat16, {0});
    Array y(DType::kFloat16, {2});
    y.fill(row.second);
    GivenBinding binding;
    binding.list_values["before"] = {1};
    binding.list_values["after"] = {1};
    binding.real_values["value"] = row.first;
    check_kernel("pad", binding, {&x}, {&y}, 0);
  }
}

void check_sources() {
  for (DType dtype :
       {DType::kFloat32, DType::kFloat64, DType::kInt8, DType::kInt32, DType::kInt64}) {
    for (int64_t count : {0, 1, 60, 50000}) {
      Array y(dtype, {count});
      const double step = dtype == DType::kInt8 ? 0 : -3;
      for (int64_t i = 0; i < count; ++i) y.set(i, 5 + step * static_cast<double>(i));
      GivenBinding binding;
      binding.real_values["start"] = 5;
      binding.real_values["step"] = step;
      check_kernel("arange", binding, {}, {&y}, 0);
    }
    Array size(dtype, {});
    size.set(0, 42);
    GivenBinding binding;
    binding.integer_values["size"] = 42;
    check_kernel("size", binding, {}, {&size}, 0);
  }
}

void check_large_runs(std::mt19937& generator) {
  const Array x = random_array(DType::kFloat32, {3, 100003}, generator);
  check_kernel("copy", {}, {&x}, {&x}, 0);
  Array reversed(DType::kFloat32, {3, 100003});
  for (int64_t i = 0; i < x.type.count(); ++i) {
    reversed.set(i, x[i / 100003 * 100003 + 100002 - i % 100003]);
  }
  GivenBinding binding;
  binding.list_values["begin"] = {0, 100002};
  binding.list_values["step"] = {1, -1};
  check_kernel("slice", binding, {&x}, {&reversed}, 0);
}

}  // namespace

int main() {
  std::mt19937 generator(11);
  check_transposes(generator);
  check_broadcasts(generator);
  check_concats(generator);
  check_slices(generator);
  check_pads(generator);
  check_half_fill();
  check_sources();
  check_large_runs(generator);
  return report("shape");
}
