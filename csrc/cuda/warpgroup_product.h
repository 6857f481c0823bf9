// Products of float32 by the tensor cores of compute capability 9.0, for steps: what their kernels
// are and how they are started is in sm_90a/, which is compiled for that capability alone.
#pragma once

#include <memory>

#include "cpu/matmul_problem.h"
#include "cuda/epilogue.h"
#include "cuda/operand.h"

namespace symk::cuda {

/// Whether a product fills a tile of warp groups half.
inline bool suits_warp_groups(const ProductSize& size) {
  constexpr int64_t least_side = 64, least_depth = 32;
  constexpr int64_t most = (int64_t{1} << 31) - 1024;  // places are counted in 31 bits
  return std::min(size.rows, size.columns) >= least_side && size.depth >= least_depth &&
         std::max({size.rows, size.columns, size.depth}) < most;
}

/// How such a product is cut, by its sizes alone: tiles of 128 x 256 (`large`) where these fill the
/// device and are filled themselves, else of 128 x 128, and deep products of few tiles in pieces.
inline ProductCut cut_for_warp_groups(const ProductSize& size, int64_t products, Factor factor) {
  constexpr int64_t enough_blocks = 128;  // about one per processor
  constexpr int64_t least_depth = 512, stage = 64;
  ProductCut cut = ProductCut::whole(size, products, factor);
  const auto tiles_of = [&](int64_t columns) {
    return products * ((size.rows + 127) / 128) * ((size.columns + columns - 1) / columns);
  };
  cut.large = factor != Factor::kFloat32 && tiles_of(256) >= enough_blocks &&
              16 * tiles_of(256) <= 9 * tiles_of(128);
  const int64_t tiles = tiles_of(cut.large ? 256 : 128);
  const int64_t wanted = std::min(enough_blocks / tiles, size.depth / least_depth);
  if (wanted < 2) return cut;
  cut.piece_depth = (size.depth + wanted * stage - 1) / (wanted * stage) * stage;
  cut.pieces = (size.depth + cut.piece_depth - 1) / cut.piece_depth;
  return cut;
}

/// The memory of one run.
struct WarpGroupMemory {
  const float *a, *b;
  const int64_t *a_starts, *b_starts;  // of each product, or null where there is one
  float *c, *sums;                     // sums: of all pieces, where another kernel finishes them
  void* scratch;                       // aligned to 64 bytes
};

/// A matrix product, or a batch of them, bound to its sizes.
class WarpGroupMatmul {
 public:
  virtual ~WarpGroupMatmul() = default;
  virtual int64_t scratch_bytes() const = 0;
  virtual void run(const Queue& queue, const WarpGroupMemory& memory,
                   const TileEpilogue<float>& epilogue) const = 0;
};

std::unique_ptr<WarpGroupMatmul> make_warp_group_matmul(const cpu::MatmulProblem& problem,
                                                        const ProductCut& cut);

/// The step of a kernel that is such a product, of its first two inputs; null where the setting
/// wgmma is off, or the device or the sizes do not suit.
std::unique_ptr<Step> bind_warp_groups(Binding& binding, const char* kernel,
                                       const cpu::MatmulProblem& problem,
                                       const EpilogueOperands<float>& epilogue);

}  // namespace symk::cuda
