/* Runs a model file from C: the numbers of one sample on standard input, predictions on standard
 * output.
 *
 *   cc examples/deploy/predict.c $(symk config --flags) -o predict
 *   ./predict digits.symk < sample.txt
 *
 * The model must have one float32 input and one output of known sizes but for the batch, which is 1
 * here. */
#include <stdio.h>
#include <stdlib.h>

#include "symk_runtime.h"

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, symk_last_error());
  return EXIT_FAILURE;
}

/* Whether an array is what this program takes: numbers in float32, a batch, and sizes that are known
 * besides. */
static int is_simple(const symk_array* array) {
  for (int axis = 1; axis < array->rank; ++axis)
    if (array->shape[axis] < 0) return 0;
  return array->dtype == SYMK_FLOAT32 && array->rank > 0;
}

static size_t count_of(const symk_array* array) {
  size_t count = 1;
  for (int axis = 0; axis < array->rank; ++axis) count *= (size_t)array->shape[axis];
  return count;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s MODEL < numbers\n", argv[0]);
    return EXIT_FAILURE;
  }
  symk_program* model = symk_load_file(argv[1]);
  if (!model) return fail(argv[1]);

  symk_array input, output;
  if (symk_input_type(model, 0, &input)) return fail("input");
  if (symk_input_count(model) != 1 || symk_output_count(model) != 1 || !is_simple(&input)) {
    fprintf(stderr, "%s: a model of one float32 input and one output is required\n", argv[1]);
    return EXIT_FAILURE;
  }
  input.shape[0] = 1; /* the batch */
  if (symk_output_types(model, &input, 1, &output, 1)) return fail("output");
  if (output.dtype != SYMK_FLOAT32) {
    fprintf(stderr, "%s: an output of float32 is required\n", argv[1]);
    return EXIT_FAILURE;
  }

  const size_t inputs = count_of(&input), outputs = count_of(&output);
  float* sample = malloc(inputs * sizeof *sample);
  float* result = malloc(outputs * sizeof *result);
  if (!sample || !result) return EXIT_FAILURE;
  for (size_t i = 0; i < inputs; ++i)
    if (scanf("%f", &sample[i]) != 1) {
      fprintf(stderr, "the model wants %zu numbers; %zu were given\n", inputs, i);
      return EXIT_FAILURE;
    }
  input.data = sample;
  output.data = result;
  if (symk_run(model, &input, 1, &output, 1)) return fail("run");
  for (size_t i = 0; i < outputs; ++i) printf("%.9g\n", result[i]);

  free(result);
  free(sample);
  symk_free(model);
  return EXIT_SUCCESS;
}
