// symk for C++17: models, functions and arrays over the C interface. Header only; link with the C
// library. Errors are exceptions of class symk::Error; memory is freed by its owners.
//
//   symk::Model model("digits.symk");
//   symk::Array image({1, 8, 8, 1}, pixels);
//   symk::Array probabilities = model.run({image}).at(0);
//   const float first = probabilities.data<float>()[0];
#ifndef SYMK_HPP
#define SYMK_HPP

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "symk_runtime.h"

namespace symk {

// Part of each name, so that nothing here is taken for a class of the static library's own.
inline namespace api {

/// What the C library says went wrong; `status` is a symk_status.
class Error : public std::runtime_error {
 public:
  Error(int status, const std::string& text) : std::runtime_error(text), status_(status) {}
  int status() const { return status_; }

 private:
  int status_;
};

namespace detail {

inline void check(int status) {
  if (status != SYMK_OK) throw Error(status, symk_last_error());
}

template <class T>
T* check(T* pointer) {
  if (pointer == nullptr) throw Error(symk_last_status(), symk_last_error());
  return pointer;
}

inline int check_count(int count) {
  if (count < 0) throw Error(symk_last_status(), symk_last_error());
  return count;
}

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr int32_t value = SYMK_FLOAT32;
};
template <>
struct DTypeOf<double> {
  static constexpr int32_t value = SYMK_FLOAT64;
};
template <>
struct DTypeOf<int8_t> {
  static constexpr int32_t value = SYMK_INT8;
};
template <>
struct DTypeOf<int16_t> {
  static constexpr int32_t value = SYMK_INT16;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr int32_t value = SYMK_INT32;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr int32_t value = SYMK_INT64;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr int32_t value = SYMK_UINT8;
};
template <>
struct DTypeOf<bool> {
  static constexpr int32_t value = SYMK_BOOL;
};

inline size_t item_bytes(int32_t dtype) {
  constexpr size_t bytes[] = {4, 8, 2, 1, 2, 4, 8, 1, 1};
  return bytes[dtype];
}

}  // namespace detail

/// A dense array: memory of its own, or a view of memory of the caller.
class Array {
 public:
  Array() : raw_{} {}

  /// Zeros of this type.
  Array(int32_t dtype, const std::vector<int64_t>& shape) : raw_{} {
    describe(dtype, shape);
    const size_t bytes = size() * detail::item_bytes(dtype);
    // Eight bytes are the largest item.
    owned_ =
        std::shared_ptr<int64_t>(new int64_t[bytes / 8 + 1](), std::default_delete<int64_t[]>());
    raw_.data = owned_.get();
  }

  /// A copy of the values, which must be as many as the shape has.
  template <class T>
  Array(const std::vector<int64_t>& shape, const std::vector<T>& values)
      : Array(detail::DTypeOf<T>::value, shape) {
    if (values.size() != size()) {
      throw Error(SYMK_ARGUMENT, "[array] as many values as elements are required; " +
                                     std::to_string(values.size()) + " were given for " +
                                     std::to_string(size()) + ".");
    }
    if (!values.empty()) std::memcpy(raw_.data, values.data(), size() * sizeof(T));
  }

  /// Memory of the caller, which must stay as long as this array.
  template <class T>
  static Array view(const std::vector<int64_t>& shape, T* data) {
    Array array;
    array.describe(detail::DTypeOf<std::remove_const_t<T>>::value, shape);
    array.raw_.data = const_cast<std::remove_const_t<T>*>(data);
    return array;
  }

  int32_t dtype() const { return raw_.dtype; }
  std::vector<int64_t> shape() const { return {raw_.shape, raw_.shape + raw_.rank}; }
  /// The number of elements.
  size_t size() const {
    size_t count = 1;
    for (int32_t axis = 0; axis < raw_.rank; ++axis) count *= static_cast<size_t>(raw_.shape[axis]);
    return count;
  }
  const symk_array& raw() const { return raw_; }

  template <class T>
  T* data() const {
    if (raw_.dtype != detail::DTypeOf<T>::value)
      throw Error(SYMK_DTYPE, "[array] the elements are of another dtype than was asked for.");
    return static_cast<T*>(raw_.data);
  }

 private:
  void describe(int32_t dtype, const std::vector<int64_t>& shape) {
    if (shape.size() > SYMK_MAX_RANK)
      throw Error(SYMK_SHAPE, "[array] an array has at most 8 axes.");
    if (dtype < SYMK_FLOAT32 || dtype > SYMK_BOOL)
      throw Error(SYMK_DTYPE, "[array] a dtype of enum symk_dtype is required.");
    for (const int64_t size : shape) {
      if (size >= 0) continue;
      throw Error(SYMK_SHAPE, "[array] sizes must be known; one is " + std::to_string(size) +
                                  ", as a model says of sizes that the caller chooses.");
    }
    raw_.dtype = dtype;
    raw_.rank = static_cast<int32_t>(shape.size());
    for (size_t axis = 0; axis < shape.size(); ++axis) raw_.shape[axis] = shape[axis];
  }

  symk_array raw_;
  std::shared_ptr<int64_t> owned_;
};

/// The name and the type of an input, an output or a state; a size that depends on the inputs is
/// -1.
struct Port {
  std::string name;
  int32_t dtype = SYMK_FLOAT32;
  std::vector<int64_t> shape;
};

/// One function of a model file. Many threads may run it at once.
class Function {
 public:
  std::vector<Port> inputs() const {
    return ports(symk_input_count, symk_input_name, symk_input_type);
  }
  std::vector<Port> outputs() const {
    return ports(symk_output_count, symk_output_name, symk_output_type);
  }
  std::vector<Port> states() const {
    return ports(symk_state_count, symk_state_name, symk_state_type);
  }

  /// The outputs, as new arrays.
  std::vector<Array> run(const std::vector<Array>& inputs) const {
    const std::vector<symk_array> in = raw(inputs);
    std::vector<symk_array> out(outputs_);
    detail::check(symk_output_types(get(), in.data(), static_cast<int>(in.size()), out.data(),
                                    static_cast<int>(out.size())));
    std::vector<Array> results;
    for (const symk_array& type : out)
      results.emplace_back(type.dtype, std::vector<int64_t>(type.shape, type.shape + type.rank));
    run(inputs, results);
    return results;
  }

  /// Into arrays of the caller, which must have the types of the outputs.
  void run(const std::vector<Array>& inputs, const std::vector<Array>& outputs) const {
    const std::vector<symk_array> in = raw(inputs), out = raw(outputs);
    detail::check(symk_run(get(), in.data(), static_cast<int>(in.size()), out.data(),
                           static_cast<int>(out.size())));
  }

  /// A copy of a state, and a change of it.
  Array state(int number) const {
    symk_array type{};
    detail::check(symk_state_type(get(), number, &type));
    Array value(type.dtype, {type.shape, type.shape + type.rank});
    detail::check(symk_state_read(get(), number, &value.raw()));
    return value;
  }
  void set_state(int number, const Array& value) const {
    detail::check(symk_state_write(get(), number, &value.raw()));
  }

  symk_program* get() const { return program_.get(); }

 protected:
  explicit Function(symk_program* program)
      : program_(detail::check(program), symk_free),
        outputs_(static_cast<size_t>(detail::check_count(symk_output_count(program)))) {}

 private:
  friend class Model;

  template <class Count, class Name, class Type>
  std::vector<Port> ports(Count count, Name name, Type type) const {
    std::vector<Port> found;
    for (int i = 0; i < detail::check_count(count(get())); ++i) {
      symk_array described{};
      detail::check(type(get(), i, &described));
      found.push_back({detail::check(name(get(), i)),
                       described.dtype,
                       {described.shape, described.shape + described.rank}});
    }
    return found;
  }

  static std::vector<symk_array> raw(const std::vector<Array>& arrays) {
    std::vector<symk_array> raws;
    for (const Array& array : arrays) raws.push_back(array.raw());
    return raws;
  }

  std::shared_ptr<symk_program> program_;
  size_t outputs_;
};

/// A model file. It is its first function itself.
class Model : public Function {
 public:
  explicit Model(const std::string& path) : Function(symk_load_file(path.c_str())) {}
  /// From bytes, which are copied.
  Model(const void* bytes, size_t count) : Function(symk_load_memory(bytes, count)) {}

  std::vector<std::string> functions() const {
    std::vector<std::string> names;
    for (int i = 0; i < detail::check_count(symk_function_count(get())); ++i)
      names.emplace_back(detail::check(symk_function_name(get(), i)));
    return names;
  }

  /// Another function of the file; weights and states are those of this one.
  Function function(const std::string& name) const {
    return Function(symk_function(get(), name.c_str()));
  }

  /// A text that the file carries along; empty if there is none.
  std::string metadata(const std::string& key) const {
    const char* const value = symk_metadata(get(), key.c_str());
    return value == nullptr ? "" : value;
  }

  /// Writes the file again, with the states as they are now.
  void save(const std::string& path) const { detail::check(symk_save_file(get(), path.c_str())); }
};

}  // namespace api
}  // namespace symk

#endif
