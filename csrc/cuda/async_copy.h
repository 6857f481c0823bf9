// Copies from the device's memory to that of a block which go on while its threads compute: they
// are begun, joined to groups, and waited for. For compute capability 8.0 and later.
#pragma once

#include "cuda/launch.h"

namespace symk::cuda {

#ifdef __CUDACC__

SYMK_HD uint32_t shared_address(const void* place) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(place));
}

/// Copies `given` of 16 bytes, all at multiples of 16; the rest becomes 0.
SYMK_HD void copy_16_bytes(void* to, const void* from, int given) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from),
               "r"(given)
               : "memory");
}
/// Copies `given` of 4 bytes, that is all or none.
SYMK_HD void copy_4_bytes(void* to, const void* from, int given) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(to)), "l"(from),
               "r"(given)
               : "memory");
}
/// Makes a group of the copies since the last one.
SYMK_HD void end_copy_group() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Waits for this thread's groups but for the last `going_on`.
template <int going_on>
SYMK_HD void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(going_on) : "memory");
}

#else

inline void copy_16_bytes(void* to, const void* from, int given) {
  host::begin_copy(to, from, 16, given);
}
inline void copy_4_bytes(void* to, const void* from, int given) {
  host::begin_copy(to, from, 4, given);
}
inline void end_copy_group() { host::end_copy_group(); }
template <int going_on>
void wait_for_copies() {
  host::wait_for_copies(going_on);
}

#endif

}  // namespace symk::cuda
