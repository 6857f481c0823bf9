// Binds `conv` and `conv_grad_input`. Both are passes: each output position of a pass gathers the
// same taps of its input. The forward convolution is one pass; its gradient by the input has one
// per remainder of the strides, whose taps are those of the kernel that meet it. A part copies
// padded strips of the input and runs register tiles on them. Groups of few channels are
// depthwise_step.cpp's and results of few channels conv_scatter_step.cpp's.
#include <initializer_list>
#include <numeric>
#include <string>

#include "cpu/bfloat16_step.h"
#include "cpu/conv_geometry.h"
#include "cpu/conv_scatter_step.h"
#include "cpu/conv_winograd_step.h"
#include "cpu/depthwise_step.h"
#include "cpu/dispatch.h"
#include "cpu/epilogue_operands.h"
#include "cpu/stored_step.h"

namespace symk::cpu {
namespace {

constexpr int64_t kStripBytes = 192 << 10;  // strip and tiles of the result stay in L2

/// One pass over all axes, laid out for the tiles.
struct Pass : VolumePass {
  explicit Pass(const VolumePass& pass) : VolumePass(pass) {}

  Strip strip;
  bool in_place = false;      // the strip is the volume itself
  std::vector<int64_t> taps;  // offsets in the strip
  // Which of them look inside the volume, from each plane of the result, and from each row if the
  // taps lie in one plane: those of a plane lie next to each other, but not those of some rows.
  std::vector<SomeTaps> of_plane, of_row;
  int64_t depth = 0;          // elements gathered at each tap
  int64_t k = 0;              // elements gathered at all
  int64_t packed_start = 0;   // where its weights begin
  int64_t planes_per_item = 1, rows_per_item = 1;
  int64_t plane_blocks = 1, row_blocks = 1, panel_blocks = 1, items = 0;
  bool rows_first = false;  // neighbouring items share their panels rather than their rows
};

template <class T>
class ConvStep : public Step {
 public:
  ConvStep(Binding& binding, const ConvShape& shape, bool backward,
           const ConvFunctions<T>& functions)
      : shape_(shape), backward_(backward), functions_(functions),
        epilogue_(backward ? EpilogueOperands<T>() : EpilogueOperands<T>(binding, "conv")) {
    channels_ = backward ? shape.out : shape.in;
    n_ = backward ? shape.in : shape.out;
    const Extent x = {shape.planes.x, shape.rows.x, shape.columns.x};
    const Extent y = {shape.planes.y, shape.rows.y, shape.columns.y};
    source_ = backward ? y : x;
    result_ = backward ? x : y;
    panels_ = divide_up(n_, functions_.tile_columns);
    for (const VolumePass& pass : volume_passes(shape, backward)) add_pass(pass);
    parts_ = std::max<int64_t>(1, std::min(kMaxParts, items_));
    strip_count_ = divide_up(strip_count_, kAlignment) * kAlignment;
    keep_ = binding.lasting(1);
    if (keep_) kept_ = binding.packed(1, form(), checked_multiply(packed_count_, sizeof(T)));
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
  int64_t source_pixel() const { return shape_.groups * channels_; }
  int64_t result_pixel() const { return shape_.groups * n_; }

  void add_pass(const VolumePass& axes) {
    Pass pass(axes);
    const AxisPass &rows = pass.rows, &columns = pass.columns;
    pass.in_place = pass.planes.inside(source_.planes) && rows.inside(source_.rows) &&
                    columns.inside(source_.columns);
    pass.strip.channels = channels_;
    pass.strip.source_pixel = source_pixel();
    pass.strip.pixel = pass.in_place ? source_pixel() : pixel_step<T>(channels_);
    pass.strip.width = pass.in_place ? source_.columns : columns.span(columns.count);
    pass.strip.first_column = pass.in_place ? 0 : columns.lowest();
    pass.k = pass.planes.tap_count() * rows.tap_count() * columns.tap_count() * channels_;
    pass.packed_start = packed_count_;
    packed_count_ += shape_.groups * panels_ * pass.k * functions_.tile_columns;
    packed_count_ = divide_up(packed_count_, kAlignment) * kAlignment;
    cut(pass);
    add_taps(pass);
    find_ranges(pass);
    items_ += pass.items;
    passes_.push_back(pass);
  }

  /// Elements of a volume that its rows bring to an item, by their cost: nothing is computed while
  /// they are copied, but read in place they are fetched meanwhile.
  int64_t row_cost(const Pass& pass) const {
    constexpr int64_t copied = 4;
    return pass.planes.span(pass.planes.count) * pass.rows.span(pass.rows.count) *
           pass.strip.row() * (pass.in_place ? 1 : copied);
  }

  /// The blocks of rows of a volume with which `items` items read least: each of them its rows, and
  /// the weights of its panels.
  int64_t best_row_blocks(const Pass& pass, int64_t items) const {
    const int64_t weights = pass.k * n_, rows = row_cost(pass);
    const auto cost = [&](int64_t blocks) {
      return blocks * weights + divide_up(items, blocks) * rows;
    };
    int64_t best = divide_up(items, std::max<int64_t>(1, panels_));
    for (int64_t blocks = 2 * best; blocks <= items; blocks *= 2) {
      if (cost(blocks) < cost(best)) best = blocks;
    }
    return best;
  }

  /// Rather some more blocks of panels than blocks of different sizes.
  int64_t even_blocks(int64_t wanted) const {
    for (int64_t blocks = wanted; blocks < 2 * wanted; ++blocks) {
      if (panels_ % blocks == 0) return blocks;
    }
    return wanted;
  }

  /// Items are blocks of rows of some planes of one volume, small enough for L2 and many enough for
  /// the threads.
  void cut(Pass& pass) {
    const int64_t row_bytes =
        std::max<int64_t>(1, pass.strip.row() * static_cast<int64_t>(sizeof(T)));
    const int64_t plane_bytes = row_bytes * std::max<int64_t>(1, pass.planes.reach());
    const int64_t row_flops = std::max<int64_t>(1, 2 * pass.columns.count * n_ * pass.k);
    const int64_t enough = divide_up(kPartFlops, row_flops);  // rows that are worth a part
    const int64_t whole = std::max<int64_t>(1, shape_.batch * shape_.groups);
    const auto limited = [](int64_t wanted, int64_t count) {
      return clamp(wanted, 1, std::max<int64_t>(1, count));
    };
    const int64_t fair_rows =
        divide_up(pass.rows.count * std::max<int64_t>(1, pass.planes.count),
                  best_row_blocks(pass, divide_up(kMaxParts, whole)));
    const int64_t rows_in_cache =
        (kStripBytes / plane_bytes - pass.rows.reach()) / pass.rows.input_step + 1;
    pass.rows_per_item =
        limited(std::min(rows_in_cache, std::max(enough, fair_rows)), pass.rows.count);
    pass.row_blocks = divide_up(pass.rows.count, pass.rows_per_item);
    pass.rows_per_item = divide_up(pass.rows.count, std::max<int64_t>(1, pass.row_blocks));
    if (pass.row_blocks == 1) {
      const int64_t rows_bytes =
          row_bytes * std::max<int64_t>(1, pass.rows.span(pass.rows.count));
      const int64_t in_cache =
          (kStripBytes / rows_bytes - pass.planes.reach()) / pass.planes.input_step + 1;
      const int64_t wanted = divide_up(std::max(enough, fair_rows), pass.rows.count);
      pass.planes_per_item = limited(std::min(in_cache, wanted), pass.planes.count);
    }
    pass.plane_blocks = divide_up(pass.planes.count, pass.planes_per_item);
    const int64_t blocks = whole * std::max<int64_t>(1, pass.plane_blocks * pass.row_blocks);
    const int64_t worth =
        pass.planes_per_item * pass.rows_per_item * row_flops / kPartFlops;
    pass.panel_blocks =
        even_blocks(limited(std::min(divide_up(kMaxParts, blocks), worth), panels_));
    pass.rows_first = pass.k * n_ > row_cost(pass);
    pass.items = shape_.batch * shape_.groups * pass.plane_blocks * pass.row_blocks *
                 pass.panel_blocks;
    if (n_ == 0 || pass.columns.count == 0) pass.items = 0;
    const int64_t strip_rows = pass.in_place ? source_.rows : pass.rows.span(pass.rows_per_item);
    pass.strip.plane = strip_rows * pass.strip.row();
    if (!pass.in_place) {
      strip_count_ =
          std::max(strip_count_, pass.planes.span(pass.planes_per_item) * pass.strip.plane);
    }
  }

  /// Where the taps lie in the strip; a row of taps is one if nothing lies between them.
  void add_taps(Pass& pass) {
    const bool merged = pass.columns.adjacent() && pass.strip.pixel == channels_;
    pass.depth = merged ? pass.columns.tap_count() * channels_ : channels_;
    for (const ConvTap& plane : pass.planes.taps) {
      for (const ConvTap& row : pass.rows.taps) {
        for (const ConvTap& column : pass.columns.taps) {
          if (merged && &column != &pass.columns.taps.front()) break;
          pass.taps.push_back((plane.offset - pass.planes.lowest()) * pass.strip.plane +
                              (row.offset - pass.rows.lowest()) * pass.strip.row() +
                              (column.offset - pass.columns.lowest()) * pass.strip.pixel);
        }
      }
    }
  }

  /// Taps in planes and rows of padding would gather zeros: they are left out.
  void find_ranges(Pass& pass) const {
    const int64_t plane_taps = static_cast<int64_t>(pass.taps.size()) /
                               std::max<int64_t>(1, pass.planes.tap_count());
    const int64_t row_taps = plane_taps / std::max<int64_t>(1, pass.rows.tap_count());
    const auto list = [](const AxisPass& axis, int64_t size, int64_t each) {
      std::vector<SomeTaps> ranges;
      for (int64_t t = 0; t < axis.count; ++t) {
        const SomeTaps inside = axis.taps_inside(t, size);
        ranges.push_back({inside.first * each, inside.count * each});
      }
      return ranges;
    };
    pass.of_plane = list(pass.planes, source_.planes, plane_taps);
    if (pass.planes.tap_count() == 1 && !pass.rows.inside(source_.rows))
      pass.of_row = list(pass.rows, source_.rows, row_taps);
  }

  /// What the packed weights depend on: sizes, and the taps of each pass.
  std::string form() const override {
    std::string text = form_of(
        "taps", {static_cast<int64_t>(sizeof(T)), functions_.tile_columns, shape_.groups, shape_.in,
                 shape_.out, shape_.rows.kernel, shape_.columns.kernel});
    for (const Pass& pass : passes_) {
      for (const AxisPass* axis : {&pass.planes, &pass.rows, &pass.columns}) {
        for (const ConvTap& tap : axis->taps) text += form_of("", {tap.kernel});
        text += ";";
      }
    }
    return text;
  }

  /// The packed weights: kept from an earlier call, or packed now.
  const T* prepare(const Operands& operands, ThreadPool& pool) {
    const T* weights = static_cast<const T*>(operands.in[1]);
    if (keep_) {
      return reinterpret_cast<const T*>(kept_->of(operands.versions[1], [&](char* memory) {
        pack(weights, reinterpret_cast<T*>(memory), pool);
      }));
    }
    pack(weights, static_cast<T*>(operands.scratch), pool);
    return static_cast<const T*>(operands.scratch);
  }

  void pack(const T* w, T* packed, ThreadPool& pool) const {
    const int64_t count = shape_.groups * panels_;
    for (const Pass& pass : passes_) {
      const int64_t work = pass.k * n_ * shape_.groups / kPartElements;
      const int64_t parts = std::max<int64_t>(1, std::min({count, work, kMaxParts}));
      run_parts(pool, parts, [&](int64_t part) {
        int64_t first = part_begin(count, part, parts);
        const int64_t last = part_begin(count, part + 1, parts);
        while (first < last) {
          const int64_t group = first / panels_;
          const int64_t end = std::min(last, (group + 1) * panels_);
          pack_panels(pass, w, group, first - group * panels_, end - group * panels_, packed);
          first = end;
        }
      });
    }
  }

  void pack_panels(const Pass& pass, const T* w, int64_t group, int64_t first, int64_t last,
                   T* packed) const {
    const int64_t out = shape_.out_channels();
    const int64_t row = backward_ ? 1 : out, column = backward_ ? out : 1;
    const int64_t panel_step = pass.k * functions_.tile_columns;
    const int64_t j = first * functions_.tile_columns;
    packed += pass.packed_start + (group * panels_ + first) * panel_step;
    w += group * shape_.out + j * column;
    for (const ConvTap& plane : pass.planes.taps) {
      for (const ConvTap& tap_row : pass.rows.taps) {
        for (const ConvTap& tap_column : pass.columns.taps) {
          const int64_t tap = (plane.kernel * shape_.rows.kernel + tap_row.kernel) *
                                  shape_.columns.kernel +
                              tap_column.kernel;
          functions_.pack(w + tap * shape_.in * out, row, column, channels_,
                          std::min(n_, last * functions_.tile_columns) - j, packed, panel_step);
          packed += channels_ * functions_.tile_columns;
        }
      }
    }
  }

  void run_item(int64_t item, const T* x, const T* packed, const Epilogue<T>& epilogue, T* strip,
                T* y) const {
    size_t number = 0;
    while (item >= passes_[number].items) item -= passes_[number++].items;
    const Pass& pass = passes_[number];
    const auto next = [&item](int64_t count) {
      const int64_t index = item % count;
      item /= count;
      return index;
    };
    int64_t panel_block = pass.rows_first ? 0 : next(pass.panel_blocks);
    const int64_t row = next(pass.row_blocks) * pass.rows_per_item;
    const int64_t plane = next(pass.plane_blocks) * pass.planes_per_item;
    if (pass.rows_first) panel_block = next(pass.panel_blocks);
    const int64_t group = next(shape_.groups);
    const int64_t rows = std::min(pass.rows_per_item, pass.rows.count - row);
    const int64_t planes = std::min(pass.planes_per_item, pass.planes.count - plane);
    if (rows <= 0 || planes <= 0) return;
    const T* source = x + item * source_.planes * source_.rows * source_.columns * source_pixel() +
                      group * channels_;
    const Rows needed = {plane * pass.planes.input_step + pass.planes.lowest(),
                         pass.planes.span(planes),
                         row * pass.rows.input_step + pass.rows.lowest(), pass.rows.span(rows)};
    if (!pass.in_place) pass.strip.copy(source, source_, needed, strip);
    const int64_t first_panel = panels_ * panel_block / pass.panel_blocks;
    const int64_t first_column = first_panel * functions_.tile_columns;
    const int64_t last_column =
        std::min(n_, panels_ * (panel_block + 1) / pass.panel_blocks * functions_.tile_columns);
    TapJob<T> job;
    job.a_block = pass.rows.input_step * pass.strip.row();
    job.a_row = pass.columns.input_step * pass.strip.pixel;
    job.a_depth = 1;
    job.depth = pass.depth;
    job.panel_step = pass.k * functions_.tile_columns;
    const T* const panels =
        packed + pass.packed_start + (group * panels_ + first_panel) * job.panel_step;
    job.b_end = panels + (panels_ - first_panel) * job.panel_step;
    job.c_block = pass.rows.step * result_.columns * result_pixel();
    job.c_row = pass.columns.step * result_pixel();
    job.blocks = rows;
    job.m = pass.columns.count;
    job.n = last_column - first_column;
    job.accumulate = false;
    for (int64_t i = 0; i < planes; ++i) {
      const SomeTaps taps = pass.of_plane[static_cast<size_t>(plane + i)];
      job.taps = pass.taps.data() + taps.first;
      job.tap_count = taps.count;
      const bool by_row = taps.count > 0 && !pass.of_row.empty();
      job.ranges = by_row ? pass.of_row.data() + row : nullptr;
      job.b = panels + taps.first * job.depth * functions_.tile_columns;
      job.a = pass.in_place
                  ? source + (needed.plane + i * pass.planes.input_step) * pass.strip.plane +
                        needed.row * pass.strip.row() + pass.columns.lowest() * source_pixel()
                  : strip + i * pass.planes.input_step * pass.strip.plane;
      const int64_t y_plane = item * result_.planes + pass.planes.first +
                              (plane + i) * pass.planes.step;
      const int64_t y_row = y_plane * result_.rows + pass.rows.first + row * pass.rows.step;
      job.c = y + (y_row * result_.columns + pass.columns.first) * result_pixel() + group * n_ +
              first_column;
      job.epilogue = epilogue.at(group * n_ + first_column, job.c - y);
      functions_.run(job);
    }
  }

  ConvShape shape_;
  bool backward_;
  const ConvFunctions<T>& functions_;
  EpilogueOperands<T> epilogue_;
  Extent source_, result_;
  int64_t channels_ = 0, n_ = 0, panels_ = 0;  // of one group
  std::vector<Pass> passes_;
  int64_t items_ = 0, parts_ = 1, packed_count_ = 0, strip_count_ = 0;
  bool keep_ = false;
  std::shared_ptr<Packed> kept_;
};

template <class T>
std::unique_ptr<Step> make_step(Binding& binding, const ConvShape& shape, bool backward,
                                const ConvFunctions<T>& functions) {
  return std::make_unique<ConvStep<T>>(binding, shape, backward, functions);
}

/// Pairs along the channels that are gathered. What depthwise kernels are for gains nothing from
/// them; such groups take the same way as all others.
[[gnu::cold]] std::unique_ptr<Step> bind_pairs(Binding& binding, const ConvShape& shape,
                                               bool backward) {
  const Type &x = binding.inputs()[0], &w = binding.inputs()[1];
  std::vector<Conversion> pairs = {
      pairs_along(0, x, x.rank - 1, shape.groups),
      pairs_along(1, w, w.rank - (backward ? 1 : 2), backward ? shape.groups : 1)};
  return bind_converted(binding, pairs, [shape, backward](Binding& inner) {
    ConvShape half = shape;
    int64_t& channels = backward ? half.out : half.in;
    channels = divide_up(channels, 2);
    join_pixels(half);
    return make_step<float>(inner, half, backward, kernels<ConvKernels>().bfloat16);
  });
}

[[gnu::cold]] std::unique_ptr<Step> bind(Binding& binding, ConvShape shape, bool backward) {
  const char* const kernel = backward ? "conv_grad_input" : "conv";
  const bool winograd = allows_winograd(binding, kernel);
  if (!winograd && rounds_products(binding, kernel)) return bind_pairs(binding, shape, backward);
  if (has_narrow_groups(shape, backward)) return bind_depthwise(binding, shape, backward);
  if (has_few_results(shape, backward)) return bind_scatter(binding, shape, backward);
  if (winograd && suits_winograd(shape, backward)) return bind_winograd(binding, shape, backward);
  join_pixels(shape);
  const auto& table = kernels<ConvKernels>();
  switch (binding.outputs()[0].dtype) {
    case DType::kFloat32: return make_step<float>(binding, shape, backward, table.float32);
    case DType::kFloat64: return make_step<double>(binding, shape, backward, table.float64);
    default: throw Error(ErrorCode::kDtype, "[conv] float32 or float64 is required.");
  }
}

[[gnu::cold]] std::unique_ptr<Step> bind_conv(Binding& binding) {
  const auto& in = binding.inputs();
  require(in.size() >= 2 && binding.outputs().size() == 1, "conv",
          "there must be x, w and one result");
  if (has_stored_weights(binding, 1)) return bind_stored(binding, "conv", 1, bind_conv);
  return bind(binding, read_conv_shape(binding, "conv", in[0], in[1], binding.outputs()[0]),
              false);
}

[[gnu::cold]] std::unique_ptr<Step> bind_conv_grad_input(Binding& binding) {
  if (has_stored_weights(binding, 1))
    return bind_stored(binding, "conv_grad_input", 1, bind_conv_grad_input);
  require_operands(binding, "conv_grad_input", 2, 1);
  const auto& in = binding.inputs();
  return bind(binding,
              read_conv_shape(binding, "conv_grad_input", binding.outputs()[0], in[1], in[0]),
              true);
}

const KernelEntry forward_entry("conv", bind_conv);
const KernelEntry backward_entry("conv_grad_input", bind_conv_grad_input);

}  // namespace
}  // namespace symk::cpu
