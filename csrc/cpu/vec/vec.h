// One vector type per instruction set. A kernel file is compiled once per set with
// -DSYMK_ISA=portable|avx2|avx512 and lives in namespace symk::cpu::SYMK_ISA; it includes this file
// and says no word about the set. lanes.h holds what is written once for all sets, <set>.h the
// rest. Everything here is in the namespace of the set, so no inline function is shared between
// files compiled with different flags.
#pragma once

#ifndef SYMK_ISA
#error "compile kernel files with -DSYMK_ISA=portable, avx2 or avx512"
#endif

namespace symk::cpu {
namespace portable {
constexpr int kVectorBytes = 16;
#ifdef __aarch64__
constexpr int kVectorRegisters = 32;
#else
constexpr int kVectorRegisters = 16;
#endif
constexpr bool kFreeMasks = false;
}  // namespace portable
namespace integers {
constexpr int kVectorBytes = 16;
constexpr int kVectorRegisters = 16;
constexpr bool kFreeMasks = false;
}  // namespace integers
namespace avx2 {
constexpr int kVectorBytes = 32;
constexpr int kVectorRegisters = 16;
constexpr bool kFreeMasks = false;
}  // namespace avx2
namespace avx512 {
constexpr int kVectorBytes = 64;
constexpr int kVectorRegisters = 32;
constexpr bool kFreeMasks = true;
}  // namespace avx512
}  // namespace symk::cpu

// clang-format off: spaces between the tokens would become part of the name
#define SYMK_QUOTE_TOKENS(text) #text
#define SYMK_QUOTE(text) SYMK_QUOTE_TOKENS(text)
#define SYMK_VEC_HEADER(isa) SYMK_QUOTE(cpu/vec/isa.h)
// clang-format on

#include "cpu/vec/lanes.h"
#include SYMK_VEC_HEADER(SYMK_ISA)
#include "cpu/vec/derived.h"
