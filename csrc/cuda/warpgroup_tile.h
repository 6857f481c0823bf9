// Products by warp groups, of compute capability 9.0. A block stays on its processor and does one
// tile after the other. Its third warp group copies boxes of both operands to a ring of stages, as
// far ahead as there are stages, also those of the next tile while this one is finished. The first
// two multiply 64 rows of the tile each, out of the stages, and keep the sums in registers:
//
//    who copies:     wait until stage s is empty, ask for its boxes       ("full" counts bytes)
//    who multiply:   wait until it is full, multiply, give it back        ("empty" counts warps)
//
// A stage is given back when the products that read it have ended; those of the next stage have
// begun by then, so the tensor cores do not wait for that.
//
// What is copied is a matter of the product's source:
//
//   Lines lines(place)              what belongs to the rows and columns of a tile
//   copy(stages, stage, lines, depth, full)    asks for the boxes of the depths from `depth` on
//   int64_t row(i)                  where row i of the product stands in the result
//   float added(place, row, column, first, last)    a sum over some depths in plain float32
//
// float32 is three products of TF32 (tensor_tile.h has the bound): those of a depth of 16 are begun
// from zero and added to the sums in float32, while the other group's products go on.
#pragma once

#include <memory>

#include "cuda/epilogue.h"
#include "cuda/operand.h"
#include "cuda/packed_operand.h"
#include "cuda/wgmma.h"

namespace symk::cuda {

/// A tile of 128 x `columns` results.
template <Factor factor_, int columns_, int stages_>
struct WarpGroupForm {
  static constexpr Factor factor = factor_;
  static constexpr int groups = 2, rows = groups * kGroupRows, columns = columns_;
  static constexpr int stages = stages_, parts = PackedFactor<factor>::parts;
  static constexpr int depth = PackedFactor<factor>::depths_per_line;  // of a stage
  static constexpr int left_bytes = rows * kBoxLineBytes, right_bytes = columns * kBoxLineBytes;
  static constexpr int stage_bytes = parts * (left_bytes + right_bytes);
  static constexpr int barrier_bytes = 2 * stages * static_cast<int>(sizeof(Barrier));
  static constexpr int shared_bytes = kBoxAlignment + stages * stage_bytes + barrier_bytes;
  static constexpr int threads = (groups + 1) * kWarpGroup;
  // What 65536 registers leave: 168 each at first, then these.
  static constexpr int registers_to_multiply = 232, registers_to_copy = 40;
};

/// The memory of a block.
template <class Form>
class Stages {
 public:
  SYMK_HD explicit Stages(char* memory)
      : boxes_(memory + (kBoxAlignment - shared_address(memory) % kBoxAlignment) % kBoxAlignment),
        barriers_(reinterpret_cast<Barrier*>(boxes_ + Form::stages * Form::stage_bytes)) {}

  SYMK_HD Barrier* full(int stage) const { return barriers_ + stage; }
  SYMK_HD Barrier* empty(int stage) const { return barriers_ + Form::stages + stage; }
  SYMK_HD char* left(int stage, int part) const {
    return boxes_ + stage * Form::stage_bytes + part * Form::left_bytes;
  }
  SYMK_HD char* right(int stage, int part) const {
    return boxes_ + stage * Form::stage_bytes + Form::parts * Form::left_bytes +
           part * Form::right_bytes;
  }

 private:
  char* boxes_;
  Barrier* barriers_;
};

/// Where finished sums go.
struct WarpGroupResults {
  int64_t columns, elements;  // of C, of one product
  float *c, *sums;            // sums: of all pieces, where another kernel finishes them, or null
  int64_t count;              // elements of a piece
  TileEpilogue<float> epilogue;
  bool is_plain;  // there is nothing to do to them here

  /// The place of a piece's product in what is written, and that of an element in it.
  SYMK_HD float* begin(const TilePlace& place) const {
    return (sums != nullptr ? sums + place.piece * count : c) + place.product * elements;
  }
  SYMK_HD float finished(float sum, const TilePlace& place, int64_t column, int64_t at) const {
    return is_plain ? sum : epilogue(sum, column, place.product * elements + at);
  }
};

/// Two neighbours that are written at once.
struct alignas(8) Pair {
  float x[2];
};

template <class Form, class Source>
struct WarpGroupProduct {
  static constexpr int kThreads = Form::threads, kSharedBytes = Form::shared_bytes;

  Source source;
  ProductSize size;
  TileGrid grid;
  int64_t piece_depth;
  WarpGroupResults results;

  /// Does every `blocks`th tile from `block` on.
  SYMK_HD void operator()(int64_t block, int64_t blocks) const {
    const Stages<Form> stages(shared_memory<char>());
    if (threadIdx.x == 0) {
      SYMK_ROLLED
      for (int stage = 0; stage < Form::stages; ++stage) {
        make_barrier(stages.full(stage), 1);
        make_barrier(stages.empty(stage), Form::groups * kWarpGroup / kWarp);
      }
      publish_barriers();
    }
    __syncthreads();
    const int group = static_cast<int>(threadIdx.x) / kWarpGroup;
    if (group == Form::groups) {
      give_registers<Form::registers_to_copy>();
      if (threadIdx.x % kWarpGroup == 0) copy(stages, block, blocks);
    } else {
      take_registers<Form::registers_to_multiply>();
      multiply(stages, group, block, blocks);
    }
  }

 private:
  static constexpr bool is_split = Form::factor == Factor::kFloat32;
  static constexpr int count = Form::columns / 2;  // sums of a thread
  using Sums = float[count];
  using Place = RingPlace<Form::stages>;

  /// The depths of a tile's piece.
  struct Depths {
    int first, last;
    SYMK_HD int steps() const { return (last - first + Form::depth - 1) / Form::depth; }
  };
  SYMK_HD Depths depths_of(const TilePlace& place) const {
    const auto depth = static_cast<int>(size.depth), one = static_cast<int>(piece_depth);
    const int first = place.piece * one;
    return {first, depth - first < one ? depth : first + one};
  }

  SYMK_HD void copy(const Stages<Form>& stages, int64_t block, int64_t blocks) const {
    Place ring;
    SYMK_ROLLED
    for (int64_t tile = block; tile < grid.count(); tile += blocks) {
      const TilePlace place = grid.place(tile);
      const Depths depths = depths_of(place);
      const auto lines = source.lines(place);
      SYMK_ROLLED
      for (int depth = depths.first; depth < depths.last; depth += Form::depth) {
        Barrier* const full = stages.full(ring.stage());
        wait_for_phase(stages.empty(ring.stage()), ring.when_empty());
        arrive_with_bytes(full, Form::stage_bytes);
        source.copy(stages, ring.stage(), lines, depth, full);
        ring.advance();
      }
    }
  }

  SYMK_HD void multiply(const Stages<Form>& stages, int group, int64_t block,
                        int64_t blocks) const {
    Place ring;
    SYMK_ROLLED
    for (int64_t tile = block; tile < grid.count(); tile += blocks) {
      const TilePlace place = grid.place(tile);
      const Depths depths = depths_of(place);
      Sums sums;
      if constexpr (is_split) {
        add_split(stages, group, depths.steps(), ring, sums);
      } else {
        add(stages, group, depths.steps(), ring, sums);
      }
      finish(place, depths, group, sums);
    }
  }

  /// Every warp gives a stage back by itself.
  SYMK_HD static void give_back(const Stages<Form>& stages, int stage) {
    if (threadIdx.x % kWarp == 0) arrive(stages.empty(stage));
  }

  /// The boxes of a stage, those of a group's own rows.
  SYMK_HD static uint64_t left_of(const Stages<Form>& stages, int stage, int part, int group) {
    return box_descriptor(shared_address(stages.left(stage, part)) +
                          static_cast<uint32_t>(group * kGroupRows * kBoxLineBytes));
  }
  SYMK_HD static uint64_t right_of(const Stages<Form>& stages, int stage, int part) {
    return box_descriptor(shared_address(stages.right(stage, part)));
  }

  SYMK_HD static void clear(Sums& sums) {
    SYMK_UNROLLED
    for (int i = 0; i < count; ++i) sums[i] = 0;
  }

  SYMK_HD static void add(const Stages<Form>& stages, int group, int steps, Place& ring,
                          Sums& sums) {
    clear(sums);
    int before = 0;  // the stage of the step before
    SYMK_ROLLED
    for (int step = 0; step < steps; ++step) {
      const int stage = ring.stage();
      wait_for_phase(stages.full(stage), ring.when_full());
      const uint64_t a = left_of(stages, stage, 0, group), b = right_of(stages, stage, 0);
      begin_products(sums);
      SYMK_UNROLLED
      for (int i = 0; i < kBoxLineBytes / kProductBytes; ++i) {
        begin_product<Form::factor>(sums, at_product(a, i), at_product(b, i), true);
      }
      end_product_group();
      wait_for_products<1>(sums);
      if (step > 0) give_back(stages, before);
      before = stage;
      ring.advance();
    }
    wait_for_products<0>(sums);
    give_back(stages, before);
  }

  SYMK_HD static void add_split(const Stages<Form>& stages, int group, int steps, Place& ring,
                                Sums& sums) {
    clear(sums);
    SYMK_ROLLED
    for (int step = 0; step < steps; ++step) {
      const int stage = ring.stage();
      wait_for_phase(stages.full(stage), ring.when_full());
      constexpr int together = 2;  // a depth of 16
      SYMK_ROLLED
      for (int first = 0; first < kBoxLineBytes / kProductBytes; first += together) {
        Sums own;
        begin_products(own);
        SYMK_UNROLLED
        for (int i = 0; i < 3 * together; ++i) {
          const int left_part = i / together == 0, right_part = i / together == 1;  // 1: the rest
          begin_product<Factor::kTf32>(
              own, at_product(left_of(stages, stage, left_part, group), first + i % together),
              at_product(right_of(stages, stage, right_part), first + i % together), i > 0);
        }
        end_product_group();
        wait_for_products<0>(own);
        SYMK_UNROLLED
        for (int i = 0; i < count; ++i) sums[i] += own[i];
      }
      give_back(stages, stage);
      ring.advance();
    }
  }

  /// Infinity is no sum of two numbers, and the largest numbers round to it: where such are seen, a
  /// result is added up in plain float32.
  SYMK_HD void finish(const TilePlace& place, const Depths& depths, int group,
                      const Sums& sums) const {
    const auto thread = static_cast<int>(threadIdx.x) % kWarpGroup;
    const int64_t row = int64_t{place.row} * Form::rows + group * kGroupRows + group_row(thread, 0);
    const int64_t column = int64_t{place.column} * Form::columns + group_column(thread, 0);
    if (results.is_plain) {
      write<true>(place, row, column, sums);
    } else {
      write<false>(place, row, column, sums);
    }
    if constexpr (is_split) {
      static_assert(count <= 64, "a bit for each sum");
      uint64_t again = 0;
      SYMK_UNROLLED
      for (int i = 0; i < count; ++i) {
        const bool is_finite = math::abs(sums[i]) < math::Format<float>::infinity;
        again |= uint64_t{!is_finite} << i;
      }
      SYMK_ROLLED
      for (int i = 0; again != 0 && i < count; ++i) {
        if ((again >> i & 1) != 0)
          write_again(place, depths, row + i / 2 % 2 * 8, column + group_column(0, i));
      }
    }
  }

  /// Where a row begins. Sums that another kernel finishes stand in order.
  SYMK_HD int64_t line_of(int64_t row) const {
    return (results.sums != nullptr ? row : source.row(row)) * results.columns;
  }

  /// From the place of a thread's first sum on. A warp writes runs of eight neighbours, which fill
  /// the 32 bytes that memory takes at once.
  template <bool is_plain>
  SYMK_HD void write(const TilePlace& place, int64_t row, int64_t column, const Sums& sums) const {
    float* const to = results.begin(place);
    const bool in_pairs = size.columns % 2 == 0;
    const int64_t line[2] = {line_of(row), line_of(row + 8)};
    SYMK_UNROLLED
    for (int i = 0; i < count; i += 2) {
      const int64_t r = row + i / 2 % 2 * 8, c = column + group_column(0, i);
      if (r >= size.rows || c >= size.columns) continue;
      const int64_t at = line[i / 2 % 2] + c;
      const bool is_last = c + 1 == size.columns;
      Pair pair = {{sums[i], sums[i + 1]}};
      if (!is_plain) {
        pair.x[0] = results.finished(pair.x[0], place, c, at);
        if (!is_last) pair.x[1] = results.finished(pair.x[1], place, c + 1, at + 1);
      }
      if (in_pairs) {
        *reinterpret_cast<Pair*>(to + at) = pair;
      } else {
        to[at] = pair.x[0];
        if (!is_last) to[at + 1] = pair.x[1];
      }
    }
  }

  SYMK_HD void write_again(const TilePlace& place, const Depths& depths, int64_t row,
                           int64_t column) const {
    if (row >= size.rows || column >= size.columns) return;
    const float sum = source.added(place, row, column, depths.first, depths.last);
    const int64_t at = line_of(row) + column;
    results.begin(place)[at] = results.finished(sum, place, column, at);
  }
};

/// Calls f(Form()) with the tiles of a cut.
template <Factor factor, class F>
void with_tiles(const ProductCut& cut, const F& f) {
  if constexpr (factor == Factor::kFloat32) {
    f(WarpGroupForm<factor, 128, 3>());
  } else if (cut.large) {
    f(WarpGroupForm<factor, 256, 4>());
  } else {
    f(WarpGroupForm<factor, 128, 6>());
  }
}

/// Runs a product; `sums`: where another kernel finishes it.
template <class Form, class Source>
void run_warp_groups(const Queue& queue, const Source& source, const ProductSize& size,
                     const ProductCut& cut, float* result, float* sums,
                     const TileEpilogue<float>& epilogue) {
  const TileGrid grid(size, cut, Form::rows, Form::columns);
  const int64_t elements = size.rows * size.columns;
  persistent_blocks(
      queue, grid.count(),
      WarpGroupProduct<Form, Source>{
          source, size, grid, cut.piece_depth,
          WarpGroupResults{size.columns, elements, result, sums, cut.products * elements, epilogue,
                           sums != nullptr || epilogue.is_plain()}});
}

/// Made<factor>(arguments...).
template <class Base, template <Factor> class Made, class... Arguments>
std::unique_ptr<Base> made_for(Factor factor, const Arguments&... arguments) {
  switch (factor) {
    case Factor::kTf32: return std::make_unique<Made<Factor::kTf32>>(arguments...);
    case Factor::kBfloat16: return std::make_unique<Made<Factor::kBfloat16>>(arguments...);
    case Factor::kFloat16: return std::make_unique<Made<Factor::kFloat16>>(arguments...);
    default: return std::make_unique<Made<Factor::kFloat32>>(arguments...);
  }
}

}  // namespace symk::cuda
