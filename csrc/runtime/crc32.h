// The checksum of a Plan: CRC-32 as zlib computes it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace symk {

uint32_t crc32(const void* bytes, size_t count);

}  // namespace symk
