// matmul against plain loops in double: sizes around every tile, transposes, batches, empty sizes,
// bias, activation.
#include <cmath>
#include <cstdio>
#include <random>

#include "outcome.h"
#include "run_kernel.h"

using namespace symk;
using namespace symk::test;

namespace {

struct Sizes {
  int64_t m, n, k;
};

struct Case {
  int64_t m, n, k;
  bool transpose_a = false, transpose_b = false;
  bool bias = false;  // and all other operands of the epilogue
  std::string activation;
  double limit = INFINITY;
  std::vector<int64_t> a_lead, b_lead, c_lead;
};

int64_t product(const std::vector<int64_t>& sizes) {
  int64_t n = 1;
  for (int64_t size : sizes) n *= size;
  return n;
}

std::vector<int64_t> joined(std::vector<int64_t> lead, int64_t rows, int64_t columns) {
  lead.push_back(rows);
  lead.push_back(columns);
  return lead;
}

/// Where item `item` of the batch `c` begins in an operand with leading axes `lead`, in products.
int64_t batch_position(int64_t item, const std::vector<int64_t>& lead,
                       const std::vector<int64_t>& c) {
  int64_t position = 0, stride = 1;
  for (size_t axis = 0; axis < c.size(); ++axis) {
    const int64_t size = c[c.size() - 1 - axis];
    const int64_t own = axis < lead.size() ? lead[lead.size() - 1 - axis] : 1;
    if (own != 1) position += item % size * stride;
    stride *= own;
    item /= size;
  }
  return position;
}

double apply(const std::string& name, double x) {
  if (name == "relu") return x > 0 ? x : 0;
  if (name == "tanh") return std::tanh(x);
  if (name == "sigmoid") return 1 / (1 + std::exp(-x));
  return x;
}

template <class T>
void check(const Case& c) {
  std::mt19937 generator(7);
  const DType dtype = sizeof(T) == 4 ? DType::kFloat32 : DType::kFloat64;
  GivenBinding binding;
  binding.in = {
      type_of(dtype, c.transpose_a ? joined(c.a_lead, c.k, c.m) : joined(c.a_lead, c.m, c.k)),
      type_of(dtype, c.transpose_b ? joined(c.b_lead, c.n, c.k) : joined(c.b_lead, c.k, c.n))};
  binding.out = {type_of(dtype, joined(c.c_lead, c.m, c.n))};
  binding.text_lists["epilogue"] = {};
  if (c.bias) {
    binding.text_lists["epilogue"] = {"bias", "factor", "scale", "addend"};
    const Type column = type_of(dtype, {c.n}), whole = binding.out[0];
    for (const Type& type : {column, whole, column, whole}) binding.in.push_back(type);
  }
  binding.integer_values = {{"transpose_a", c.transpose_a}, {"transpose_b", c.transpose_b}};
  binding.text_values = {{"activation", c.activation}};
  if (c.limit < INFINITY) binding.real_values = {{"limit", c.limit}};
  const auto a = random_values<T>(product(c.a_lead) * c.m * c.k, generator);
  const auto b = random_values<T>(product(c.b_lead) * c.n * c.k, generator);
  const auto bias = random_values<T>(c.n, generator), scale = random_values<T>(c.n, generator);
  const int64_t count = product(c.c_lead) * c.m * c.n;
  const auto addend = random_values<T>(count, generator);
  const auto factor = random_values<T>(count, generator);
  std::vector<T> result(static_cast<size_t>(product(c.c_lead) * c.m * c.n), T(1e30));
  binding.keeps = (c.m + c.n + c.k) % 2 == 0;
  BoundKernel kernel("matmul", binding);
  std::vector<const void*> in = {a.data(), b.data()};
  if (c.bias) in.insert(in.end(), {bias.data(), factor.data(), scale.data(), addend.data()});
  double worst = 0;
  for (uint64_t version :
       {0, 5, 5, 5, 6}) {  // the same weights again, then others of the same values
    const uint64_t versions[] = {0, version, 0, 0, 0, 0};
    std::fill(result.begin(), result.end(), T(1e30));
    kernel.run(in, {result.data()}, versions);
    for (int64_t item = 0; item < product(c.c_lead); ++item) {
      const T* pa = a.data() + batch_position(item, c.a_lead, c.c_lead) * c.m * c.k;
      const T* pb = b.data() + batch_position(item, c.b_lead, c.c_lead) * c.n * c.k;
      for (int64_t i = 0; i < c.m; ++i) {
        for (int64_t j = 0; j < c.n; ++j) {
          double sum = 0;
          for (int64_t d = 0; d < c.k; ++d) {
            sum += static_cast<double>(c.transpose_a ? pa[d * c.m + i] : pa[i * c.k + d]) *
                   static_cast<double>(c.transpose_b ? pb[j * c.k + d] : pb[d * c.n + j]);
          }
          const size_t column = static_cast<size_t>(j);
          const size_t place = static_cast<size_t>((item * c.m + i) * c.n + j);
          if (c.bias) {
            sum = sum * static_cast<double>(scale[column]) + static_cast<double>(bias[column]) +
                  static_cast<double>(addend[place]);
          }
          const double wanted = std::min(apply(c.activation, sum), c.limit) *
                                (c.bias ? static_cast<double>(factor[place]) : 1);
          const double got = static_cast<double>(result[place]);
          const double error = std::fabs(got - wanted);
          worst = std::isnan(error) ? INFINITY : std::max(worst, error);
        }
      }
    }
    if (product(c.c_lead) * c.m * c.n * c.k > 200000) break;  // once is enough for the large ones
  }
  // k roundings of sums that stay below k by far.
  const double bound = (sizeof(T) == 4 ? 1.2e-7 : 2.3e-16) * (static_cast<double>(c.k) + 16);
  ++cases;
  if (!(worst <= bound)) {
    ++failures;
    std::printf("FAIL m %ld n %ld k %ld ta %d tb %d bias %d %s, %zu bytes: error %g\n", long(c.m),
                long(c.n), long(c.k), c.transpose_a, c.transpose_b, c.bias, c.activation.c_str(),
                sizeof(T), worst);
  }
}

void check_both(const Case& c) {
  check<float>(c);
  check<double>(c);
}

Case plain(int64_t m, int64_t n, int64_t k) {
  Case c;
  c.m = m;
  c.n = n;
  c.k = k;
  return c;
}

}  // namespace

int main() {
  const int64_t rows[] = {0, 1, 2, 5, 6, 7, 13, 14, 15, 29, 113};
  const int64_t columns[] = {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65, 97};
  const int64_t depths[] = {0, 1, 2, 15, 17, 70};
  for (int64_t m : rows) {
    for (int64_t n : columns) {
      for (int64_t k : depths) {
        for (int flags = 0; flags < 8; ++flags) {
          Case c = plain(m, n, k);
          c.transpose_a = flags & 1;
          c.transpose_b = flags & 2;
          c.bias = flags & 4;
          c.activation = flags == 7 ? "relu" : (flags == 4 ? "tanh" : "");
          if (flags == 7 && k % 2 == 1) c.limit = 0.5;
          check_both(c);
        }
      }
    }
  }
  for (int64_t k : {255, 256, 257, 513}) {
    for (int flags = 0; flags < 4; ++flags) {
      Case c = plain(57, 70, k);
      c.transpose_a = flags & 1;
      c.transpose_b = flags & 2;
      c.bias = true;
      c.activation = "sigmoid";
      check_both(c);
    }
  }
  // Rows that are whole pages apart, and tiles that share rows.
  for (int64_t m : {7, 8, 9, 13, 14, 15, 21, 22, 27, 28, 29}) {
    for (int64_t k : {512, 1023, 1024}) {
      Case c = plain(m, 35, k);
      c.bias = k == 1024;
      check_both(c);
    }
  }
  for (int flags = 0; flags < 4; ++flags) {  // many parts
    for (auto [m, n, k] :
         {Sizes{255, 257, 130}, Sizes{1, 3000, 700}, Sizes{3000, 1, 700}, Sizes{33, 1000, 600},
          Sizes{31, 127, 1030}, Sizes{31, 128, 1030}, Sizes{33, 101, 2048}}) {
      Case c = plain(m, n, k);
      c.transpose_a = flags & 1;
      c.transpose_b = flags & 2;
      c.bias = true;
      c.activation = "relu";
      c.limit = 0.25;
      check_both(c);
    }
  }
  struct Lead {
    std::vector<int64_t> a, b, c;
  };
  for (const Lead& lead : {Lead{{3}, {3}, {3}}, Lead{{3}, {}, {3}}, Lead{{}, {3}, {3}},
                           Lead{{2, 1, 5}, {4, 1}, {2, 4, 5}}, Lead{{0}, {0}, {0}},
                           Lead{{0}, {}, {0}}, Lead{{17}, {17}, {17}}, Lead{{1}, {1}, {1}}}) {
    for (int flags = 0; flags < 4; ++flags) {
      for (auto [m, n, k] : {Sizes{1, 1, 1}, Sizes{4, 33, 9}, Sizes{16, 5, 20}, Sizes{1, 40, 12},
                             Sizes{40, 70, 60}, Sizes{3, 2, 0}}) {
        Case c = plain(m, n, k);
        c.transpose_a = flags & 1;
        c.transpose_b = flags & 2;
        c.bias = flags == 3;
        c.a_lead = lead.a;
        c.b_lead = lead.b;
        c.c_lead = lead.c;
        check_both(c);
      }
    }
  }
  return report("matmul");
}
