// Convolutions of images by the tensor cores of compute capability 9.0, for steps: products of
// windows (conv_windows.h), as those of warpgroup_product.h are of matrices.
#pragma once

#include <memory>

#include "cuda/conv_windows.h"
#include "cuda/epilogue.h"

namespace symk::cuda {

/// The memory of one run.
struct WarpGroupConvMemory {
  const float *pixels, *kernel;
  float *result, *sums;  // sums: of all pieces, where another kernel finishes them
  void* scratch;         // aligned to 64 bytes
};

/// Operands as they are copied from.
struct PackedConv {
  BoxArray pixels, kernel;
};

class WarpGroupConv {
 public:
  virtual ~WarpGroupConv() = default;
  virtual int64_t scratch_bytes() const = 0;
  /// Once for all products of a run.
  virtual PackedConv pack(const Queue& queue, const WarpGroupConvMemory& memory) const = 0;
  virtual void run(const Queue& queue, const WarpGroupConvMemory& memory, const PackedConv& packed,
                   const WindowProduct& product, const ProductCut& cut,
                   const TileEpilogue<float>& epilogue) const = 0;
};

std::unique_ptr<WarpGroupConv> make_warp_group_conv(const ConvOperands& operands, Factor factor);

/// The step of a convolution, or of its gradient by the input; null where the setting wgmma is off,
/// or the device or the sizes do not suit.
std::unique_ptr<Step> bind_warp_group_conv(Binding& binding, const char* kernel, const Geometry& g,
                                           const EpilogueOperands<float>& epilogue);
std::unique_ptr<Step> bind_warp_group_input_gradient(Binding& binding, const char* kernel,
                                                     const Geometry& g);

}  // namespace symk::cuda
