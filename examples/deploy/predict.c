/* Runs an exported model from C: numbers of one row on standard input, predictions on standard output.
 *
 *   cc -I csrc/capi examples/deploy/predict.c -L symk -lsymk_runtime -Wl,-rpath,symk -o predict
 *   ./predict symk_demo/digits.symk < row.txt
 *
 * The model must have one float32 input and one output of known sizes but for the batch, which is 1 here. */
#include <stdio.h>
#include <stdlib.h>

#include "symk_runtime.h"

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, symk_last_error());
  return EXIT_FAILURE;
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
  symk_program* program = symk_load_file(argv[1]);
  if (!program) return fail(argv[1]);

  symk_array input, output;
  if (symk_input_type(program, 0, &input)) return fail("input");
  input.shape[0] = 1; /* the batch */
  if (symk_output_types(program, &input, 1, &output, 1)) return fail("output");

  const size_t inputs = count_of(&input), outputs = count_of(&output);
  float* row = malloc(inputs * sizeof *row);
  float* result = malloc(outputs * sizeof *result);
  if (!row || !result) return EXIT_FAILURE;
  for (size_t i = 0; i < inputs; ++i)
    if (scanf("%f", &row[i]) != 1) {
      fprintf(stderr, "the model wants %zu numbers; %zu were given\n", inputs, i);
      return EXIT_FAILURE;
    }
  input.data = row;
  output.data = result;
  if (symk_run(program, &input, 1, &output, 1)) return fail("run");
  for (size_t i = 0; i < outputs; ++i) printf("%.9g\n", result[i]);

  free(result);
  free(row);
  symk_free(program);
  return EXIT_SUCCESS;
}
