// Memory of output arrays that have been freed, kept for the next ones: fresh memory costs a page
// fault per 4 KB.
#pragma once

#include <cstdint>

namespace symk::door {

/// At least `bytes` bytes, 64-byte aligned, content undefined. Throws Error(kMemory).
void* take_block(int64_t bytes);

/// Gives a block back. Where there is too much idle memory, what has been idle longest is freed.
void recycle(void* block);

}  // namespace symk::door
