// Arrays of any dtype for the native tests of kernels: read and written as doubles, in memory of
// exactly their size, so that a sanitizer sees every access beside them. check_kernel() runs a
// kernel and compares with what plain loops gave.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <random>

#include "outcome.h"
#include "run_kernel.h"

namespace symk::test {

class Array {
 public:
  Array(DType dtype, const std::vector<int64_t>& shape)
      : type(type_of(dtype, shape)), bytes_(new char[static_cast<size_t>(type.bytes())]()) {}

  double operator[](int64_t i) const {
    switch (type.dtype) {
      case DType::kFloat32: return read<float>(i);
      case DType::kFloat64: return read<double>(i);
      case DType::kInt8: return read<int8_t>(i);
      case DType::kInt16: return read<int16_t>(i);
      case DType::kInt32: return read<int32_t>(i);
      case DType::kInt64: return static_cast<double>(read<int64_t>(i));
      case DType::kFloat16: return read<uint16_t>(i);  // its bits: only moved here
      default: return read<uint8_t>(i);
    }
  }
  void set(int64_t i, double value) {
    switch (type.dtype) {
      case DType::kFloat32: return write(i, static_cast<float>(value));
      case DType::kFloat64: return write(i, value);
      case DType::kInt8: return write(i, static_cast<int8_t>(value));
      case DType::kInt16: return write(i, static_cast<int16_t>(value));
      case DType::kInt32: return write(i, static_cast<int32_t>(value));
      case DType::kInt64: return write(i, static_cast<int64_t>(value));
      case DType::kFloat16: return write(i, static_cast<uint16_t>(value));
      case DType::kBool: return write(i, static_cast<uint8_t>(value != 0));
      default: return write(i, static_cast<uint8_t>(value));
    }
  }
  void fill(double value) {
    for (int64_t i = 0; i < type.count(); ++i) set(i, value);
  }
  void* data() { return bytes_.get(); }
  const void* data() const { return bytes_.get(); }

  Type type;

 private:
  template <class T>
  T read(int64_t i) const {
    T value;
    std::memcpy(&value, bytes_.get() + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    return value;
  }
  template <class T>
  void write(int64_t i, T value) {
    std::memcpy(bytes_.get() + i * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
  }

  std::unique_ptr<char[]> bytes_;
};

inline std::vector<int64_t> shape_of(const Type& type) {
  return std::vector<int64_t>(type.shape, type.shape + type.rank);
}

inline bool is_float(DType dtype) { return dtype == DType::kFloat32 || dtype == DType::kFloat64; }

/// Numbers in -2..2; integers (from 0 for unsigned types) where the dtype or `whole` says so, so
/// that some are equal.
inline Array random_array(DType dtype, const std::vector<int64_t>& shape, std::mt19937& generator,
                          bool whole = false) {
  Array array(dtype, shape);
  std::uniform_real_distribution<double> real(-2, 2);
  const bool is_unsigned =
      dtype == DType::kUInt8 || dtype == DType::kBool || dtype == DType::kFloat16;
  std::uniform_int_distribution<int> integer(is_unsigned ? 0 : -2, dtype == DType::kBool ? 1 : 3);
  for (int64_t i = 0; i < array.type.count(); ++i) {
    array.set(i, is_float(dtype) && !whole ? real(generator) : integer(generator));
  }
  return array;
}

inline int64_t random_integer(int64_t low, int64_t high, std::mt19937& generator) {
  return std::uniform_int_distribution<int64_t>(low, high)(generator);
}

template <class T>
const T& random_choice(const std::vector<T>& values, std::mt19937& generator) {
  return values[static_cast<size_t>(
      random_integer(0, static_cast<int64_t>(values.size()) - 1, generator))];
}

/// The coordinates of element i of a dense array.
inline std::vector<int64_t> coordinates(int64_t i, const std::vector<int64_t>& shape) {
  std::vector<int64_t> result(shape.size());
  for (size_t axis = shape.size(); axis-- > 0;) {
    result[axis] = i % shape[axis];
    i /= shape[axis];
  }
  return result;
}

inline int64_t flat_index(const std::vector<int64_t>& at, const std::vector<int64_t>& shape) {
  int64_t i = 0;
  for (size_t axis = 0; axis < shape.size(); ++axis) i = i * shape[axis] + at[axis];
  return i;
}

inline std::string text_of(const Type& type) {
  std::string text = "dtype " + std::to_string(static_cast<int>(type.dtype)) + " (";
  for (int axis = 0; axis < type.rank; ++axis) text += std::to_string(type.shape[axis]) + ",";
  return text + ")";
}

/// Whether two values agree within `tolerance`, NaN with NaN.
inline bool agree(double a, double b, double tolerance) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b || std::fabs(a - b) <= tolerance;
}

/// Runs a kernel; its outputs hold other bytes before.
inline Status run_kernel(const char* name, GivenBinding binding,
                         const std::vector<const Array*>& in, std::vector<Array>& out) {
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  for (const Array* array : in) {
    binding.in.push_back(array->type);
    inputs.push_back(array->data());
  }
  for (Array& array : out) {
    binding.out.push_back(array.type);
    outputs.push_back(array.data());
    std::memset(array.data(), 0x7f, static_cast<size_t>(array.type.bytes()));
  }
  return BoundKernel(name, binding).run(inputs, outputs);
}

/// Compares outputs of a kernel with `wanted`. A tolerance of 0 means equal.
inline void check_kernel(const char* name, const GivenBinding& binding,
                         const std::vector<const Array*>& in,
                         const std::vector<const Array*>& wanted, double tolerance) {
  ++cases;
  std::vector<Array> out;
  for (const Array* array : wanted) out.emplace_back(array->type.dtype, shape_of(array->type));
  run_kernel(name, binding, in, out);
  for (size_t k = 0; k < wanted.size(); ++k) {
    for (int64_t i = 0; i < wanted[k]->type.count(); ++i) {
      if (agree(out[k][i], (*wanted[k])[i], tolerance)) continue;
      ++failures;
      std::printf("%s: output %zu of %s at %lld is %.9g, not %.9g; input %s\n", name, k,
                  text_of(wanted[k]->type).c_str(), static_cast<long long>(i), out[k][i],
                  (*wanted[k])[i], in.empty() ? "none" : text_of(in[0]->type).c_str());
      return;
    }
  }
}

}  // namespace symk::test
