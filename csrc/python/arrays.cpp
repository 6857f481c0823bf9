// NumPy arrays through NumPy's C API: a call with arrays that fit costs a fraction of a microsecond
// per array.
#include "python/arrays.h"

#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#include <numpy/arrayobject.h>

#include "python/recycler.h"
#include "runtime/error.h"

namespace py = pybind11;

namespace symk::door {
namespace {

constexpr int kNumpyTypes[kDTypeCount] = {NPY_FLOAT32, NPY_FLOAT64, NPY_FLOAT16,
                                          NPY_INT8,    NPY_INT16,   NPY_INT32,
                                          NPY_INT64,   NPY_UINT8,   NPY_BOOL};

// Below this NumPy's own small-block cache is faster than a recycled block and its capsule.
constexpr int64_t kSmallBytes = 4096;

PyArrayObject* as_array(PyObject* object) { return reinterpret_cast<PyArrayObject*>(object); }

std::string text(py::handle value) { return py::cast<std::string>(py::str(value)); }

[[noreturn]] void refuse(const Wanted& wanted, const std::string& given,
                         const std::string& advice) {
  throw Error(ErrorCode::kDtype, "[" + wanted.label + "] the dtype must be " +
                                     dtype_name(wanted.dtype) + "; " + given + " was given. " +
                                     advice);
}

py::object as_numpy(py::handle value, const Wanted& wanted) {
  PyObject* const array = PyArray_FROM_O(value.ptr());
  if (array != nullptr) return py::reinterpret_steal<py::object>(array);
  const py::error_already_set failure;
  refuse(wanted, "a value that NumPy cannot make an array of", std::string(failure.what()));
}

bool is_float(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64 || dtype == DType::kFloat16;
}

/// Whether every value of the kind of `array` can be held by the wanted dtype, at most rounded.
bool always_fits(PyArrayObject* array, DType wanted) {
  const char kind = PyArray_DESCR(array)->kind;
  if (is_float(wanted)) return true;
  if (kind == 'f') return false;
  return PyArray_CanCastSafely(PyArray_TYPE(array), kNumpyTypes[static_cast<int>(wanted)]) != 0;
}

/// The array cast without looking at what is lost; whoever calls compares.
py::object cast(PyArrayObject* array, DType wanted) {
  PyArray_Descr* const descr = PyArray_DescrFromType(kNumpyTypes[static_cast<int>(wanted)]);
  PyObject* const result =
      PyArray_FromArray(array, descr, NPY_ARRAY_CARRAY_RO | NPY_ARRAY_FORCECAST);
  if (result == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(result);
}

/// Casts values that may be lost, and throws if one was.
py::object cast_exactly(py::handle array, const Wanted& wanted, const std::string& given) {
  const py::object quiet = py::module_::import("numpy").attr("errstate")(py::arg("all") = "ignore");
  quiet.attr("__enter__")();
  py::object result;
  bool same = false;
  try {
    result = cast(as_array(array.ptr()), wanted.dtype);
    same = py::cast<bool>(array.attr("__eq__")(result).attr("all")());
  } catch (...) {
    quiet.attr("__exit__")(py::none(), py::none(), py::none());
    throw;
  }
  quiet.attr("__exit__")(py::none(), py::none(), py::none());
  if (same) return result;
  refuse(wanted, "an array of dtype " + given + " with values that it cannot hold",
         "Convert the array first, with astype.");
}

void free_block(PyObject* capsule) { recycle(PyCapsule_GetPointer(capsule, nullptr)); }

py::object array_over(const Type& type, void* data, int flags, py::object owner) {
  npy_intp shape[kMaxRank];
  for (int axis = 0; axis < type.rank; ++axis) shape[axis] = type.shape[axis];
  PyObject* const array =
      PyArray_New(&PyArray_Type, type.rank, shape, kNumpyTypes[static_cast<int>(type.dtype)],
                  nullptr, data, 0, flags, nullptr);
  if (array == nullptr) throw py::error_already_set();
  py::object result = py::reinterpret_steal<py::object>(array);
  if (owner && PyArray_SetBaseObject(as_array(array), owner.release().ptr()) != 0)
    throw py::error_already_set();
  return result;
}

}  // namespace

void load_numpy() {
  if (_import_array() < 0) throw py::error_already_set();
}

bool usable(PyObject* value, DType dtype) {
  if (!PyArray_Check(value)) return false;
  PyArrayObject* const array = as_array(value);
  const int type = kNumpyTypes[static_cast<int>(dtype)];
  return PyArray_ISCARRAY_RO(array) && PyArray_NDIM(array) <= kMaxRank &&
         (PyArray_TYPE(array) == type || PyArray_EquivTypenums(PyArray_TYPE(array), type));
}

py::object convert(py::handle value, const Wanted& wanted, std::string* given_dtype) {
  const py::object source = as_numpy(value, wanted);
  PyArrayObject* const array = as_array(source.ptr());
  const std::string given = text(source.attr("dtype"));
  if (given_dtype != nullptr) *given_dtype = given;
  const char kind = PyArray_DESCR(array)->kind;
  if (kind != 'b' && kind != 'i' && kind != 'u' && kind != 'f') {
    refuse(wanted, "an array of dtype " + given, "Only booleans, integers and floats can be used.");
  }
  if (PyArray_NDIM(array) > kMaxRank) {
    throw Error(ErrorCode::kShape, "[" + wanted.label +
                                       "] an array must have at most 8 axes; one with " +
                                       std::to_string(PyArray_NDIM(array)) + " was given.");
  }
  if (always_fits(array, wanted.dtype)) return cast(array, wanted.dtype);
  return cast_exactly(source, wanted, given);
}

const void* data_of(PyObject* array) { return PyArray_DATA(as_array(array)); }

Shape shape_of(PyObject* array) {
  Shape shape;
  shape.rank = PyArray_NDIM(as_array(array));
  for (int axis = 0; axis < shape.rank; ++axis)
    shape.size[axis] = PyArray_DIM(as_array(array), axis);
  return shape;
}

DType dtype_of(PyObject* array) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (PyArray_EquivTypenums(PyArray_TYPE(as_array(array)), kNumpyTypes[i]))
      return static_cast<DType>(i);
  }
  throw Error(ErrorCode::kDtype,
              "[tensor] the dtype must be float16, float32, float64, int8, int16, int32, int64, "
              "uint8 or bool; an array of dtype " +
                  text(py::handle(array).attr("dtype")) + " was given.");
}

py::object new_array(const Type& type, void** data) {
  const int64_t bytes = type.bytes();
  if (bytes <= kSmallBytes) {
    py::object array = array_over(type, nullptr, 0, py::object());
    *data = PyArray_DATA(as_array(array.ptr()));
    return array;
  }
  *data = take_block(bytes);
  PyObject* const capsule = PyCapsule_New(*data, nullptr, free_block);
  if (capsule == nullptr) {
    recycle(*data);
    throw py::error_already_set();
  }
  return array_over(type, *data, NPY_ARRAY_CARRAY, py::reinterpret_steal<py::object>(capsule));
}

py::object view_of(const std::shared_ptr<Tensor>& tensor) {
  return array_over(tensor->type(), tensor->data(), NPY_ARRAY_CARRAY_RO, py::cast(tensor));
}

}  // namespace symk::door
