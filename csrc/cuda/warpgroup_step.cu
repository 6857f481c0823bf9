// The step of a product by the warp groups of compute capability 9.0.
#include "cuda/device.h"
#include "cuda/starts.h"
#include "cuda/warpgroup_product.h"
#include "runtime/memory.h"

namespace symk::cuda {
namespace {

class WarpGroupStep final : public Step {
 public:
  WarpGroupStep(Binding& binding, const char* kernel, const cpu::MatmulProblem& p,
                const EpilogueOperands<float>& epilogue)
      : queue_(queue_of(binding)), kernel_(kernel), epilogue_(epilogue), columns_(p.n),
        products_(static_cast<int64_t>(p.a_start.size())), count_(products_ * p.m * p.n),
        cut_(cut_for_warp_groups({p.m, p.n, p.k}, products_, factor_of(binding, kernel))),
        has_sums_(cut_.pieces > 1 || !epilogue_.is_of_tiles()), starts_(binding, p),
        matmul_(make_warp_group_matmul(p, cut_)) {
    if (has_sums_)
      sums_bytes_ = aligned_size(checked_multiply(checked_multiply(cut_.pieces, count_), 4));
    binding.need_scratch(sums_bytes_ + matmul_->scratch_bytes());
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const Starts starts = starts_.get();
    auto* const sums = has_sums_ ? static_cast<float*>(operands.scratch) : nullptr;
    auto* const c = output<float>(operands, 0);
    matmul_->run(queue_,
                 {input<float>(operands, 0), input<float>(operands, 1), starts.a, starts.b, c, sums,
                  static_cast<char*>(operands.scratch) + sums_bytes_},
                 epilogue_.of_tiles(operands));
    if (!has_sums_) return {};
    each(queue_, count_,
         AddPieces<float, FinishProduct<float>>{
             sums, cut_.pieces, count_, FinishProduct<float>{c, columns_, epilogue_.of(operands)}});
    return {};
  }
  std::string manner() const override { return kernel_ + ", by warp groups"; }

 private:
  const Queue queue_;
  const std::string kernel_;
  const EpilogueOperands<float> epilogue_;
  const int64_t columns_, products_, count_;
  const ProductCut cut_;
  const bool has_sums_;  // which another kernel finishes
  const UploadedStarts starts_;
  const std::unique_ptr<WarpGroupMatmul> matmul_;
  int64_t sums_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Step> bind_warp_groups(Binding& binding, const char* kernel,
                                       const cpu::MatmulProblem& problem,
                                       const EpilogueOperands<float>& epilogue) {
  const ProductSize size = {problem.m, problem.n, problem.k};
  if (!device_of(binding).warp_groups() || !suits_warp_groups(size)) return nullptr;
  return std::make_unique<WarpGroupStep>(binding, kernel, problem, epilogue);
}

}  // namespace symk::cuda
