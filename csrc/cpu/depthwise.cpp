// Convolutions of groups with few channels, vectors over the channels of the result. Some results
// are gathered together, so that a weight is loaded once for all of them; products for the gradient
// of the kernel are summed for some rows and columns of taps together, so that a gradient is loaded
// once for all of those.
#include "cpu/depthwise.h"

#include "cpu/depthwise_lines.h"

namespace symk::cpu::SYMK_ISA {
namespace {

// Whether special shapes have code of their own.
template <class T>
inline constexpr bool kHasVariants = !is_spare(Isa::SYMK_ISA) && sizeof(T) == 4;
template <class T>
inline constexpr int kVectors = kHasVariants<T> ? 2 : 1;     // times kResults: sums of 14 registers
constexpr int kRunVectors = kVectorRegisters == 32 ? 2 : 1;  // beside them weights of a row
constexpr int kSumVectors = kVectorRegisters == 32 ? 2 : 1;  // times 3 x 3 taps: sums of 18 or 9

/// A number as a type.
template <int n>
struct Number {
  static constexpr int value = n;
};

/// Which results to gather, from which taps.
template <class T>
struct Gather {
  const T* from;  // where result 0 looks
  int64_t step;   // elements from where a result looks to where the next one does
  int64_t pixel;
  int64_t lanes;
  const T* w;
  int64_t w_tap;  // elements from the weights of a tap to those of the next one of its row
  Epilogue<T> epilogue;
  T* y;
  int64_t y_pixel;
  const LaneTap* taps;  // first .. last - 1 of each `group` up to `count` are there
  int64_t count, group;
  Range there;
  const LaneTap* runs;
  int64_t run_count;
  Ahead<T> ahead;
};

/// Writes sums of results from t on.
template <class T, int results, class Block>
[[gnu::always_inline]] inline void write_results(const Gather<T>& gather, int64_t t, int64_t c,
                                                 Block block,
                                                 Vec<T> (&sums)[results][Block::count]) {
  const Epilogue<T>& epilogue = gather.epilogue;
  T* const y = gather.y + t * gather.y_pixel + c;
  if (epilogue.scale || epilogue.bias) {
#pragma GCC unroll 2
    for (int v = 0; v < Block::count; ++v) {
      const Vec<T> scale = epilogue.scale ? block.load(epilogue.scale + c, v) : Vec<T>(T(1));
      const Vec<T> bias = epilogue.bias ? block.load(epilogue.bias + c, v) : Vec<T>::zero();
#pragma GCC unroll 7
      for (int q = 0; q < results; ++q) sums[q][v] = fma(sums[q][v], scale, bias);
    }
  }
  if (epilogue.addend) {
    const T* const addend = epilogue.addend + t * gather.y_pixel + c;
#pragma GCC unroll 7
    for (int q = 0; q < results; ++q) {
#pragma GCC unroll 2
      for (int v = 0; v < Block::count; ++v)
        sums[q][v] += block.load(addend + q * gather.y_pixel, v);
    }
  }
  // NaN is the second operand of min and max, and so stays.
  if (epilogue.is_limited()) {
    const Vec<T> limit(epilogue.limit);
#pragma GCC unroll 7
    for (int q = 0; q < results; ++q) {
#pragma GCC unroll 2
      for (int v = 0; v < Block::count; ++v) sums[q][v] = min(limit, sums[q][v]);
    }
  }
  const Vec<T> floor = epilogue.is_relu ? Vec<T>::zero() : Vec<T>(T(-__builtin_inf()));
#pragma GCC unroll 7
  for (int q = 0; q < results; ++q) {
#pragma GCC unroll 2
    for (int v = 0; v < Block::count; ++v)
      block.store(max(floor, sums[q][v]), y + q * gather.y_pixel, v);
  }
}

template <class T, int results, int vectors>
[[gnu::always_inline]] inline void clear(Vec<T> (&sums)[results][vectors]) {
#pragma GCC unroll 7
  for (int q = 0; q < results; ++q) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) sums[q][v] = Vec<T>::zero();
  }
}

/// Results t .. last - 1, `results` of which are gathered together; gives the first that is left.
/// Any taps.
template <class T, int results>
[[gnu::noinline]] int64_t gather_taps(const Gather<T>& gather, int64_t t, int64_t last) {
  for (; t + results <= last; t += results) {
    for_channels<T, kVectors<T>, kFreeMasks && results != kResults>(
        gather.lanes, [&](int64_t c, auto block) {
          constexpr int vectors = decltype(block)::count;
          const T* const origin = gather.from + t * gather.step + c;
          const T* const weights = gather.w + c;
          const int64_t step = gather.step;
          if constexpr (results == kResults) fetch_block(gather.ahead, t, c, block);
          Vec<T> sums[results][vectors];
          clear(sums);
          for (int64_t i = 0; i < gather.count; i += gather.group) {
            const LaneTap* const last_tap = gather.taps + i + gather.there.last;
            for (const LaneTap* tap = gather.taps + i + gather.there.first; tap < last_tap; ++tap) {
              const T* const from = origin + tap->pixel;
#pragma GCC unroll 2
              for (int v = 0; v < vectors; ++v) {
                const Vec<T> factor = block.load(weights + tap->weight, v);
#pragma GCC unroll 7
                for (int q = 0; q < results; ++q)
                  sums[q][v] = fma(block.load(from + q * step, v), factor, sums[q][v]);
              }
            }
          }
          write_results<T, results>(gather, t, c, block, sums);
        });
  }
  return t;
}

/// The same for rows of `taps` taps that look at neighbouring pixels, `stride` of which lie between
/// results: a pixel is loaded once for all results that see it.
template <class T, int taps, int stride>
[[gnu::noinline]] int64_t gather_runs(const Gather<T>& gather, int64_t t, int64_t last) {
  constexpr int pixels = (kResults - 1) * stride + taps;
  for (; t + kResults <= last; t += kResults) {
    for_channels<T, kRunVectors, kFreeMasks>(gather.lanes, [&](int64_t c, auto block) {
      constexpr int vectors = decltype(block)::count;
      const T* const origin = gather.from + t * gather.step + c;
      const T* const weights = gather.w + c;
      const int64_t pixel = gather.pixel, w_tap = gather.w_tap;
      fetch_block(gather.ahead, t, c, block);
      Vec<T> sums[kResults][vectors];
      clear(sums);
      const LaneTap* const last_run = gather.runs + gather.run_count;
      for (const LaneTap* run = gather.runs; run < last_run; ++run) {
        const T* const from = origin + run->pixel;
        const T* const weight = weights + run->weight;
        Vec<T> factors[taps][vectors];
#pragma GCC unroll 5
        for (int k = 0; k < taps; ++k) {
#pragma GCC unroll 2
          for (int v = 0; v < vectors; ++v)
            factors[k][v] = in_register(block.load(weight + k * w_tap, v));
        }
#pragma GCC unroll 17
        for (int i = 0; i < pixels; ++i) {
#pragma GCC unroll 2
          for (int v = 0; v < vectors; ++v) {
            const Vec<T> x = in_register(block.load(from + i * pixel, v));
#pragma GCC unroll 5
            for (int k = 0; k < taps; ++k) {
              const int distance = i - k, q = distance / stride;
              if (distance >= 0 && distance % stride == 0 && q < kResults)
                sums[q][v] = fma(x, factors[k][v], sums[q][v]);
            }
          }
        }
      }
      write_results<T, kResults>(gather, t, c, block, sums);
    });
  }
  return t;
}

/// Whole blocks of results t .. last - 1; gives the first that is left.
template <class T>
int64_t gather_blocks(const LaneJob<T>& job, const Gather<T>& gather, int64_t t, int64_t last) {
  if constexpr (kHasVariants<T>) {
    const bool neighbours = job.adjacent && gather.pixel * job.column_step == gather.step;
    if (neighbours && job.columns.count == 3 && job.column_step == 1)
      return gather_runs<T, 3, 1>(gather, t, last);
    if (neighbours && job.columns.count == 3 && job.column_step == 2)
      return gather_runs<T, 3, 2>(gather, t, last);
    if (neighbours && job.columns.count == 5 && job.column_step == 1)
      return gather_runs<T, 5, 1>(gather, t, last);
  }
  return gather_taps<T, kResults>(gather, t, last);
}

template <class T>
void gather_line(const LaneJob<T>& job, const Line<T>& line, const Ahead<T>& ahead, int64_t lanes,
                 const T* w, const Epilogue<T>& epilogue, T* y, int64_t y_pixel) {
  const Range whole = whole_results(job, line);
  Gather<T> gather;
  gather.pixel = line.pixels.pixel;
  gather.step = job.column_step * gather.pixel;
  gather.from = line.pixels.at + line.plane * line.pixels.plane + line.row * line.pixels.row;
  gather.ahead = ahead;
  gather.lanes = lanes;
  gather.w = w;
  gather.w_tap =
      job.columns.count > 1 ? job.lane_taps[job.depth].weight - job.lane_taps[0].weight : 0;
  gather.epilogue = epilogue;
  gather.y = y;
  gather.y_pixel = y_pixel;
  gather.taps = job.all_taps;
  gather.count = line.taps;
  gather.runs = job.all_taps + line.taps;
  gather.run_count = line.runs;
  const auto edge = [&](int64_t first, int64_t last) {
    gather.group = job.columns.count;
    for (int64_t t = first; t < last; ++t) {
      gather.there = taps_of(job, line, t);
      gather_taps<T, 1>(gather, t, t + 1);
    }
  };
  edge(line.first, whole.first);
  gather.group = line.taps > 0 ? line.taps : 1;
  gather.there = {0, line.taps};
  int64_t t = gather_blocks(job, gather, whole.first, whole.last);
  // Some results again, to the same bits, rather than a few alone; an addend may be where they go.
  if (t < whole.last && whole.last - whole.first >= kResults && !epilogue.addend)
    t = gather_blocks(job, gather, whole.last - kResults, whole.last);
  if constexpr (kHasVariants<T>) {
    t = gather_taps<T, 4>(gather, t, whole.last);
    t = gather_taps<T, 2>(gather, t, whole.last);
  }
  gather_taps<T, 1>(gather, t, whole.last);
  edge(whole.last, line.last);
}

/// Activation, if it was not done in registers, and factor of `count` finished elements, next to
/// each other.
template <class T>
void finish(const Epilogue<T>& epilogue, T* y, int64_t count) {
  if (epilogue.activation && !epilogue.is_relu) epilogue.activation(y, count);
  if (!epilogue.factor) return;
  for_channels<T, 4, kFreeMasks>(count, [&](int64_t i, auto block) {
#pragma GCC unroll 4
    for (int v = 0; v < block.count; ++v)
      block.store(block.load(y + i, v) * block.load(epilogue.factor + i, v), y + i, v);
  });
}

template <class T>
void gather(const LaneJob<T>& job, const T* w, const Epilogue<T>& epilogue, T* y, int64_t y_row,
            int64_t y_pixel) {
  const bool finishes = (epilogue.activation && !epilogue.is_relu) || epilogue.factor;
  if (job.copied_lanes == 0) {
    visit_in_place(job, [&](int64_t i, const Line<T>& line) {
      T* const to = y + i * y_row;
      gather_line(job, line, ahead_of<T>(job, line, i, to, y_row, y_pixel), job.lanes, w,
                  epilogue.at(0, i * y_row), to, y_pixel);
      if (!finishes) return;
      const int64_t place = i * y_row + line.first * job.lanes;
      finish(epilogue.at(0, place), y + place, (line.last - line.first) * job.lanes);
    });
    return;
  }
  visit_copies(job, [&](int64_t i, const Line<T>& line, int64_t lane, int64_t lanes) {
    const int64_t place = i * y_row + lane;
    gather_line(job, line, ahead_of<T>(job, line, i, y + place, y_row, y_pixel), lanes, w + lane,
                epilogue.at(lane, place), y + place, y_pixel);
  });
  if (finishes) finish(epilogue, y, job.row_count * job.column_count * job.lanes);
}

/// What some rows of results give to the sums of some weights: row r of the taps is gathered from
/// from + places[r], tap k of it tap[k].pixel further on, and has its sums at sum_places[r].
template <class T>
struct TapProducts {
  const T* from;
  const int64_t* places;
  const LaneTap* tap;
  int64_t step;  // elements from where a result looks to where the next one does
  const T* g;
  int64_t g_pixel;
  Range results;
  T* sums;
  const int64_t* sum_places;
  const Ahead<T>* ahead;  // may be null
};

/// Adds the products of `rows` x `taps` weights, from row `first` on, for a block of lanes.
template <class T, int rows, int taps, class Block>
[[gnu::always_inline]] inline void add_block(const TapProducts<T>& products, int first, int64_t c,
                                             Block block) {
  constexpr int vectors = Block::count;
  const LaneTap* const tap = products.tap;
  Vec<T> totals[rows][taps][vectors];
  const T* line[rows];
#pragma GCC unroll 3
  for (int r = 0; r < rows; ++r) {
    line[r] = products.from + products.places[first + r] + c;
#pragma GCC unroll 3
    for (int k = 0; k < taps; ++k) {
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) totals[r][k][v] = Vec<T>::zero();
    }
  }
  const Range results = products.results;
  const int64_t step = products.step, g_pixel = products.g_pixel;
  const T* slope = products.g + c;
  for (int64_t t = results.first; t < results.last; ++t, slope += g_pixel) {
    if (products.ahead) fetch_share(*products.ahead, results, t, c, block);
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) {
      const Vec<T> factor = block.load(slope, v);
#pragma GCC unroll 3
      for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 3
        for (int k = 0; k < taps; ++k)
          totals[r][k][v] = fma(block.load(line[r] + tap[k].pixel, v), factor, totals[r][k][v]);
      }
    }
#pragma GCC unroll 3
    for (int r = 0; r < rows; ++r) line[r] += step;
  }
#pragma GCC unroll 3
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 3
    for (int k = 0; k < taps; ++k) {
      T* const sum = products.sums + products.sum_places[first + r] + tap[k].weight + c;
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) block.store(block.load(sum, v) + totals[r][k][v], sum, v);
    }
  }
}

/// The same for the last lanes, which fill no vector.
template <class T, int taps>
[[gnu::noinline]] void add_last_lanes(const TapProducts<T>& products, int row, int64_t c,
                                      int lanes) {
  add_block<T, 1, taps>(products, row, c, PartBlock<T>{lanes});
}

template <class T, int rows, int taps>
[[gnu::always_inline]] inline void add_taps(const TapProducts<T>& products, int64_t lanes) {
  const int64_t c = for_whole_channels<T, kSumVectors>(lanes, [&](int64_t channel, auto block) {
    add_block<T, rows, taps>(products, 0, channel, block);
  });
  if (c == lanes) return;
  for (int r = 0; r < rows; ++r)
    add_last_lanes<T, taps>(products, r, c, static_cast<int>(lanes - c));
}

/// The products of results of one line.
template <class T>
struct Products {
  const T* g;
  T* sums;
  int64_t g_pixel, lanes;
};

/// Adds those of results t .. t + count - 1 for `rows` rows of taps of one plane.
template <class T, int rows>
[[gnu::always_inline]] inline void add_rows(const LaneJob<T>& job, const Line<T>& line,
                                            const ConvTap& plane, const ConvTap* row, Range taps,
                                            Range results, const Products<T>& products,
                                            const Ahead<T>* ahead) {
  int64_t places[rows], sum_places[rows];
#pragma GCC unroll 3
  for (int r = 0; r < rows; ++r) {
    places[r] = row[r].offset * line.pixels.row;
    sum_places[r] = plane.kernel * job.w_plane + row[r].kernel * job.w_row;
  }
  TapProducts<T> some;
  some.step = job.column_step * line.pixels.pixel;
  some.from = line.pixels.at + (line.plane + plane.offset) * line.pixels.plane +
              line.row * line.pixels.row + results.first * some.step;
  some.places = places;
  some.g = products.g + results.first * products.g_pixel;
  some.g_pixel = products.g_pixel;
  some.results = results;
  some.sums = products.sums;
  some.sum_places = sum_places;
  some.ahead = ahead;
  const auto add = [&](auto number) {
    constexpr int together = decltype(number)::value;
    for (; taps.last - taps.first >= together; taps.first += together) {
      some.tap = job.lane_taps + taps.first;
      add_taps<T, rows, together>(some, products.lanes);
      some.ahead = nullptr;
    }
  };
  add(Number<3>{});
  if constexpr (kHasVariants<T>) add(Number<2>{});
  add(Number<1>{});
}

template <class T>
void add_results(const LaneJob<T>& job, const Line<T>& line, Range taps, Range results,
                 const Products<T>& products, const Ahead<T>* ahead) {
  if (results.first >= results.last) return;
  for (int64_t i = 0; i < line.planes.count; ++i) {
    const ConvTap& plane = line.planes.taps[i];
    const ConvTap* row = line.rows.taps;
    int64_t left = line.rows.count;
    if constexpr (kHasVariants<T>) {
      for (; left >= 3; left -= 3, row += 3, ahead = nullptr)
        add_rows<T, 3>(job, line, plane, row, taps, results, products, ahead);
    }
    for (; left > 0; --left, ++row, ahead = nullptr)
      add_rows<T, 1>(job, line, plane, row, taps, results, products, ahead);
    ahead = nullptr;
  }
}

template <class T>
void add_line(const LaneJob<T>& job, const Line<T>& line, const Products<T>& products,
              const Ahead<T>& ahead) {
  const Range whole = whole_results(job, line);
  const Range all = {0, job.columns.count * job.depth};
  for (int64_t t = line.first; t < whole.first; ++t)
    add_results<T>(job, line, taps_of(job, line, t), {t, t + 1}, products, nullptr);
  add_results(job, line, all, whole, products, job.is_far ? &ahead : nullptr);
  for (int64_t t = whole.last; t < line.last; ++t)
    add_results<T>(job, line, taps_of(job, line, t), {t, t + 1}, products, nullptr);
}

template <class T>
void add_products(const LaneJob<T>& job, const T* g, T* sums) {
  const int64_t g_row = job.column_count * job.lanes;
  if (job.copied_lanes == 0) {
    visit_in_place(job, [&](int64_t i, const Line<T>& line) {
      const T* const from = g + i * g_row;
      add_line(job, line, Products<T>{from, sums, job.lanes, job.lanes},
               ahead_of(job, line, i, from, g_row, job.lanes));
    });
    return;
  }
  visit_copies(job, [&](int64_t i, const Line<T>& line, int64_t lane, int64_t lanes) {
    const T* const from = g + i * g_row + lane;
    add_line(job, line, Products<T>{from, sums + lane, job.lanes, lanes},
             ahead_of(job, line, i, from, g_row, job.lanes));
  });
}

template <class T>
constexpr DepthwiseFunctions<T> functions() {
  if constexpr (sizeof(T) == 8 && !has_float64(Isa::SYMK_ISA)) return {};
  return {Vec<T>::width, kResults, &gather<T>, &add_products<T>};
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const DepthwiseKernels& DepthwiseKernels::of<Isa::SYMK_ISA>() {
  static constexpr DepthwiseKernels table = {SYMK_ISA::functions<float>(),
                                             SYMK_ISA::functions<double>()};
  return table;
}

}  // namespace symk::cpu
