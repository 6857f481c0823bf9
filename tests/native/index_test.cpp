// gather, scatter_add and one_hot against plain loops: every integer dtype, negative indices, empty
// sizes, several axes, sizes that are split; and the status that an index outside its axis gives.
#include "arrays.h"

using namespace symk;
using namespace symk::test;

namespace {

const std::vector<DType> kIndexDTypes = {DType::kInt8, DType::kInt16, DType::kInt32, DType::kInt64,
                                         DType::kUInt8};

Array random_indices(DType dtype, const std::vector<int64_t>& shape, int64_t limit,
                     std::mt19937& generator) {
  Array indices(dtype, shape);
  for (int64_t i = 0; i < indices.type.count(); ++i) {
    const int64_t low = dtype == DType::kUInt8 ? 0 : -limit;
    indices.set(i, static_cast<double>(random_integer(low, limit - 1, generator)));
  }
  return indices;
}

struct Case {
  std::vector<int64_t> shape, indices;
  int64_t axis;
};

std::vector<int64_t> taken_shape(const Case& c) {
  std::vector<int64_t> taken = c.shape;
  taken.erase(taken.begin() + c.axis);
  taken.insert(taken.begin() + c.axis, c.indices.begin(), c.indices.end());
  return taken;
}

/// Calls f(place in the indexed array, place in the other) for all elements.
template <class F>
void for_elements(const Case& c, const Array& indices, F&& f) {
  const std::vector<int64_t> taken = taken_shape(c);
  const Array other(DType::kInt8, taken);
  const auto axis = static_cast<size_t>(c.axis);
  for (int64_t i = 0; i < other.type.count(); ++i) {
    const std::vector<int64_t> at = coordinates(i, taken);
    const std::vector<int64_t> in_indices(
        at.begin() + c.axis, at.begin() + c.axis + static_cast<int64_t>(c.indices.size()));
    int64_t row = static_cast<int64_t>(indices[flat_index(in_indices, c.indices)]);
    if (row < 0) row += c.shape[axis];
    std::vector<int64_t> source(at.begin(), at.begin() + c.axis);
    source.push_back(row);
    source.insert(source.end(), at.begin() + c.axis + static_cast<int64_t>(c.indices.size()),
                  at.end());
    f(flat_index(source, c.shape), i);
  }
}

void check_case(const Case& c, DType dtype, std::mt19937& generator) {
  const DType index_dtype = random_choice(kIndexDTypes, generator);
  const int64_t limit = std::min<int64_t>(c.shape[static_cast<size_t>(c.axis)], 120);
  const bool wide = c.shape[static_cast<size_t>(c.axis)] > 120;
  const Array indices =
      random_indices(wide ? DType::kInt64 : index_dtype, c.indices,
                     wide ? c.shape[static_cast<size_t>(c.axis)] : limit, generator);
  GivenBinding binding;
  binding.integer_values["axis"] = c.axis;

  const Array x = random_array(dtype, c.shape, generator);
  Array y(dtype, taken_shape(c));
  for_elements(c, indices, [&](int64_t from, int64_t to) { y.set(to, x[from]); });
  check_kernel("gather", binding, {&x, &indices}, {&y}, 0);

  if (dtype == DType::kBool || dtype == DType::kFloat16) return;
  // Whole numbers: sums are exact in any order, so plain loops are the measure.
  const Array g = random_array(dtype, taken_shape(c), generator, true);
  Array dx(dtype, c.shape);
  for_elements(c, indices, [&](int64_t to, int64_t from) {
    dx.set(to, dtype == DType::kUInt8  ? static_cast<uint8_t>(dx[to] + g[from])
               : dtype == DType::kInt8 ? static_cast<int8_t>(static_cast<int>(dx[to] + g[from]))
                                       : dx[to] + g[from]);
  });
  check_kernel("scatter_add", binding, {&g, &indices}, {&dx}, 0);
}

void check_one_hot(std::mt19937& generator) {
  for (DType index_dtype : kIndexDTypes) {
    for (DType dtype : {DType::kFloat32, DType::kFloat64, DType::kInt16, DType::kBool}) {
      for (int64_t depth : {0, 1, 5, 40}) {
        const Array indices = random_indices(index_dtype, {3, 7}, 12, generator);
        Array y(dtype, {3, 7, depth});
        for (int64_t i = 0; i < 21; ++i) {
          if (indices[i] >= 0 && indices[i] < static_cast<double>(depth)) {
            y.set(i * depth + static_cast<int64_t>(indices[i]), 1);
          }
        }
        check_kernel("one_hot", {}, {&indices}, {&y}, 0);
      }
    }
  }
}

void check_outside(std::mt19937& generator) {
  for (const char* name : {"gather", "scatter_add"}) {
    for (double value : {5.0, -6.0, 100.0}) {
      for (int64_t place : {0, 3, 69999}) {
        Array indices = random_indices(DType::kInt32, {70000}, 5, generator);
        indices.set(place, value);
        if (place < 69000) indices.set(69500, 77);  // the first is named
        const bool gathers = std::string(name) == "gather";
        const Array in = random_array(DType::kFloat32, {gathers ? 5 : 70000, 2}, generator);
        std::vector<Array> out;
        out.emplace_back(DType::kFloat32, std::vector<int64_t>{gathers ? 70000 : 5, 2});
        GivenBinding binding;
        binding.integer_values["axis"] = 0;
        const Status status = run_kernel(name, binding, {&in, &indices}, out);
        ++cases;
        if (status.code != Status::kOutOfRange || static_cast<double>(status.value) != value ||
            status.position != place || status.limit != 5) {
          ++failures;
          std::printf("%s: the status of a wrong index is wrong\n", name);
        }
      }
    }
  }
}

}  // namespace

int main() {
  std::mt19937 generator(13);
  const std::vector<Case> rows = {{{5, 3}, {4}, 0},          {{5, 3}, {2, 2}, 1},
                                  {{2, 5, 3}, {4}, 1},       {{5}, {}, 0},
                                  {{5, 3}, {0}, 0},          {{5, 0}, {4}, 0},
                                  {{0, 3}, {0}, 0},          {{7, 1}, {9}, 0},
                                  {{3, 9, 2}, {1, 5, 1}, 1}, {{100, 64}, {300}, 0},
                                  {{20000, 17}, {40}, 0},    {{6, 11}, {40000}, 1},
                                  {{4, 3000, 33}, {70}, 1},  {{40, 12, 130}, {9}, 1},
                                  {{1, 1}, {1}, 0}};
  for (const Case& row : rows) {
    for (DType dtype : {DType::kFloat32, DType::kFloat64, DType::kInt8, DType::kInt32,
                        DType::kInt64, DType::kUInt8, DType::kBool, DType::kFloat16}) {
      check_case(row, dtype, generator);
    }
  }
  check_one_hot(generator);
  check_outside(generator);
  return report("index");
}
