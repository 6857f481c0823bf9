/* Times what a program in C waits for, in microseconds: until a model is loaded, until the first
 * prediction is there, both from the beginning, and a call.
 *
 *   deploy MODEL CALLS
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "symk_runtime.h"

static double now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return 1e6 * (double)time.tv_sec + 1e-3 * (double)time.tv_nsec;
}

static int by_size(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static size_t count_of(const symk_array* array) {
  size_t count = 1;
  for (int axis = 0; axis < array->rank; ++axis) count *= (size_t)array->shape[axis];
  return count;
}

int main(int argc, char** argv) {
  const double begin = now_us();
  symk_array x, y;
  symk_program* model = argc == 3 ? symk_load_file(argv[1]) : NULL;
  if (!model) return 1;
  const double loaded = now_us() - begin;
  if (symk_input_type(model, 0, &x)) return 1;
  x.shape[0] = 1;
  if (symk_output_types(model, &x, 1, &y, 1)) return 1;
  x.data = calloc(count_of(&x), 8);
  y.data = calloc(count_of(&y), 8);
  if (symk_run(model, &x, 1, &y, 1)) return 1;
  const double first = now_us() - begin;
  const int calls = atoi(argv[2]);
  double* times = calloc((size_t)calls, sizeof *times);
  for (int i = 0; i < calls; ++i) {
    const double start = now_us();
    symk_run(model, &x, 1, &y, 1);
    times[i] = now_us() - start;
  }
  qsort(times, (size_t)calls, sizeof *times, by_size);
  printf("%.2f %.2f %.3f\n", loaded, first, times[calls / 2]);
  symk_free(model);
  return 0;
}
