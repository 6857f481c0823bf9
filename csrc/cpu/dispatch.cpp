// Chooses the instruction set once per process.
#include "cpu/dispatch.h"

#include <cstdlib>
#include <string>

#include "runtime/error.h"

namespace symk::cpu {
namespace {

bool runs_here(Isa isa) {
  switch (isa) {
#if SYMK_HAS_AVX512
    case Isa::avx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("fma");
#endif
#if SYMK_HAS_AVX2
    case Isa::avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    case Isa::portable: return true;
    default: return false;
  }
}

Isa choose() {
  constexpr Isa best_first[] = {Isa::avx512, Isa::avx2, Isa::portable};
  const char* wanted = std::getenv("SYMK_ISA");
  const bool any = wanted == nullptr || *wanted == '\0';
  for (Isa isa : best_first) {
    if ((any || std::string(wanted) == isa_name(isa)) && runs_here(isa)) return isa;
  }
  throw Error(ErrorCode::kDevice,
              std::string("[symk] SYMK_ISA must be portable, avx2 or avx512, and one that this "
                          "machine and build have; it is \"") +
                  wanted + "\". Unset it to use the best.");
}

}  // namespace

Isa active_isa() {
  static const Isa isa = choose();
  return isa;
}

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::avx512: return "avx512";
    case Isa::avx2: return "avx2";
    default: return "portable";
  }
}

}  // namespace symk::cpu
