// Depthwise convolutions, vectors over channels. Some results are gathered together, so that an
// element of the kernel is loaded once for all of them.
#include "cpu/depthwise.h"

#include <cstring>

#include "cpu/channels.h"

namespace symk::cpu::SYMK_ISA {
namespace {

constexpr int kResults = 4;  // gathered together
constexpr int kVectors = kVectorRegisters == 32 ? 4 : 2;  // times kResults: half of the registers
constexpr int kTaps = 4;     // of a row of the kernel whose sums are held together

struct Range {
  int64_t first, last;
};

/// The column taps of result t that lie inside of x.
template <class T>
TapRange inside(const DepthwiseRow<T>& row, int64_t t) {
  const int64_t column = t * row.input_step;
  const ConvTap* first = row.columns.taps;
  const ConvTap* last = first + row.columns.count;
  while (first < last && column + first->offset < 0) ++first;
  while (first < last && column + last[-1].offset >= row.width) --last;
  return {first, last - first};
}

/// The results all of whose column taps lie inside of x.
template <class T>
Range whole_results(const DepthwiseRow<T>& row) {
  Range range = {0, row.count};
  while (range.first < range.last && inside(row, range.first).count < row.columns.count)
    ++range.first;
  while (range.first < range.last && inside(row, range.last - 1).count < row.columns.count)
    --range.last;
  return range;
}

template <class T>
[[gnu::always_inline]] inline const T* source(const DepthwiseRow<T>& row, const ConvTap& p,
                                              const ConvTap& r) {
  return row.x + (row.plane + p.offset) * row.x_plane + (row.row + r.offset) * row.x_row;
}

/// `results` neighbouring results from t on, which see the same taps.
template <class T, int results>
[[gnu::always_inline]] inline void gather_results(const DepthwiseRow<T>& row, const TapRange& taps,
                                                  int64_t t, const T* w,
                                                  const Epilogue<T>& epilogue, T* y,
                                                  int64_t y_step) {
  const int64_t step = row.input_step * row.x_pixel;
  for_channels<T, kVectors>(row.channels, [&](int64_t c, auto block) {
    constexpr int vectors = decltype(block)::count;
    Vec<T> sums[results][vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
#pragma GCC unroll 4
      for (int q = 0; q < results; ++q) sums[q][v] = Vec<T>::zero();
    }
    for (int64_t i = 0; i < row.planes.count; ++i) {
      const ConvTap p = row.planes.taps[i];
      for (int64_t j = 0; j < row.rows.count; ++j) {
        const ConvTap r = row.rows.taps[j];
        const T* line = source(row, p, r) + t * step + c;
        const T* weights = w + p.kernel * row.w_plane + r.kernel * row.w_row + c;
        for (int64_t k = 0; k < taps.count; ++k) {
          const T* from = line + taps.taps[k].offset * row.x_pixel;
          const T* weight = weights + taps.taps[k].kernel * row.channels;
#pragma GCC unroll 4
          for (int v = 0; v < vectors; ++v) {
            const Vec<T> factor = block.load(weight, v);
#pragma GCC unroll 4
            for (int q = 0; q < results; ++q)
              sums[q][v] = fma(block.load(from + q * step, v), factor, sums[q][v]);
          }
        }
      }
    }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      const Vec<T> scale = epilogue.scale ? block.load(epilogue.scale + c, v) : Vec<T>(T(1));
      const Vec<T> bias = epilogue.bias ? block.load(epilogue.bias + c, v) : Vec<T>::zero();
#pragma GCC unroll 4
      for (int q = 0; q < results; ++q) {
        const int64_t place = (t + q) * y_step + c;
        Vec<T> total = sums[q][v] * scale + bias;
        if (epilogue.addend) total += block.load(epilogue.addend + place, v);
        block.store(total, y + place, v);
      }
    }
  });
}

/// What an epilogue does to finished sums.
template <class T>
void finish_row(const DepthwiseRow<T>& row, const Epilogue<T>& epilogue, T* y, int64_t y_step) {
  for (int64_t t = 0; t < row.count; ++t) {
    T* pixel = y + t * y_step;
    if (epilogue.activation) epilogue.activation(pixel, row.channels);
    if (!epilogue.factor) continue;
    const T* factor = epilogue.factor + t * y_step;
    for_channels<T, kVectors>(row.channels, [&](int64_t c, auto block) {
      for (int v = 0; v < block.count; ++v)
        block.store(block.load(pixel + c, v) * block.load(factor + c, v), pixel + c, v);
    });
  }
}

template <class T>
void gather(const DepthwiseRow<T>& row, const T* w, const Epilogue<T>& epilogue, T* y,
            int64_t y_step) {
  const Range whole = whole_results(row);
  const auto one = [&](int64_t t) {
    gather_results<T, 1>(row, inside(row, t), t, w, epilogue, y, y_step);
  };
  int64_t t = 0;
  for (; t < whole.first; ++t) one(t);
  for (; t + kResults <= whole.last; t += kResults)
    gather_results<T, kResults>(row, row.columns, t, w, epilogue, y, y_step);
  for (; t < row.count; ++t) one(t);
  if (epilogue.activation || epilogue.factor) finish_row(row, epilogue, y, y_step);
}

/// Adds the products of results first .. last - 1 to the sums of `count` taps of one row of the
/// kernel.
template <class T, int count>
[[gnu::always_inline]] inline void add_taps(const DepthwiseRow<T>& row, const T* line,
                                            const ConvTap* taps, Range results, const T* g,
                                            T* sums) {
  const int64_t step = row.input_step * row.x_pixel;
  for_channels<T, kVectors>(row.channels, [&](int64_t c, auto block) {
    constexpr int vectors = decltype(block)::count;
    Vec<T> totals[count][vectors];
    const T* from[count];
#pragma GCC unroll 4
    for (int k = 0; k < count; ++k) {
      from[k] = line + taps[k].offset * row.x_pixel + results.first * step + c;
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) totals[k][v] = Vec<T>::zero();
    }
    for (int64_t t = results.first; t < results.last; ++t) {
      Vec<T> slopes[vectors];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) slopes[v] = block.load(g + t * row.channels + c, v);
#pragma GCC unroll 4
      for (int k = 0; k < count; ++k) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v)
          totals[k][v] = fma(block.load(from[k], v), slopes[v], totals[k][v]);
        from[k] += step;
      }
    }
#pragma GCC unroll 4
    for (int k = 0; k < count; ++k) {
      T* sum = sums + taps[k].kernel * row.channels + c;
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) block.store(block.load(sum, v) + totals[k][v], sum, v);
    }
  });
}

/// The same for any number of taps.
template <class T>
void add_line(const DepthwiseRow<T>& row, const T* line, const TapRange& taps, Range results,
              const T* g, T* sums) {
  if (results.first >= results.last) return;
  const ConvTap* tap = taps.taps;
  int64_t left = taps.count;
  for (; left >= kTaps; left -= kTaps, tap += kTaps)
    add_taps<T, kTaps>(row, line, tap, results, g, sums);
  if (left == 3) add_taps<T, 3>(row, line, tap, results, g, sums);
  if (left == 2) add_taps<T, 2>(row, line, tap, results, g, sums);
  if (left == 1) add_taps<T, 1>(row, line, tap, results, g, sums);
}

template <class T>
void add_products(const DepthwiseRow<T>& row, const T* g, T* sums) {
  const Range whole = whole_results(row);
  for (int64_t i = 0; i < row.planes.count; ++i) {
    const ConvTap p = row.planes.taps[i];
    for (int64_t j = 0; j < row.rows.count; ++j) {
      const ConvTap r = row.rows.taps[j];
      const T* line = source(row, p, r);
      T* to = sums + p.kernel * row.w_plane + r.kernel * row.w_row;
      for (int64_t t = 0; t < whole.first; ++t)
        add_line(row, line, inside(row, t), {t, t + 1}, g, to);
      add_line(row, line, row.columns, whole, g, to);
      for (int64_t t = whole.last; t < row.count; ++t)
        add_line(row, line, inside(row, t), {t, t + 1}, g, to);
    }
  }
}

template <class T>
void repeat(const T* from, int64_t pixels, int64_t channels, int64_t times, T* to, int64_t step) {
  for (int64_t i = 0; i < pixels; ++i, from += channels, to += step) {
    if (times == 1) {
      std::memcpy(to, from, static_cast<size_t>(channels) * sizeof(T));
      continue;
    }
    T* next = to;
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t k = 0; k < times; ++k) *next++ = from[c];
    }
  }
}

template <class T>
void add_neighbours(const T* from, int64_t pixels, int64_t channels, int64_t times, T* to,
                    int64_t step) {
  for (int64_t i = 0; i < pixels; ++i, to += step) {
    for (int64_t c = 0; c < channels; ++c, from += times) {
      T sum = 0;
      for (int64_t k = 0; k < times; ++k) sum += from[k];
      to[c] = sum;
    }
  }
}

template <class T>
constexpr DepthwiseFunctions<T> functions() {
  return {&gather<T>, &add_products<T>, &repeat<T>, &add_neighbours<T>};
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
