// Matrix times vector as a step: bound by reading the matrix once.
#pragma once

#include <algorithm>

#include "cpu/epilogue_operands.h"
#include "cpu/loops.h"
#include "cpu/matmul.h"
#include "cpu/matmul_problem.h"
#include "cpu/parts.h"
#include "runtime/kernel.h"

namespace symk::cpu {

/// The epilogue over whole rows of a result; for paths whose tiles do not do it.
template <class T>
[[gnu::noinline]] void finish_rows(T* c, int64_t rows, int64_t columns,
                                   const Epilogue<T>& epilogue) {
  for (int64_t i = 0; i < rows; ++i) {
    if (epilogue.scale) multiply_by(c + i * columns, epilogue.scale, columns);
    if (epilogue.bias) add_to(c + i * columns, epilogue.bias, columns);
  }
  if (epilogue.addend) add_to(c, epilogue.addend, rows * columns);
  if (epilogue.activation) epilogue.activation(c, rows * columns);
  if (epilogue.is_limited()) {
    for (int64_t i = 0; i < rows * columns; ++i)
      c[i] = c[i] > epilogue.limit ? epilogue.limit : c[i];
  }
  if (epilogue.factor) multiply_by(c, epilogue.factor, rows * columns);
}

/// m = 1 or n = 1, one product. Rows of the matrix are either multiplied with the vector (dot) or
/// added up, each with its factor; then parts are blocks of columns, or of rows whose sums are
/// added at the end.
template <class T>
class MatmulVectorStep : public Step {
 public:
  MatmulVectorStep(Binding& binding, const MatmulProblem& problem,
                   const MatmulFunctions<T>& functions)
      : p_(problem), functions_(functions), epilogue_(binding, "matmul"),
        matrix_(problem.m == 1 ? 1 : 0) {
    const int64_t length = matrix_ == 1 ? p_.n : p_.m;
    dot_ = (matrix_ == 1 ? p_.b_row : p_.a_column) == 1;
    rows_ = dot_ ? length : p_.k;
    columns_ = dot_ ? p_.k : length;
    by_columns_ = !dot_ && columns_ >= kWideRow;
    parts_ = clamp(rows_ * columns_ / kPartElements, 1,
                   std::min(kMaxParts, by_columns_ ? columns_ : rows_));
    if (needs_sums()) binding.need_scratch(parts_ * columns_ * static_cast<int64_t>(sizeof(T)));
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    T* y = static_cast<T*>(operands.out[0]);
    T* sums = needs_sums() ? static_cast<T*>(operands.scratch) : y;
    const T* matrix = static_cast<const T*>(operands.in[matrix_]);
    const T* vector = static_cast<const T*>(operands.in[1 - matrix_]);
    run_parts(pool, parts_, [&](int64_t part) { run_part(part, matrix, vector, sums); });
    if (needs_sums()) {
      std::copy(sums, sums + columns_, y);
      for (int64_t i = 1; i < parts_; ++i) add_to(y, sums + i * columns_, columns_);
    }
    finish_rows(y, p_.m, p_.n, epilogue_.of(operands));
    return {};
  }

 private:
  static constexpr int64_t kWideRow =
      1 << 14;  // from here on a block of a row is long enough to stream

  bool needs_sums() const { return !dot_ && !by_columns_ && parts_ > 1; }

  void run_part(int64_t part, const T* matrix, const T* vector, T* y) const {
    const int64_t all = by_columns_ ? columns_ : rows_;
    const int64_t first = part_begin(all, part, parts_);
    const int64_t count = part_begin(all, part + 1, parts_) - first;
    if (dot_) {
      functions_.dot_rows(matrix + first * columns_, columns_, vector, y + first, count, columns_);
    } else if (by_columns_) {
      functions_.add_rows(matrix + first, columns_, vector, y + first, rows_, count);
    } else {
      functions_.add_rows(matrix + first * columns_, columns_, vector + first, y + part * columns_,
                          count, columns_);
    }
  }

  MatmulProblem p_;
  const MatmulFunctions<T>& functions_;
  EpilogueOperands<T> epilogue_;
  int matrix_;  // which operand is the matrix
  int64_t rows_ = 0, columns_ = 0, parts_ = 1;
  bool dot_ = false, by_columns_ = false;
};

}  // namespace symk::cpu
