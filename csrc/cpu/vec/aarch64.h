// What 16-byte vectors of 64-bit Arm do in one instruction where other machines of the set that all
// have take several. Every such processor has them. Included by portable.h only.
#pragma once

#include <arm_neon.h>

namespace symk::cpu::SYMK_ISA {

/// a * b + c, rounded once.
[[gnu::always_inline]] inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return Vec<float>((Vec<float>::Register)vfmaq_f32((float32x4_t)c.v, (float32x4_t)a.v,
                                                    (float32x4_t)b.v));
}
[[gnu::always_inline]] inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return Vec<double>((Vec<double>::Register)vfmaq_f64((float64x2_t)c.v, (float64x2_t)a.v,
                                                      (float64x2_t)b.v));
}

// One per line: x to the nearest integer, halves to even; down; up; towards zero, all with the sign
// of x where the result is zero; and the square root.
#define SYMK_OF_FLOATS(name, instruction)                                          \
  [[gnu::always_inline]] inline Vec<float> name(Vec<float> x) {                    \
    return Vec<float>((Vec<float>::Register)instruction##_f32((float32x4_t)x.v));  \
  }                                                                                \
  [[gnu::always_inline]] inline Vec<double> name(Vec<double> x) {                  \
    return Vec<double>((Vec<double>::Register)instruction##_f64((float64x2_t)x.v)); \
  }
SYMK_OF_FLOATS(round, vrndnq)
SYMK_OF_FLOATS(floor, vrndmq)
SYMK_OF_FLOATS(ceil, vrndpq)
SYMK_OF_FLOATS(trunc, vrndq)
SYMK_OF_FLOATS(sqrt, vsqrtq)
#undef SYMK_OF_FLOATS

}  // namespace symk::cpu::SYMK_ISA
