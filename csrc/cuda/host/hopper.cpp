// Copies of boxes scribble over the place that they go to when they are begun, and write it when
// the block says that it is done beside the threads: who reads too early reads NaN.
#include "cuda/host/hopper.h"

#include <cstdlib>
#include <cstring>

#include "cuda/tensor_map.h"

namespace symk::cuda {
namespace host {
namespace {

// Dynamic memory of a block begins behind other memory, at no multiple of what boxes want.
constexpr uint32_t kFirstAddress = 1040;

unsigned char* place_of(uint32_t address) {
  return static_cast<unsigned char*>(shared_bytes()) + (address - kFirstAddress);
}

/// A barrier's 64 bits, which only its instructions know.
struct Phase {
  uint16_t arrivals, pending;
  uint32_t parity : 1;
  int32_t bytes : 31;
};
static_assert(sizeof(Phase) == sizeof(Barrier), "a barrier has eight bytes");

/// Changes a barrier, whose phase may end by it.
template <class F>
void change(uint64_t* barrier, const F& f) {
  Phase phase;
  std::memcpy(&phase, barrier, sizeof phase);
  f(phase);
  constexpr int most_bytes = (1 << 20) - 1;  // "valid range of tx-count"
  if (std::abs(phase.bytes) > most_bytes) fail("a barrier must await less than 2^20 bytes.");
  if (phase.pending == 0 && phase.bytes == 0) {
    phase.parity ^= 1;
    phase.pending = phase.arrivals;
  }
  std::memcpy(barrier, &phase, sizeof phase);
  note_progress();
}

/// What the bytes of a map are here.
struct HostMap {
  BoxArray array;
  int box_lines;
};
static_assert(sizeof(HostMap) <= sizeof(TensorMap::bytes), "a map holds it");

/// To 10 bits of fraction, to nearest, halves to even; infinity and NaN stay.
uint32_t rounded_bits(uint32_t bits) {
  constexpr uint32_t exponent = 0x7f800000u;
  if ((bits & exponent) == exponent) return bits;
  return (bits + 0xfffu + (bits >> 13 & 1u)) & 0xffffe000u;
}

/// One line of a box, as much of it as lies in the array; the rest is zeros.
void read_line(unsigned char (&bytes)[kBoxLineBytes], const BoxArray& array, int64_t depth,
               int64_t line, int64_t slice) {
  std::memset(bytes, 0, sizeof bytes);
  if (line < 0 || line >= array.lines || slice < 0 || slice >= array.slices) return;
  const auto* const from = static_cast<const unsigned char*>(array.data) + line * array.line_step +
                           slice * array.slice_step;
  const int size = size_of(array.element);
  for (int i = 0; i < kBoxLineBytes / size; ++i) {
    if (depth + i < 0 || depth + i >= array.depth) continue;
    std::memcpy(bytes + i * size, from + (depth + i) * size, static_cast<size_t>(size));
    if (array.element != BoxElement::kRounded) continue;
    uint32_t bits;
    std::memcpy(&bits, bytes + i * size, sizeof bits);
    bits = rounded_bits(bits);
    std::memcpy(bytes + i * size, &bits, sizeof bits);
  }
}

}  // namespace

uint32_t shared_address(const void* place) {
  const auto offset =
      static_cast<const unsigned char*>(place) - static_cast<const unsigned char*>(shared_bytes());
  return kFirstAddress + static_cast<uint32_t>(offset);
}

void make_barrier(uint64_t* barrier, int arrivals) {
  const auto count = static_cast<uint16_t>(arrivals);
  const Phase phase = {count, count, 0, 0};
  std::memcpy(barrier, &phase, sizeof phase);
}

void arrive(uint64_t* barrier, int bytes) {
  change(barrier, [&](Phase& phase) {
    if (phase.pending == 0) fail("a phase of a barrier must not have more arrivals than its own.");
    --phase.pending;
    phase.bytes += bytes;
  });
}

bool has_ended(uint64_t barrier, uint32_t parity) {
  Phase phase;
  std::memcpy(&phase, &barrier, sizeof phase);
  return phase.parity != parity;
}

void copy_box(void* to, const unsigned char* map, int depth, int line, int slice,
              uint64_t* barrier) {
  HostMap of;
  std::memcpy(&of, map, sizeof of);
  const uint32_t first = shared_address(to);
  if (first % kBoxAlignment != 0) fail("a box must begin at a multiple of 1024 bytes.");
  std::memset(to, 0xff, static_cast<size_t>(of.box_lines) * kBoxLineBytes);
  do_beside([=] {
    for (int i = 0; i < of.box_lines; ++i) {
      unsigned char bytes[kBoxLineBytes];
      read_line(bytes, of.array, depth, int64_t{line} + i, slice);
      for (int b = 0; b < kBoxLineBytes; ++b)
        *place_of(swizzled(first + static_cast<uint32_t>(i * kBoxLineBytes + b))) = bytes[b];
    }
    change(barrier, [&](Phase& phase) { phase.bytes -= of.box_lines * kBoxLineBytes; });
  });
}

uint32_t described_word(uint64_t descriptor, int line, int byte) {
  constexpr uint64_t swizzle_of_128 = 1;
  const auto field = [&](int first) { return static_cast<uint32_t>(descriptor >> first & 0x3fff); };
  if (descriptor >> 62 != swizzle_of_128 || (descriptor >> 49 & 7) != 0)
    fail("operands must be swizzled by 128 bytes, with a base offset of 0.");
  const uint32_t address = (field(0) << 4) + static_cast<uint32_t>(line / 8) * (field(32) << 4) +
                           static_cast<uint32_t>(line % 8 * kBoxLineBytes + byte);
  uint32_t word;
  std::memcpy(&word, place_of(swizzled(address)), sizeof word);
  return word;
}

void require_of_warp(uint64_t left, uint64_t right, bool keep) {
  const uint64_t own[] = {left, right, keep};
  give_to_warp(own, sizeof own);
  if (std::memcmp(own, given_by(0), sizeof own) != 0)
    fail("the lanes of a warp must ask for the same product.");
}

}  // namespace host

TensorMap make_tensor_map(const BoxArray& array, int box_lines) {
  const auto is_step = [](int64_t step) {
    return step % 16 == 0 && step >= 0 && step < int64_t{1} << 40;
  };
  const auto is_size = [](int64_t size) { return size > 0 && size <= int64_t{1} << 32; };
  if (reinterpret_cast<uintptr_t>(array.data) % 16 != 0 || !is_step(array.line_step) ||
      !is_step(array.slice_step) || !is_size(array.depth) || !is_size(array.lines) ||
      !is_size(array.slices) || box_lines < 1 || box_lines > 256)
    throw Error(ErrorCode::kDevice, "[cuda] cuTensorMapEncodeTiled failed: 1.");
  TensorMap map = {};
  const host::HostMap of = {array, box_lines};
  std::memcpy(map.bytes, &of, sizeof of);
  return map;
}

}  // namespace symk::cuda
