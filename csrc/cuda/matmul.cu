// Matrix products of float32 and float64, batches of them, transposed operands, and what is done to
// the results at once.
#include "cpu/matmul_problem.h"
#include "cuda/epilogue.h"
#include "cuda/product.h"
#include "cuda/starts.h"
#include "cuda/warpgroup_product.h"
#include "runtime/memory.h"

namespace symk::cuda {
namespace {

/// The products as a source.
template <class T, bool along_depth_a, bool along_column_b>
struct Products {
  Matrix<T, along_depth_a> left;
  Matrix<T, !along_column_b> right;
  Starts starts;
  int64_t columns, elements;  // of C, of one product
  T *c, *sums;                // sums: where another kernel finishes them, else null
  int64_t count;              // elements of a piece
  TileEpilogue<T> epilogue;
  int64_t place = 0;  // of the first element in the result

  SYMK_HD void select(int64_t product) {
    if (starts.a == nullptr) return;
    left.data += starts.a[product];
    right.data += starts.b[product];
    place = product * elements;
  }
  SYMK_HD void finish(int64_t row, int64_t column, T sum, int64_t piece) const {
    const int64_t at = place + row * columns + column;
    if (sums != nullptr) {
      sums[piece * count + at] = sum;
    } else {
      c[at] = epilogue(sum, column, at);
    }
  }
};

// --- a batch of small products: a thread per element of C ---

template <class T>
struct SmallProducts {
  const T *a, *b;
  Starts starts;
  int64_t a_row, a_column, b_row, b_column, m, n, k;
  T* c;
  Factor factor;
  Epilogue<T> epilogue;

  SYMK_HD void operator()(int64_t i) const {
    const int64_t column = i % n, row = i / n % m, product = i / n / m;
    const T* const left = a + starts.a[product] + row * a_row;
    const T* const right = b + starts.b[product] + column * b_column;
    T sum = 0;
    for (int64_t d = 0; d < k; ++d) {
      sum = math::fma(as_factor(left[d * a_column], factor), as_factor(right[d * b_row], factor),
                      sum);
    }
    c[i] = epilogue(sum, column, i);
  }
};

constexpr int64_t kSmallProduct = 32 * 32;  // elements of C that leave most of a tile empty

template <class T>
class MatmulStep final : public Step {
 public:
  explicit MatmulStep(Binding& binding)
      : queue_(queue_of(binding)), p_(cpu::read_matmul(binding)), epilogue_(binding, "matmul"),
        batch_(static_cast<int64_t>(p_.a_start.size())),
        small_(batch_ > 1 && p_.m * p_.n < kSmallProduct), size_{p_.m, p_.n, p_.k},
        cut_(ProductCut::of(size_, batch_, factor_of(binding, "matmul"), sizeof(T) == 8)),
        has_sums_(!small_ && (cut_.pieces > 1 || !epilogue_.is_of_tiles())), starts_(binding, p_) {
    if (has_sums_)
      binding.need_scratch(checked_multiply(checked_multiply(cut_.pieces, count()), sizeof(T)));
  }

  Status run(const Operands& operands, ThreadPool&) override {
    const bool depth_a = p_.a_column == 1, column_b = p_.b_column == 1;
    if (small_) {
      run_small(operands);
    } else if (depth_a) {
      column_b ? run_as<true, true>(operands) : run_as<true, false>(operands);
    } else {
      column_b ? run_as<false, true>(operands) : run_as<false, false>(operands);
    }
    return {};
  }
  Load load(int) const override { return small_ ? Load() : load_of_products(queue_, size_, cut_); }

 private:
  int64_t count() const { return batch_ * p_.m * p_.n; }

  void run_small(const Operands& operands) const {
    each(queue_, count(),
         SmallProducts<T>{input<T>(operands, 0), input<T>(operands, 1), starts_.get(), p_.a_row,
                          p_.a_column, p_.b_row, p_.b_column, p_.m, p_.n, p_.k,
                          output<T>(operands, 0), cut_.factor, epilogue_.of(operands)});
  }

  template <bool depth_a, bool column_b>
  void run_as(const Operands& operands) const {
    T* const sums = has_sums_ ? static_cast<T*>(operands.scratch) : nullptr;
    T* const c = output<T>(operands, 0);
    const auto a = Matrix<T, depth_a>::of(input<T>(operands, 0), depth_a ? p_.a_row : p_.a_column,
                                          p_.a_start.data(), batch_);
    const auto b = Matrix<T, !column_b>::of(
        input<T>(operands, 1), column_b ? p_.b_row : p_.b_column, p_.b_start.data(), batch_);
    const Products<T, depth_a, column_b> source = {
        a, b, starts_.get(), p_.n, p_.m * p_.n, c, sums, count(), epilogue_.of_tiles(operands)};
    run_product<T>(queue_, source, size_, cut_);
    if (sums == nullptr) return;
    each(queue_, count(),
         AddPieces<T, FinishProduct<T>>{sums, cut_.pieces, count(),
                                        FinishProduct<T>{c, p_.n, epilogue_.of(operands)}});
  }

  const Queue queue_;
  const cpu::MatmulProblem p_;
  const EpilogueOperands<T> epilogue_;
  const int64_t batch_;
  const bool small_;  // a thread per element
  const ProductSize size_;
  const ProductCut cut_;
  const bool has_sums_;  // which another kernel finishes
  const UploadedStarts starts_;
};

std::unique_ptr<Step> bind_float_matmul(Binding& binding) {
  const cpu::MatmulProblem p = cpu::read_matmul(binding);  // refuses operands before their epilogue
  std::unique_ptr<Step> made =
      bind_warp_groups(binding, "matmul", p, EpilogueOperands<float>(binding, "matmul"));
  return made != nullptr ? std::move(made) : std::make_unique<MatmulStep<float>>(binding);
}

std::unique_ptr<Step> bind_matmul(Binding& binding) {
  if (binding.outputs().empty()) cpu::refuse_matmul("wants one result.");
  switch (binding.outputs()[0].dtype) {
    case DType::kFloat32: return bind_float_matmul(binding);
    case DType::kFloat64: return std::make_unique<MatmulStep<double>>(binding);
    default: throw Error(ErrorCode::kDtype, "[matmul] float32 or float64 is required.");
  }
}

const KernelEntry entry("matmul", bind_matmul);

}  // namespace
}  // namespace symk::cuda
