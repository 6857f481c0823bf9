// Products by warp groups: an operand or both are packed, then their tiles are multiplied.
#include "cuda/warpgroup_product.h"

#include "cuda/warpgroup_matrices.h"
#include "runtime/memory.h"

namespace symk::cuda {
namespace {

/// From one product's matrix to the next, where that is the same for all; else -1.
int64_t step_of(const std::vector<int64_t>& starts) {
  const int64_t step = starts.size() > 1 ? starts[1] - starts[0] : 0;
  for (size_t i = 1; i < starts.size(); ++i) {
    if (starts[i] - starts[i - 1] != step) return -1;
  }
  return starts[0] == 0 && step >= 0 ? step : -1;
}

/// A batch that shares one matrix has one product's.
int64_t own_products(const std::vector<int64_t>& starts) {
  return step_of(starts) == 0 ? 1 : static_cast<int64_t>(starts.size());
}

template <Factor factor>
class Matmul final : public WarpGroupMatmul {
 public:
  Matmul(const cpu::MatmulProblem& p, const ProductCut& cut)
      : p_(p), cut_(cut), size_{p.m, p.n, p.k},
        left_({p.a_row, p.a_column, p.m, p.k, own_products(p.a_start)}, step_of(p.a_start)),
        right_({p.b_column, p.b_row, p.n, p.k, own_products(p.b_start)}, step_of(p.b_start)) {}

  int64_t scratch_bytes() const override {
    return aligned_size(left_.scratch_bytes()) + aligned_size(right_.scratch_bytes());
  }

  void run(const Queue& queue, const WarpGroupMemory& memory,
           const TileEpilogue<float>& epilogue) const override {
    auto* const scratch = static_cast<char*>(memory.scratch);
    void* const behind = scratch + aligned_size(left_.scratch_bytes());
    const BoxArray left = left_.pack(queue, memory.a, memory.a_starts, scratch);
    const BoxArray right = right_.pack(queue, memory.b, memory.b_starts, behind);
    const PlainOperands plain = {memory.a, memory.b,    memory.a_starts, memory.b_starts,
                                 p_.a_row, p_.a_column, p_.b_row,        p_.b_column};
    with_tiles<factor>(cut_, [&](auto form) {
      using Form = decltype(form);
      const MatrixSource<Form> source = {
          make_tensor_map(left, Form::rows), make_tensor_map(right, Form::columns),
          left_.slices_per_product(), right_.slices_per_product(), plain};
      run_warp_groups<Form>(queue, source, size_, cut_, memory.c, memory.sums, epilogue);
    });
  }

 private:
  const cpu::MatmulProblem p_;
  const ProductCut cut_;
  const ProductSize size_;
  const PackedOperand<factor> left_, right_;
};

}  // namespace

std::unique_ptr<WarpGroupMatmul> make_warp_group_matmul(const cpu::MatmulProblem& problem,
                                                        const ProductCut& cut) {
  return made_for<WarpGroupMatmul, Matmul>(cut.factor, problem, cut);
}

}  // namespace symk::cuda
