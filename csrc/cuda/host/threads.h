// The threads of blocks on the host, for tests without a GPU: each is a fiber, and they take turns
// at barriers and where a warp exchanges values. The names are CUDA's.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>

#define __shared__ static thread_local

namespace symk::cuda {

namespace host {

/// Runs body(context) once per thread of a block. Throws Error(kInternal) when its threads wait for
/// each other at different places for ever.
void run_block(int threads, int64_t shared, void (*body)(void*), void* context);
/// Runs body(context, block) once per thread of each of `count` blocks that are there at once. A
/// block runs as far as it gets before the next one does, in one call from the first block on, in
/// the next call from the last one on: so that who does not wait for others reads what they have
/// not written. Throws as run_block when blocks wait for each other for ever.
void run_together(int64_t count, int threads, int64_t shared, void (*body)(void*, int64_t),
                  void* context);
/// Waits until blocks have come here so many times; all threads of a block call it.
void meet_blocks(unsigned* place, unsigned arrivals);
void* shared_bytes();
void wait_for_block();
/// What lane `source` of this warp has given to the same call.
uint64_t exchange(uint64_t value, int source);
/// Gives up to 64 bytes to the warp. Returns when all lanes have given theirs, which stay until the
/// call after the next.
void give_to_warp(const void* bytes, size_t size);
const void* given_by(int lane);

/// Copies that go on while a thread computes. The blocks of a kernel take turns: in one, copies
/// happen when they are begun, in the next one when they are waited for, so that a kernel that
/// reads too early or writes too early is found out. Of `size` bytes the first `given` are copied,
/// the others become 0.
void begin_copy(void* to, const void* from, int size, int given);
void end_copy_group();
void wait_for_copies(int going_on);

/// Products of a warp group, which go on while its threads compute, as copies do; those of a late
/// one are done when they are waited for, in their order.
void begin_product(std::function<void()> product);
void end_product_group();
void wait_for_products(int going_on);

/// Work that others than threads do, such as the copies of tiles: in one block at once, in the next
/// one as late as it may be, when no thread can go on, and then in another order than it was begun.
void do_beside(std::function<void()> work);

/// Lets the other threads run.
void pause();
/// Something has happened that a thread may wait for.
void note_progress();
/// What a thread, or what works beside it, must not do: `run_block` throws it as an
/// Error(kInternal).
void fail(const std::string& what);
/// Waits until `holds()`.
template <class F>
void wait_until(const F& holds) {
  while (!holds()) pause();
}

struct Index {
  int x = 0;
};

}  // namespace host

extern thread_local host::Index threadIdx, blockDim;

inline void __syncthreads() { host::wait_for_block(); }

template <class T>
T __shfl_sync(unsigned, T value, int source) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = host::exchange(bits, source);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  return __shfl_sync(mask, value, (threadIdx.x % 32) ^ lanes);
}

template <class T>
T atomicMax(T* place, T value) {
  const T before = *place;
  if (value > before) *place = value;
  return before;
}
template <class T>
T atomicAdd(T* place, T value) {
  const T before = *place;
  *place = before + value;
  return before;
}

}  // namespace symk::cuda
