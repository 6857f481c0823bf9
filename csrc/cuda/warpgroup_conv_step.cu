// The steps of convolutions and of their gradients by the input, by the warp groups of compute
// capability 9.0.
#include "cuda/device.h"
#include "cuda/warpgroup_conv.h"
#include "runtime/memory.h"

namespace symk::cuda {
namespace {

class WarpGroupConvStep final : public Step {
 public:
  WarpGroupConvStep(Binding& binding, const char* kernel, const ConvOperands& operands,
                    const std::vector<WindowProduct>& products, int64_t result_rows,
                    const EpilogueOperands<float>& epilogue)
      : queue_(queue_of(binding)), kernel_(kernel), operands_(operands), epilogue_(epilogue),
        result_count_(result_rows * operands.kernel.lines), factor_(factor_of(binding, kernel)),
        conv_(make_warp_group_conv(operands, factor_)) {
    for (const WindowProduct& product : products) add(product);
    binding.need_scratch(sums_bytes_ + conv_->scratch_bytes());
  }

  Status run(const Operands& operands, ThreadPool&) override {
    auto* const result = output<float>(operands, 0);
    auto* const sums = static_cast<float*>(operands.scratch);
    WarpGroupConvMemory memory = {input<float>(operands, 0), input<float>(operands, 1), result,
                                  nullptr, static_cast<char*>(operands.scratch) + sums_bytes_};
    if (reached_ < result_count_) each(queue_, result_count_, Zero<float>{result});
    const PackedConv packed = conv_->pack(queue_, memory);
    for (const Part& part : parts_) {
      memory.sums = part.has_sums ? sums : nullptr;
      conv_->run(queue_, memory, packed, part.product, part.cut, epilogue_.of_tiles(operands));
      if (!part.has_sums) continue;
      using Finish = FinishResults<float, RowsOfPart>;
      const Finish finish = {result, operands_.kernel.lines, part.product.results,
                             epilogue_.of(operands)};
      each(queue_, part.count, AddPieces<float, Finish>{sums, part.cut.pieces, part.count, finish});
    }
    return {};
  }
  std::string manner() const override { return kernel_ + ", by warp groups"; }

 private:
  struct Part {
    WindowProduct product;
    ProductCut cut;
    int64_t count;  // of results
    bool has_sums;  // which another kernel finishes
  };

  void add(const WindowProduct& product) {
    const ProductSize size = operands_.size(product, factor_);
    const ProductCut cut = cut_for_warp_groups(size, 1, factor_);
    const Part part = {product, cut, size.rows * size.columns,
                       cut.pieces > 1 || !epilogue_.is_of_tiles()};
    if (part.has_sums) {
      sums_bytes_ = std::max(
          sums_bytes_, aligned_size(checked_multiply(checked_multiply(cut.pieces, part.count), 4)));
    }
    reached_ += part.count;
    parts_.push_back(part);
  }

  const Queue queue_;
  const std::string kernel_;
  const ConvOperands operands_;
  const EpilogueOperands<float> epilogue_;
  const int64_t result_count_;
  const Factor factor_;
  const std::unique_ptr<WarpGroupConv> conv_;
  std::vector<Part> parts_;
  int64_t reached_ = 0;  // results of parts; others are 0
  int64_t sums_bytes_ = 0;
};

/// Null unless all products suit.
std::unique_ptr<Step> bind_products(Binding& binding, const char* kernel,
                                    const ConvOperands& operands,
                                    const std::vector<WindowProduct>& products, int64_t result_rows,
                                    const EpilogueOperands<float>& epilogue) {
  if (products.empty()) return nullptr;
  const Factor factor = factor_of(binding, kernel);
  for (const WindowProduct& product : products) {
    if (!suits_warp_groups(operands, product, factor)) return nullptr;
  }
  return std::make_unique<WarpGroupConvStep>(binding, kernel, operands, products, result_rows,
                                             epilogue);
}

}  // namespace

std::unique_ptr<Step> bind_warp_group_conv(Binding& binding, const char* kernel, const Geometry& g,
                                           const EpilogueOperands<float>& epilogue) {
  if (!device_of(binding).warp_groups() || !is_of_images(g)) return nullptr;
  return bind_products(binding, kernel, operands_of(g), {product_of(g)}, g.batch * g.y_pixels(),
                       epilogue);
}

std::unique_ptr<Step> bind_warp_group_input_gradient(Binding& binding, const char* kernel,
                                                     const Geometry& g) {
  if (!device_of(binding).warp_groups() || !is_of_images(g)) return nullptr;
  std::vector<WindowProduct> products;
  for (const GradPart& part : grad_parts(g)) products.push_back(product_of(g, part));
  return bind_products(binding, kernel, operands_of_gradient(g), products, g.batch * g.x_pixels(),
                       EpilogueOperands<float>());
}

}  // namespace symk::cuda
