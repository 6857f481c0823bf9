// Binds `matmul`: decides how the product is cut and what is packed, and runs the parts. How it is
// cut depends on the shapes alone, so results do not depend on the number of threads.
#include <memory>
#include <string>

#include "cpu/bfloat16_step.h"
#include "cpu/dispatch.h"
#include "cpu/matmul_vector.h"
#include "cpu/stored_step.h"

namespace symk::cpu {
namespace {

// One product is cut in one of three ways. Few rows of A: parts are blocks of columns and of
// depths, and pack their own block of B, which no other part needs; blocks of depths have sums of
// their own, added at the end. Many rows of A: B is packed once for all, in parallel, then parts
// are blocks of rows and columns. B lasts from call to call: it is packed once per process, and few
// rows are cut as above, so that no two parts read the same of B unless they must. A batch of small
// products is cut between them.
template <class T>
class MatmulStep : public Step {
 public:
  [[gnu::cold]] MatmulStep(Binding& binding, const MatmulProblem& problem,
                           const MatmulFunctions<T>& functions)
      : p_(problem), functions_(functions), epilogue_(binding, "matmul"),
        batch_(problem.a_start.size()) {
    panels_ = divide_up(p_.n, functions_.tile_columns);
    row_tiles_ = divide_up(p_.m, functions_.tile_rows);
    panel_step_ = p_.k * functions_.tile_columns;
    const int64_t flops = checked_multiply(2 * p_.k, checked_multiply(p_.m, p_.n));
    across_batch_ = batch_ >= 8 || (batch_ > 1 && flops < 4 * kPartFlops);
    const bool reads_b_once = p_.m <= functions_.tile_rows && p_.b_column == 1;
    keep_b_ = batch_ == 1 && !reads_b_once && binding.lasting(1);
    shared_b_ = !across_batch_ && !keep_b_ && row_tiles_ > kFewTiles;
    pack_a_ = wants_packed_a();
    if (keep_b_) kept_ = binding.packed(1, form(), panels_ * panel_step_ * item());
    cut(flops);
    reserve(binding);
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    if (across_batch_) {
      run_batch(operands, pool);
    } else {
      for (int64_t i = 0; i < batch_; ++i) run_product(operands, pool, i);
    }
    return {};
  }

 private:
  static constexpr int64_t kFewRows = 7;      // which share a set of lines of the first cache
  static constexpr int64_t kFewTiles = 16;    // rows of tiles that share a panel of B with one part
  static constexpr int64_t kDepthPart = 512;  // depths that are worth a sum of their own
  static constexpr int64_t item() { return static_cast<int64_t>(sizeof(T)); }

  /// What the panels of B depend on.
  std::string form() const override {
    return form_of("panels", {item(), functions_.tile_columns, p_.k, p_.n, p_.b_row, p_.b_column});
  }

  /// Packing A pays if many tiles of a transposed A use it, or if the rows of a single tile, which
  /// reads B once, would fight for the same lines of the cache (most_rows of tile.h).
  bool wants_packed_a() const {
    if (panels_ == 1) return false;
    if (p_.a_row == 1) return row_tiles_ > kFewTiles && p_.k > 16;
    return p_.m > kFewRows && row_tiles_ == 1 && p_.a_row * item() % 4096 == 0;
  }

  void cut(int64_t flops) {
    if (across_batch_) {
      row_parts_ = clamp(batch_ * flops / kPartFlops, 1, std::min(kMaxParts, batch_));
      return;
    }
    const int64_t wanted = clamp(flops / kPartFlops, 1, kMaxParts);
    if (row_tiles_ > kFewTiles) {
      row_parts_ = clamp(row_tiles_ / 2, 1, wanted);
      column_parts_ = clamp(divide_up(wanted, row_parts_), 1, panels_);
      return;
    }
    cut_columns_and_depths(wanted, keep_b_ ? panels_ : panels_ / 2);
    if (keep_b_) row_parts_ = clamp(wanted / (column_parts_ * depth_parts_), 1, row_tiles_);
  }

  /// The blocks of columns, each of which packs A, and of depths, each of which has sums to be
  /// added, that cost least together.
  void cut_columns_and_depths(int64_t wanted, int64_t most_columns) {
    most_columns = column_parts_ = clamp(most_columns, 1, wanted);
    const auto depth_parts = [&](int64_t columns) {
      return clamp(wanted / columns, 1, p_.k / kDepthPart);
    };
    const auto cost = [&](int64_t columns) {
      const int64_t depths = depth_parts(columns);
      return columns * (pack_a_ ? 2 : 1) * p_.m * p_.k +
             (depths > 1 ? 3 * depths * p_.m * p_.n : 0);
    };
    for (int64_t columns = 1; columns < most_columns; columns *= 2) {
      const bool enough =
          4 * columns * depth_parts(columns) >= 3 * most_columns * depth_parts(most_columns);
      if (enough && cost(columns) < cost(column_parts_)) column_parts_ = columns;
    }
    depth_parts_ = depth_parts(column_parts_);
  }

  /// Scratch: sums of blocks of depths, packed B for all, then for each part its packed A and
  /// packed B.
  void reserve(Binding& binding) {
    const bool own_b = across_batch_ || !(keep_b_ || shared_b_);
    sum_count_ = depth_parts_ > 1 ? whole_lines<T>(p_.m * p_.n) : 0;
    shared_count_ = shared_b_ ? whole_lines<T>(checked_multiply(panels_, panel_step_)) : 0;
    part_a_count_ = pack_a_ ? whole_lines<T>(functions_.packed_a_count) : 0;
    part_count_ = part_a_count_ + (own_b ? whole_lines<T>(functions_.packed_b_count) : 0);
    const int64_t parts = row_parts_ * column_parts_ * depth_parts_;
    binding.need_scratch(
        checked_multiply(depth_parts_ * sum_count_ + shared_count_ + parts * part_count_, item()));
  }

  T* sums(const Operands& operands) const { return static_cast<T*>(operands.scratch); }
  T* shared_panels(const Operands& operands) const {
    return sums(operands) + depth_parts_ * sum_count_;
  }
  T* part_scratch(const Operands& operands, int64_t part) const {
    return shared_panels(operands) + shared_count_ + part * part_count_;
  }

  /// The whole of one product, to be narrowed to a part.
  MatmulJob<T> product(const Operands& operands, int64_t number, int64_t part) const {
    MatmulJob<T> job{};
    job.a = static_cast<const T*>(operands.in[0]) + p_.a_start[static_cast<size_t>(number)];
    job.a_row = p_.a_row;
    job.a_column = p_.a_column;
    job.packed_a = pack_a_ ? part_scratch(operands, part) : nullptr;
    job.b = static_cast<const T*>(operands.in[1]) + p_.b_start[static_cast<size_t>(number)];
    job.b_row = p_.b_row;
    job.b_column = p_.b_column;
    job.packed_b = part_scratch(operands, part) + part_a_count_;
    job.c = static_cast<T*>(operands.out[0]) + number * p_.m * p_.n;
    job.c_row = p_.n;
    job.m = p_.m;
    job.n = p_.n;
    job.k = p_.k;
    job.epilogue = epilogue_.of(operands).at(0, number * p_.m * p_.n);
    return job;
  }

  void run_batch(const Operands& operands, ThreadPool& pool) const {
    run_parts(pool, row_parts_, [&](int64_t part) {
      const int64_t last = part_begin(batch_, part + 1, row_parts_);
      for (int64_t i = part_begin(batch_, part, row_parts_); i < last; ++i) {
        functions_.run(product(operands, i, part));
      }
    });
  }

  /// B packed in panels, if parts share it; else null.
  const T* prepare_panels(const Operands& operands, ThreadPool& pool, int64_t number) {
    const T* b = static_cast<const T*>(operands.in[1]) + p_.b_start[static_cast<size_t>(number)];
    if (keep_b_) {
      return reinterpret_cast<const T*>(kept_->of(operands.versions[1], [&](char* memory) {
        pack_panels(b, reinterpret_cast<T*>(memory), pool);
      }));
    }
    if (!shared_b_) return nullptr;
    pack_panels(b, shared_panels(operands), pool);
    return shared_panels(operands);
  }

  void pack_panels(const T* b, T* panels, ThreadPool& pool) const {
    const int64_t parts = clamp(p_.k * p_.n / kPartElements, 1, panels_);
    run_parts(pool, parts, [&](int64_t part) {
      const int64_t panel = part_begin(panels_, part, parts), j = panel * functions_.tile_columns;
      const int64_t last =
          std::min(p_.n, part_begin(panels_, part + 1, parts) * functions_.tile_columns);
      functions_.pack(b + j * p_.b_column, p_.b_row, p_.b_column, p_.k, last - j,
                      panels + panel * panel_step_, panel_step_);
    });
  }

  void run_product(const Operands& operands, ThreadPool& pool, int64_t number) {
    const T* panels = prepare_panels(operands, pool, number);
    const int64_t parts = row_parts_ * column_parts_ * depth_parts_;
    run_parts(pool, parts, [&](int64_t part) {
      MatmulJob<T> job = product(operands, number, part);
      if (panels) {
        job.panels = panels + first_panel(part);
        job.next_panels = part + 1 < parts ? panels + first_panel(part + 1) : nullptr;
      }
      job.panel_step = panel_step_;
      narrow(job, part, sums(operands));
      functions_.run(job);
    });
    if (depth_parts_ > 1) add_sums(operands, pool, number);
  }

  /// Where the first panel of a part begins.
  int64_t first_panel(int64_t part) const {
    const int64_t panel = part_begin(panels_, part / depth_parts_ % column_parts_, column_parts_);
    return panel * panel_step_ +
           part_begin(p_.k, part % depth_parts_, depth_parts_) * functions_.tile_columns;
  }

  /// To the rows, columns and depths of one part.
  void narrow(MatmulJob<T>& job, int64_t part, T* sums) const {
    const int64_t row_part = part / column_parts_ / depth_parts_;
    const int64_t column_part = part / depth_parts_ % column_parts_;
    const int64_t depth_part = part % depth_parts_;
    const int64_t i = part_begin(row_tiles_, row_part, row_parts_) * functions_.tile_rows;
    const int64_t panel = part_begin(panels_, column_part, column_parts_);
    const int64_t j = panel * functions_.tile_columns;
    const int64_t d = part_begin(p_.k, depth_part, depth_parts_);
    const int64_t last_tile = part_begin(row_tiles_, row_part + 1, row_parts_);
    job.m = std::min(p_.m, last_tile * functions_.tile_rows) - i;
    const int64_t last_panel = part_begin(panels_, column_part + 1, column_parts_);
    job.n = std::min(p_.n, last_panel * functions_.tile_columns) - j;
    job.k = part_begin(p_.k, depth_part + 1, depth_parts_) - d;
    job.a += i * p_.a_row + d * p_.a_column;
    job.b += d * p_.b_row + j * p_.b_column;
    job.epilogue = job.epilogue.at(j, i * p_.n + j);
    if (depth_parts_ > 1) {
      job.c = sums + depth_part * sum_count_;
      job.epilogue = Epilogue<T>();
    }
    job.c += i * p_.n + j;
  }

  void add_sums(const Operands& operands, ThreadPool& pool, int64_t number) const {
    const int64_t parts =
        clamp(depth_parts_ * p_.m * p_.n / kPartElements, 1, std::min(kMaxParts, p_.m));
    run_parts(pool, parts, [&](int64_t part) {
      const int64_t first = part_begin(p_.m, part, parts), last = part_begin(p_.m, part + 1, parts);
      T* c = static_cast<T*>(operands.out[0]) + (number * p_.m + first) * p_.n;
      const T* sum = sums(operands) + first * p_.n;
      std::copy(sum, sum + (last - first) * p_.n, c);
      for (int64_t i = 1; i < depth_parts_; ++i)
        add_to(c, sum + i * sum_count_, (last - first) * p_.n);
      finish_rows(c, last - first, p_.n,
                  epilogue_.of(operands).at(0, (number * p_.m + first) * p_.n));
    });
  }

  MatmulProblem p_;
  const MatmulFunctions<T>& functions_;
  EpilogueOperands<T> epilogue_;
  int64_t batch_, panels_ = 0, row_tiles_ = 0, panel_step_ = 0;
  bool across_batch_ = false, keep_b_ = false, shared_b_ = false, pack_a_ = false;
  int64_t row_parts_ = 1, column_parts_ = 1, depth_parts_ = 1;
  int64_t sum_count_ = 0, shared_count_ = 0, part_a_count_ = 0, part_count_ = 0;
  std::shared_ptr<Packed> kept_;
};

template <class T>
[[gnu::cold]] std::unique_ptr<Step> bind_as(Binding& binding, const MatmulFunctions<T>& functions) {
  const MatmulProblem problem = read_matmul(binding);
  if ((problem.m == 1 || problem.n == 1) && problem.a_start.size() == 1) {
    return std::make_unique<MatmulVectorStep<T>>(binding, problem, functions);
  }
  return std::make_unique<MatmulStep<T>>(binding, problem, functions);
}

/// The operands as pairs along the inner axis.
[[gnu::cold]] std::unique_ptr<Step> bind_pairs(Binding& binding,
                                               const MatmulFunctions<float>& functions) {
  read_matmul(binding);
  const Type &a = binding.inputs()[0], &b = binding.inputs()[1];
  const bool transpose_a = binding.integer("transpose_a", 0) != 0;
  const bool transpose_b = binding.integer("transpose_b", 0) != 0;
  std::vector<Conversion> pairs = {pairs_along(0, a, a.rank - (transpose_a ? 2 : 1), 1),
                                   pairs_along(1, b, b.rank - (transpose_b ? 1 : 2), 1)};
  return bind_converted(binding, pairs, [&functions](Binding& inner) {
    return std::make_unique<MatmulStep<float>>(inner, read_matmul(inner), functions);
  });
}

[[gnu::cold]] std::unique_ptr<Step> bind_matmul(Binding& binding) {
  const auto& table = kernels<MatmulKernels>();
  if (binding.outputs().empty()) refuse_matmul("wants one result.");
  if (has_stored_weights(binding, 1)) return bind_stored_matmul(binding, bind_matmul);
  if (rounds_products(binding, "matmul")) return bind_pairs(binding, table.bfloat16);
  switch (binding.outputs()[0].dtype) {
    case DType::kFloat32: return bind_as<float>(binding, table.float32);
    case DType::kFloat64: return bind_as<double>(binding, table.float64);
    default: throw Error(ErrorCode::kDtype, "[matmul] float32 or float64 is required.");
  }
}

const KernelEntry entry("matmul", bind_matmul);

}  // namespace
}  // namespace symk::cpu
