// The instruction sets that kernels are compiled for, and `integers`, which some families have
// besides. The names are those given to -DSYMK_ISA, so that a file compiled for each can say
// Isa::SYMK_ISA.
#pragma once

namespace symk::cpu {

enum class Isa : int { portable = 0, avx2 = 1, avx512 = 2, integers = 3 };

/// Whether a file is compiled for arithmetic of integers and other rare dtypes, which all machines
/// share (kernel_of, dispatch.h). It runs on every machine, and has nothing else.
constexpr bool is_for_integers(Isa isa) { return isa == Isa::integers; }

/// Whether a set has float64 kernels where wider vectors gain little: AVX-512 machines run those of
/// AVX2 (float64_kernels, dispatch.h).
constexpr bool has_float64(Isa isa) { return !SYMK_HAS_AVX2 || isa != Isa::avx512; }

/// Whether few machines run a set, those that have no other: its kernels are small first.
constexpr bool is_spare(Isa isa) { return SYMK_HAS_AVX2 && isa == Isa::portable; }

}  // namespace symk::cpu
