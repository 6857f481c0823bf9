// CRC-32 with the reversed polynomial 0xEDB88320, eight bytes per step.
// Source: Kounavis & Berry 2005, "A Systematic Approach to Building High Performance CRC
// Generators" (slicing by 8).
#include "runtime/crc32.h"

namespace symk {
namespace {

struct Tables {
  uint32_t at[8][256];

  constexpr Tables() : at() {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      uint32_t value = byte;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? 0xEDB88320u : 0);
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

constexpr Tables tables;

}  // namespace

uint32_t crc32(const void* bytes, size_t count) {
  const auto* at = static_cast<const unsigned char*>(bytes);
  uint32_t value = 0xFFFFFFFFu;
  for (; count >= 8; count -= 8, at += 8) {
    uint32_t next = 0;
    for (int i = 0; i < 8; ++i) {
      const uint32_t before = i < 4 ? value >> (8 * i) : 0;
      next ^= tables.at[7 - i][(before ^ at[i]) & 0xFF];
    }
    value = next;
  }
  for (; count > 0; --count, ++at) value = (value >> 8) ^ tables.at[0][(value ^ *at) & 0xFF];
  return ~value;
}

}  // namespace symk
