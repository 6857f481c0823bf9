// Convolutions by warp groups: images and the kernel are packed, then tiles of windows multiplied.
#include "cuda/warpgroup_conv.h"

#include "cuda/warpgroup_windows.h"
#include "runtime/memory.h"

namespace symk::cuda {
namespace {

template <Factor factor>
class Conv final : public WarpGroupConv {
 public:
  explicit Conv(const ConvOperands& operands)
      : operands_(operands), pixels_(operands.pixels(), 0),
        kernel_(operands.kernel, operands.tap_step) {}

  int64_t scratch_bytes() const override {
    return aligned_size(pixels_.scratch_bytes()) + aligned_size(kernel_.scratch_bytes());
  }

  PackedConv pack(const Queue& queue, const WarpGroupConvMemory& memory) const override {
    auto* const scratch = static_cast<char*>(memory.scratch);
    void* const behind = scratch + aligned_size(pixels_.scratch_bytes());
    return {pixels_.pack(queue, memory.pixels, nullptr, scratch),
            kernel_.pack(queue, memory.kernel, nullptr, behind)};
  }

  void run(const Queue& queue, const WarpGroupConvMemory& memory, const PackedConv& packed,
           const WindowProduct& product, const ProductCut& cut,
           const TileEpilogue<float>& epilogue) const override {
    with_tiles<factor>(cut, [&](auto form) {
      using Form = decltype(form);
      const WindowSource<Form> source(operands_, packed, product, memory.pixels, memory.kernel);
      run_warp_groups<Form>(queue, source, operands_.size(product, factor), cut, memory.result,
                            memory.sums, epilogue);
    });
  }

 private:
  const ConvOperands operands_;
  const PackedOperand<factor> pixels_, kernel_;
};

}  // namespace

std::unique_ptr<WarpGroupConv> make_warp_group_conv(const ConvOperands& operands, Factor factor) {
  return made_for<WarpGroupConv, Conv>(factor, operands);
}

}  // namespace symk::cuda
