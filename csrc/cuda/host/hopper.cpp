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
/// As cuTensorMapEncodeIm2col takes it: pairs are columns and rows.
struct HostWindowMap {
  const void* data;
  BoxElement element;
  int box_windows;
  int64_t channels, size[2], images;
  int64_t steps[3];  // from column to column, row to row, image to image
  int8_t lower[2], upper[2], stride[2];
};
static_assert(sizeof(HostMap) <= sizeof(TensorMap::bytes) &&
                  sizeof(HostWindowMap) <= sizeof(TensorMap::bytes),
              "a map holds it");

/// To 10 bits of fraction, to nearest, halves to even; infinity and NaN stay.
uint32_t rounded_bits(uint32_t bits) {
  constexpr uint32_t exponent = 0x7f800000u;
  if ((bits & exponent) == exponent) return bits;
  return (bits + 0xfffu + (bits >> 13 & 1u)) & 0xffffe000u;
}

/// A line of a box, at `from`, as much of it as lies below `count`; the rest is zeros.
using Line = unsigned char[kBoxLineBytes];
void read_line(Line& bytes, const unsigned char* from, BoxElement element, int64_t first,
               int64_t count) {
  std::memset(bytes, 0, sizeof bytes);
  const int size = size_of(element);
  for (int i = 0; i < kBoxLineBytes / size; ++i) {
    if (first + i < 0 || first + i >= count) continue;
    std::memcpy(bytes + i * size, from + (first + i) * size, static_cast<size_t>(size));
    if (element != BoxElement::kRounded) continue;
    uint32_t bits;
    std::memcpy(&bits, bytes + i * size, sizeof bits);
    bits = rounded_bits(bits);
    std::memcpy(bytes + i * size, &bits, sizeof bits);
  }
}

bool is_inside(int64_t place, int64_t size) { return place >= 0 && place < size; }

void read_box_line(Line& bytes, const BoxArray& array, int64_t depth, int64_t line, int64_t slice) {
  const bool inside = is_inside(line, array.lines) && is_inside(slice, array.slices);
  const int64_t at = line * array.line_step + slice * array.slice_step;
  read_line(bytes, static_cast<const unsigned char*>(array.data) + (inside ? at : 0), array.element,
            depth, inside ? array.depth : 0);
}

/// The pixel that a tap of a window sees.
void read_pixel(Line& bytes, const HostWindowMap& map, const WindowPlace& window,
                const WindowOffset& tap) {
  const int64_t column = int64_t{window.column} + tap.column, row = int64_t{window.row} + tap.row;
  const bool inside = is_inside(column, map.size[0]) && is_inside(row, map.size[1]) &&
                      is_inside(window.image, map.images);
  const int64_t at = column * map.steps[0] + row * map.steps[1] + window.image * map.steps[2];
  read_line(bytes, static_cast<const unsigned char*>(map.data) + (inside ? at : 0), map.element,
            window.channel, inside ? map.channels : 0);
}

/// From window to window of a bounding box, whose corners belong to it.
WindowPlace next_window(const HostWindowMap& map, WindowPlace window) {
  window.column += map.stride[0];
  if (window.column <= map.size[0] - 1 + map.upper[0]) return window;
  window.column = map.lower[0];
  window.row += map.stride[1];
  if (window.row <= map.size[1] - 1 + map.upper[1]) return window;
  window.row = map.lower[1];
  ++window.image;
  return window;
}

/// Begins to copy lines to a box: `read(bytes)` is asked for one after the other.
template <class Read>
void begin_box(void* to, int lines, uint64_t* barrier, const Read& read) {
  const uint32_t first = shared_address(to);
  if (first % kBoxAlignment != 0) fail("a box must begin at a multiple of 1024 bytes.");
  std::memset(to, 0xff, static_cast<size_t>(lines) * kBoxLineBytes);
  do_beside([=, read = read]() mutable {
    for (int i = 0; i < lines; ++i) {
      Line bytes;
      read(bytes);
      for (int b = 0; b < kBoxLineBytes; ++b)
        *place_of(swizzled(first + static_cast<uint32_t>(i * kBoxLineBytes + b))) = bytes[b];
    }
    change(barrier, [&](Phase& phase) { phase.bytes -= lines * kBoxLineBytes; });
  });
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
  begin_box(to, of.box_lines, barrier,
            [=](Line& bytes) mutable { read_box_line(bytes, of.array, depth, line++, slice); });
}

void copy_windows(void* to, const unsigned char* map, const WindowPlace& first,
                  const WindowOffset& offset, uint64_t* barrier) {
  HostWindowMap of;
  std::memcpy(&of, map, sizeof of);
  constexpr int most_offset = 255;  // of images
  if (offset.column > most_offset || offset.row > most_offset)
    fail("offsets of windows of images must be at most 255.");
  const int place[] = {first.column, first.row};
  for (int axis = 0; axis < 2; ++axis) {
    if (place[axis] < of.lower[axis] || place[axis] > of.size[axis] - 1 + of.upper[axis])
      fail("the first place of a window must lie in the bounding box.");
  }
  begin_box(to, of.box_windows, barrier, [=, window = first](Line& bytes) mutable {
    read_pixel(bytes, of, window, offset);
    window = next_window(of, window);
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

namespace {

bool is_aligned(const BoxArray& array) { return reinterpret_cast<uintptr_t>(array.data) % 16 == 0; }
bool is_step(int64_t step) { return step % 16 == 0 && step >= 0 && step < int64_t{1} << 40; }
bool is_size(int64_t size) { return size > 0 && size <= int64_t{1} << 32; }

template <class HostMap>
TensorMap map_of(const HostMap& of) {
  TensorMap map = {};
  std::memcpy(map.bytes, &of, sizeof of);
  return map;
}

}  // namespace

TensorMap make_tensor_map(const BoxArray& array, int box_lines) {
  if (!is_aligned(array) || !is_step(array.line_step) || !is_step(array.slice_step) ||
      !is_size(array.depth) || !is_size(array.lines) || !is_size(array.slices) || box_lines < 1 ||
      box_lines > 256)
    throw Error(ErrorCode::kDevice, "[cuda] cuTensorMapEncodeTiled failed: 1.");
  return map_of(host::HostMap{array, box_lines});
}

TensorMap make_window_map(const BoxArray& pixels, const WindowAxis& rows, const WindowAxis& columns,
                          int box_windows) {
  const int64_t images = pixels.lines * pixels.slices / rows.size / columns.size;
  const int64_t row_step = pixels.line_step * columns.size, image_step = row_step * rows.size;
  bool fits = is_aligned(pixels) && is_step(pixels.line_step) && is_step(image_step) &&
              is_size(pixels.depth) && is_size(images) && box_windows >= 1 && box_windows <= 1024;
  for (const WindowAxis* axis : {&columns, &rows}) {
    const auto is_corner = [](int32_t place) { return place >= -128 && place <= 127; };
    fits = fits && is_size(axis->size) && is_corner(axis->lower()) && is_corner(axis->upper()) &&
           axis->stride >= 1 && axis->stride <= 8 &&
           axis->lower() <= axis->size - 1 + axis->upper();
  }
  if (!fits) throw Error(ErrorCode::kDevice, "[cuda] cuTensorMapEncodeIm2col failed: 1.");
  const auto narrow = [](int32_t number) { return static_cast<int8_t>(number); };
  return map_of(host::HostWindowMap{pixels.data,
                                    pixels.element,
                                    box_windows,
                                    pixels.depth,
                                    {columns.size, rows.size},
                                    images,
                                    {pixels.line_step, row_step, image_step},
                                    {narrow(columns.lower()), narrow(rows.lower())},
                                    {narrow(columns.upper()), narrow(rows.upper())},
                                    {narrow(columns.stride), narrow(rows.stride)}});
}

}  // namespace symk::cuda
