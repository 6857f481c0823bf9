// Binds `matmul`: checks shapes, decides how the product is cut and what is packed, and runs the parts. How it is cut
// depends on the shapes alone, so results do not depend on the number of threads.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "cpu/activation.h"
#include "cpu/dispatch.h"
#include "cpu/matmul.h"
#include "runtime/error.h"
#include "runtime/kernel.h"
#include "runtime/memory.h"

namespace symk::cpu {
namespace {

constexpr int64_t kPartFlops = 1 << 20;     // some 4 us of one core: what makes a second thread worth waking
constexpr int64_t kMaxParts = 16;           // enough to balance threads; each has a block of packed A
constexpr int64_t kVectorPartCount = 1 << 16;  // elements of a matrix that one part of matrix times vector reads

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// A matrix product with leading axes: shapes, strides and where each product of the batch begins.
struct Problem {
  int64_t m = 0, n = 0, k = 0;
  int64_t a_row = 0, a_column = 0, b_row = 0, b_column = 0;  // strides of the operands as multiplied
  std::vector<int64_t> a_start, b_start;                     // one per product of the batch
  bool has_bias = false;
};

[[noreturn]] void refuse(const std::string& text) { throw Error(ErrorCode::kShape, "[matmul] " + text); }

/// Size of `axis` counted from the right among the leading axes; missing ones are 1.
int64_t leading_size(const Type& type, int axis) {
  const int i = type.rank - 3 - axis;
  return i < 0 ? 1 : type.shape[i];
}

std::vector<int64_t> batch_starts(const Type& type, const Type& result) {
  int64_t batch = 1;
  for (int i = 0; i < result.rank - 2; ++i) batch *= result.shape[i];
  std::vector<int64_t> starts(static_cast<size_t>(batch));
  for (int64_t item = 0; item < batch; ++item) {
    int64_t rest = item, stride = type.shape[type.rank - 1] * type.shape[type.rank - 2];
    for (int axis = 0; axis < result.rank - 2; ++axis) {
      const int64_t size = leading_size(type, axis);
      const int64_t position = rest % leading_size(result, axis);
      rest /= leading_size(result, axis);
      if (size != 1) starts[static_cast<size_t>(item)] += position * stride;
      stride *= size;
    }
  }
  return starts;
}

void check_leading(const Type& a, const Type& b, const Type& c) {
  if (c.rank != std::max(a.rank, b.rank)) refuse("the result must have the rank of the larger operand.");
  for (int axis = 0; axis < c.rank - 2; ++axis) {
    const int64_t p = leading_size(a, axis), q = leading_size(b, axis), r = leading_size(c, axis);
    if ((p != r && p != 1) || (q != r && q != 1) || (r != p && r != q)) {
      refuse("leading axes must be equal or 1.");
    }
  }
}

Problem read_problem(const Binding& binding) {
  const auto& in = binding.inputs();
  if (in.size() < 2 || in.size() > 3 || binding.outputs().size() != 1) refuse("wants a, b and perhaps a bias.");
  const Type &a = in[0], &b = in[1], &c = binding.outputs()[0];
  if (a.rank < 2 || b.rank < 2 || c.rank < 2) refuse("operands must have at least two axes.");
  for (const Type& type : in) {
    if (type.dtype != c.dtype) throw Error(ErrorCode::kDtype, "[matmul] operands must have one dtype.");
  }
  const bool transpose_a = binding.integer("transpose_a", 0) != 0;
  const bool transpose_b = binding.integer("transpose_b", 0) != 0;
  const int64_t a_rows = a.shape[a.rank - 2], a_columns = a.shape[a.rank - 1];
  const int64_t b_rows = b.shape[b.rank - 2], b_columns = b.shape[b.rank - 1];
  Problem p;
  p.m = transpose_a ? a_columns : a_rows;
  p.k = transpose_a ? a_rows : a_columns;
  p.n = transpose_b ? b_rows : b_columns;
  if (p.k != (transpose_b ? b_columns : b_rows)) refuse("inner sizes must agree.");
  if (c.shape[c.rank - 2] != p.m || c.shape[c.rank - 1] != p.n) refuse("the result has the wrong sizes.");
  check_leading(a, b, c);
  p.has_bias = in.size() == 3;
  if (p.has_bias && (in[2].rank != 1 || in[2].shape[0] != p.n)) refuse("the bias must have n elements.");
  p.a_row = transpose_a ? 1 : a_columns;
  p.a_column = transpose_a ? a_columns : 1;
  p.b_row = transpose_b ? 1 : b_columns;
  p.b_column = transpose_b ? b_columns : 1;
  p.a_start = batch_starts(a, c);
  p.b_start = batch_starts(b, c);
  const bool one_b = b.count() == b_rows * b_columns;
  if (one_b && !transpose_a && p.a_start.size() > 1 && a.count() == c.count() / std::max<int64_t>(p.n, 1) * p.k) {
    p.m *= static_cast<int64_t>(p.a_start.size());  // all rows of the batch are rows of one product
    p.a_start.assign(1, 0);
    p.b_start.assign(1, 0);
  }
  return p;
}

/// Adds the bias and applies the activation to a whole result; for paths without an epilogue of their own.
template <class T>
void finish(T* c, int64_t rows, int64_t columns, const T* bias, Activation<T> activation) {
  if (bias) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j) c[i * columns + j] += bias[j];
    }
  }
  if (activation) activation(c, rows * columns);
}

/// Matrix times vector, m = 1 or n = 1, one product: bound by reading the matrix once.
template <class T>
class VectorStep : public Step {
 public:
  VectorStep(Binding& binding, const Problem& problem, const MatmulFunctions<T>& functions,
             Activation<T> activation)
      : p_(problem), functions_(functions), activation_(activation) {
    const bool row_times_matrix = p_.m == 1;
    matrix_ = row_times_matrix ? 1 : 0;
    length_ = row_times_matrix ? p_.n : p_.m;
    // The result runs along the rows of the matrix in memory (dot) or along its columns (add).
    dot_ = (row_times_matrix ? p_.b_row : p_.a_column) == 1;
    rows_ = dot_ ? length_ : p_.k;
    columns_ = dot_ ? p_.k : length_;
    parts_ = std::min(kMaxParts, std::max<int64_t>(1, rows_ * columns_ / kVectorPartCount));
    parts_ = std::min(parts_, std::max<int64_t>(1, rows_));
    if (!dot_ && parts_ > 1) binding.need_scratch(parts_ * columns_ * static_cast<int64_t>(sizeof(T)));
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    const T* matrix = static_cast<const T*>(operands.in[matrix_]);
    const T* vector = static_cast<const T*>(operands.in[1 - matrix_]);
    T* y = static_cast<T*>(operands.out[0]);
    T* partial = parts_ == 1 ? y : static_cast<T*>(operands.scratch);
    auto part = [&](int64_t i) {
      const int64_t first = rows_ * i / parts_, last = rows_ * (i + 1) / parts_;
      const T* x = matrix + first * columns_;
      if (dot_) {
        functions_.dot_rows(x, columns_, vector, y + first, last - first, columns_);
      } else {
        functions_.add_rows(x, columns_, vector + first, 1, partial + i * columns_, last - first, columns_);
      }
    };
    if (parts_ == 1) {
      part(0);
    } else {
      pool.parallel(parts_, part);
    }
    if (!dot_ && parts_ > 1) {
      std::copy(partial, partial + columns_, y);
      for (int64_t i = 1; i < parts_; ++i) {
        for (int64_t j = 0; j < columns_; ++j) y[j] += partial[i * columns_ + j];
      }
    }
    finish(y, p_.m, p_.n, p_.has_bias ? static_cast<const T*>(operands.in[2]) : nullptr, activation_);
    return {};
  }

 private:
  Problem p_;
  const MatmulFunctions<T>& functions_;
  Activation<T> activation_;
  int matrix_ = 0;
  int64_t length_ = 0, rows_ = 0, columns_ = 0, parts_ = 1;
  bool dot_ = false;
};

/// The general product. One product is cut in row and column blocks; a batch of small ones is cut between them.
template <class T>
class MatmulStep : public Step {
 public:
  MatmulStep(Binding& binding, const Problem& problem, const MatmulFunctions<T>& functions,
             Activation<T> activation)
      : p_(problem), functions_(functions), activation_(activation) {
    panels_ = divide_up(p_.n, functions_.tile_columns);
    panel_step_ = p_.k * functions_.tile_columns;
    packed_count_ = round_up(panels_ * panel_step_);
    batch_ = static_cast<int64_t>(p_.a_start.size());
    // Reading B where it lies is worth it when each panel is used by few tiles.
    direct_b_ = p_.b_column == 1 && p_.n % functions_.tile_columns == 0 && p_.m <= 2 * functions_.tile_rows;
    pack_a_ = p_.n > 2 * functions_.tile_columns;
    choose_parts();
    const int64_t a_count = pack_a_ ? functions_.packed_a_count : 0;
    part_count_ = round_up(a_count) + (across_batch_ ? packed_count_ : 0);
    const int64_t shared_count = across_batch_ || direct_b_ ? 0 : packed_count_;
    binding.need_scratch((parts() * part_count_ + shared_count) * static_cast<int64_t>(sizeof(T)));
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    if (across_batch_) {
      run_batch(operands, pool);
    } else {
      for (int64_t item = 0; item < batch_; ++item) run_one(operands, pool, item);
    }
    return {};
  }

 private:
  static int64_t round_up(int64_t count) {
    const int64_t line = kAlignment / static_cast<int64_t>(sizeof(T));
    return divide_up(count, line) * line;
  }
  int64_t parts() const { return row_parts_ * column_parts_; }

  void choose_parts() {
    const int64_t flops = 2 * p_.m * p_.n * p_.k;
    across_batch_ = batch_ >= 8 || (batch_ > 1 && flops < 4 * kPartFlops);
    if (across_batch_) {
      row_parts_ = std::max<int64_t>(1, std::min({kMaxParts, batch_, batch_ * flops / kPartFlops}));
      column_parts_ = 1;
      return;
    }
    const int64_t wanted = std::max<int64_t>(1, std::min(kMaxParts, flops / kPartFlops));
    const int64_t row_tiles = std::max<int64_t>(1, divide_up(p_.m, functions_.tile_rows));
    row_parts_ = std::min(wanted, std::max<int64_t>(1, row_tiles / 2));
    column_parts_ = std::min(std::max<int64_t>(1, panels_), divide_up(wanted, row_parts_));
  }

  MatmulJob<T> job(const Operands& operands, int64_t item) const {
    MatmulJob<T> job;
    job.a = static_cast<const T*>(operands.in[0]) + p_.a_start[static_cast<size_t>(item)];
    job.a_row = p_.a_row;
    job.a_column = p_.a_column;
    job.c = static_cast<T*>(operands.out[0]) + item * p_.m * p_.n;
    job.c_row = p_.n;
    job.m = p_.m;
    job.n = p_.n;
    job.k = p_.k;
    job.bias = p_.has_bias ? static_cast<const T*>(operands.in[2]) : nullptr;
    job.activation = activation_;
    job.packed_a = nullptr;
    return job;
  }

  void pack_panels(const T* b, T* packed, int64_t first, int64_t last) const {
    for (int64_t j = first; j < last; ++j) {
      functions_.pack(b, p_.b_row, p_.b_column, p_.k, p_.n, j * functions_.tile_columns, packed + j * panel_step_);
    }
  }

  void run_batch(const Operands& operands, ThreadPool& pool) const {
    auto part = [&](int64_t i) {
      T* packed_b = static_cast<T*>(operands.scratch) + i * part_count_;
      const int64_t first = batch_ * i / row_parts_, last = batch_ * (i + 1) / row_parts_;
      for (int64_t item = first; item < last; ++item) {
        const int64_t start = p_.b_start[static_cast<size_t>(item)];
        if (item == first || start != p_.b_start[static_cast<size_t>(item - 1)]) {
          pack_panels(static_cast<const T*>(operands.in[1]) + start, packed_b, 0, panels_);
        }
        MatmulJob<T> block = job(operands, item);
        block.b = packed_b;
        block.panel_step = panel_step_;
        block.b_step = functions_.tile_columns;
        block.packed_a = pack_a_ ? packed_b + packed_count_ : nullptr;
        functions_.run(block);
      }
    };
    run_parts(pool, row_parts_, part);
  }

  /// B as the tiles want it: where it lies, kept from an earlier call, or packed now.
  const T* prepare_b(const Operands& operands, ThreadPool& pool, int64_t item, bool* direct) {
    const T* b = static_cast<const T*>(operands.in[1]) + p_.b_start[static_cast<size_t>(item)];
    const uint64_t version = batch_ == 1 && operands.versions ? operands.versions[1] : 0;
    if (version != 0 && version == kept_version_) return reinterpret_cast<const T*>(kept_.data());
    *direct = direct_b_;
    if (direct_b_) return b;
    T* packed = static_cast<T*>(operands.scratch) + parts() * part_count_;
    const int64_t pack_parts = std::max<int64_t>(1, std::min(panels_, p_.k * p_.n / kVectorPartCount));
    run_parts(pool, pack_parts, [&](int64_t i) {
      pack_panels(b, packed, panels_ * i / pack_parts, panels_ * (i + 1) / pack_parts);
    });
    return packed;
  }

  void run_one(const Operands& operands, ThreadPool& pool, int64_t item) {
    bool direct = false;
    const T* b = prepare_b(operands, pool, item, &direct);
    const int64_t row_tiles = divide_up(p_.m, functions_.tile_rows);
    run_parts(pool, parts(), [&](int64_t i) {
      const int64_t row_part = i / column_parts_, column_part = i % column_parts_;
      const int64_t first_row = row_tiles * row_part / row_parts_ * functions_.tile_rows;
      const int64_t last_row = std::min(p_.m, row_tiles * (row_part + 1) / row_parts_ * functions_.tile_rows);
      const int64_t first_panel = panels_ * column_part / column_parts_;
      const int64_t last_panel = panels_ * (column_part + 1) / column_parts_;
      const int64_t first_column = first_panel * functions_.tile_columns;
      MatmulJob<T> block = job(operands, item);
      block.a += first_row * p_.a_row;
      block.c += first_row * p_.n + first_column;
      block.m = last_row - first_row;
      block.n = std::min(p_.n, last_panel * functions_.tile_columns) - first_column;
      block.panel_step = direct ? functions_.tile_columns : panel_step_;
      block.b_step = direct ? p_.b_row : functions_.tile_columns;
      block.b = b + first_panel * block.panel_step;
      if (block.bias) block.bias += first_column;
      block.packed_a = pack_a_ ? static_cast<T*>(operands.scratch) + i * part_count_ : nullptr;
      functions_.run(block);
    });
  }

  template <class F>
  static void run_parts(ThreadPool& pool, int64_t parts, F&& part) {
    if (parts == 1) {
      part(0);
    } else {
      pool.parallel(parts, part);
    }
  }

  Problem p_;
  const MatmulFunctions<T>& functions_;
  Activation<T> activation_;
  int64_t panels_ = 0, panel_step_ = 0, packed_count_ = 0, batch_ = 1;
  int64_t row_parts_ = 1, column_parts_ = 1, part_count_ = 0;
  bool direct_b_ = false, pack_a_ = false, across_batch_ = false;
  Block kept_;
  uint64_t kept_version_ = 0;
};

template <class T>
std::unique_ptr<Step> bind_as(Binding& binding, const MatmulFunctions<T>& functions) {
  const Problem problem = read_problem(binding);
  const auto activation = find_activation<T>(binding.text("activation", "").c_str());
  const bool vector = (problem.m == 1 || problem.n == 1) && problem.a_start.size() == 1;
  if (vector) return std::make_unique<VectorStep<T>>(binding, problem, functions, activation);
  return std::make_unique<MatmulStep<T>>(binding, problem, functions, activation);
}

std::unique_ptr<Step> bind_matmul(Binding& binding) {
  const auto& table = kernels<MatmulKernels>();
  if (binding.outputs().empty()) refuse("wants one result.");
  switch (binding.outputs()[0].dtype) {
    case DType::kFloat32: return bind_as<float>(binding, table.float32);
    case DType::kFloat64: return bind_as<double>(binding, table.float64);
    default: throw Error(ErrorCode::kDtype, "[matmul] wants float32 or float64.");
  }
}

const KernelEntry entry("matmul", bind_matmul);

}  // namespace
}  // namespace symk::cpu
