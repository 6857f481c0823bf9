// The probe of arithmetic: as many independent chains as hide the latency of a multiply-add (four
// cycles on two ports) and still stay in registers.
#include "cpu/limits.h"

#include "cpu/vec/vec.h"

namespace symk::cpu {
namespace SYMK_ISA {

constexpr int kChains = 12;

float multiply_add(int64_t rounds) {
  using V = Vec<float>;
  V chain[kChains];
  const V factor = 0.999f, term = 1e-3f;
#pragma GCC unroll 12
  for (int c = 0; c < kChains; ++c) chain[c] = 1e-3f * static_cast<float>(c);  // equal ones merge
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) chain[c] = fma(chain[c], factor, term);
  }
#pragma GCC unroll 12
  for (int c = 1; c < kChains; ++c) chain[0] = chain[0] + chain[c];
  float lanes[V::width], total = 0;
  chain[0].store(lanes);
  for (int lane = 0; lane < V::width; ++lane) total += lanes[lane];
  return total;
}

}  // namespace SYMK_ISA

template <>
const LimitKernels& LimitKernels::of<Isa::SYMK_ISA>() {
  static constexpr LimitKernels table = {&SYMK_ISA::multiply_add,
                                         2 * SYMK_ISA::kChains * SYMK_ISA::Vec<float>::width};
  return table;
}

}  // namespace symk::cpu
