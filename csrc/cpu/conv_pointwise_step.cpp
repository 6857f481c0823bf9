// Binds `conv_grad_kernel` where the window is one element: a product of all pixels of the input,
// turned, with those of the gradient. The tiles read one of the two in place, and the other, which
// is the narrower one where that pays, is packed, some pixels at a time. The pixels are cut by
// shape into fixed sums, which are added in order at the end.
#include "cpu/conv_pointwise_step.h"

#include "cpu/bfloat16_step.h"
#include "cpu/dispatch.h"

namespace symk::cpu {
namespace {

constexpr int64_t kSumCount = 1 << 20;  // elements of all sums together, unless one alone has more
constexpr int64_t kItemPixels = 256;    // a panel of 32 columns of them stays in L1

/// Pixels of an operand, in the order of the gradient's: `step` elements apart in each run.
struct Pixels {
  int64_t channels = 0, step = 0;
  std::vector<int64_t> starts;  // of the runs; empty: all pixels are one run
};

/// Multiply-adds that m x n products of a pixel cost, tiles that are not full and packing of the n
/// columns among them.
int64_t pixel_cost(int64_t m, int64_t n, int64_t tile_rows, int64_t tile_columns) {
  constexpr int64_t few_rows = 6;  // fewer wait for each other's sums
  constexpr int64_t packing = 24;  // an element comes from memory while nothing is computed
  const int64_t half = tile_columns / 2, rest = m % tile_rows;
  const int64_t rows = m - rest + (rest > 0 ? std::max(rest, few_rows) : 0);
  return rows * divide_up(n, half) * half + packing * n;
}

template <class T>
class PointwiseGradStep : public Step {
 public:
  PointwiseGradStep(Binding& binding, const ConvShape& shape, const ConvFunctions<T>& functions)
      : functions_(functions), in_(shape.in), out_(shape.out), count_(in_ * out_) {
    pixels_ = shape.batch * shape.planes.y * shape.rows.y * shape.columns.y;
    Pixels x = {in_, in_ * shape.columns.stride, {}}, g = {out_, out_, {}};
    if (!has_unit_strides(shape)) list_runs(shape, x);
    turned_ = count_ > 0 && gains_by_turning();
    a_ = turned_ ? g : x;
    b_ = turned_ ? x : g;
    panels_ = divide_up(b_.channels, functions_.tile_columns);
    cut();
    sum_count_ = sums_ > 1 ? whole_lines<T>(count_) : 0;
    turned_count_ = turned_ ? whole_lines<T>(count_) : 0;
    packed_count_ = whole_lines<T>(panels_ * functions_.tile_columns *
                                   std::max(item_runs_ * run_, functions_.tile_columns));
    binding.need_scratch(checked_multiply(
        turned_count_ + sums_ * sum_count_ + sums_ * row_blocks_ * packed_count_, sizeof(T)));
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    const T* a = static_cast<const T*>(operands.in[turned_ ? 1 : 0]);
    const T* b = static_cast<const T*>(operands.in[turned_ ? 0 : 1]);
    T* const result = static_cast<T*>(operands.out[0]);
    if (pixels_ == 0) std::fill(result, result + count_, T(0));
    if (pixels_ == 0 || count_ == 0) return {};
    T* const w = turned_ ? static_cast<T*>(operands.scratch) : result;
    T* const sums = sums_ > 1 ? static_cast<T*>(operands.scratch) + turned_count_ : w;
    T* const packed = static_cast<T*>(operands.scratch) + turned_count_ + sums_ * sum_count_;
    run_parts(pool, sums_ * row_blocks_, [&](int64_t part) {
      const int64_t sum = part / row_blocks_;
      run_part(sum, part % row_blocks_, a, b, packed + part * packed_count_,
               sums + sum * sum_count_);
    });
    if (sums_ > 1) add_sums(sums, sums_, sum_count_, w, count_, pool);
    if (turned_) turn_back(w, packed, result, pool);
    return {};
  }

 private:
  /// Where the pixels of x lie that the gradient sees: rows, or even pieces of long ones.
  void list_runs(const ConvShape& shape, Pixels& x) {
    run_ = std::min(kItemPixels, shape.columns.y);
    while (run_ > 1 && shape.columns.y % run_ != 0) --run_;
    for (int64_t image = 0; image < shape.batch; ++image) {
      for (int64_t plane = 0; plane < shape.planes.y; ++plane) {
        for (int64_t row = 0; row < shape.rows.y; ++row) {
          const int64_t x_plane = image * shape.planes.x + plane * shape.planes.stride;
          const int64_t x_row = x_plane * shape.rows.x + row * shape.rows.stride;
          for (int64_t column = 0; column < shape.columns.y; column += run_)
            x.starts.push_back(x_row * shape.columns.x * x.channels + column * x.step);
        }
      }
    }
  }

  /// Whether to read the gradient in place and pack the input, and turn the result round.
  bool gains_by_turning() const {
    constexpr int64_t turning = 48;  // multiply-adds that take as long as turning an element
    const int64_t rows = functions_.tile_rows, columns = functions_.tile_columns;
    return pixels_ * (pixel_cost(in_, out_, rows, columns) - pixel_cost(out_, in_, rows, columns)) >
           turning * count_;
  }

  /// An item is some runs of pixels. Sums take equal numbers of items; rows of the result are cut
  /// where there are few sums.
  void cut() {
    if (pixels_ == 0 || count_ == 0) return;
    const int64_t runs = pixels_ / run_;
    const int64_t parts = clamp(2 * pixels_ * count_ / kPartFlops, 1, kMaxParts);
    sums_ = clamp(kSumCount / count_, 1, std::min(parts, runs));
    const int64_t sum_runs = divide_up(runs, sums_);
    item_runs_ = divide_up(sum_runs, divide_up(sum_runs * run_, kItemPixels));
    const int64_t row_tiles = divide_up(a_.channels, functions_.tile_rows);
    row_blocks_ = clamp(divide_up(parts, sums_), 1, row_tiles);
  }

  /// A block of rows of one sum.
  void run_part(int64_t sum, int64_t block, const T* a, const T* b, T* packed, T* c) const {
    const int64_t row_tiles = divide_up(a_.channels, functions_.tile_rows);
    const int64_t first_row = part_begin(row_tiles, block, row_blocks_) * functions_.tile_rows;
    const int64_t last_row =
        std::min(a_.channels, part_begin(row_tiles, block + 1, row_blocks_) * functions_.tile_rows);
    const int64_t runs = pixels_ / run_;
    const int64_t begin = part_begin(runs, sum, sums_), end = part_begin(runs, sum + 1, sums_);
    const int64_t from_start = 0;
    TapJob<T> job{};
    job.a_row = 1;
    job.a_depth = a_.step;
    job.b = packed;
    job.b_end = packed;  // just packed, and near
    job.c = c + first_row * b_.channels;
    job.c_row = b_.channels;
    job.blocks = 1;
    job.m = last_row - first_row;
    job.n = b_.channels;
    for (int64_t run = begin; run < end; run += item_runs_) {
      const int64_t count = std::min(item_runs_, end - run);
      job.a = a + first_row;
      if (a_.starts.empty()) {
        job.a += run * run_ * a_.step;
        job.taps = &from_start;
        job.tap_count = 1;
        job.depth = count * run_;
      } else {
        job.taps = a_.starts.data() + run;
        job.tap_count = count;
        job.depth = run_;
      }
      job.panel_step = count * run_ * functions_.tile_columns;
      job.accumulate = run > begin;
      pack(b, run, count, packed);
      functions_.run(job);
    }
  }

  /// Packs the pixels of some runs of b.
  void pack(const T* b, int64_t run, int64_t count, T* packed) const {
    const int64_t panel_step = count * run_ * functions_.tile_columns;
    if (b_.starts.empty()) {
      functions_.pack(b + run * run_ * b_.step, b_.step, 1, count * run_, b_.channels, packed,
                      panel_step);
      return;
    }
    for (int64_t i = 0; i < count; ++i, packed += run_ * functions_.tile_columns) {
      functions_.pack(b + b_.starts[static_cast<size_t>(run + i)], b_.step, 1, run_, b_.channels,
                      packed, panel_step);
    }
  }

  /// w (out x in) to the result (in x out): packing turns some rows, which are columns of the
  /// result.
  void turn_back(const T* w, T* scratch, T* result, ThreadPool& pool) const {
    const int64_t columns = functions_.tile_columns, blocks = divide_up(out_, columns);
    const int64_t parts = clamp(count_ / kPartElements, 1, std::min(blocks, sums_ * row_blocks_));
    run_parts(pool, parts, [&](int64_t part) {
      T* const panel = scratch + part * packed_count_;
      for (int64_t block = part_begin(blocks, part, parts);
           block < part_begin(blocks, part + 1, parts); ++block) {
        const int64_t first = block * columns, some = std::min(columns, out_ - first);
        functions_.pack(w + first * in_, 1, in_, in_, some, panel, in_ * columns);
        for (int64_t i = 0; i < in_; ++i)
          std::copy_n(panel + i * columns, some, result + i * out_ + first);
      }
    });
  }

  const ConvFunctions<T>& functions_;
  int64_t in_, out_, count_;
  int64_t pixels_ = 0, run_ = 1;  // items are whole runs of so many pixels
  bool turned_ = false;
  Pixels a_, b_;  // in place, and packed
  int64_t panels_ = 0, item_runs_ = 0, sums_ = 1, row_blocks_ = 1;
  int64_t sum_count_ = 0, turned_count_ = 0, packed_count_ = 0;
};

Type pixels_by_channels(int64_t pixels, int64_t channels) {
  return {DType::kFloat32, 2, {pixels, channels}};
}

}  // namespace

bool is_pointwise(const ConvShape& shape) { return shape.groups == 1 && shape.taps() == 1; }

[[gnu::cold]] std::unique_ptr<Step> bind_pointwise_grad_kernel(Binding& binding,
                                                               const ConvShape& shape) {
  const auto& table = kernels<ConvKernels>();
  switch (binding.outputs()[0].dtype) {
    case DType::kFloat32:
      return std::make_unique<PointwiseGradStep<float>>(binding, shape, table.float32);
    case DType::kFloat64:
      return std::make_unique<PointwiseGradStep<double>>(binding, shape, table.float64);
    default: throw Error(ErrorCode::kDtype, "[conv_grad_kernel] float32 or float64 is required.");
  }
}

[[gnu::cold]] std::unique_ptr<Step> bind_pointwise_pairs(Binding& binding, const ConvShape& shape) {
  const int64_t pixels = shape.batch * shape.planes.y * shape.rows.y * shape.columns.y;
  ConvShape half;
  half.batch = 1;
  half.in = shape.in;
  half.out = shape.out;
  half.columns.x = half.columns.y = divide_up(pixels, 2);
  std::vector<Conversion> pairs = {pairs_along(0, pixels_by_channels(pixels, shape.in), 0, 1),
                                   pairs_along(1, pixels_by_channels(pixels, shape.out), 0, 1)};
  return bind_converted(binding, pairs, [half](Binding& inner) {
    return std::make_unique<PointwiseGradStep<float>>(inner, half, kernels<ConvKernels>().bfloat16);
  });
}

}  // namespace symk::cpu
