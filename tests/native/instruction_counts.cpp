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
  std::vector<int64_t> a, b, result;
  int64_t multiply_adds;
  int64_t stride, groups;  // of a convolution; 0 for others
};

Case product(const char* name, int64_t rows, int64_t inner, int64_t columns) {
  return {name, "matmul", {rows, inner}, {inner, columns}, {rows, columns}, rows * inner * columns,
          0,    0};
}

/// A convolution of one square image with as many results as pixels divided by the stride, or one
/// of its gradients.
struct Convolution {
  int64_t pixels, window, channels, filters;
  int64_t stride = 1, groups = 1;

  Case forward(const char* name) const { return make(name, "conv", image(), kernel(), results()); }
  Case grad_input(const char* name) const {
    return make(name, "conv_grad_input", results(), kernel(), image());
  }
  Case grad_kernel(const char* name) const {
    return make(name, "conv_grad_kernel", image(), results(), kernel());
  }

 private:
  using Shape = std::vector<int64_t>;
  int64_t side() const { return pixels / stride; }
  Shape image() const { return {1, pixels, pixels, channels}; }
  Shape kernel() const { return {window, window, channels / groups, filters}; }
  Shape results() const { return {1, side(), side(), filters}; }
  Case make(const char* name, const char* kind, Shape a, Shape b, Shape result) const {
    return {name,   kind,   a,
            b,      result, side() * side() * window * window * channels / groups * filters,
            stride, groups};
  }
};

const Case kCases[] = {
    product("matmul", 112, 256, 128),
    product("matmul_small", 32, 32, 32),
    product("matrix_vector", 1, 512, 512),
    Convolution{14, 3, 64, 64}.forward("conv_3x3"),
    Convolution{14, 1, 64, 64}.forward("conv_1x1"),
    Convolution{14, 3, 64, 64}.grad_kernel("conv_3x3_grad_kernel"),
    Convolution{56, 7, 3, 32, 2}.grad_input("conv_7x7s2_grad_image"),
    Convolution{28, 3, 32, 32, 1, 32}.forward("depthwise_3x3"),
    Convolution{28, 3, 32, 32, 2, 32}.forward("depthwise_3x3s2"),
    Convolution{28, 3, 32, 32, 1, 32}.grad_input("depthwise_3x3_grad_input"),
    Convolution{28, 3, 32, 32, 1, 32}.grad_kernel("depthwise_3x3_grad_kernel"),
    Convolution{28, 3, 64, 64, 1, 16}.forward("grouped_3x3"),
};

int64_t count(const std::vector<int64_t>& shape) { return type_of(DType::kFloat32, shape).count(); }

void run(const Case& c, int times) {
  GivenBinding binding;
  binding.in = {type_of(DType::kFloat32, c.a), type_of(DType::kFloat32, c.b)};
  binding.out = {type_of(DType::kFloat32, c.result)};
  if (c.stride > 0) {
    binding.list_values = {{"strides", {c.stride, c.stride}}, {"dilation", {1, 1}}};
    binding.text_values = {{"padding", "same"}};
    binding.integer_values = {{"groups", c.groups}};
  }
  const std::vector<float> a(static_cast<size_t>(count(c.a)), 1),
      b(static_cast<size_t>(count(c.b)), 1);
  std::vector<float> result(static_cast<size_t>(count(c.result)));
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
