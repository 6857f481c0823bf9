// The instruction sets that kernels are compiled for. The names are those given to -DSYMK_ISA, so
// that a file compiled for each set can say Isa::SYMK_ISA.
#pragma once

namespace symk::cpu {

enum class Isa : int { portable = 0, avx2 = 1, avx512 = 2 };

}  // namespace symk::cpu
