// Binds `conv2d` and `conv2d_grad_input`. Both are passes: each output position of a pass gathers
// the same taps of its input. The forward convolution is one pass; its gradient by the input has
// one per remainder of the stride, whose taps are those of the kernel that meet it. A part copies
// padded strips of the input and runs register tiles on them.
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "cpu/conv.h"
#include "cpu/conv_geometry.h"
#include "cpu/dispatch.h"
#include "cpu/epilogue_operands.h"
#include "runtime/memory.h"

namespace symk::cpu {
namespace {

constexpr int64_t kStripBytes = 192 << 10;  // strip and tiles of the result stay in L2

/// Along one axis: result position first + step * t, for t < count, gathers input positions t *
/// input_step + offset.
struct AxisPass {
  struct Tap {
    int64_t offset, kernel;
  };
  int64_t first = 0, step = 1, count = 0, input_step = 1;
  std::vector<Tap> taps;  // by offset

  int64_t lowest() const { return taps.empty() ? 0 : taps.front().offset; }
  int64_t reach() const { return taps.empty() ? 0 : taps.back().offset - taps.front().offset + 1; }
  /// Input positions that `n` result positions need.
  int64_t span(int64_t n) const {
    return taps.empty() || n == 0 ? 0 : (n - 1) * input_step + reach();
  }
  bool inside(int64_t size) const { return lowest() >= 0 && lowest() + span(count) <= size; }
  bool adjacent() const { return reach() == static_cast<int64_t>(taps.size()); }
};

AxisPass forward_pass(const ConvAxis& axis) {
  AxisPass pass;
  pass.count = axis.y;
  pass.input_step = axis.stride;
  for (int64_t k = 0; k < axis.kernel; ++k)
    pass.taps.push_back({k * axis.dilation - axis.before, k});
  return pass;
}

/// x[i] gets g[o] * w[k] wherever o * stride + k * dilation - before = i.
std::vector<AxisPass> input_grad_passes(const ConvAxis& axis) {
  std::vector<AxisPass> passes;
  for (int64_t first = 0; first < std::min(axis.stride, axis.x); ++first) {
    AxisPass pass;
    pass.first = first;
    pass.step = axis.stride;
    pass.count = divide_up(axis.x - first, axis.stride);
    for (int64_t k = axis.kernel - 1; k >= 0; --k) {
      const int64_t distance = first + axis.before - k * axis.dilation;
      if (distance % axis.stride == 0) pass.taps.push_back({distance / axis.stride, k});
    }
    passes.push_back(pass);
  }
  return passes;
}

/// One pass over both axes, laid out for the tiles.
struct Pass {
  AxisPass rows, columns;
  Strip strip;
  bool in_place = false;      // the strip is the image itself
  std::vector<int64_t> taps;  // offsets in the strip
  int64_t depth = 0;          // elements gathered at each
  int64_t k = 0;              // elements gathered at all
  int64_t packed_start = 0;   // where its weights begin
  int64_t rows_per_item = 1, blocks = 0, groups = 1, items = 0;
};

template <class T>
class ConvStep : public Step {
 public:
  ConvStep(Binding& binding, const ConvShape& shape, bool backward,
           const ConvFunctions<T>& functions)
      : shape_(shape), backward_(backward), functions_(functions),
        epilogue_(backward ? EpilogueOperands<T>() : EpilogueOperands<T>(binding, "conv2d")) {
    channels_ = backward ? shape.out : shape.in;
    n_ = backward ? shape.in : shape.out;
    panels_ = divide_up(n_, functions_.tile_columns);
    if (backward) {
      for (const AxisPass& rows : input_grad_passes(shape.rows)) {
        for (const AxisPass& columns : input_grad_passes(shape.columns)) add_pass(rows, columns);
      }
    } else {
      add_pass(forward_pass(shape.rows), forward_pass(shape.columns));
    }
    parts_ = std::max<int64_t>(1, std::min(kMaxParts, items_));
    strip_count_ = divide_up(strip_count_, kAlignment) * kAlignment;
    keep_ = binding.lasting(1);
    if (keep_) kept_ = Block(checked_multiply(packed_count_, sizeof(T)));
    binding.need_scratch(
        checked_multiply((keep_ ? 0 : packed_count_) + parts_ * strip_count_, sizeof(T)));
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    const T* x = static_cast<const T*>(operands.in[0]);
    const T* packed = prepare(operands, pool);
    T* strips = static_cast<T*>(operands.scratch) + (keep_ ? 0 : packed_count_);
    const Epilogue<T> epilogue = epilogue_.of(operands);
    T* y = static_cast<T*>(operands.out[0]);
    run_parts(pool, parts_, [&](int64_t part) {
      for (int64_t i = part_begin(items_, part, parts_); i < part_begin(items_, part + 1, parts_);
           ++i) {
        run_item(i, x, packed, epilogue, strips + part * strip_count_, y);
      }
    });
    return {};
  }

 private:
  int64_t source_rows() const { return backward_ ? shape_.rows.y : shape_.rows.x; }
  int64_t source_columns() const { return backward_ ? shape_.columns.y : shape_.columns.x; }
  int64_t result_rows() const { return backward_ ? shape_.rows.x : shape_.rows.y; }
  int64_t result_columns() const { return backward_ ? shape_.columns.x : shape_.columns.y; }

  void add_pass(const AxisPass& rows, const AxisPass& columns) {
    Pass pass;
    pass.rows = rows;
    pass.columns = columns;
    pass.in_place = rows.inside(source_rows()) && columns.inside(source_columns()) &&
                    pixel_step<T>(channels_) == channels_;
    pass.strip.channels = channels_;
    pass.strip.pixel = pixel_step<T>(channels_);
    pass.strip.width = pass.in_place ? source_columns() : columns.span(columns.count);
    pass.strip.first_column = pass.in_place ? 0 : columns.lowest();
    const bool merged = columns.adjacent() && pass.strip.pixel == channels_;
    const int64_t per_row = static_cast<int64_t>(columns.taps.size());
    pass.depth = merged ? per_row * channels_ : channels_;
    for (const auto& row : rows.taps) {
      for (const auto& column : columns.taps) {
        if (merged && &column != &columns.taps.front()) break;
        pass.taps.push_back((row.offset - rows.lowest()) * pass.strip.row() +
                            (column.offset - columns.lowest()) * pass.strip.pixel);
      }
    }
    pass.k = static_cast<int64_t>(rows.taps.size()) * per_row * channels_;
    pass.packed_start = packed_count_;
    packed_count_ += panels_ * pass.k * functions_.tile_columns;
    packed_count_ = divide_up(packed_count_, kAlignment) * kAlignment;
    cut(pass);
    items_ += pass.items;
    passes_.push_back(pass);
  }

  /// Items are blocks of rows of one image, small enough for L2 and many enough for the threads.
  void cut(Pass& pass) {
    const int64_t row_bytes =
        std::max<int64_t>(1, pass.strip.row() * static_cast<int64_t>(sizeof(T)));
    int64_t rows = (kStripBytes / row_bytes - pass.rows.reach()) / pass.rows.input_step + 1;
    const int64_t row_flops = std::max<int64_t>(1, 2 * pass.columns.count * n_ * pass.k);
    const int64_t enough = std::max<int64_t>(1, divide_up(kPartFlops, row_flops));
    const int64_t images = std::max<int64_t>(1, shape_.batch);
    rows =
        std::min(rows, std::max(enough, divide_up(pass.rows.count, divide_up(kMaxParts, images))));
    rows = std::min(std::max<int64_t>(1, rows), std::max<int64_t>(1, pass.rows.count));
    pass.blocks = divide_up(pass.rows.count, rows);
    pass.rows_per_item = divide_up(pass.rows.count, std::max<int64_t>(1, pass.blocks));
    const int64_t wanted =
        std::min(divide_up(kMaxParts, images * std::max<int64_t>(1, pass.blocks)),
                 rows * row_flops / kPartFlops);
    pass.groups = std::max<int64_t>(1, std::min(panels_, wanted));
    pass.items = shape_.batch * pass.blocks * pass.groups;
    if (n_ == 0 || pass.columns.count == 0) pass.items = 0;
    if (!pass.in_place) {
      strip_count_ = std::max(strip_count_, pass.rows.span(pass.rows_per_item) * pass.strip.row());
    }
  }

  /// The packed weights: kept from an earlier call, or packed now.
  const T* prepare(const Operands& operands, ThreadPool& pool) {
    T* packed = keep_ ? reinterpret_cast<T*>(kept_.data()) : static_cast<T*>(operands.scratch);
    if (keep_ && kept_version_ != 0 && kept_version_ == operands.versions[1]) return packed;
    pack(static_cast<const T*>(operands.in[1]), packed, pool);
    kept_version_ = operands.versions[1];
    return packed;
  }

  void pack(const T* w, T* packed, ThreadPool& pool) const {
    for (const Pass& pass : passes_) {
      const int64_t parts = std::max<int64_t>(1, std::min(panels_, pass.k * n_ / kPartElements));
      run_parts(pool, parts, [&](int64_t part) {
        pack_panels(pass, w, part_begin(panels_, part, parts), part_begin(panels_, part + 1, parts),
                    packed);
      });
    }
  }

  void pack_panels(const Pass& pass, const T* w, int64_t first, int64_t last, T* packed) const {
    const int64_t row = backward_ ? 1 : shape_.out, column = backward_ ? shape_.out : 1;
    const int64_t panel_step = pass.k * functions_.tile_columns,
                  j = first * functions_.tile_columns;
    packed += pass.packed_start + first * panel_step;
    for (const auto& tap_row : pass.rows.taps) {
      for (const auto& tap_column : pass.columns.taps) {
        const int64_t tap = tap_row.kernel * shape_.columns.kernel + tap_column.kernel;
        functions_.pack(w + tap * shape_.in * shape_.out + j * column, row, column, channels_,
                        std::min(n_, last * functions_.tile_columns) - j, packed, panel_step);
        packed += channels_ * functions_.tile_columns;
      }
    }
  }

  void run_item(int64_t item, const T* x, const T* packed, const Epilogue<T>& epilogue, T* strip,
                T* y) const {
    size_t number = 0;
    while (item >= passes_[number].items) item -= passes_[number++].items;
    const Pass& pass = passes_[number];
    const int64_t group = item % pass.groups;
    const int64_t block = item / pass.groups % pass.blocks;
    const int64_t image = item / pass.groups / pass.blocks;
    const int64_t first = block * pass.rows_per_item;
    const int64_t count = std::min(pass.rows_per_item, pass.rows.count - first);
    if (count <= 0) return;
    const T* source = x + image * source_rows() * source_columns() * channels_;
    const int64_t source_row = first * pass.rows.input_step + pass.rows.lowest();
    if (!pass.in_place) {
      pass.strip.copy(source, source_rows(), source_columns(), source_row, pass.rows.span(count),
                      strip);
    }
    const int64_t first_panel = panels_ * group / pass.groups;
    const int64_t first_column = first_panel * functions_.tile_columns;
    const int64_t last_column =
        std::min(n_, panels_ * (group + 1) / pass.groups * functions_.tile_columns);
    TapJob<T> job;
    job.a = pass.in_place
                ? source + source_row * pass.strip.row() + pass.columns.lowest() * channels_
                : strip;
    job.a_block = pass.rows.input_step * pass.strip.row();
    job.a_row = pass.columns.input_step * pass.strip.pixel;
    job.a_depth = 1;
    job.taps = pass.taps.data();
    job.tap_count = static_cast<int64_t>(pass.taps.size());
    job.depth = pass.depth;
    job.panel_step = pass.k * functions_.tile_columns;
    job.b = packed + pass.packed_start + first_panel * job.panel_step;
    const int64_t y_row = pass.rows.first + first * pass.rows.step;
    job.c = y + ((image * result_rows() + y_row) * result_columns() + pass.columns.first) * n_ +
            first_column;
    job.c_block = pass.rows.step * result_columns() * n_;
    job.c_row = pass.columns.step * n_;
    job.blocks = count;
    job.m = pass.columns.count;
    job.n = last_column - first_column;
    job.accumulate = false;
    job.epilogue = epilogue.at(first_column, job.c - y);
    functions_.run(job);
  }

  ConvShape shape_;
  bool backward_;
  const ConvFunctions<T>& functions_;
  EpilogueOperands<T> epilogue_;
  int64_t channels_ = 0, n_ = 0, panels_ = 0;
  std::vector<Pass> passes_;
  int64_t items_ = 0, parts_ = 1, packed_count_ = 0, strip_count_ = 0;
  bool keep_ = false;
  Block kept_;
  uint64_t kept_version_ = 0;
};

template <class T>
std::unique_ptr<Step> make_step(Binding& binding, const ConvShape& shape, bool backward,
                                const ConvFunctions<T>& functions) {
  return std::make_unique<ConvStep<T>>(binding, shape, backward, functions);
}

std::unique_ptr<Step> bind(Binding& binding, ConvShape shape, bool backward) {
  join_pixels(shape);
  const auto& table = kernels<ConvKernels>();
  switch (binding.outputs()[0].dtype) {
    case DType::kFloat32: return make_step<float>(binding, shape, backward, table.float32);
    case DType::kFloat64: return make_step<double>(binding, shape, backward, table.float64);
    default: throw Error(ErrorCode::kDtype, "[conv2d] float32 or float64 is required.");
  }
}

std::unique_ptr<Step> bind_conv2d(Binding& binding) {
  const auto& in = binding.inputs();
  require(in.size() >= 2 && binding.outputs().size() == 1, "conv2d",
          "there must be x, w and one result");
  return bind(binding, read_conv_shape(binding, "conv2d", in[0], in[1], binding.outputs()[0]),
              false);
}

std::unique_ptr<Step> bind_conv2d_grad_input(Binding& binding) {
  require_operands(binding, "conv2d_grad_input", 2, 1);
  const auto& in = binding.inputs();
  return bind(binding,
              read_conv_shape(binding, "conv2d_grad_input", binding.outputs()[0], in[1], in[0]),
              true);
}

const KernelEntry forward_entry("conv2d", bind_conv2d);
const KernelEntry backward_entry("conv2d_grad_input", bind_conv2d_grad_input);

}  // namespace
}  // namespace symk::cpu
