// Runs one case of the table below some times, for instruction_counts.py, which counts instructions
// from outside. Prints the multiply-adds of one run.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "run_kernel.h"

using namespace symk;
using symk::test::BoundKernel;
using symk::test::GivenBinding;
using symk::test::type_of;

namespace {

struct Case {
  const char* name;
  const char* kernel;
  std::vector<int64_t> a, b, c;  // two operands and the result
  int64_t stride, groups;
  int64_t multiply_adds;
};

const Case kCases[] = {
    {"matmul", "matmul", {112, 256}, {256, 128}, {112, 128}, 0, 0, 112 * 256 * 128},
    {"matmul_small", "matmul", {32, 32}, {32, 32}, {32, 32}, 0, 0, 32 * 32 * 32},
    {"matrix_vector", "matmul", {1, 512}, {512, 512}, {1, 512}, 0, 0, 512 * 512},
    {"conv_3x3",
     "conv",
     {1, 14, 14, 64},
     {3, 3, 64, 64},
     {1, 14, 14, 64},
     1,
     1,
     14 * 14 * 9 * 64 * 64},
    {"conv_1x1", "conv", {1, 14, 14, 64}, {1, 1, 64, 64}, {1, 14, 14, 64}, 1, 1, 14 * 14 * 64 * 64},
    {"conv_3x3_grad_kernel",
     "conv_grad_kernel",
     {1, 14, 14, 64},
     {1, 14, 14, 64},
     {3, 3, 64, 64},
     1,
     1,
     14 * 14 * 9 * 64 * 64},
    {"conv_7x7s2_grad_image",
     "conv_grad_input",
     {1, 28, 28, 32},
     {7, 7, 3, 32},
     {1, 56, 56, 3},
     2,
     1,
     28 * 28 * 49 * 3 * 32},
    {"depthwise_3x3",
     "conv",
     {1, 28, 28, 32},
     {3, 3, 1, 32},
     {1, 28, 28, 32},
     1,
     32,
     28 * 28 * 9 * 32},
    {"depthwise_3x3s2",
     "conv",
     {1, 28, 28, 32},
     {3, 3, 1, 32},
     {1, 14, 14, 32},
     2,
     32,
     14 * 14 * 9 * 32},
    {"depthwise_3x3_grad_input",
     "conv_grad_input",
     {1, 28, 28, 32},
     {3, 3, 1, 32},
     {1, 28, 28, 32},
     1,
     32,
     28 * 28 * 9 * 32},
    {"depthwise_3x3_grad_kernel",
     "conv_grad_kernel",
     {1, 28, 28, 32},
     {1, 28, 28, 32},
     {3, 3, 1, 32},
     1,
     32,
     28 * 28 * 9 * 32},
    {"grouped_3x3",
     "conv",
     {1, 28, 28, 64},
     {3, 3, 4, 64},
     {1, 28, 28, 64},
     1,
     16,
     28 * 28 * 9 * 4 * 64},
};

int64_t count(const std::vector<int64_t>& shape) { return type_of(DType::kFloat32, shape).count(); }

void run(const Case& c, int times) {
  GivenBinding binding;
  binding.in = {type_of(DType::kFloat32, c.a), type_of(DType::kFloat32, c.b)};
  binding.out = {type_of(DType::kFloat32, c.c)};
  if (c.stride > 0) {
    binding.list_values = {{"strides", {c.stride, c.stride}}, {"dilation", {1, 1}}};
    binding.text_values = {{"padding", "same"}};
    binding.integer_values = {{"groups", c.groups}};
  }
  const std::vector<float> a(static_cast<size_t>(count(c.a)), 1),
      b(static_cast<size_t>(count(c.b)), 1);
  std::vector<float> result(static_cast<size_t>(count(c.c)));
  BoundKernel kernel(c.kernel, binding);
  for (int i = 0; i < times; ++i) kernel.run({a.data(), b.data()}, {result.data()});
  std::printf("%lld\n", static_cast<long long>(c.multiply_adds));
}

}  // namespace

/// instruction_counts NAME TIMES runs a case; without arguments the names are listed.
int main(int argc, char** argv) {
  set_thread_count(1);
  for (const Case& c : kCases) {
    if (argc < 3) std::printf("%s\n", c.name);
    if (argc == 3 && std::strcmp(argv[1], c.name) == 0) {
      run(c, std::atoi(argv[2]));
      return 0;
    }
  }
  return argc < 3 ? 0 : 1;
}
