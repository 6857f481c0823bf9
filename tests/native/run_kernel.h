// Runs one kernel by name over arrays, without a Plan: what the native tests of kernels are written
// on.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "runtime/error.h"
#include "runtime/kernel.h"
#include "runtime/memory.h"

namespace symk::test {

inline Type type_of(DType dtype, const std::vector<int64_t>& shape) {
  Type type;
  type.dtype = dtype;
  type.rank = static_cast<int>(shape.size());
  for (size_t i = 0; i < shape.size(); ++i) type.shape[i] = shape[i];
  return type;
}

/// Numbers in -1..1.
template <class T>
std::vector<T> random_values(int64_t count, std::mt19937& generator) {
  std::uniform_real_distribution<double> uniform(-1, 1);
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) value = static_cast<T>(uniform(generator));
  return values;
}

/// Attributes given by hand. A missing one without a default is an Error, as in a Plan.
class GivenBinding : public Binding {
 public:
  std::vector<Type> in, out;
  std::map<std::string, int64_t> integer_values;
  std::map<std::string, std::string> text_values;
  std::map<std::string, double> real_values;
  std::map<std::string, std::vector<int64_t>> list_values;
  std::map<std::string, std::vector<std::string>> text_lists;
  bool keeps = false;  // whether every input lasts
  int64_t scratch_bytes = 0;

  const std::vector<Type>& inputs() const override { return in; }
  const std::vector<Type>& outputs() const override { return out; }
  bool has(const char* key) const override {
    return integer_values.count(key) + text_values.count(key) + real_values.count(key) +
               list_values.count(key) + text_lists.count(key) >
           0;
  }
  int64_t integer(const char* key) const override { return get(integer_values, key); }
  int64_t integer(const char* key, int64_t otherwise) const override {
    return integer_values.count(key) ? integer(key) : otherwise;
  }
  double real(const char* key) const override {
    return real_values.count(key) ? get(real_values, key) : static_cast<double>(integer(key));
  }
  std::string text(const char* key) const override { return get(text_values, key); }
  std::string text(const char* key, const char* otherwise) const override {
    return text_values.count(key) ? text(key) : otherwise;
  }
  std::vector<int64_t> integers(const char* key) const override { return get(list_values, key); }
  std::vector<std::string> texts(const char* key) const override { return get(text_lists, key); }
  const Plan& plan(const char*) const override { throw Error(ErrorCode::kFormat, "no Plan"); }
  bool lasting(int) const override { return keeps; }
  std::shared_ptr<Packed> packed(int, const std::string&, int64_t bytes) override {
    return std::make_shared<Packed>(bytes);
  }
  void need_scratch(int64_t bytes) override { scratch_bytes = std::max(scratch_bytes, bytes); }

 private:
  template <class V>
  static V get(const std::map<std::string, V>& values, const char* key) {
    const auto found = values.find(key);
    if (found == values.end()) throw Error(ErrorCode::kFormat, std::string("no attribute ") + key);
    return found->second;
  }
};

/// A bound kernel with its scratch, which has exactly the size asked for, so that a sanitizer sees
/// what lies behind.
class BoundKernel {
 public:
  BoundKernel(const char* name, GivenBinding binding) : binding_(std::move(binding)) {
    const BindFunction bind = find_kernel(name);
    if (!bind) throw Error(ErrorCode::kDevice, std::string("no kernel ") + name);
    step_ = bind(binding_);
    scratch_.reset(static_cast<char*>(::operator new(bytes(), std::align_val_t(64))));
    std::memset(scratch_.get(), 0xff, bytes());  // NaN: scratch is not cleared for a kernel
  }

  Status run(const std::vector<const void*>& in, const std::vector<void*>& out,
             const uint64_t* versions = nullptr) {
    const std::vector<uint64_t> none(in.size(), 0);
    Operands operands;
    operands.in = in.data();
    operands.out = out.data();
    operands.scratch = scratch_.get();
    operands.versions = versions ? versions : none.data();
    return step_->run(operands, thread_pool());
  }

 private:
  struct Free {
    void operator()(char* p) const { ::operator delete(p, std::align_val_t(64)); }
  };
  size_t bytes() const { return static_cast<size_t>(binding_.scratch_bytes); }

  GivenBinding binding_;
  std::unique_ptr<Step> step_;
  std::unique_ptr<char, Free> scratch_;
};

}  // namespace symk::test
