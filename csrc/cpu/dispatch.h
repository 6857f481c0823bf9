// The instruction set that this process uses, and the kernels that belong to it. For *_step.cpp
// files; files compiled per set include isa.h at most.
#pragma once

#include "cpu/isa.h"
#include "runtime/view.h"

namespace symk::cpu {

/// The set of this process: SYMK_ISA=portable|avx2|avx512 if given, else the best that machine and
/// build have. Decided at the first call; throws Error when SYMK_ISA names a set that is unknown or
/// cannot run here.
Isa active_isa();

/// "portable", "avx2" or "avx512".
const char* isa_name(Isa isa);

/// A family's table of functions for the active set. Table::of<isa>() is specialised by
/// <family>.cpp for each set.
template <class Table>
const Table& kernels() {
  switch (active_isa()) {
#if SYMK_HAS_AVX512
    case Isa::avx512: return Table::template of<Isa::avx512>();
#endif
#if SYMK_HAS_AVX2
    case Isa::avx2: return Table::template of<Isa::avx2>();
#endif
    default: return Table::template of<Isa::portable>();
  }
}

/// The table of a family whose float64 kernels a set may leave to AVX2 (has_float64, isa.h).
template <class Table>
const Table& float64_kernels() {
#if SYMK_HAS_AVX2
  if (active_isa() == Isa::avx512) return Table::template of<Isa::avx2>();
#endif
  return kernels<Table>();
}
template <class Table>
const Table& float_kernels(DType dtype) {
  return dtype == DType::kFloat64 ? float64_kernels<Table>() : kernels<Table>();
}

/// What choose(table) gives of the active set, of AVX2 for a wider one, or of `integers`: the first
/// that is not null.
template <class Table, class Choose>
auto kernel_of(Choose choose) {
  const auto own = choose(kernels<Table>());
  if (own) return own;
  const auto wide = choose(float64_kernels<Table>());
  return wide ? wide : choose(Table::template of<Isa::integers>());
}

}  // namespace symk::cpu
