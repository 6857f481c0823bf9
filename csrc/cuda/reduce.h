// Reductions over any axes, for the kernels of that name and for programs whose results are
// reduced.
#pragma once

#include <string>
#include <vector>

#include "cuda/device.h"

namespace symk::cuda {

/// A reduction bound to shapes. An output whose elements are many is cut over several blocks; their
/// totals meet in scratch, in order.
class Reduction {
 public:
  using Run = void (*)(const Reduction& reduction, const Queue& queue, const void* x, void* y,
                       void* scratch);

  /// `op` is sum, mean, prod, max, min, any, all, logsumexp, argmax or argmin; messages name
  /// `kernel`.
  Reduction(const char* kernel, const std::string& op, const Type& x,
            const std::vector<bool>& reduced, const Type& y);

  int64_t scratch_bytes() const { return splits_ > 1 ? splits_ * outputs_ * kTotalBytes : 0; }
  void run(const Queue& queue, const void* x, void* y, void* scratch) const {
    run_(*this, queue, x, y, scratch);
  }

 private:
  template <class Op, class T, class R>
  friend void run_reduction(const Reduction& reduction, const Queue& queue, const void* x, void* y,
                            void* scratch);

  static constexpr int64_t kTotalBytes = 16;

  struct Axes {
    int rank = 0;
    int64_t size[kMaxRank] = {}, stride[kMaxRank] = {};
    int64_t count = 1;
    SYMK_HD int64_t offset(int64_t position) const {
      int64_t offset = 0;
      for (int axis = rank - 1; axis > 0; --axis) {
        offset += position % size[axis] * stride[axis];
        position /= size[axis];
      }
      return rank > 0 ? offset + position * stride[0] : 0;
    }
  };

  template <class Op, class T, class R>
  friend struct FoldByBlock;
  template <class Op, class T, class R>
  friend struct FoldByThread;

  void lay_out(const Type& x, const std::vector<bool>& reduced);
  void cut();

  Run run_ = nullptr;
  Axes kept_, reduced_;
  int64_t outputs_ = 1;
  int64_t splits_ = 1, chunk_ = 1;  // pieces of an output, and elements of one
  bool by_block_ = false;           // else a thread makes a total of its own
};

}  // namespace symk::cuda
