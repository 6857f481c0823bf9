/* The C door of symk: loads an exported Plan and runs it. Plain C, a stable binary interface, no
 * Python.
 *
 * Functions that return int return 0 for success and a symk_status otherwise; those that return a
 * pointer return NULL on failure. symk_last_error() then says, for the calling thread, what was
 * required and what was given. A program may be run from many threads at once; it must not be freed
 * while a call is running. */
#ifndef SYMK_RUNTIME_H
#define SYMK_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SYMK_API __attribute__((visibility("default")))
#else
#define SYMK_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this interface; it grows when functions are added and nothing is ever removed. */
#define SYMK_ABI_VERSION 2

enum symk_status {
  SYMK_OK = 0,
  SYMK_INTERNAL = 1,
  SYMK_SHAPE = 2,
  SYMK_DTYPE = 3,
  SYMK_OUT_OF_RANGE = 4, /* an index that a value of the run put outside of its array */
  SYMK_FORMAT = 5,       /* not a Plan, damaged, or one that this door cannot run */
  SYMK_MEMORY = 6,
  SYMK_DEVICE = 7, /* a kernel that this build does not have */
  SYMK_FILE = 8,
  SYMK_ARGUMENT = 9,
  SYMK_NOT_FINITE = 10, /* a NaN or an infinity, where a call was asked to look for them */
  SYMK_KERNEL = 11      /* a kernel of yours that failed */
};

enum symk_dtype {
  SYMK_FLOAT32 = 0,
  SYMK_FLOAT64 = 1,
  SYMK_FLOAT16 = 2,
  SYMK_INT8 = 3,
  SYMK_INT16 = 4,
  SYMK_INT32 = 5,
  SYMK_INT64 = 6,
  SYMK_UINT8 = 7,
  SYMK_BOOL = 8
};

#define SYMK_MAX_RANK 8

/* A dense row-major array in memory of the caller, aligned to its item size. */
typedef struct symk_array {
  void* data;
  int32_t dtype; /* symk_dtype */
  int32_t rank;
  int64_t shape[SYMK_MAX_RANK];
} symk_array;

typedef struct symk_program symk_program;

SYMK_API int symk_abi_version(void);
/* The last error of this thread as UTF-8 text, "" if there was none; valid until the thread's next
 * failing call. */
SYMK_API const char* symk_last_error(void);
/* Its symk_status, SYMK_OK if there was none. */
SYMK_API int symk_last_status(void);

/* Adds the kernels of a shared object written with symk_kernel.h, for the Plans that use them.
 * Since version 2. */
SYMK_API int symk_load_kernels(const char* path);

SYMK_API symk_program* symk_load_file(const char* path);
SYMK_API symk_program* symk_load_memory(const void* bytes, size_t count);
SYMK_API void symk_free(symk_program* program);

/* A value of the Plan's metadata, or NULL if it has none of this key. */
SYMK_API const char* symk_metadata(const symk_program* program, const char* key);

SYMK_API int symk_input_count(const symk_program* program);
SYMK_API int symk_output_count(const symk_program* program);
/* NULL, -1 and an error for a number that does not exist. */
SYMK_API const char* symk_input_name(const symk_program* program, int number);
SYMK_API const char* symk_output_name(const symk_program* program, int number);
/* Fills dtype, rank and shape; a size that depends on the inputs is -1. `data` becomes NULL. */
SYMK_API int symk_input_type(const symk_program* program, int number, symk_array* type);
SYMK_API int symk_output_type(const symk_program* program, int number, symk_array* type);

/* Fills the types of all outputs for inputs of these types; `data` is not looked at. The memory for
 * the shapes is laid out here, so that the next symk_run with the same shapes allocates nothing. */
SYMK_API int symk_output_types(symk_program* program, const symk_array* inputs, int input_count,
                               symk_array* outputs, int output_count);
/* Runs. The types of the outputs must be those that symk_output_types gives; outputs may not
 * overlap inputs or each other. After a failure their content is undefined. */
SYMK_API int symk_run(symk_program* program, const symk_array* inputs, int input_count,
                      const symk_array* outputs, int output_count);

/* Bytes of the arena for the shapes used last. */
SYMK_API int64_t symk_arena_bytes(symk_program* program);

/* Threads that a call uses: by default one per core, or SYMK_NUM_THREADS. 0 on failure. */
SYMK_API int symk_threads(void);
SYMK_API int symk_set_threads(int count);
/* "portable", "avx2" or "avx512"; NULL when SYMK_ISA names none that can run here. */
SYMK_API const char* symk_isa(void);

#ifdef __cplusplus
}
#endif

#endif
