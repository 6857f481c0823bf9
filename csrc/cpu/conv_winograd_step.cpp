// Binds convolutions by Winograd's F(4x4, 3x3). Tiles of 4 x 4 results, of whichever image, come in
// blocks whose transforms stay in L2: the pixels that a block sees become 36 matrices (tile x
// channel), each is multiplied with its matrix of the kernel, a panel of columns at a time, and the
// 36 products become results. The kernel is transformed when its value changes.
#include "cpu/conv_winograd_step.h"

#include <string>

#include "cpu/conv_winograd.h"
#include "cpu/dispatch.h"
#include "cpu/epilogue_operands.h"

namespace symk::cpu {
namespace {

constexpr int64_t kLeastChannels = 16;  // of source and result: a vector
constexpr int64_t kLeastTiles = 9;      // fewer do not make up for weights four times as large,
constexpr int64_t kFarTiles = 32;       // nor these where the weights come from memory
constexpr int64_t kFarBytes = 16 << 20;
constexpr int64_t kBlockBytes = 320
                                << 10;  // transforms of a block, beside a panel of the kernel in L2
constexpr int64_t kLine = 64 / sizeof(float);

/// Rows or columns of an image: what is gathered, and how far before it the first tile begins.
struct TileAxis {
  int64_t source = 0, result = 0, before = 0;

  TileAxis(const ConvAxis& axis, bool backward)
      : source(backward ? axis.y : axis.x), result(backward ? axis.x : axis.y),
        before(backward ? axis.kernel - 1 - axis.before : axis.before) {}
  int64_t tiles() const { return divide_up(result, kWinogradResults); }
};

class WinogradStep : public Step {
 public:
  WinogradStep(Binding& binding, const ConvShape& shape, bool backward)
      : products_(kernels<ConvKernels>().float32), transforms_(kernels<WinogradFunctions>()),
        epilogue_(backward ? EpilogueOperands<float>() : EpilogueOperands<float>(binding, "conv")),
        rows_(shape.rows, backward), columns_(shape.columns, backward), backward_(backward),
        depth_(backward ? shape.out : shape.in), n_(backward ? shape.in : shape.out) {
    tiles_ = shape.batch * shape.planes.x * rows_.tiles() * columns_.tiles();
    panels_ = divide_up(n_, products_.tile_columns);
    matrix_ = depth_ * products_.tile_columns;
    cut();
    const int64_t kernel_count = checked_multiply(panels_, kWinogradProducts * matrix_);
    keep_ = binding.lasting(1);
    if (keep_) kept_ = binding.packed(1, form(), checked_multiply(kernel_count, sizeof(float)));
    kernel_count_ = keep_ ? 0 : kernel_count;
    binding.need_scratch(checked_multiply(kernel_count_ + parts_ * part_count_, sizeof(float)));
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    const float* x = static_cast<const float*>(operands.in[0]);
    const float* kernel = prepare(operands, pool);
    const Epilogue<float> epilogue = epilogue_.of(operands);
    float* y = static_cast<float*>(operands.out[0]);
    run_parts(pool, parts_, [&](int64_t part) {
      run_part(part, x, kernel, epilogue, part_scratch(operands, part), y);
    });
    return {};
  }

 private:
  /// Blocks of tiles, and scratch for a part: the transforms of a block, its products with a panel,
  /// and a pixel of zeros.
  void cut() {
    const int64_t rows = products_.tile_rows, columns = products_.tile_columns;
    const int64_t tile_bytes = kWinogradProducts * (depth_ + columns) * sizeof(float);
    const int64_t fit = clamp(kBlockBytes / tile_bytes / rows * rows, rows, tiles_);
    blocks_ = divide_up(tiles_, fit);
    block_tiles_ = divide_up(divide_up(tiles_, blocks_), rows) * rows;
    blocks_ = divide_up(tiles_, block_tiles_);
    items_ = blocks_ * panels_;
    const int64_t flops = 2 * tiles_ * kWinogradProducts * depth_ * n_;
    parts_ = clamp(flops / kPartFlops, 1, std::min(kMaxParts, items_));
    // An odd number of lines between matrices: those of a tile do not fight for the same lines of
    // L1.
    source_step_ = odd_lines(block_tiles_ * depth_);
    product_step_ = odd_lines(block_tiles_ * columns);
    const int64_t tap_count = whole_lines<float>(9 * matrix_);
    const int64_t transform_count = kWinogradProducts * (source_step_ + product_step_);
    part_count_ = std::max(transform_count, tap_count) + whole_lines<float>(depth_);
  }

  static int64_t odd_lines(int64_t count) { return (divide_up(count, kLine) | 1) * kLine; }

  float* part_scratch(const Operands& operands, int64_t part) const {
    return static_cast<float*>(operands.scratch) + kernel_count_ + part * part_count_;
  }

  std::string form() const override {
    return form_of("winograd 4", {products_.tile_columns, depth_, n_, backward_});
  }

  /// The transformed kernel: panel by panel, product by product.
  const float* prepare(const Operands& operands, ThreadPool& pool) {
    const float* w = static_cast<const float*>(operands.in[1]);
    const auto transform = [&](float* to) {
      run_parts(pool, std::min(parts_, panels_), [&](int64_t part) {
        const int64_t parts = std::min(parts_, panels_);
        for (int64_t i = part_begin(panels_, part, parts); i < part_begin(panels_, part + 1, parts);
             ++i) {
          transform_panel(w, i, part_scratch(operands, part), to + i * kWinogradProducts * matrix_);
        }
      });
    };
    if (!keep_) {
      transform(static_cast<float*>(operands.scratch));
      return static_cast<const float*>(operands.scratch);
    }
    return reinterpret_cast<const float*>(kept_->of(
        operands.versions[1], [&](char* memory) { transform(reinterpret_cast<float*>(memory)); }));
  }

  /// Packs the taps of a panel as the tiles read them, the kernel turned round for a gradient, and
  /// transforms what is packed.
  void transform_panel(const float* w, int64_t panel, float* taps, float* to) const {
    const int64_t first = panel * products_.tile_columns;
    const int64_t columns = std::min(products_.tile_columns, n_ - first);
    for (int64_t tap = 0; tap < 9; ++tap) {
      const float* from = w + (backward_ ? 8 - tap : tap) * depth_ * n_;
      if (backward_) {
        products_.pack(from + first * depth_, 1, depth_, depth_, columns, taps + tap * matrix_,
                       matrix_);
      } else {
        products_.pack(from + first, n_, 1, depth_, columns, taps + tap * matrix_, matrix_);
      }
    }
    transforms_.transform_kernel(taps, matrix_, matrix_, to, matrix_);
  }

  /// Items are panels of blocks, all panels of a block one after the other: its pixels are
  /// transformed when the first of them comes.
  void run_part(int64_t part, const float* x, const float* kernel, const Epilogue<float>& epilogue,
                float* scratch, float* y) const {
    float* const products = scratch + kWinogradProducts * source_step_;
    float* const zeros = scratch + part_count_ - whole_lines<float>(depth_);
    std::fill(zeros, zeros + depth_, 0.0f);
    int64_t transformed = -1;
    for (int64_t i = part_begin(items_, part, parts_); i < part_begin(items_, part + 1, parts_);
         ++i) {
      const int64_t block = i / panels_, panel = i % panels_;
      const int64_t first = block * block_tiles_;
      const int64_t count = std::min(block_tiles_, tiles_ - first);
      if (block != transformed) transform_tiles(x, first, count, zeros, scratch);
      transformed = block;
      multiply(scratch, count, kernel + panel * kWinogradProducts * matrix_, products);
      finish(products, first, count, panel * products_.tile_columns, epilogue, y);
    }
  }

  /// Where tile `number` begins: its image, and its first row and column of results.
  struct Place {
    int64_t image, row, column;
  };
  Place place_of(int64_t number) const {
    const int64_t across = columns_.tiles(), down = rows_.tiles();
    return {number / across / down, number / across % down * kWinogradResults,
            number % across * kWinogradResults};
  }

  void transform_tiles(const float* x, int64_t first, int64_t count, const float* zeros,
                       float* to) const {
    for (int64_t tile = 0; tile < count; ++tile) {
      const Place place = place_of(first + tile);
      const float* image = x + place.image * rows_.source * columns_.source * depth_;
      const float* pixels[kWinogradProducts];
      for (int i = 0; i < kWinogradSide; ++i) {
        const int64_t row = place.row - rows_.before + i;
        const bool inside = row >= 0 && row < rows_.source;
        for (int j = 0; j < kWinogradSide; ++j) {
          const int64_t column = place.column - columns_.before + j;
          pixels[i * kWinogradSide + j] = inside && column >= 0 && column < columns_.source
                                              ? image + (row * columns_.source + column) * depth_
                                              : zeros;
        }
      }
      transforms_.transform_source(pixels, depth_, to + tile * depth_, source_step_);
    }
  }

  /// All products of a block with one panel.
  void multiply(const float* source, int64_t count, const float* kernel, float* products) const {
    const int64_t start = 0;
    TapJob<float> job{};
    job.a_row = depth_;
    job.a_depth = 1;
    job.taps = &start;
    job.tap_count = 1;
    job.depth = depth_;
    job.panel_step = matrix_;
    job.c_row = products_.tile_columns;
    job.blocks = 1;
    job.m = count;
    job.n = products_.tile_columns;
    job.b_end = kernel + kWinogradProducts * matrix_;
    for (int64_t p = 0; p < kWinogradProducts; ++p) {
      job.a = source + p * source_step_;
      job.b = kernel + p * matrix_;
      job.c = products + p * product_step_;
      products_.run(job);
    }
  }

  void finish(const float* products, int64_t first, int64_t count, int64_t column,
              const Epilogue<float>& epilogue, float* y) const {
    WinogradResults results;
    results.step = product_step_;
    results.pixel = n_;
    results.row = columns_.result * n_;
    results.channels = std::min(products_.tile_columns, n_ - column);
    for (int64_t tile = 0; tile < count; ++tile) {
      const Place place = place_of(first + tile);
      const int64_t row = place.image * rows_.result + place.row;
      const int64_t start = (row * columns_.result + place.column) * n_ + column;
      results.products = products + tile * products_.tile_columns;
      results.y = y + start;
      results.rows =
          static_cast<int>(std::min<int64_t>(kWinogradResults, rows_.result - place.row));
      results.columns =
          static_cast<int>(std::min<int64_t>(kWinogradResults, columns_.result - place.column));
      results.epilogue = epilogue.at(column, start);
      transforms_.finish(results);
    }
  }

  const ConvFunctions<float>& products_;
  const WinogradFunctions& transforms_;
  EpilogueOperands<float> epilogue_;
  TileAxis rows_, columns_;
  bool backward_;
  int64_t depth_, n_;
  int64_t tiles_ = 0, panels_ = 0;
  int64_t matrix_ = 0;  // elements of one product of a panel of the kernel
  int64_t block_tiles_ = 1, blocks_ = 0, items_ = 0, parts_ = 1;
  int64_t source_step_ = 0, product_step_ = 0, part_count_ = 0, kernel_count_ = 0;
  bool keep_ = false;
  std::shared_ptr<Packed> kept_;
};

}  // namespace

bool allows_winograd(const Binding& binding, const char* kernel) {
  if (binding.text("products", "") != "winograd") return false;
  require(!binding.outputs().empty() && binding.outputs()[0].dtype == DType::kFloat32, kernel,
          "products of winograd must have a float32 result");
  return true;
}

bool suits_winograd(const ConvShape& shape, bool backward) {
  const auto suits = [](const ConvAxis& axis, int64_t kernel) {
    return axis.kernel == kernel && axis.stride == 1 && axis.dilation == 1;
  };
  const int64_t tiles = shape.batch * shape.planes.x * TileAxis(shape.rows, backward).tiles() *
                        TileAxis(shape.columns, backward).tiles();
  const int64_t kernel_bytes = kWinogradProducts * shape.in * shape.out * sizeof(float);
  return shape.groups == 1 && suits(shape.planes, 1) && suits(shape.rows, 3) &&
         suits(shape.columns, 3) && std::min(shape.in, shape.out) >= kLeastChannels &&
         tiles >= (kernel_bytes > kFarBytes ? kFarTiles : kLeastTiles);
}

[[gnu::cold]] std::unique_ptr<Step> bind_winograd(Binding& binding, const ConvShape& shape,
                                                  bool backward) {
  return std::make_unique<WinogradStep>(binding, shape, backward);
}

}  // namespace symk::cpu
