// Loops that do two ops at once, with the bits of one after the other: what stands between them
// stays in registers. A program (program.h) uses them where nothing else reads the inner value. A
// spare set (isa.h) has none.
#pragma once

#include "cpu/elementwise.h"

namespace symk::cpu {

constexpr int kMostOperands = 4;

/// Of float32: outer(..., inner(...), ...), the inner value being operand `place` of the outer op.
/// The operands of the loop are those of the outer op, those of the inner one standing where its
/// value stood.
struct JoinedLoop {
  const char* outer;
  const char* inner;
  int place;
  const char* name;  // by which a further op knows the result, or null
  Loop loop;
};

struct JoinedLoops {
  const JoinedLoop* loops;
  int count;

  template <Isa isa>
  static const JoinedLoops& of();
};
template <>
const JoinedLoops& JoinedLoops::of<Isa::portable>();
template <>
const JoinedLoops& JoinedLoops::of<Isa::avx2>();
template <>
const JoinedLoops& JoinedLoops::of<Isa::avx512>();

}  // namespace symk::cpu
