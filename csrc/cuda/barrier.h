// Barriers in the memory of a block which count arrivals of threads and bytes of copies, and rings
// of stages that one warp fills while others use them. For compute capability 9.0. From "mbarrier"
// of the PTX ISA: a phase ends when all arrivals that it was made for have come and no byte is
// awaited any more; the next one begins at once, with as many arrivals. Phases are told apart by
// their parity, 0 for the first: to wait for a parity is to wait until the phase of that parity has
// ended, so that waiting for parity 1 at a fresh barrier returns at once.
#pragma once

#include "cuda/launch.h"

#ifdef __CUDACC__
#include "cuda/async_copy.h"
#else
#include "cuda/host/hopper.h"
#endif

namespace symk::cuda {

using Barrier = uint64_t;  // aligned to 8 bytes

#ifdef __CUDACC__

SYMK_HD void make_barrier(Barrier* barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)),
               "r"(arrivals)
               : "memory");
}
/// After barriers were made, before `__syncthreads`: also what copies tiles shall see them.
SYMK_HD void publish_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
SYMK_HD void arrive(Barrier* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier))
               : "memory");
}
/// An arrival, and so many bytes more that copies will bring.
SYMK_HD void arrive_with_bytes(Barrier* barrier, int bytes) {
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
      "r"(bytes)
      : "memory");
}
SYMK_HD void wait_for_phase(Barrier* barrier, uint32_t parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "again:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again;\n"
      "}" ::"r"(shared_address(barrier)),
      "r"(parity)
      : "memory");
}

#else

inline void make_barrier(Barrier* barrier, int arrivals) { host::make_barrier(barrier, arrivals); }
inline void publish_barriers() {}
inline void arrive(Barrier* barrier) { host::arrive(barrier, 0); }
inline void arrive_with_bytes(Barrier* barrier, int bytes) { host::arrive(barrier, bytes); }
inline void wait_for_phase(Barrier* barrier, uint32_t parity) {
  host::wait_until([=] { return host::has_ended(*barrier, parity); });
}

#endif

/// A place in a ring: its stage, and the parity of how often the ring has been gone round.
template <int stages>
class RingPlace {
 public:
  SYMK_BOTH int stage() const { return stage_; }
  SYMK_BOTH void advance() {
    if (++stage_ < stages) return;
    stage_ = 0;
    parity_ ^= 1;
  }
  /// Of the phase in which this stage becomes full, as those who use it wait for it.
  SYMK_BOTH uint32_t when_full() const { return parity_; }
  /// Of the phase in which it has become empty for this time: the one before, none the first time.
  SYMK_BOTH uint32_t when_empty() const { return parity_ ^ 1; }

 private:
  int stage_ = 0;
  uint32_t parity_ = 0;
};

}  // namespace symk::cuda
