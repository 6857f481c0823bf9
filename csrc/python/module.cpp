// symk._core: tensors, programs, and what this build has. No logic: arrays become addresses, errors
// become classes.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstring>
#include <shared_mutex>

#include "capi/load_kernels.h"
#include "cpu/dispatch.h"
#include "cpu/limits.h"
#include "python/arrays.h"
#include "python/callback.h"
#include "runtime/device.h"
#include "runtime/ensemble.h"
#include "runtime/error.h"
#include "runtime/few.h"
#include "runtime/kernel.h"
#include "runtime/program.h"

namespace py = pybind11;

namespace symk::door {
namespace {

/// The Python class of an error. Those of symk are looked up by name when one is raised, not when
/// the module is loaded.
py::object error_class(ErrorCode code) {
  const auto of_symk = [](const char* name) {
    return py::module_::import("symk.graph.errors").attr(name);
  };
  const auto built_in = [](PyObject* type) { return py::reinterpret_borrow<py::object>(type); };
  switch (code) {
    case ErrorCode::kShape: return of_symk("ShapeError");
    case ErrorCode::kDtype: return of_symk("DtypeError");
    case ErrorCode::kOutOfRange: return of_symk("OutOfRangeError");
    case ErrorCode::kFormat:
    case ErrorCode::kArgument: return of_symk("GraphError");
    case ErrorCode::kDevice: return of_symk("DeviceError");
    case ErrorCode::kMemory: return built_in(PyExc_MemoryError);
    case ErrorCode::kFile: return built_in(PyExc_OSError);
    case ErrorCode::kNotFinite: return of_symk("NotFiniteError");
    case ErrorCode::kKernel: return of_symk("CustomOpError");
    default: return built_in(PyExc_RuntimeError);
  }
}

void raise(const Error& error) {
  try {
    PyErr_SetString(error_class(error.code()).ptr(), error.what());
    if (error.code() == ErrorCode::kKernel) chain_callback_failure();
  } catch (py::error_already_set& failure) {
    failure.restore();
  }
}

// --- Tensor ---

std::shared_ptr<Tensor> make_tensor(const py::object& value) {
  py::object array = py::module_::import("numpy").attr("asarray")(value);
  const DType dtype = dtype_of(array.ptr());
  if (!usable(array.ptr(), dtype)) array = convert(array, {dtype, "tensor"});
  const Shape shape = shape_of(array.ptr());
  Type type;
  type.dtype = dtype;
  type.rank = shape.rank;
  std::copy(shape.size, shape.size + shape.rank, type.shape);
  auto tensor = std::make_shared<Tensor>(type);
  std::memcpy(tensor->data(), data_of(array.ptr()), static_cast<size_t>(type.bytes()));
  return tensor;
}

/// Memory as the system gives it: nothing is written.
std::shared_ptr<Tensor> make_zeros(const py::object& like, const std::vector<int64_t>& shape) {
  Type type;
  if (shape.size() > kMaxRank) {
    throw Error(ErrorCode::kShape, "[tensor] at most " + std::to_string(kMaxRank) +
                                       " axes are possible; " + std::to_string(shape.size()) +
                                       " were asked for.");
  }
  type.dtype = dtype_of(like.ptr());
  type.rank = static_cast<int>(shape.size());
  std::copy(shape.begin(), shape.end(), type.shape);
  return std::make_shared<Tensor>(type);
}

py::object read_tensor(Tensor& tensor) {
  require_outside_callback("get_value");
  void* data = nullptr;
  py::object array = new_array(tensor.type(), &data);
  const py::gil_scoped_release released;
  const std::shared_lock<SharedLock> locked(tensor.lock());
  tensor.bring_home();
  std::memcpy(data, tensor.data(), static_cast<size_t>(tensor.type().bytes()));
  return array;
}

void write_tensor(Tensor& tensor, py::object value) {
  require_outside_callback("set_value");
  const Type& type = tensor.type();
  if (!usable(value.ptr(), type.dtype)) value = convert(value, {type.dtype, "tensor"});
  const Shape shape = shape_of(value.ptr());
  if (shape.rank != type.rank || !std::equal(shape.size, shape.size + shape.rank, type.shape)) {
    throw Error(ErrorCode::kShape,
                "[tensor] the shape must be " + type_text(type) + "; an array of shape " +
                    type_text({shape.size, shape.size + shape.rank}, dtype_name(type.dtype)) +
                    " was given.");
  }
  const void* const data = data_of(value.ptr());
  const py::gil_scoped_release released;
  tensor.lock().lock();
  std::memcpy(tensor.data(), data, static_cast<size_t>(type.bytes()));
  tensor.changed();
  tensor.lock().unlock();
}

py::object view_home(const std::shared_ptr<Tensor>& tensor) {
  {
    const py::gil_scoped_release released;
    const std::shared_lock<SharedLock> locked(tensor->lock());
    tensor->bring_home();
  }
  return view_of(tensor);
}

py::tuple tensor_shape(const Tensor& tensor) {
  py::tuple shape(static_cast<size_t>(tensor.type().rank));
  for (size_t axis = 0; axis < shape.size(); ++axis) shape[axis] = tensor.type().shape[axis];
  return shape;
}

// --- Program ---

std::unique_ptr<Program> make_program(const py::bytes& plan,
                                      std::vector<std::shared_ptr<Tensor>> shared,
                                      const std::string& device) {
  const auto bytes = static_cast<std::string_view>(plan);
  return std::make_unique<Program>(read_plan(bytes.data(), bytes.size()), std::move(shared),
                                   device_named(device));
}

py::object fed_array(const Plan& plan, size_t number, PyObject* value) {
  const NamedBuffer& named = plan.inputs[number];
  const DType dtype = plan.buffers[named.buffer].dtype;
  if (usable(value, dtype)) return py::reinterpret_borrow<py::object>(value);
  std::string given;
  py::object array = convert(value, {dtype, "input " + named.name}, &given);
  require_input(plan, number, shape_of(array.ptr()), given.c_str());
  return array;
}

[[noreturn]] void refuse_count(const Plan& plan, size_t wanted, size_t given) {
  std::string names;
  for (size_t i = 0; i < wanted; ++i) names += (i == 0 ? "" : ", ") + plan.inputs[i].name;
  throw Error(ErrorCode::kArgument, "[function] " + std::to_string(wanted) +
                                        " arrays are required (" + names + "); " +
                                        std::to_string(given) + " were given.");
}

/// What a call is fed with; keeps the arrays that were made of it.
struct Fed {
  /// For the first `count` inputs of a Plan.
  Fed(const Plan& plan, size_t count, const py::object& values)
      : arrays(count), inputs(count), shapes(count) {
    const py::object sequence = py::reinterpret_steal<py::object>(
        PySequence_Fast(values.ptr(), "[function] a list of arrays is required."));
    if (!sequence) throw py::error_already_set();
    const auto given = static_cast<size_t>(PySequence_Fast_GET_SIZE(sequence.ptr()));
    if (given != count) refuse_count(plan, count, given);
    for (size_t i = 0; i < count; ++i) {
      arrays[i] =
          fed_array(plan, i, PySequence_Fast_GET_ITEM(sequence.ptr(), static_cast<Py_ssize_t>(i)));
      inputs[i] = data_of(arrays[i].ptr());
      shapes[i] = shape_of(arrays[i].ptr());
    }
  }

  Few<py::object> arrays;  // the list may change while other threads run Python
  Few<const void*> inputs;
  Few<Shape> shapes;
};

/// New arrays for the results of a call.
py::list new_results(const std::vector<Type>& types, Few<void*>& outputs) {
  py::list results(types.size());
  for (size_t i = 0; i < types.size(); ++i) {
    PyList_SET_ITEM(results.ptr(), static_cast<Py_ssize_t>(i),
                    new_array(types[i], &outputs[i]).release().ptr());
  }
  return results;
}

/// New arrays for the results of a call, which run(outputs) does.
template <class Run>
py::list results_of(const std::vector<Type>& types, Run&& run) {
  Few<void*> outputs(types.size());
  py::list results = new_results(types, outputs);
  const py::gil_scoped_release released;
  run(outputs.data());
  return results;
}

py::list run_program(Program& program, const py::object& values) {
  require_outside_callback("function");
  const Fed fed(program.plan(), program.plan().inputs.size(), values);
  Call call(program, fed.shapes.data());
  return results_of(call.outputs(),
                    [&](void* const* outputs) { call.run(fed.inputs.data(), outputs); });
}

// --- batches ---

/// A batch as Python holds it: until it is run.
struct HeldBatch {
  std::unique_ptr<Batch> batch;
};

/// A batch while it is run; goes back to where Python holds it when that fails.
struct RunningBatch {
  explicit RunningBatch(HeldBatch& from) : held(from), batch(std::move(from.batch)) {
    if (batch != nullptr) return;
    throw Error(ErrorCode::kArgument,
                "[function] a prefetched batch must be run once; this one has been run already.");
  }
  ~RunningBatch() {
    if (batch != nullptr) held.batch = std::move(batch);
  }

  HeldBatch& held;
  std::unique_ptr<Batch> batch;
};

/// Throws unless all arrays may be fed to the first inputs of a Plan.
void require_inputs(const Plan& plan, size_t count, const Fed& fed) {
  for (size_t i = 0; i < count; ++i)
    require_input(plan, i, fed.shapes[i], dtype_name(plan.buffers[plan.inputs[i].buffer].dtype));
}

HeldBatch prefetch_batch(Program& program, const py::object& values) {
  require_outside_callback("prefetch");
  const Plan& plan = program.plan();
  const Fed fed(plan, plan.inputs.size(), values);
  require_inputs(plan, plan.inputs.size(), fed);
  const py::gil_scoped_release released;
  return {program.prefetch(fed.shapes.data(), fed.inputs.data())};
}

/// By a Call of a Program, or an EnsembleCall of an Ensemble.
template <class CallOf, class Runner>
py::list run_batch(Runner& runner, HeldBatch& held) {
  require_outside_callback("function");
  RunningBatch running(held);
  CallOf call(runner, *running.batch);
  return results_of(call.outputs(), [&](void* const* outputs) {
    call.run(outputs);
    runner.take_back(std::move(running.batch));
  });
}

/// The kernel and the origin of every step, and the time it took in all timed calls.
py::list program_times(const Program& program) {
  const std::vector<int64_t> times = program.times_ns();
  py::list rows;
  for (size_t i = 0; i < times.size(); ++i) {
    const PlanStep& step = program.plan().steps[i];
    rows.append(py::make_tuple(step.kernel, step.origin, times[i]));
  }
  return rows;
}

/// How the call made last was done: (first step, last step, how, items of the recording, manners of
/// its steps, branches of the recording) by part.
py::list program_parts(Program& program) {
  constexpr const char* states[] = {"hosted", "first", "second", "recorded", "refused"};
  py::list rows;
  for (const PartRow& row : program.parts())
    rows.append(py::make_tuple(row.first, row.last, states[row.state], row.size,
                               py::cast(row.manners), row.branches));
  return rows;
}

/// The shapes of the inputs in the call made last, or None before the first one.
py::object last_shapes(Program& program) {
  const MemoryUse use = program.memory_use();
  if (use.inputs.size() != program.plan().inputs.size()) return py::none();
  py::list shapes;
  for (const Shape& shape : use.inputs) {
    py::tuple sizes(static_cast<size_t>(shape.rank));
    for (size_t axis = 0; axis < sizes.size(); ++axis) sizes[axis] = shape.size[axis];
    shapes.append(sizes);
  }
  return shapes;
}

// --- Ensemble ---

/// A section as Python gives it: its Program, and (number of a value, whether it is read) per
/// input.
using GivenSection = std::pair<Program*, std::vector<std::pair<uint32_t, bool>>>;

std::unique_ptr<Ensemble> make_ensemble(const std::vector<GivenSection>& given, size_t arrays,
                                        std::vector<uint32_t> outputs) {
  std::vector<Ensemble::Section> sections;
  for (const auto& [program, inputs] : given) {
    Ensemble::Section section{program, {}};
    for (const auto& [value, is_read] : inputs) section.inputs.push_back({value, is_read});
    sections.push_back(std::move(section));
  }
  return std::make_unique<Ensemble>(std::move(sections), arrays, std::move(outputs));
}

HeldBatch send(Ensemble& ensemble, const Fed& fed, bool stay) {
  require_inputs(ensemble.first().plan(), ensemble.arrays(), fed);
  const py::gil_scoped_release released;
  return {ensemble.prefetch(fed.shapes.data(), fed.inputs.data(), stay)};
}

HeldBatch prefetch_for_ensemble(Ensemble& ensemble, const py::object& values) {
  require_outside_callback("prefetch");
  const Fed fed(ensemble.first().plan(), ensemble.arrays(), values);
  return send(ensemble, fed, false);
}

py::list run_ensemble(Ensemble& ensemble, const py::object& values) {
  require_outside_callback("function");
  const Fed fed(ensemble.first().plan(), ensemble.arrays(), values);
  HeldBatch held = send(ensemble, fed, true);
  return run_batch<EnsembleCall>(ensemble, held);
}

py::dict measured_limits() {
  const cpu::Limits limits = [] {
    const py::gil_scoped_release released;
    return cpu::measure_limits();
  }();
  py::dict result;
  result["flops_per_s"] = limits.flops_per_s;
  result["bytes_per_s"] = limits.bytes_per_s;
  result["threads"] = thread_count();
  return result;
}

py::dict program_memory(Program& program) {
  const MemoryUse use = program.memory_use();
  py::list map;
  for (const MemoryRow& row : use.map) {
    py::dict item;
    item["name"] = row.name;
    item["offset"] = row.piece.offset;
    item["bytes"] = row.piece.bytes;
    item["first_step"] = row.piece.first;
    item["last_step"] = row.piece.last;
    map.append(item);
  }
  py::dict result;
  result["arena_bytes"] = use.arena_bytes;
  result["unshared_bytes"] = use.unshared_bytes;
  result["constant_bytes"] = use.constant_bytes;
  result["shared_bytes"] = use.shared_bytes;
  result["packed_bytes"] = use.packed_bytes;
  result["kept_bytes"] = use.kept_bytes;
  result["map"] = map;
  return result;
}

void define(py::module_& module) {
  module.doc() = "The runtime of symk: tensors that live between calls, and programs.";
  py::class_<Tensor, std::shared_ptr<Tensor>>(module, "Tensor", "A value that lives between calls.")
      .def(py::init(&make_tensor), py::arg("value"), "A copy of an array.")
      .def_static("zeros", &make_zeros, py::arg("like"), py::arg("shape"),
                  "Zeros of the dtype of an array.")
      .def("read", &read_tensor, "A copy of the value.")
      .def("write", &write_tensor, py::arg("value"), "Replaces the value; dtype and shape stay.")
      .def("array", &view_home, "The value itself, as a read-only array.")
      .def_property_readonly("version", &Tensor::version,
                             "A number that differs after each change.")
      .def_property_readonly("dtype",
                             [](const Tensor& tensor) { return dtype_name(tensor.type().dtype); })
      .def_property_readonly("shape", &tensor_shape);
  py::class_<HeldBatch>(module, "Batch", "Inputs on their way to a device, for one call.");
  py::class_<Program>(module, "Program", "A Plan that can be called, from many threads at once.")
      .def(py::init(&make_program), py::arg("plan"), py::arg("shared"), py::arg("device") = "cpu",
           "Reads a Plan (bytes). `shared` are the tensors of its shared values, in its order; "
           "`device` is where it runs.")
      .def("run", &run_program, py::arg("inputs"),
           "The outputs, a list of new arrays, for a list of arrays.")
      .def("run_batch", &run_batch<Call, Program>, py::arg("batch"),
           "The same for a prefetched batch.")
      .def("prefetch", &prefetch_batch, py::arg("inputs"), py::keep_alive<0, 1>(),
           "Begins to copy arrays to the device for a later call of `run`; not for the host.")
      .def("replay", &Program::set_replay, py::arg("on"),
           "While it is on, a device does again what it has recorded at a call before.")
      .def("use_compiler", &Program::use_compiler, py::arg("library"),
           "Whether elementwise programs may be compiled by the device: 0, 1, or by which library.")
      .def("use_warp_groups", &Program::use_warp_groups, py::arg("on"),
           "Whether products may take the instructions for warp groups, where the device has them.")
      .def("use_branches", &Program::use_branches, py::arg("on"),
           "Whether steps that do not depend on each other may be recorded as branches.")
      .def("parts", &program_parts,
           "How the call made last was done by its device: a list of (first step, last step, how, "
           "number of recorded items, how steps are done that say so, number of branches).")
      .def("describe", &Program::describe, "The Plan as text.")
      .def("memory", &program_memory,
           "Bytes used, and the map of the arena of the last call, as a dict.")
      .def("profile", &Program::set_profile, py::arg("on"), "Times every step while it is on.")
      .def("times", &program_times, "A list of (kernel, origin, nanoseconds) over all timed calls.")
      .def("timed_calls", &Program::timed_calls, "How many calls that were.")
      .def("last_shapes", &last_shapes, "The shapes of the inputs in the call made last, or None.")
      .def("check_finite", &Program::set_check_finite, py::arg("on"),
           "While it is on, a step whose result is not finite is an error.");
  py::class_<Ensemble>(module, "Ensemble", "Programs on several devices that do one function.")
      .def(py::init(&make_ensemble), py::arg("sections"), py::arg("arrays"), py::arg("outputs"),
           py::keep_alive<1, 2>(),
           "`sections` are pairs of a Program and of pairs (number of a value, whether it is read) "
           "for its inputs. Values are the arrays of a call, then the outputs of the sections; "
           "`outputs` are the numbers of those that a call gives.")
      .def("run", &run_ensemble, py::arg("inputs"),
           "The outputs, a list of new arrays, for a list of arrays.")
      .def("run_batch", &run_batch<EnsembleCall, Ensemble>, py::arg("batch"),
           "The same for a prefetched batch.")
      .def("prefetch", &prefetch_for_ensemble, py::arg("inputs"), py::keep_alive<0, 1>(),
           "Begins to copy to the devices what they need of arrays for a later call.")
      .def_property_readonly("moves_ahead", &Ensemble::moves_ahead,
                             "Whether `prefetch` has anything to copy.")
      .def_property_readonly("ahead", &Ensemble::ahead,
                             "Per section, whether it runs ahead of the call, in `prefetch`.");
  module.def("threads", &thread_count, "The number of threads that a call uses.");
  module.def("set_threads", &set_thread_count, py::arg("count"),
             py::call_guard<py::gil_scoped_release>());
  module.def(
      "isa", [] { return cpu::isa_name(cpu::active_isa()); }, "The instruction set in use.");
  module.def("kernels", &kernel_names, "The names of all kernels, sorted.");
  module.def(
      "device_kernels", [](const std::string& name) { return device_named(name).kernel_names(); },
      py::arg("device"), "The names of the kernels of a device, sorted.");
  module.def(
      "device_bytes", [](const std::string& name) { return device_named(name).take_most_held(); },
      py::arg("device"),
      "The most bytes of a device's memory that were held since this was asked the last time.");
  module.def("load_kernels", &load_kernels, py::arg("path"),
             "Adds the kernels of a shared object written with symk_kernel.h.");
  module.def("set_dispatcher", &set_dispatcher, py::arg("function"),
             "Sets the function that runs callbacks: f(number, inputs) -> outputs.");
  module.def("limits", &measured_limits,
             "What this machine can do at best, measured now, as a dict.");
}

}  // namespace
}  // namespace symk::door

PYBIND11_MODULE(_core, module) {
  symk::door::load_numpy();
  py::register_local_exception_translator([](std::exception_ptr failure) {
    try {
      if (failure) std::rethrow_exception(failure);
    } catch (const symk::Error& error) {
      symk::door::raise(error);
    }
  });
  symk::door::define(module);
}
