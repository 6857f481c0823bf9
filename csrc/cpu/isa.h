// The instruction sets that kernels are compiled for. The names are those given to -DSYMK_ISA, so
// that a file compiled for each set can say Isa::SYMK_ISA.
#pragma once

namespace symk::cpu {

enum class Isa : int { portable = 0, avx2 = 1, avx512 = 2 };

/// Whether a set has the kernels that need not be fast; the others use its (kernel_of, dispatch.h).
constexpr bool has_all(Isa isa) { return isa == Isa::portable; }

/// Whether a set has float64 kernels where wider vectors gain little: AVX-512 machines run those of
/// AVX2 (float64_kernels, dispatch.h).
constexpr bool has_float64(Isa isa) { return !SYMK_HAS_AVX2 || isa != Isa::avx512; }

}  // namespace symk::cpu
