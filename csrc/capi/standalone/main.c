/* Runs the model inside of this program on one sample: the numbers of all inputs on standard input,
 * in their order; those of all outputs on standard output. Unknown sizes are 1, or what is given:
 *
 *   ./predict [SIZE] < numbers
 */
#include <stdio.h>
#include <stdlib.h>

#include "model.h"

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, symk_last_error());
  return EXIT_FAILURE;
}

static size_t count_of(const symk_array* array) {
  size_t count = 1;
  for (int axis = 0; axis < array->rank; ++axis) count *= (size_t)array->shape[axis];
  return count;
}

/* One number of an array: the dtypes of inputs and outputs of networks. */
static int read_number(symk_array* array, size_t i) {
  double value;
  if (scanf("%lf", &value) != 1) return 0;
  switch (array->dtype) {
    case SYMK_FLOAT32: ((float*)array->data)[i] = (float)value; return 1;
    case SYMK_FLOAT64: ((double*)array->data)[i] = value; return 1;
    case SYMK_INT32: ((int32_t*)array->data)[i] = (int32_t)value; return 1;
    case SYMK_INT64: ((int64_t*)array->data)[i] = (int64_t)value; return 1;
    default: return 0;
  }
}

static int print_number(const symk_array* array, size_t i) {
  switch (array->dtype) {
    case SYMK_FLOAT32: return printf("%.9g\n", ((float*)array->data)[i]) > 0;
    case SYMK_FLOAT64: return printf("%.17g\n", ((double*)array->data)[i]) > 0;
    case SYMK_INT32: return printf("%ld\n", (long)((int32_t*)array->data)[i]) > 0;
    case SYMK_INT64: return printf("%lld\n", (long long)((int64_t*)array->data)[i]) > 0;
    default: return 0;
  }
}

static int allocate(symk_array* array) {
  array->data = calloc(count_of(array) + 1, 8); /* bytes of the largest item */
  return array->data != NULL;
}

int main(int argc, char** argv) {
  const long free_size = argc > 1 ? atol(argv[1]) : 1;
  symk_program* model = model_load();
  if (!model) return fail("model");
  const int input_count = symk_input_count(model), output_count = symk_output_count(model);
  symk_array* arrays = calloc((size_t)(input_count + output_count) + 1, sizeof *arrays);
  if (!arrays) return fail("memory");
  symk_array* outputs = arrays + input_count;
  for (int i = 0; i < input_count; ++i) {
    if (symk_input_type(model, i, &arrays[i])) return fail("input");
    for (int axis = 0; axis < arrays[i].rank; ++axis)
      if (arrays[i].shape[axis] < 0) arrays[i].shape[axis] = free_size;
    if (!allocate(&arrays[i])) return fail("memory");
    for (size_t k = 0; k < count_of(&arrays[i]); ++k)
      if (!read_number(&arrays[i], k)) {
        fprintf(stderr, "input %s wants %zu numbers; %zu were given\n", symk_input_name(model, i),
                count_of(&arrays[i]), k);
        return EXIT_FAILURE;
      }
  }
  if (symk_output_types(model, arrays, input_count, outputs, output_count)) return fail("outputs");
  for (int i = 0; i < output_count; ++i)
    if (!allocate(&outputs[i])) return fail("memory");
  if (symk_run(model, arrays, input_count, outputs, output_count)) return fail("run");
  for (int i = 0; i < output_count; ++i)
    for (size_t k = 0; k < count_of(&outputs[i]); ++k)
      if (!print_number(&outputs[i], k)) return fail("output");
  for (int i = 0; i < input_count + output_count; ++i) free(arrays[i].data);
  free(arrays);
  symk_free(model);
  return EXIT_SUCCESS;
}
