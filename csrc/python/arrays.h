// NumPy arrays at the door: checked and, where that changes no value, converted on the way in; made
// on the way out.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <string>

#include "runtime/plan.h"
#include "runtime/sizes.h"
#include "runtime/tensor.h"

namespace symk::door {

/// Loads NumPy's C API; once, before all others.
void load_numpy();

/// What a value must become: the label stands in messages, as "input x".
struct Wanted {
  DType dtype = DType::kFloat32;
  std::string label;
};

/// Whether `value` is an array that can be used as it is: of this dtype, row-major, aligned, at
/// most 8 axes.
bool usable(PyObject* value, DType dtype);

/// An array that can be used, with the values of `value`. Throws Error(kDtype) when a value would
/// change or is no number. `given_dtype`, if not null, receives the name of the dtype that was
/// given.
pybind11::object convert(pybind11::handle value, const Wanted& wanted,
                         std::string* given_dtype = nullptr);

/// Of an array that can be used.
const void* data_of(PyObject* array);
Shape shape_of(PyObject* array);
DType dtype_of(PyObject* array);

/// A new array and where its memory is. Large ones use recycled memory, which has been touched
/// before.
pybind11::object new_array(const Type& type, void** data);

/// A read-only array over the memory of a tensor, which it keeps alive.
pybind11::object view_of(const std::shared_ptr<Tensor>& tensor);

}  // namespace symk::door
