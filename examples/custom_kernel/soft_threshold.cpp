// The kernel of `soft_threshold` (examples/custom_op.py): sign(x) * max(|x| - width, 0).
//
//   c++ -O3 -shared -fPIC -I"$(python -c 'import symk; print(symk.get_include())')"
//       soft_threshold.cpp -o soft_threshold.so
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "symk_kernel.h"

namespace {

// A part of the work: small beside the second-level cache, large beside handing it to a thread.
constexpr int64_t kPart = 16384;

template <class T>
struct Work {
  const T* x;
  T* y;
  int64_t count;
  T width;
};

template <class T>
void run_part(void* context, int64_t part) {
  const Work<T>& work = *static_cast<const Work<T>*>(context);
  const int64_t end = std::min(work.count, (part + 1) * kPart);
  for (int64_t i = part * kPart; i < end; ++i) {
    const T size = std::max(std::abs(work.x[i]) - work.width, T(0));
    work.y[i] = std::copysign(size, work.x[i]);
  }
}

template <class T>
void run(const symk_kernel_call* call) {
  Work<T> work = {static_cast<const T*>(call->inputs[0].data),
                  static_cast<T*>(call->outputs[0].data), symk_count(&call->outputs[0]),
                  static_cast<T>(call->real(call, "width", 0.5))};
  call->parallel(call, (work.count + kPart - 1) / kPart, run_part<T>, &work);
}

int soft_threshold(const symk_kernel_call* call, char* message, size_t message_bytes) {
  if (call->input_count != 1 || call->output_count != 1 ||
      call->inputs[0].dtype != call->outputs[0].dtype ||
      symk_count(&call->inputs[0]) != symk_count(&call->outputs[0])) {
    std::snprintf(message, message_bytes, "one array and a result of its type are required");
    return SYMK_ARGUMENT;
  }
  switch (call->inputs[0].dtype) {
    case SYMK_FLOAT32: run<float>(call); return SYMK_OK;
    case SYMK_FLOAT64: run<double>(call); return SYMK_OK;
    default:
      std::snprintf(message, message_bytes, "float32 or float64 is required; dtype %d was given",
                    call->inputs[0].dtype);
      return SYMK_DTYPE;
  }
}

}  // namespace

SYMK_API int symk_register_kernels(const symk_kernel_registry* registry) {
  return registry->add(registry, "soft_threshold", soft_threshold);
}
