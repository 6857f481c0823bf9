// print: copies its operand and writes it to the standard output, the only kernel that anybody can
// see run. Text is made in a buffer of fixed size, so nothing is allocated.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cpu/lambda_step.h"
#include "cpu/require.h"

namespace symk::cpu {
namespace {

constexpr int kLongestNumber = 32;  // "-1.7976931348623157e+308" and the end of the string

/// Text on its way to the standard output, which nobody else writes to meanwhile.
class Output {
 public:
  Output() { flockfile(stdout); }
  ~Output() {
    write();
    std::fflush(stdout);
    funlockfile(stdout);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void add(const char* text, size_t size) {
    if (used_ + size > sizeof(text_)) write();
    if (size > sizeof(text_)) {
      std::fwrite(text, 1, size, stdout);
      return;
    }
    std::memcpy(text_ + used_, text, size);
    used_ += size;
  }
  void add(const char* text) { add(text, std::strlen(text)); }
  void repeat(char letter, int64_t count) {
    for (; count > 0; --count) add(&letter, 1);
  }

 private:
  void write() {
    std::fwrite(text_, 1, used_, stdout);
    used_ = 0;
  }

  char text_[4096];
  size_t used_ = 0;
};

double read_back(const char* text, float) { return std::strtof(text, nullptr); }
double read_back(const char* text, double) { return std::strtod(text, nullptr); }

/// The shortest text, of six digits or more, that reads back as the same number.
template <class T>
void write_real(T value, char* text) {
  if (std::isnan(value)) {
    std::strcpy(text, "nan");
    return;
  }
  constexpr int most_digits = sizeof(T) == 4 ? 9 : 17;
  for (int digits = 6; digits <= most_digits; ++digits) {
    std::snprintf(text, kLongestNumber, "%.*g", digits, static_cast<double>(value));
    if (read_back(text, value) == static_cast<double>(value)) return;
  }
}

template <class T>
T item(const void* data, int64_t i) {
  return static_cast<const T*>(data)[i];
}

void write_integer(int64_t value, char* text) {
  std::snprintf(text, kLongestNumber, "%lld", static_cast<long long>(value));
}

void write_number(DType dtype, const void* data, int64_t i, char* text) {
  switch (dtype) {
    case DType::kFloat32: return write_real(item<float>(data, i), text);
    case DType::kFloat64: return write_real(item<double>(data, i), text);
    case DType::kInt8: return write_integer(item<int8_t>(data, i), text);
    case DType::kInt16: return write_integer(item<int16_t>(data, i), text);
    case DType::kInt32: return write_integer(item<int32_t>(data, i), text);
    case DType::kUInt8: return write_integer(item<uint8_t>(data, i), text);
    case DType::kBool: std::strcpy(text, item<uint8_t>(data, i) ? "true" : "false"); return;
    default: return write_integer(item<int64_t>(data, i), text);
  }
}

/// The part of x from `axis` on, whose first element has number `first`, in brackets.
void write_part(const Type& type, const void* data, int axis, int64_t first, Output& output) {
  if (axis == type.rank) {
    char text[kLongestNumber];
    write_number(type.dtype, data, first, text);
    output.add(text);
    return;
  }
  int64_t stride = 1;
  for (int i = axis + 1; i < type.rank; ++i) stride *= type.shape[i];
  const int inner = type.rank - axis - 1;
  output.add("[");
  for (int64_t i = 0; i < type.shape[axis]; ++i) {
    if (i > 0) {
      output.repeat('\n', inner);
      output.repeat(' ', inner == 0 ? 1 : axis + 1);
    }
    write_part(type, data, axis + 1, first + i * stride, output);
  }
  output.add("]");
}

std::unique_ptr<Step> bind_print(Binding& binding) {
  require_operands(binding, "print", 1, 1);
  const Type x = binding.inputs()[0];
  require_dtype(binding.outputs()[0], x.dtype, "print");
  require(same_shape(x, binding.outputs()[0]), "print", "the shapes must agree");
  if (x.dtype == DType::kFloat16) throw no_dtype("print", x.dtype);
  const std::string message = binding.text("message");
  return make_step([=](const Operands& operands, ThreadPool&) {
    {
      Output output;
      output.add(message.data(), message.size());
      if (!message.empty()) output.add(" ");
      write_part(x, operands.in[0], 0, 0, output);
      output.add("\n");
    }
    if (operands.out[0] != operands.in[0] && x.bytes() > 0) {
      std::memcpy(operands.out[0], operands.in[0], static_cast<size_t>(x.bytes()));
    }
  });
}

const KernelEntry entry("print", bind_print, Empty::kActs);

}  // namespace
}  // namespace symk::cpu
