// What the hardware of compute capability 9.0 does beside the threads of a block, for tests without
// a GPU: barriers that count bytes, copies of boxes, operands of products in shared memory. As the
// PTX ISA says it; what a kernel must not do is a failure of its block.
#pragma once

#include <cstdint>

namespace symk::cuda::host {

/// The address of a place in the memory of the block, as instructions take it.
uint32_t shared_address(const void* place);

// --- barriers ---

void make_barrier(uint64_t* barrier, int arrivals);
/// An arrival, and so many bytes more that are awaited.
void arrive(uint64_t* barrier, int bytes);
/// Whether the phase of this parity has ended: another one goes on.
bool has_ended(uint64_t barrier, uint32_t parity);

// --- copies ---

/// Begins to copy a box of the array of a tensor map.
void copy_box(void* to, const unsigned char* map, int depth, int line, int slice,
              uint64_t* barrier);
/// The same of the map of windows: the place of the first one's first tap, and offsets of a tap.
struct WindowPlace {
  int channel, column, row, image;
};
struct WindowOffset {
  uint16_t column, row;
};
void copy_windows(void* to, const unsigned char* map, const WindowPlace& first,
                  const WindowOffset& offset, uint64_t* barrier);

// --- products ---

/// Four bytes of a line of the operand that a descriptor tells of, swizzled by 128 bytes and along
/// the depth.
uint32_t described_word(uint64_t descriptor, int line, int byte);
/// What all lanes of a warp must ask for alike.
void require_of_warp(uint64_t left, uint64_t right, bool keep);

}  // namespace symk::cuda::host
