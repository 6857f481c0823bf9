/* The model inside of this program. */
#ifndef MODEL_H
#define MODEL_H

#include "symk_runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const unsigned char model_bytes[], model_bytes_end[];

/* Its first function; see symk_runtime.h for what can be done with it. */
static inline symk_program* model_load(void) {
  return symk_load_in_place(model_bytes, (size_t)(model_bytes_end - model_bytes));
}

#ifdef __cplusplus
}
#endif

#endif
