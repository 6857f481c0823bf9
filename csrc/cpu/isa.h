// The instruction sets that kernels are compiled for, and `integers`, which some families have
// besides. The names are those given to -DSYMK_ISA, so that a file compiled for each can say
// Isa::SYMK_ISA.
#pragma once

namespace symk::cpu {

enum class Isa : int { portable = 0, avx2 = 1, avx512 = 2, integers = 3 };

/// Whether a file is compiled for arithmetic of integers and other rare dtypes, which all machines
/// share (kernel_of, dispatch.h). It runs on every machine, and has nothing else.
constexpr bool is_for_integers(Isa isa) { return isa == Isa::integers; }

/// Whether machines run AVX2's kernels in place of a set's own where wider vectors gain little
/// (kernel_of, dispatch.h).
constexpr bool runs_avx2(Isa isa) { return SYMK_HAS_AVX2 && isa == Isa::avx512; }

/// Whether a set has float64 kernels of its own, in families of which runs_avx2 says so for float64
/// alone (float64_kernels, dispatch.h).
constexpr bool has_float64(Isa isa) { return !runs_avx2(isa); }

/// Whether few machines run a set, those that have no other: its kernels are small first.
constexpr bool is_spare(Isa isa) { return SYMK_HAS_AVX2 && isa == Isa::portable; }

}  // namespace symk::cpu
