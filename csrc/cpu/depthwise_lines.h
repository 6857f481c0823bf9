// The rows of results that depthwise.cpp works on, and the pixels they see: in place, or copied and
// spread to the lanes of groups with several channels. Everything is in the namespace of the set.
#pragma once

#include "cpu/channels.h"
#include "cpu/depthwise.h"

namespace symk::cpu::SYMK_ISA {

constexpr int kResults = 7;               // gathered together: 14, 28, 56 and 112 are whole blocks
constexpr int64_t kNearBytes = 32 << 10;  // of the first cache

constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/// first .. last - 1.
struct Range {
  int64_t first, last;
};

/// The taps that lie inside of an axis of `size` positions when gathered from `position`.
inline TapRange taps_inside(TapRange range, int64_t position, int64_t size) {
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
  line.new_row = line.new_rows = 0;
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
  const T* x;             // where result 0 of the next line looks, in the first of `rows` new rows
  int64_t rows, row;      // elements from one to the next
  int64_t step, columns;  // elements from one result to the next, and columns
  const T* y;             // null: it is near
  int64_t y_pixel;
};

/// A share of what a block of results from t on reads and writes: each visit with some of its lanes
/// brings as much.
template <class T, class Block>
[[gnu::always_inline]] inline void fetch_block(const Ahead<T>& ahead, int64_t t, int64_t c, Block) {
  constexpr int64_t cache_line = 64 / static_cast<int64_t>(sizeof(T));
  constexpr int64_t lanes = Block::count * Vec<T>::width;
  const T* x = ahead.x + t * ahead.step + c * kResults * ahead.columns;
  for (int64_t r = 0; r < ahead.rows; ++r, x += ahead.row) {
    for (int64_t i = 0; i < lanes * kResults * ahead.columns; i += cache_line) prefetch(x + i);
  }
  if (!ahead.y) return;
  const T* y = ahead.y + t * ahead.y_pixel + c;
#pragma GCC unroll 7
  for (int q = 0; q < kResults; ++q, y += ahead.y_pixel) {
    for (int64_t i = 0; i < lanes; i += cache_line) prefetch_to_write(y + i);
  }
}

/// A share of what some results read, both sides of products: each visit of a result with some of
/// its lanes brings as much, in the order of memory.
template <class T, class Block>
[[gnu::always_inline]] inline void fetch_share(const Ahead<T>& ahead, Range results, int64_t t,
                                               int64_t c, Block) {
  constexpr int64_t cache_line = 64 / static_cast<int64_t>(sizeof(T));
  constexpr int64_t lanes = Block::count * Vec<T>::width;
  const int64_t place = c * (results.last - results.first) + (t - results.first) * lanes;
  const T* x = ahead.x + results.first * ahead.step + place * ahead.columns;
  for (int64_t r = 0; r < ahead.rows; ++r, x += ahead.row) {
    for (int64_t i = 0; i < lanes * ahead.columns; i += cache_line) prefetch(x + i);
  }
  if (!ahead.y) return;
  const T* const y = ahead.y + results.first * ahead.y_pixel + place;
  for (int64_t i = 0; i < lanes; i += cache_line) prefetch(y + i);
}

/// Where the line after `line` of row `i` begins in y, whose rows are y_row apart.
template <class T>
Ahead<T> ahead_of(const LaneJob<T>& job, const Line<T>& line, int64_t i, const T* y, int64_t y_row,
                  int64_t y_pixel) {
  Ahead<T> ahead{};
  ahead.row = line.pixels.row;
  ahead.step = job.column_step * line.pixels.pixel;
  ahead.columns = job.column_step;
  ahead.rows = line.new_rows;
  ahead.x = line.pixels.at + line.plane * line.pixels.plane + line.new_row * line.pixels.row;
  ahead.y = job.is_far && i + 1 < job.row_count ? y + y_row : nullptr;
  ahead.y_pixel = y_pixel;
  return ahead;
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
#pragma GCC unroll 16
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
    const int64_t depth = job_.depth, lanes = job_.copied_lanes, step = pixels_.pixel;
    for (int64_t t = inside.first; t < inside.last; ++t) {
      for (int64_t j = 0; j < depth; ++j)
        spread.load(from + t * channels, j).store(to + t * step + j * lanes);
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

}  // namespace symk::cpu::SYMK_ISA
