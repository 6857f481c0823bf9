// Operands are copied both ways, so that a user's code may keep what it was given.
#include "python/callback.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "python/arrays.h"
#include "runtime/error.h"
#include "runtime/kernel.h"

namespace py = pybind11;

namespace symk::door {
namespace {

// Never destroyed: at the end of the process there is no interpreter to do it.
py::object& dispatcher() {
  static py::object* const function = new py::object;
  return *function;
}

thread_local int callbacks_running = 0;
thread_local std::unique_ptr<py::error_already_set> failure;

class CallbackStep final : public Step {
 public:
  explicit CallbackStep(const Binding& binding)
      : number_(binding.integer("callback")), inputs_(binding.inputs()),
        outputs_(binding.outputs()) {}

  Status run(const Operands& operands, ThreadPool&) override {
    const py::gil_scoped_acquire locked;
    struct Inside {
      Inside() { ++callbacks_running; }
      ~Inside() { --callbacks_running; }
    } inside;
    try {
      call(operands);
    } catch (py::error_already_set& error) {
      const std::string text = py::str(error.value());
      failure = std::make_unique<py::error_already_set>(std::move(error));
      throw Error(ErrorCode::kKernel, text);
    }
    return {};
  }

 private:
  void call(const Operands& operands) const {
    if (!dispatcher()) throw Error(ErrorCode::kDevice, "[callback] symk.compile is not loaded.");
    py::list inputs;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      void* copy = nullptr;
      inputs.append(new_array(inputs_[i], &copy));
      copy_bytes(copy, operands.in[i], inputs_[i]);
    }
    const py::list results = dispatcher()(number_, inputs);
    if (results.size() != outputs_.size()) refuse();
    for (size_t i = 0; i < outputs_.size(); ++i) {
      const py::object result = results[i];
      if (!fits(result.ptr(), outputs_[i])) refuse();
      copy_bytes(operands.out[i], data_of(result.ptr()), outputs_[i]);
    }
  }

  static bool fits(PyObject* array, const Type& type) {
    if (!usable(array, type.dtype)) return false;
    const Shape shape = shape_of(array);
    return shape.rank == type.rank && std::equal(type.shape, type.shape + type.rank, shape.size);
  }

  [[noreturn]] static void refuse() {
    throw Error(ErrorCode::kKernel,
                "[callback] the op must give the types that were inferred when it was compiled; "
                "it gives others for the sizes of this call.");
  }

  static void copy_bytes(void* to, const void* from, const Type& type) {
    if (type.count() > 0) std::memcpy(to, from, static_cast<size_t>(type.bytes()));
  }

  const int64_t number_;
  const std::vector<Type> inputs_, outputs_;
};

std::unique_ptr<Step> bind_callback(Binding& binding) {
  return std::make_unique<CallbackStep>(binding);
}

// Its results may be used for their effects, as printing is; so it runs without elements too.
const KernelEntry entry("callback", bind_callback, Empty::kActs);

}  // namespace

void set_dispatcher(py::object function) { dispatcher() = std::move(function); }

void require_outside_callback(const char* what) {
  if (callbacks_running == 0) return;
  throw Error(ErrorCode::kArgument, "[" + std::string(what) +
                                        "] a custom op must compute from its arguments alone; it "
                                        "has used a function or a shared value of symk, which "
                                        "could wait for itself. Pass the value as an operand.");
}

void chain_callback_failure() {
  const std::unique_ptr<py::error_already_set> cause = std::move(failure);
  if (!cause) return;
  if (!cause->matches(PyExc_Exception)) {
    PyErr_Clear();
    cause->restore();
    return;
  }
  py::error_already_set raised;  // from here on no error is set, and Python may be asked
  // What the user's code raised; the dispatcher's own error has named the op already.
  const py::object deeper = cause->value().attr("__cause__");
  py::setattr(raised.value(), "__cause__", deeper.is_none() ? cause->value() : deeper);
  raised.restore();
}

}  // namespace symk::door
