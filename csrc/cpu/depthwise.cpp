// Convolutions of groups with few channels, vectors over the channels of the result. Some results
// are gathered together, so that a weight is loaded once for all of them; products for the gradient
// of the kernel are summed for some rows and columns of taps together, so that a gradient is loaded
// once for all of those.
#include "cpu/depthwise.h"

#include "cpu/channels.h"

namespace symk::cpu::SYMK_ISA {
namespace {

constexpr int kResults = 7;  // gathered together: 14, 28, 56 and 112 are whole blocks
constexpr int kVectors = 2;  // times kResults: sums of 14 registers
constexpr int kRunVectors = kVectorRegisters == 32 ? 2 : 1;  // beside them weights of a row
constexpr int kSumVectors = kVectorRegisters == 32 ? 2 : 1;  // times 3 x 3 taps: sums of 18 or 9
constexpr int64_t kNearBytes = 32 << 10;                     // of the first cache

constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/// first .. last - 1.
struct Range {
  int64_t first, last;
};

/// A number as a type.
template <int n>
struct Number {
  static constexpr int value = n;
};

/// The taps that lie inside of an axis of `size` positions when gathered from `position`.
TapRange taps_inside(TapRange range, int64_t position, int64_t size) {
  while (range.count > 0 && position + range.taps->offset < 0) ++range.taps, --range.count;
  while (range.count > 0 && position + range.taps[range.count - 1].offset >= size) --range.count;
  return range;
}

/// Pixels as the loops find them: those of the volume, or copies of some of its channels.
template <class T>
struct Pixels {
  const T* at;                // plane, row and column 0
  int64_t plane, row, pixel;  // elements from one to the next
  int64_t first, last;        // columns that are there: first .. last - 1
};

/// A row of results: what it sees, and which of its results are wanted.
template <class T>
struct Line {
  Pixels<T> pixels;
  TapRange planes, rows;  // inside of the volume
  int64_t plane, row;
  int64_t taps, runs;         // how many are listed in job.all_taps
  int64_t first, last;        // results
  int64_t new_row, new_rows;  // that the next line is the first to see
};

template <class T>
Pixels<T> volume_pixels(const LaneJob<T>& job) {
  const int64_t row = job.x_columns * job.lanes;
  return {job.x, job.x_rows * row, row, job.lanes, 0, job.x_columns};
}

template <class T>
Line<T> line_at(const LaneJob<T>& job, const Pixels<T>& pixels, int64_t i, int64_t first,
                int64_t last) {
  Line<T> line;
  line.pixels = pixels;
  line.plane = job.plane;
  line.row = job.row + i * job.row_step;
  line.planes = taps_inside(job.planes, job.plane, job.x_planes);
  line.rows = taps_inside(job.rows, line.row, job.x_rows);
  line.first = first;
  line.last = last;
  line.new_rows = 0;
  return line;
}

/// The results of a line that have all taps.
template <class T>
Range whole_results(const LaneJob<T>& job, const Line<T>& line) {
  if (job.columns.count == 0) return {line.first, line.last};
  const int64_t step = job.column_step;
  const int64_t before = line.pixels.first - job.columns.taps[0].offset;
  const int64_t room = line.pixels.last - job.columns.taps[job.columns.count - 1].offset;
  Range range;
  range.first = before > 0 ? (before + step - 1) / step : 0;
  range.last = room > 0 ? (room + step - 1) / step : 0;
  range.first = smaller(larger(range.first, line.first), line.last);
  range.last = larger(smaller(range.last, line.last), range.first);
  return range;
}

/// The taps of result t that are there; only pixels of depth 1 may lack some.
template <class T>
Range taps_of(const LaneJob<T>& job, const Line<T>& line, int64_t t) {
  const int64_t column = t * job.column_step;
  Range range = {0, job.columns.count};
  const ConvTap* taps = job.columns.taps;
  while (range.first < range.last && column + taps[range.first].offset < line.pixels.first)
    ++range.first;
  while (range.first < range.last && column + taps[range.last - 1].offset >= line.pixels.last)
    --range.last;
  return range;
}

/// Lists the taps of a line, unless they are those of the line before; behind them the first tap of
/// each row, once for each channel that a lane sees.
template <class T>
void list_taps(const LaneJob<T>& job, const Line<T>* before, Line<T>& line) {
  line.runs = line.planes.count * line.rows.count * job.depth;
  line.taps = line.runs * job.columns.count;
  if (before && before->rows.taps == line.rows.taps && before->taps == line.taps) return;
  LaneTap* next = job.all_taps;
  LaneTap* next_run = job.all_taps + line.taps;
  for (int64_t i = 0; i < line.planes.count; ++i) {
    const ConvTap p = line.planes.taps[i];
    for (int64_t j = 0; j < line.rows.count; ++j) {
      const ConvTap r = line.rows.taps[j];
      const int64_t pixel = p.offset * line.pixels.plane + r.offset * line.pixels.row;
      const int64_t weight = p.kernel * job.w_plane + r.kernel * job.w_row;
      for (int64_t channel = 0; channel < job.depth; ++channel) {
        LaneTap* const first = next;
        for (int64_t k = 0; k < job.columns.count; ++k) {
          const LaneTap tap = job.lane_taps[k * job.depth + channel];
          *next++ = {pixel + tap.pixel, weight + tap.weight};
        }
        if (next > first) *next_run++ = *first;
      }
    }
  }
}

/// What the next line is the first to see, and its own place: brought closer while this one is
/// worked on. The hardware does not foresee it.
template <class T>
struct Ahead {
  const T* x;         // where result 0 of the next line looks, in the first of `rows` new rows
  int64_t rows, row;  // elements from one to the next
  int64_t step, pixel;
  const T* y;  // null: it is near
  int64_t y_pixel;
};

/// For `results` results from t on.
template <int results, bool writes, class T, class Block>
[[gnu::always_inline]] inline void fetch(const Ahead<T>& ahead, int64_t t, int64_t c, Block) {
  constexpr int width = Vec<T>::width;
  for (int64_t r = 0; r < ahead.rows; ++r) {
    const T* from = ahead.x + r * ahead.row + t * ahead.step + c;
    const T* const last = from + results * ahead.step;
    for (; from < last; from += ahead.pixel) {
#pragma GCC unroll 2
      for (int v = 0; v < Block::count; ++v) prefetch(from + v * width);
    }
  }
  if (!ahead.y) return;
  const T* const y = ahead.y + t * ahead.y_pixel + c;
#pragma GCC unroll 7
  for (int q = 0; q < results; ++q) {
#pragma GCC unroll 2
    for (int v = 0; v < Block::count; ++v) {
      const T* const place = y + q * ahead.y_pixel + v * width;
      if constexpr (writes) {
        prefetch_to_write(place);
      } else {
        prefetch(place);
      }
    }
  }
}

/// Where the line after `line` of row `i` begins in y, whose rows are y_row apart.
template <class T>
Ahead<T> ahead_of(const LaneJob<T>& job, const Line<T>& line, int64_t i, const T* y, int64_t y_row,
                  int64_t y_pixel) {
  Ahead<T> ahead{};
  ahead.row = line.pixels.row;
  ahead.pixel = line.pixels.pixel;
  ahead.step = job.column_step * ahead.pixel;
  ahead.rows = line.new_rows;
  ahead.x = line.pixels.at + line.plane * line.pixels.plane + line.new_row * line.pixels.row;
  ahead.y = job.is_far && i + 1 < job.row_count ? y + y_row : nullptr;
  ahead.y_pixel = y_pixel;
  return ahead;
}

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
#pragma GCC unroll 7
  for (int q = 0; q < results; ++q) {
#pragma GCC unroll 2
    for (int v = 0; v < Block::count; ++v) block.store(sums[q][v], y + q * gather.y_pixel, v);
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
    for_channels<T, kVectors>(gather.lanes, [&](int64_t c, auto block) {
      constexpr int vectors = decltype(block)::count;
      const T* const origin = gather.from + t * gather.step + c;
      const T* const weights = gather.w + c;
      const int64_t step = gather.step;
      if constexpr (results == kResults) fetch<results, true>(gather.ahead, t, c, block);
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
    for_channels<T, kRunVectors>(gather.lanes, [&](int64_t c, auto block) {
      constexpr int vectors = decltype(block)::count;
      const T* const origin = gather.from + t * gather.step + c;
      const T* const weights = gather.w + c;
      const int64_t pixel = gather.pixel, w_tap = gather.w_tap;
      fetch<kResults, true>(gather.ahead, t, c, block);
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
  const bool neighbours = job.adjacent && gather.pixel * job.column_step == gather.step;
  if (neighbours && job.columns.count == 3 && job.column_step == 1)
    return gather_runs<T, 3, 1>(gather, t, last);
  if (neighbours && job.columns.count == 3 && job.column_step == 2)
    return gather_runs<T, 3, 2>(gather, t, last);
  if (neighbours && job.columns.count == 5 && job.column_step == 1)
    return gather_runs<T, 5, 1>(gather, t, last);
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
  t = gather_taps<T, 4>(gather, t, whole.last);
  t = gather_taps<T, 2>(gather, t, whole.last);
  gather_taps<T, 1>(gather, t, whole.last);
  edge(whole.last, line.last);
}

/// Activation and factor of `count` finished elements, next to each other.
template <class T>
void finish(const Epilogue<T>& epilogue, T* y, int64_t count) {
  if (epilogue.activation) epilogue.activation(y, count);
  if (!epilogue.factor) return;
  for_channels<T, 4>(count, [&](int64_t i, auto block) {
    for (int v = 0; v < block.count; ++v)
      block.store(block.load(y + i, v) * block.load(epilogue.factor + i, v), y + i, v);
  });
}

/// Columns of results whose pixels stay in the first cache from one row to the next.
template <class T>
int64_t near_columns(const LaneJob<T>& job) {
  const int64_t reach =
      job.rows.count == 0 ? 0
                          : job.rows.taps[job.rows.count - 1].offset - job.rows.taps[0].offset + 1;
  const int64_t pixel = job.lanes * static_cast<int64_t>(sizeof(T));
  const int64_t column = pixel * (1 + job.column_step * job.planes.count * (reach + job.row_step));
  const int64_t most = larger(2 * kResults, kNearBytes / larger(column, 1));
  const int64_t blocks = (job.column_count + most - 1) / most;
  const int64_t even = (job.column_count + blocks - 1) / larger(blocks, 1);
  return (even + kResults - 1) / kResults * kResults;
}

/// The rows of x that the line after row i of results is the first to see.
template <class T>
void find_new_rows(const LaneJob<T>& job, int64_t i, Line<T>& line) {
  if (!job.is_far || job.rows.count == 0 || i + 1 == job.row_count) return;
  const int64_t seen = line.row + job.rows.taps[job.rows.count - 1].offset + 1;
  line.new_row = larger(seen, 0);
  line.new_rows = larger(smaller(seen + job.row_step, job.x_rows) - line.new_row, 0);
}

/// Calls visit(line, first result, last result) for all rows of each block of columns.
template <class T, class F>
[[gnu::always_inline]] inline void visit_in_place(const LaneJob<T>& job, F&& visit) {
  const Pixels<T> pixels = volume_pixels(job);
  const int64_t block = larger(near_columns(job), 1);
  for (int64_t t = 0; t < job.column_count; t += block) {
    const int64_t last = smaller(t + block, job.column_count);
    Line<T> before;
    for (int64_t i = 0; i < job.row_count; ++i) {
      Line<T> line = line_at(job, pixels, i, t, last);
      list_taps(job, i > 0 ? &before : nullptr, line);
      before = line;
      find_new_rows(job, i, line);
      visit(i, line);
    }
  }
}

/// Brings the channels that some lanes see to these lanes.
template <class T>
class Spread {
 public:
  using Place = typename IntegerOf<T>::type;

  /// For `used` lanes from `lane` on.
  Spread(const LaneJob<T>& job, int64_t lane, int used) {
    first_ = lane / job.width * job.depth;
    Place places[Vec<T>::width];
    for (int i = 0; i < Vec<T>::width; ++i) {
      const int64_t channel = (lane + (i < used ? i : used - 1)) / job.width * job.depth;
      places[i] = static_cast<Place>(channel - first_);
    }
    span_ = places[Vec<T>::width - 1] + 1;
    places_ = IVec<T>::load(places);
  }

  /// Channel j of their groups, from a pixel of x.
  [[gnu::always_inline]] Vec<T> load(const T* pixel, int64_t j) const {
    constexpr int width = Vec<T>::width;
    const T* from = pixel + first_ + j;
    Vec<T> lanes = pick(load_some(from, span_), places_);
    for (int64_t i = width; i < span_; i += width) {
      const Vec<T> more = pick(load_some(from + i, span_ - i), places_);
      lanes = select(mask_cast<T>(places_ >= IVec<T>(static_cast<Place>(i))), more, lanes);
    }
    return lanes;
  }

 private:
  [[gnu::always_inline]] static Vec<T> load_some(const T* p, int64_t count) {
    return Vec<T>::load_partial(p, static_cast<int>(smaller(count, Vec<T>::width)));
  }

  int64_t first_, span_;
  IVec<T> places_;
};

/// Copies of some lanes of the pixels that rows of results see, made row by row as they are needed.
/// Columns outside of the volume are zero; rows outside are not there.
template <class T>
class Copies {
 public:
  Copies(const LaneJob<T>& job, int64_t lane)
      : job_(job), lane_(lane), lanes_(smaller(job.copied_lanes, job.lanes - lane)) {
    const Range planes = span(job.planes, job.plane, 0, 1, job.x_planes);
    const Range rows = span(job.rows, job.row, job.row_step, job.row_count, job.x_rows);
    first_plane_ = planes.first;
    last_plane_ = planes.last;
    next_row_ = rows.first;
    last_row_ = rows.last;
    pixels_.first = job.columns.count == 0 ? 0 : job.columns.taps[0].offset;
    pixels_.last = pixels_.first;
    if (job.columns.count > 0) {
      pixels_.last = (job.column_count - 1) * job.column_step +
                     job.columns.taps[job.columns.count - 1].offset + 1;
    }
    pixels_.pixel = job.depth * job.copied_lanes;
    pixels_.row = (pixels_.last - pixels_.first) * pixels_.pixel;
    pixels_.plane = (rows.last - rows.first) * pixels_.row;
    pixels_.at = job.scratch - first_plane_ * pixels_.plane - rows.first * pixels_.row -
                 pixels_.first * pixels_.pixel;
  }

  int64_t lanes() const { return lanes_; }
  const Pixels<T>& pixels() const { return pixels_; }

  /// Makes the rows of x below `last`, as far as results see them.
  void make(int64_t last) {
    for (; next_row_ < smaller(last, last_row_); ++next_row_) {
      for (int64_t plane = first_plane_; plane < last_plane_; ++plane) copy_row(plane, next_row_);
    }
  }

 private:
  /// The positions inside of an axis that results see.
  static Range span(const TapRange& taps, int64_t position, int64_t step, int64_t count,
                    int64_t size) {
    if (taps.count == 0 || count == 0) return {0, 0};
    Range range = {position + taps.taps[0].offset,
                   position + (count - 1) * step + taps.taps[taps.count - 1].offset + 1};
    range.first = smaller(larger(range.first, 0), size);
    range.last = larger(smaller(range.last, size), range.first);
    return range;
  }

  void copy_row(int64_t plane, int64_t row) const {
    const int64_t channels = job_.lanes / job_.width * job_.depth;
    const T* const from = job_.x + (plane * job_.x_rows + row) * job_.x_columns * channels;
    T* const to = const_cast<T*>(pixels_.at) + plane * pixels_.plane + row * pixels_.row;
    const Range inside = {smaller(larger(pixels_.first, 0), pixels_.last),
                          larger(smaller(pixels_.last, job_.x_columns), pixels_.first)};
    clear(to, pixels_.first, smaller(inside.first, pixels_.last));
    clear(to, larger(inside.last, inside.first), pixels_.last);
    for (int64_t c = 0; c < lanes_; c += Vec<T>::width) {
      const int used = static_cast<int>(smaller(Vec<T>::width, lanes_ - c));
      if (job_.width == 1 && job_.depth == 1) {
        copy_lanes(from + lane_ + c, channels, used, inside, to + c);
      } else {
        spread_lanes(from, channels, Spread<T>(job_, lane_ + c, used), inside, to + c);
      }
    }
  }

  void clear(T* to, int64_t first, int64_t last) const {
    for (int64_t i = first * pixels_.pixel; i < last * pixels_.pixel; i += Vec<T>::width)
      Vec<T>::zero().store(to + i);
  }

  void copy_lanes(const T* from, int64_t channels, int used, const Range& inside, T* to) const {
    for (int64_t t = inside.first; t < inside.last; ++t) {
      const T* const pixel = from + t * channels;
      const Vec<T> lanes =
          used == Vec<T>::width ? Vec<T>::load(pixel) : Vec<T>::load_partial(pixel, used);
      lanes.store(to + t * pixels_.pixel);
    }
  }

  void spread_lanes(const T* from, int64_t channels, const Spread<T>& spread, const Range& inside,
                    T* to) const {
    for (int64_t t = inside.first; t < inside.last; ++t) {
      for (int64_t j = 0; j < job_.depth; ++j)
        spread.load(from + t * channels, j).store(to + t * pixels_.pixel + j * job_.copied_lanes);
    }
  }

  const LaneJob<T>& job_;
  int64_t lane_, lanes_;
  int64_t first_plane_, last_plane_, next_row_, last_row_;
  Pixels<T> pixels_;
};

/// Calls visit(row, line, lane, lanes) for all rows of some lanes after the others, copied.
template <class T, class F>
[[gnu::always_inline]] inline void visit_copies(const LaneJob<T>& job, F&& visit) {
  const int64_t reach = job.rows.count == 0 ? 0 : job.rows.taps[job.rows.count - 1].offset + 1;
  for (int64_t lane = 0; lane < job.lanes; lane += job.copied_lanes) {
    Copies<T> copies(job, lane);
    Line<T> before;
    for (int64_t i = 0; i < job.row_count; ++i) {
      Line<T> line = line_at(job, copies.pixels(), i, 0, job.column_count);
      list_taps(job, i > 0 ? &before : nullptr, line);
      before = line;
      copies.make(line.row + reach);
      visit(i, line, lane, copies.lanes());
    }
  }
}

template <class T>
void gather(const LaneJob<T>& job, const T* w, const Epilogue<T>& epilogue, T* y, int64_t y_row,
            int64_t y_pixel) {
  const bool finishes = epilogue.activation || epilogue.factor;
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

/// Adds the products of some results to the sums of `rows` x `taps` weights. Row r is gathered from
/// from + places[r], tap k of it tap[k].pixel further on.
template <class T, int rows, int taps>
[[gnu::always_inline]] inline void add_taps(const T* from, const int64_t* places,
                                            const LaneTap* tap, int64_t step, const T* g,
                                            int64_t g_pixel, Range results, int64_t lanes, T* sums,
                                            const int64_t* sum_places, const Ahead<T>* ahead) {
  for_channels<T, kSumVectors>(lanes, [&](int64_t c, auto block) {
    constexpr int vectors = decltype(block)::count;
    Vec<T> totals[rows][taps][vectors];
    const T* line[rows];
#pragma GCC unroll 3
    for (int r = 0; r < rows; ++r) {
      line[r] = from + places[r] + c;
#pragma GCC unroll 3
      for (int k = 0; k < taps; ++k) {
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) totals[r][k][v] = Vec<T>::zero();
      }
    }
    const T* slope = g + c;
    for (int64_t t = results.first; t < results.last; ++t, slope += g_pixel) {
      if (ahead) fetch<1, false>(*ahead, t, c, block);
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) {
        const Vec<T> factor = block.load(slope, v);
#pragma GCC unroll 3
        for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 3
          for (int k = 0; k < taps; ++k) {
            totals[r][k][v] = fma(block.load(line[r] + tap[k].pixel, v), factor, totals[r][k][v]);
          }
        }
      }
#pragma GCC unroll 3
      for (int r = 0; r < rows; ++r) line[r] += step;
    }
#pragma GCC unroll 3
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 3
      for (int k = 0; k < taps; ++k) {
        T* const sum = sums + sum_places[r] + tap[k].weight + c;
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) block.store(block.load(sum, v) + totals[r][k][v], sum, v);
      }
    }
  });
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
  const int64_t step = job.column_step * line.pixels.pixel;
  const T* const from = line.pixels.at + (line.plane + plane.offset) * line.pixels.plane +
                        line.row * line.pixels.row + results.first * step;
  int64_t places[rows], sum_places[rows];
  for (int r = 0; r < rows; ++r) {
    places[r] = row[r].offset * line.pixels.row;
    sum_places[r] = plane.kernel * job.w_plane + row[r].kernel * job.w_row;
  }
  const T* const g = products.g + results.first * products.g_pixel;
  const auto add = [&](auto number) {
    constexpr int together = decltype(number)::value;
    for (; taps.last - taps.first >= together; taps.first += together) {
      add_taps<T, rows, together>(from, places, job.lane_taps + taps.first, step, g,
                                  products.g_pixel, results, products.lanes, products.sums,
                                  sum_places, ahead);
      ahead = nullptr;
    }
  };
  add(Number<3>{});
  add(Number<2>{});
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
    for (; left >= 3; left -= 3, row += 3, ahead = nullptr)
      add_rows<T, 3>(job, line, plane, row, taps, results, products, ahead);
    if (left == 2) add_rows<T, 2>(job, line, plane, row, taps, results, products, ahead);
    if (left == 1) add_rows<T, 1>(job, line, plane, row, taps, results, products, ahead);
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
