// CRC-32 with the reversed polynomial 0xEDB88320: eight bytes per step by tables, or 64 by
// multiplication without carries where the machine has it.
// Source: Kounavis & Berry 2005, "A Systematic Approach to Building High Performance CRC
// Generators" (slicing by 8); Gopal et al. 2009, "Fast CRC Computation for Generic Polynomials
// Using PCLMULQDQ Instruction" (folding).
#include "runtime/crc32.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace symk {
namespace {

constexpr uint32_t kPolynomial = 0xEDB88320u;

/// Made at the first use: 8 KB that a file need not hold.
struct Tables {
  uint32_t at[8][256];

  Tables() {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      uint32_t value = byte;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? kPolynomial : 0);
      at[0][byte] = value;
    }
    for (int slice = 1; slice < 8; ++slice) {
      for (int byte = 0; byte < 256; ++byte) {
        const uint32_t before = at[slice - 1][byte];
        at[slice][byte] = (before >> 8) ^ at[0][before & 0xFF];
      }
    }
  }
};

const Tables& made_tables() {
  static const Tables tables;
  return tables;
}

/// The register after these bytes, from the one before them.
uint32_t by_tables(uint32_t value, const unsigned char* at, size_t count) {
  const Tables& tables = made_tables();
  for (; count >= 8; count -= 8, at += 8) {
    uint32_t next = 0;
    for (int i = 0; i < 8; ++i) {
      const uint32_t before = i < 4 ? value >> (8 * i) : 0;
      next ^= tables.at[7 - i][(before ^ at[i]) & 0xFF];
    }
    value = next;
  }
  for (; count > 0; --count, ++at) value = (value >> 8) ^ tables.at[0][(value ^ *at) & 0xFF];
  return value;
}

#if defined(__x86_64__)

/// x^n modulo the polynomial, bits reversed as everywhere here, and shifted by the one bit that a
/// product of reversed factors lacks.
constexpr long long power(int n) {
  uint32_t value = 0x80000000u;
  for (int i = 0; i < n; ++i) value = (value >> 1) ^ (value & 1 ? kPolynomial : 0);
  return static_cast<long long>(uint64_t{value} << 1);
}

#define SYMK_FOLDING __attribute__((target("pclmul,sse4.1")))

SYMK_FOLDING __m128i load(const unsigned char* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

/// What 16 bytes count for as many bits further on, as `powers` says, with the bytes that are
/// there.
SYMK_FOLDING __m128i fold(__m128i bytes, __m128i powers, __m128i there) {
  const __m128i low = _mm_clmulepi64_si128(bytes, powers, 0x00);
  const __m128i high = _mm_clmulepi64_si128(bytes, powers, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), there);
}

/// The same as by_tables; at least 64 bytes.
SYMK_FOLDING uint32_t by_folding(uint32_t value, const unsigned char* at, size_t count) {
  constexpr long long far_powers[] = {power(4 * 128 + 32), power(4 * 128 - 32)};
  constexpr long long near_powers[] = {power(128 + 32), power(128 - 32)};
  const __m128i far = _mm_set_epi64x(far_powers[1], far_powers[0]);
  const __m128i near = _mm_set_epi64x(near_powers[1], near_powers[0]);
  __m128i part[4];
  for (int i = 0; i < 4; ++i) part[i] = load(at + 16 * i);
  part[0] = _mm_xor_si128(part[0], _mm_cvtsi32_si128(static_cast<int>(value)));
  at += 64;
  count -= 64;
  for (; count >= 64; count -= 64, at += 64) {
    for (int i = 0; i < 4; ++i) part[i] = fold(part[i], far, load(at + 16 * i));
  }
  __m128i all = part[0];
  for (int i = 1; i < 4; ++i) all = fold(all, near, part[i]);
  for (; count >= 16; count -= 16, at += 16) all = fold(all, near, load(at));
  unsigned char rest[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), all);
  return by_tables(by_tables(0, rest, sizeof rest), at, count);
}

bool can_fold() { return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1"); }

#else

uint32_t by_folding(uint32_t value, const unsigned char* at, size_t count) {
  return by_tables(value, at, count);
}

bool can_fold() { return false; }

#endif

}  // namespace

uint32_t crc32(const void* bytes, size_t count) {
  static const bool folds = can_fold();
  const auto* at = static_cast<const unsigned char*>(bytes);
  return ~(folds && count >= 64 ? by_folding(~0u, at, count) : by_tables(~0u, at, count));
}

}  // namespace symk
