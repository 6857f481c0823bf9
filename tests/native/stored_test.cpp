// Products with weights stored as int8 and float16 against plain loops in double: vectors and
// matrices, each with scales by column and by row, sizes around blocks of rows and vectors; and
// that weights which are not as they must be are refused.
#include <cmath>
#include <cstdio>
#include <random>

#include "cpu/dispatch.h"
#include "cpu/half.h"
#include "outcome.h"
#include "run_kernel.h"

using namespace symk;
using namespace symk::test;

namespace {

GivenBinding product(int64_t m, int64_t n, int64_t k, DType stored, bool by_row) {
  GivenBinding binding;
  binding.in = {type_of(DType::kFloat32, {m, k}),
                by_row ? type_of(stored, {n, k}) : type_of(stored, {k, n}),
                type_of(DType::kFloat32, {n})};
  if (stored == DType::kInt8)
    binding.in.push_back(by_row ? type_of(DType::kFloat32, {n, 1}) : type_of(DType::kFloat32, {n}));
  binding.out = {type_of(DType::kFloat32, {m, n})};
  binding.integer_values = {{"transpose_a", 0}, {"transpose_b", by_row}};
  binding.text_values = {{"activation", ""}};
  binding.text_lists = {{"epilogue", {"bias"}}};
  return binding;
}

void check(int64_t m, int64_t n, int64_t k, DType stored, bool by_row, bool keeps) {
  std::mt19937 generator(11);
  const auto x = random_values<float>(m * k, generator), bias = random_values<float>(n, generator);
  const auto scale = random_values<float>(n, generator),
             drawn = random_values<float>(n * k, generator);
  std::vector<int8_t> bytes;
  std::vector<uint16_t> halves;
  std::vector<double> weights;
  for (float value : drawn) {
    bytes.push_back(static_cast<int8_t>(std::lrint(value * 127)));
    halves.push_back(cpu::half_bits(static_cast<double>(value)));
    // half_bits is nearest, so the weight is within 2^-11 of the value; the test allows for it.
    weights.push_back(stored == DType::kInt8 ? static_cast<double>(bytes.back())
                                             : static_cast<double>(value));
  }
  GivenBinding binding = product(m, n, k, stored, by_row);
  binding.keeps = keeps;
  std::vector<float> result(static_cast<size_t>(m * n));
  const bool is_bytes = stored == DType::kInt8;
  std::vector<const void*> in = {
      x.data(),
      is_bytes ? static_cast<const void*>(bytes.data()) : static_cast<const void*>(halves.data()),
      bias.data()};
  if (is_bytes) in.push_back(scale.data());
  BoundKernel kernel("matmul", binding);
  for (uint64_t version : {0, 5, 5, 6}) {
    const uint64_t versions[] = {0, version, 0, version};
    std::fill(result.begin(), result.end(), 1e30f);
    kernel.run(in, {result.data()}, versions);
    bool right = true;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0, size = 0;
        for (int64_t d = 0; d < k; ++d) {
          const double w = weights[static_cast<size_t>(by_row ? j * k + d : d * n + j)];
          sum += static_cast<double>(x[static_cast<size_t>(i * k + d)]) * w;
          size += std::fabs(static_cast<double>(x[static_cast<size_t>(i * k + d)]) * w);
        }
        const double factor = is_bytes ? static_cast<double>(scale[static_cast<size_t>(j)]) : 1;
        const double wanted = sum * factor + static_cast<double>(bias[static_cast<size_t>(j)]);
        const double bound = (is_bytes ? 0 : 0x1p-11 * size) +
                             static_cast<double>(k + 4) * 0x1p-24 * (size * std::fabs(factor) + 1);
        const double made = static_cast<double>(result[static_cast<size_t>(i * n + j)]);
        right = right && std::fabs(made - wanted) <= bound;
      }
    }
    ++cases;
    if (right) continue;
    ++failures;
    std::printf("m %lld n %lld k %lld, %s, by row %d\n", static_cast<long long>(m),
                static_cast<long long>(n), static_cast<long long>(k), is_bytes ? "int8" : "float16",
                by_row);
  }
}

/// A binding that must throw Error.
void check_refused(const char* what, const GivenBinding& binding) {
  ++cases;
  try {
    BoundKernel("matmul", binding);
  } catch (const Error&) {
    return;
  }
  ++failures;
  std::printf("%s is not refused\n", what);
}

void check_refusals() {
  GivenBinding binding = product(3, 4, 5, DType::kInt8, false);
  binding.in.pop_back();
  check_refused("int8 without a scale", binding);
  binding = product(3, 4, 5, DType::kInt8, false);
  binding.in.back() = type_of(DType::kFloat32, {5});
  check_refused("a scale of another size", binding);
  binding.in.back() = type_of(DType::kFloat16, {4});
  check_refused("a scale of another dtype", binding);
  binding.in.back() = type_of(DType::kFloat32, {4, 1});
  check_refused("a scale of other rows", binding);
  binding = product(1, 4, 5, DType::kFloat16, false);
  binding.in[1] = type_of(DType::kFloat16, {20});
  check_refused("weights of one axis", binding);
  binding = product(1, 4, 5, DType::kInt8, false);
  binding.in[1] = type_of(DType::kInt8, {6, 4});
  check_refused("weights of another size", binding);
  binding = product(1, 4, 5, DType::kInt8, false);
  binding.text_values["products"] = "bfloat17";
  check_refused("products of another word", binding);
}

}  // namespace

int main() {
  for (DType stored : {DType::kInt8, DType::kFloat16}) {
    for (bool by_row : {false, true}) {
      for (int64_t m : {1, 2, 15}) {
        for (int64_t n : {1, 3, 4, 5, 8, 9, 15, 16, 17, 33, 70}) {
          for (int64_t k : {1, 7, 8, 9, 16, 17, 130})
            check(m, n, k, stored, by_row, (n + k) % 2 == 0);
        }
      }
      check(1, 700, 900, stored, by_row, true);  // several parts
      check(0, 4, 4, stored, by_row, true);
      check(1, 5, 0, stored, by_row, false);
    }
  }
  check_refusals();
  return report(cpu::isa_name(cpu::active_isa()));
}
