/* Runs a function of a model file on arrays from standard input and writes the results to standard
 * output: each array as its symk_array, whose address counts for nothing, and its bytes.
 *
 *   run_model MODEL FUNCTION CALLS < arrays > results
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symk_runtime.h"

static const size_t item_bytes[] = {4, 8, 2, 1, 2, 4, 8, 1, 1};

static size_t bytes_of(const symk_array* array) {
  size_t bytes = item_bytes[array->dtype];
  for (int axis = 0; axis < array->rank; ++axis) bytes *= (size_t)array->shape[axis];
  return bytes;
}

static int fail(int status) {
  fprintf(stderr, "%d %s\n", status, symk_last_error());
  return status;
}

int main(int argc, char** argv) {
  if (argc != 4) return 100;
  symk_program* model = symk_load_file(argv[1]);
  if (!model) return fail(symk_last_status());
  symk_program* function = symk_function(model, argv[2]);
  if (!function) return fail(symk_last_status());
  symk_free(model);

  const int input_count = symk_input_count(function), output_count = symk_output_count(function);
  symk_array* inputs = calloc((size_t)input_count + 1, sizeof *inputs);
  symk_array* outputs = calloc((size_t)output_count + 1, sizeof *outputs);
  for (int i = 0; i < input_count; ++i) {
    if (fread(&inputs[i], sizeof inputs[i], 1, stdin) != 1) return 101;
    const size_t bytes = bytes_of(&inputs[i]);
    inputs[i].data = malloc(bytes + 1);
    if (bytes && fread(inputs[i].data, bytes, 1, stdin) != 1) return 101;
  }
  if (symk_output_types(function, inputs, input_count, outputs, output_count))
    return fail(symk_last_status());
  for (int i = 0; i < output_count; ++i) outputs[i].data = malloc(bytes_of(&outputs[i]) + 1);
  for (int call = atoi(argv[3]); call > 0; --call) {
    if (symk_run(function, inputs, input_count, outputs, output_count))
      return fail(symk_last_status());
  }
  for (int i = 0; i < output_count; ++i) {
    const size_t bytes = bytes_of(&outputs[i]);
    fwrite(&outputs[i], sizeof outputs[i], 1, stdout);
    if (bytes) fwrite(outputs[i].data, bytes, 1, stdout);
    free(outputs[i].data);
  }
  for (int i = 0; i < input_count; ++i) free(inputs[i].data);
  free(inputs);
  free(outputs);
  symk_free(function);
  return 0;
}
