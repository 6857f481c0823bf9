// Operands are copied both ways, so that a user's code may keep what it was given.
#include "python/callback.h"

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
    py::list types;
    for (const Type& type : outputs_) types.append(type_of(type));
    const py::list results = dispatcher()(number_, inputs, types);
    for (size_t i = 0; i < outputs_.size(); ++i) {
      const py::object result = results[i];
      if (!usable(result.ptr(), outputs_[i].dtype)) {
        throw Error(ErrorCode::kInternal, "[callback] the dispatcher gave an unusable array.");
      }
      copy_bytes(operands.out[i], data_of(result.ptr()), outputs_[i]);
    }
  }

  static py::tuple type_of(const Type& type) {
    py::tuple shape(static_cast<size_t>(type.rank));
    for (size_t axis = 0; axis < shape.size(); ++axis) shape[axis] = type.shape[axis];
    return py::make_tuple(dtype_name(type.dtype), shape);
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
const KernelEntry entry("callback", bind_callback, Empty::kRuns);

}  // namespace

void set_dispatcher(py::object function) { dispatcher() = std::move(function); }

void require_outside_callback(const char* what) {
  if (callbacks_running == 0) return;
  throw Error(ErrorCode::kArgument,
              "[" + std::string(what) + "] a custom op must compute from its arguments alone; it "
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
  py::error_already_set raised;
  py::setattr(raised.value(), "__cause__", cause->value());
  raised.restore();
}

}  // namespace symk::door
