/* Kernels of your own, in plain C or C++: a shared object that symk loads by
 * `symk.load_kernels(path)` in Python, or by symk_load_kernels(path) in C. It needs this header and
 * symk_runtime.h, and links to nothing of symk.
 *
 *   static int twice(const symk_kernel_call* call, char* message, size_t message_bytes) {
 *     const float* x = (const float*)call->inputs[0].data;
 *     float* y = (float*)call->outputs[0].data;
 *     for (int64_t i = 0; i < symk_count(&call->outputs[0]); ++i) y[i] = 2 * x[i];
 *     return SYMK_OK;
 *   }
 *   SYMK_API int symk_register_kernels(const symk_kernel_registry* registry) {
 *     return registry->add(registry, "twice", twice);
 *   }
 */
#ifndef SYMK_KERNEL_H
#define SYMK_KERNEL_H

#include "symk_runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this interface. Members are added at the end of structs and never removed; a
 * shared object may ask `registry->abi_version` what it can rely on. */
#define SYMK_KERNEL_ABI_VERSION 1

/* One run of a kernel. Arrays are dense and row-major; inputs must not be changed, outputs must be
 * written completely, and overlap nothing. All of it is valid during the run alone. A Plan from a
 * file can name any operands: check counts, dtypes and shapes before you use them. */
typedef struct symk_kernel_call symk_kernel_call;
struct symk_kernel_call {
  const symk_array* inputs;
  const symk_array* outputs;
  int32_t input_count;
  int32_t output_count;
  /* The attributes of the op, by name; `otherwise` where it has none of this name and kind.
   * Booleans and sizes are integers. */
  int64_t (*integer)(const symk_kernel_call* call, const char* name, int64_t otherwise);
  double (*real)(const symk_kernel_call* call, const char* name, double otherwise);
  const char* (*text)(const symk_kernel_call* call, const char* name, const char* otherwise);
  /* The number of items of a list of integers or reals, and where they are; 0 if there is none. */
  int64_t (*integers)(const symk_kernel_call* call, const char* name, const int64_t** items);
  int64_t (*reals)(const symk_kernel_call* call, const char* name, const double** items);
  /* Runs task(context, part) for part = 0 .. parts-1, on the threads of the runtime, and returns
   * when all are done. Split work by shape and not by the number of threads: then results are the
   * same for any number of them. */
  void (*parallel)(const symk_kernel_call* call, int64_t parts,
                   void (*task)(void* context, int64_t part), void* context);
  const void* runtime; /* for the functions above */
};

/* Returns SYMK_OK, or anything else after having written what is wrong to `message`: at most
 * message_bytes bytes, ended by a zero. No exception may leave it. Many threads may run it at once.
 */
typedef int (*symk_kernel_function)(const symk_kernel_call* call, char* message,
                                    size_t message_bytes);

typedef struct symk_kernel_registry symk_kernel_registry;
struct symk_kernel_registry {
  int32_t abi_version;
  /* Adds a kernel, or replaces one that was added under this name. Returns a symk_status: the name
   * may not be that of a built-in kernel. */
  int (*add)(const symk_kernel_registry* registry, const char* name, symk_kernel_function function);
  void* runtime;
};

/* What the shared object exports. A result that is not SYMK_OK refuses it. */
SYMK_API int symk_register_kernels(const symk_kernel_registry* registry);

/* The number of elements of an array. */
static inline int64_t symk_count(const symk_array* array) {
  int64_t count = 1;
  for (int32_t axis = 0; axis < array->rank; ++axis) count *= array->shape[axis];
  return count;
}

#ifdef __cplusplus
}
#endif

#endif
