// Binds convolutions with few channels in their result: transposed ones that end in an image, the
// gradient by an image, a last convolution. Each pixel of the source is multiplied with the weights
// of all taps at once, so that tiles are full, and its products are added where they belong: those
// of a row of taps lie next to each other there as well.
#include "cpu/conv_scatter_step.h"

#include "cpu/dispatch.h"
#include "cpu/epilogue_operands.h"
#include "cpu/matmul_vector.h"

namespace symk::cpu {
namespace {

constexpr int64_t kFewResults = 8;
constexpr int64_t kDeepEnough = 16;  // channels of the source that are worth adding up later
constexpr int64_t kProductBytes = 96 << 10;  // products of some rows: they stay in L2
constexpr int64_t kStripBytes = 256 << 10;   // rows of results: they stay in L2 as well
constexpr int64_t kFewPixels = 56;           // of which products are made at once: tiles are full

/// Along one axis: position i of the source adds to position i * step + offset of the result, times
/// an element of the kernel.
struct AxisScatter {
  int64_t step = 1;
  std::vector<ConvTap> taps;  // by offset
  int64_t source = 0, result = 0;

  AxisScatter(const ConvAxis& axis, bool backward) {
    step = backward ? axis.stride : 1;
    source = backward ? axis.y : axis.x;
    result = backward ? axis.x : axis.y;
    for (int64_t i = 0; i < axis.kernel; ++i) {
      const int64_t k = backward ? i : axis.kernel - 1 - i;
      const int64_t place = k * axis.dilation - axis.before;
      taps.push_back({backward ? place : -place, k});
    }
  }

  int64_t count() const { return static_cast<int64_t>(taps.size()); }
  bool adjacent() const { return taps.back().offset - taps.front().offset + 1 == count(); }
  /// The positions that scatters write, the result among them: first and count.
  int64_t first() const { return std::min<int64_t>(0, taps.front().offset); }
  int64_t span() const {
    return std::max(result, (source - 1) * step + taps.back().offset + 1) - first();
  }
  /// The sources that add to results from `at` on: the first of them.
  int64_t first_source(int64_t at) const {
    return clamp(divide_up(std::max<int64_t>(0, at - taps.back().offset), step), 0, source);
  }
  /// The first behind those that add to results before `at`.
  int64_t last_source(int64_t at) const {
    return clamp(divide_up(std::max<int64_t>(0, at - taps.front().offset), step), 0, source);
  }
};

template <class T>
class ScatterStep : public Step {
 public:
  ScatterStep(Binding& binding, const ConvShape& shape, bool backward,
              const ConvFunctions<T>& functions)
      : functions_(functions),
        epilogue_(backward ? EpilogueOperands<T>() : EpilogueOperands<T>(binding, "conv")),
        rows_(shape.rows, backward), columns_(shape.columns, backward), shape_(shape),
        backward_(backward), images_(shape.batch * shape.planes.x),
        depth_(backward ? shape.out : shape.in), results_(backward ? shape.in : shape.out) {
    run_ = columns_.count() * results_;
    n_ = rows_.count() * run_;
    panel_step_ = depth_ * functions_.tile_columns;
    packed_count_ = whole_lines<T>(divide_up(n_, functions_.tile_columns) * panel_step_);
    weight_count_ = whole_lines<T>(depth_ * n_);
    pixel_ = divide_up(n_, kLine) * kLine;
    strip_row_ = columns_.span() * results_;
    cut();
    part_count_ = whole_lines<T>(rows_per_item_ * strip_row_) +
                  whole_lines<T>(source_rows_ * columns_.source * pixel_);
    list_pieces();
    binding.need_scratch(
        checked_multiply(packed_count_ + weight_count_ + parts_ * part_count_, sizeof(T)));
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    T* packed = static_cast<T*>(operands.scratch);
    pack(static_cast<const T*>(operands.in[1]), packed + packed_count_, packed);
    const Epilogue<T> epilogue = epilogue_.of(operands);
    run_parts(pool, parts_, [&](int64_t part) {
      T* strip = packed + packed_count_ + weight_count_ + part * part_count_;
      for (int64_t i = part_begin(items_, part, parts_); i < part_begin(items_, part + 1, parts_);
           ++i) {
        run_item(i, static_cast<const T*>(operands.in[0]), packed, epilogue, strip,
                 static_cast<T*>(operands.out[0]));
      }
    });
    return {};
  }

 private:
  static constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
  static constexpr int64_t item() { return static_cast<int64_t>(sizeof(T)); }

  /// An item is some rows of results of one image; neighbours make the products of the rows of the
  /// source that both see twice, so items are whole images if there are enough.
  void cut() {
    const int64_t source_row = std::max<int64_t>(1, columns_.source * pixel_ * item());
    source_rows_ = clamp(divide_up(kFewPixels, std::max<int64_t>(1, columns_.source)), 1,
                         std::max<int64_t>(1, kProductBytes / source_row));
    source_rows_ = std::min(source_rows_, std::max<int64_t>(1, rows_.source));
    const int64_t fit = kStripBytes / std::max<int64_t>(1, strip_row_ * item());
    const int64_t fair = divide_up(rows_.result * std::max<int64_t>(1, images_), kMaxParts);
    const int64_t least = std::min(rows_.result, 4 * rows_.count() * rows_.step);
    rows_per_item_ =
        clamp(std::min(fit, fair), std::max<int64_t>(1, least), std::max<int64_t>(1, rows_.result));
    const int64_t blocks = divide_up(rows_.result, rows_per_item_);
    rows_per_item_ = divide_up(rows_.result, std::max<int64_t>(1, blocks));
    blocks_ = divide_up(rows_.result, std::max<int64_t>(1, rows_per_item_));
    items_ = columns_.result == 0 ? 0 : images_ * blocks_;
    const int64_t flops = 2 * images_ * rows_.source * columns_.source * depth_ * n_;
    parts_ = clamp(flops / kPartFlops, 1, clamp(items_, 1, kMaxParts));
  }

  /// Which neighbouring products of a pixel go to one place of a row: those of a row of taps, or of
  /// each tap where nothing may lie between.
  void list_pieces() {
    const bool together = columns_.adjacent();
    piece_ = together ? run_ : results_;
    for (int64_t k = 0; k < (together ? 1 : columns_.count()); ++k) {
      const int64_t column = columns_.taps[static_cast<size_t>(k)].offset - columns_.first();
      pieces_.push_back({k * results_, column * results_});
    }
  }

  /// The weights as a matrix, depth x (row of taps, tap, channel of the result), in panels.
  void pack(const T* w, T* matrix, T* packed) const {
    T* next = matrix;
    for (int64_t d = 0; d < depth_; ++d) {
      for (const ConvTap& row : rows_.taps) {
        for (const ConvTap& column : columns_.taps) {
          const int64_t tap = row.kernel * shape_.columns.kernel + column.kernel;
          const T* from = w + tap * shape_.in * shape_.out + (backward_ ? d : d * shape_.out);
          for (int64_t i = 0; i < results_; ++i) *next++ = from[backward_ ? i * shape_.out : i];
        }
      }
    }
    functions_.pack(matrix, n_, 1, depth_, n_, packed, panel_step_);
  }

  void run_item(int64_t number, const T* x, const T* packed, const Epilogue<T>& epilogue, T* strip,
                T* y) const {
    const int64_t image = number / blocks_, first = number % blocks_ * rows_per_item_;
    const int64_t last = std::min(first + rows_per_item_, rows_.result);
    T* products = strip + whole_lines<T>(rows_per_item_ * strip_row_);
    std::fill(strip, strip + (last - first) * strip_row_, T(0));
    const int64_t behind = rows_.last_source(last);
    for (int64_t i = rows_.first_source(first); i < behind; i += source_rows_) {
      const int64_t count = std::min(source_rows_, behind - i);
      multiply(x + (image * rows_.source + i) * columns_.source * depth_, count, packed, products);
      for (int64_t row = 0; row < count; ++row) {
        scatter(products + row * columns_.source * pixel_, i + row, first, last, strip);
      }
    }
    const int64_t width = columns_.result * results_;
    for (int64_t row = first; row < last; ++row) {
      T* const from = strip + (row - first) * strip_row_ - columns_.first() * results_;
      const int64_t place = (image * rows_.result + row) * width;
      finish_rows(from, columns_.result, results_, epilogue.at(0, place));
      std::copy(from, from + width, y + place);
    }
  }

  void multiply(const T* x, int64_t rows, const T* packed, T* products) const {
    const int64_t start = 0;
    TapJob<T> job;
    job.a = x;
    job.a_block = 0;
    job.a_row = depth_;
    job.a_depth = 1;
    job.taps = &start;
    job.tap_count = 1;
    job.depth = depth_;
    job.b = packed;
    job.panel_step = panel_step_;
    job.b_end = packed;
    job.c = products;
    job.c_block = 0;
    job.c_row = pixel_;
    job.blocks = 1;
    job.m = rows * columns_.source;
    job.n = n_;
    job.accumulate = false;
    functions_.run(job);
  }

  /// The products of one row of the source, to those rows of results that are there.
  void scatter(const T* products, int64_t source, int64_t first, int64_t last, T* strip) const {
    ScatterJob<T> job;
    job.products = products;
    job.pixel = pixel_;
    job.count = columns_.source;
    job.piece = piece_;
    job.step = columns_.step * results_;
    job.pieces = 0;
    const auto add = [&](const ScatterPiece& piece) {
      job.piece_list[job.pieces++] = piece;
      if (job.pieces < ScatterJob<T>::kMostPieces) return;
      functions_.scatter(job, strip);
      job.pieces = 0;
    };
    for (int64_t k = 0; k < rows_.count(); ++k) {
      const int64_t row = source * rows_.step + rows_.taps[static_cast<size_t>(k)].offset;
      if (row < first || row >= last) continue;
      for (const ScatterPiece& piece : pieces_)
        add({k * run_ + piece.from, (row - first) * strip_row_ + piece.to});
    }
    if (job.pieces > 0) functions_.scatter(job, strip);
  }

  const ConvFunctions<T>& functions_;
  EpilogueOperands<T> epilogue_;
  AxisScatter rows_, columns_;
  ConvShape shape_;
  bool backward_;
  int64_t images_, depth_, results_;
  int64_t run_ = 0;    // products of a row of taps
  int64_t piece_ = 0;  // of them that stay together
  int64_t n_ = 0;      // of a pixel
  std::vector<ScatterPiece> pieces_;
  int64_t panel_step_ = 0, packed_count_ = 0, weight_count_ = 0, pixel_ = 0, strip_row_ = 0;
  int64_t source_rows_ = 1, rows_per_item_ = 1, blocks_ = 0, items_ = 0, parts_ = 1;
  int64_t part_count_ = 0;
};

}  // namespace

bool has_few_results(const ConvShape& shape, bool backward) {
  const int64_t depth = backward ? shape.out : shape.in, results = backward ? shape.in : shape.out;
  const bool flat = shape.planes.kernel == 1 && shape.planes.stride == 1;
  const bool dense = backward || (shape.rows.stride == 1 && shape.columns.stride == 1);
  return shape.groups == 1 && flat && dense && results > 0 && results <= kFewResults &&
         depth >= kDeepEnough && shape.taps() > 1;
}

[[gnu::cold]] std::unique_ptr<Step> bind_scatter(Binding& binding, const ConvShape& shape,
                                                 bool backward) {
  const auto& table = kernels<ConvKernels>();
  switch (binding.outputs()[0].dtype) {
    case DType::kFloat32:
      return std::make_unique<ScatterStep<float>>(binding, shape, backward, table.float32);
    case DType::kFloat64:
      return std::make_unique<ScatterStep<double>>(binding, shape, backward, table.float64);
    default: throw Error(ErrorCode::kDtype, "[conv] float32 or float64 is required.");
  }
}

}  // namespace symk::cpu
