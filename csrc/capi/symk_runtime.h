/* The C door of symk: loads a model file and runs its functions. Plain C, a stable binary
 * interface, no Python.
 *
 *   symk_program* model = symk_load_file("model.symk");
 *   symk_array x = {rows, SYMK_FLOAT32, 2, {1, 4}}, y = {probabilities};
 *   if (!model || symk_output_types(model, &x, 1, &y, 1) || symk_run(model, &x, 1, &y, 1))
 *     fprintf(stderr, "%s\n", symk_last_error());
 *   symk_free(model);
 *
 * Functions that return int return 0 for success and a symk_status otherwise, or a count and -1;
 * those that return a pointer return NULL on failure. symk_last_error() then says, for the calling
 * thread, what was required and what was given. Texts are UTF-8, and valid as long as the program
 * that they belong to.
 *
 * Everything here may be called from many threads at once, with the same program; but a program is
 * not freed, and a context not used twice, while a call uses it. */
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
#define SYMK_ABI_VERSION 3

enum symk_status {
  SYMK_OK = 0,
  SYMK_INTERNAL = 1,
  SYMK_SHAPE = 2,
  SYMK_DTYPE = 3,
  SYMK_OUT_OF_RANGE = 4, /* an index that a value of the run put outside of its array */
  SYMK_FORMAT = 5,       /* not a model file, damaged, or one that this door cannot run */
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

/* One function of a loaded model file. */
typedef struct symk_program symk_program;
/* What one thread needs to call a program: memory for intermediate values. */
typedef struct symk_context symk_context;

/* --- the library --- */

SYMK_API int symk_abi_version(void);
/* The release, such as "0.1.0". */
SYMK_API const char* symk_version(void);
/* The last error of this thread as UTF-8 text, "" if there was none; valid until the thread's next
 * failing call. */
SYMK_API const char* symk_last_error(void);
/* Its symk_status, SYMK_OK if there was none. */
SYMK_API int symk_last_status(void);
/* "portable", "avx2" or "avx512"; NULL when SYMK_ISA names none that can run here. */
SYMK_API const char* symk_isa(void);
/* Threads that a call uses: by default one per core, or SYMK_NUM_THREADS. 0 on failure. Results are
 * the same bits for any number. */
SYMK_API int symk_threads(void);
SYMK_API int symk_set_threads(int count);
/* Adds the kernels of a shared object written with symk_kernel.h, for the models that use them. */
SYMK_API int symk_load_kernels(const char* path);

/* --- a model file --- */

/* Loading executes nothing and trusts nothing: a damaged file is SYMK_FORMAT. The result is the
 * first function of the file. The file is mapped: weights that no function changes stay in it, and
 * processes share them; do not write into it while it is loaded (replace it by renaming). */
SYMK_API symk_program* symk_load_file(const char* path);
/* The same from bytes, which are copied. */
SYMK_API symk_program* symk_load_memory(const void* bytes, size_t count);
/* The same from bytes on a multiple of 64 that stay where they are until the last program is freed:
 * nothing that can stay there is copied. */
SYMK_API symk_program* symk_load_in_place(const void* bytes, size_t count);

/* The functions of the file that this program is from, in the file's order. */
SYMK_API int symk_function_count(const symk_program* program);
SYMK_API const char* symk_function_name(const symk_program* program, int number);
/* Another function of the file; weights and states are those of `program`. Each is freed on its
 * own, in any order. */
SYMK_API symk_program* symk_function(const symk_program* program, const char* name);
SYMK_API void symk_free(symk_program* program);

/* A text that the file carries along under a key, or NULL if it has none. */
SYMK_API const char* symk_metadata(const symk_program* program, const char* key);
SYMK_API int symk_metadata_count(const symk_program* program);
SYMK_API const char* symk_metadata_key(const symk_program* program, int number);

/* --- inputs and outputs --- */

SYMK_API int symk_input_count(const symk_program* program);
SYMK_API int symk_output_count(const symk_program* program);
SYMK_API const char* symk_input_name(const symk_program* program, int number);
SYMK_API const char* symk_output_name(const symk_program* program, int number);
/* Fills dtype, rank and shape; a size that depends on the inputs is -1. `data` becomes NULL. */
SYMK_API int symk_input_type(const symk_program* program, int number, symk_array* type);
SYMK_API int symk_output_type(const symk_program* program, int number, symk_array* type);
/* The shape as text, where the size of axis 0 of input x is "x.0": "(x.0, 10)". */
SYMK_API const char* symk_input_shape(const symk_program* program, int number);
SYMK_API const char* symk_output_shape(const symk_program* program, int number);

/* --- running --- */

/* Fills the types of all outputs for inputs of these types; `data` is not looked at. The memory for
 * the shapes is laid out here, so that the next symk_run with the same shapes allocates nothing. */
SYMK_API int symk_output_types(symk_program* program, const symk_array* inputs, int input_count,
                               symk_array* outputs, int output_count);
/* Runs. The types of the outputs must be those that symk_output_types gives; outputs may not
 * overlap inputs or each other. After a failure their content is undefined, and no state has
 * changed. */
SYMK_API int symk_run(symk_program* program, const symk_array* inputs, int input_count,
                      const symk_array* outputs, int output_count);
/* Bytes for intermediate values at the shapes used last. */
SYMK_API int64_t symk_arena_bytes(symk_program* program);

/* A context of the caller's own, for a thread that wants to share no memory for intermediate
 * values: symk_run borrows one from the program, whose memory it keeps until both are freed. */
SYMK_API symk_context* symk_context_new(const symk_program* program);
SYMK_API void symk_context_free(symk_context* context);
SYMK_API int symk_context_output_types(symk_context* context, const symk_array* inputs,
                                       int input_count, symk_array* outputs, int output_count);
SYMK_API int symk_context_run(symk_context* context, const symk_array* inputs, int input_count,
                              const symk_array* outputs, int output_count);
/* Bytes for intermediate values at the shapes used last. */
SYMK_API int64_t symk_context_arena_bytes(const symk_context* context);

/* --- states: the values of the file that a function changes, such as weights in training --- */

/* The states that this program reads or changes; they live as long as a program of the file. */
SYMK_API int symk_state_count(const symk_program* program);
SYMK_API const char* symk_state_name(const symk_program* program, int number);
SYMK_API int symk_state_type(const symk_program* program, int number, symk_array* type);
/* Copies a state into, or from, an array of its type; between calls that use it. */
SYMK_API int symk_state_read(const symk_program* program, int number, const symk_array* into);
SYMK_API int symk_state_write(symk_program* program, int number, const symk_array* from);
/* Writes the file again, with the states as they are now. It is complete or not there. */
SYMK_API int symk_save_file(const symk_program* program, const char* path);

#ifdef __cplusplus
}
#endif

#endif
