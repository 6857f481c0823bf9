// Matrix products of float32 and float64, batches of them, transposed operands, and what is done to
// the results at once. float32 sums are of float32 products, each rounded once.
#include "cpu/matmul_problem.h"
#include "cuda/epilogue.h"
#include "cuda/tile.h"
#include "runtime/memory.h"

namespace symk::cuda {
namespace {

/// One product as a source of tiles.
template <class T, bool along_depth_a, bool along_column_b>
struct Strided {
  static constexpr bool kAlongDepthA = along_depth_a, kAlongColumnB = along_column_b;
  const T *a_, *b_;
  int64_t a_row, a_column, b_row, b_column;
  int64_t columns, place;  // of C; of its first element in the result
  T *c, *sums;             // sums: of pieces, else null
  int64_t count;           // elements of a piece
  Epilogue<T> epilogue;

  SYMK_HD T a(int64_t row, int64_t depth) const { return a_[row * a_row + depth * a_column]; }
  SYMK_HD T b(int64_t depth, int64_t column) const { return b_[depth * b_row + column * b_column]; }
  SYMK_HD void finish(int64_t row, int64_t column, T sum, int64_t piece) const {
    const int64_t at = row * columns + column;
    if (sums != nullptr) {
      sums[piece * count + at] = sum;
    } else {
      c[place + at] = epilogue(sum, column, place + at);
    }
  }
};

template <class T>
struct FinishProduct {
  T* c;
  int64_t columns, place;
  Epilogue<T> epilogue;
  SYMK_HD void operator()(int64_t i, T sum) const {
    c[place + i] = epilogue(sum, i % columns, place + i);
  }
};

// --- a batch of small products: a thread per element of C ---

template <class T>
struct SmallProducts {
  const T *a, *b;
  const int64_t *a_start, *b_start;
  int64_t a_row, a_column, b_row, b_column, m, n, k;
  T* c;
  bool rounds;
  Epilogue<T> epilogue;

  SYMK_HD void operator()(int64_t i) const {
    const int64_t column = i % n, row = i / n % m, product = i / n / m;
    const T* const left = a + a_start[product] + row * a_row;
    const T* const right = b + b_start[product] + column * b_column;
    T sum = 0;
    for (int64_t d = 0; d < k; ++d) {
      sum = math::fma(as_factor(left[d * a_column], rounds), as_factor(right[d * b_row], rounds),
                      sum);
    }
    c[i] = epilogue(sum, column, i);
  }
};

constexpr int64_t kSmallProduct = 64 * 64;  // elements of C that are less than a tile

template <class T>
class MatmulStep final : public Step {
 public:
  explicit MatmulStep(Binding& binding)
      : queue_(queue_of(binding)), p_(cpu::read_matmul(binding)), epilogue_(binding, "matmul"),
        batch_(static_cast<int64_t>(p_.a_start.size())) {
    const bool small = batch_ > 1 && p_.m * p_.n < kSmallProduct;
    if (small) {
      std::vector<int64_t> starts = p_.a_start;
      starts.insert(starts.end(), p_.b_start.begin(), p_.b_start.end());
      starts_ = upload(binding.device(), starts.data(), starts.size());
    }
    cut_ = ProductCut::of({p_.m, p_.n, p_.k}, 1, sizeof(T) == 8);
    cut_.rounds = rounds_products(binding, "matmul");
    if (!small && cut_.pieces > 1) {
      binding.need_scratch(checked_multiply(checked_multiply(cut_.pieces, p_.m * p_.n), sizeof(T)));
    }
  }

  Status run(const Operands& operands, ThreadPool&) override {
    if (starts_ != nullptr) {
      run_small(operands);
    } else {
      for (int64_t i = 0; i < batch_; ++i) run_one(operands, static_cast<size_t>(i));
    }
    return {};
  }

 private:
  void run_small(const Operands& operands) const {
    const int64_t* const starts = reinterpret_cast<const int64_t*>(starts_->data());
    each(queue_, batch_ * p_.m * p_.n,
         SmallProducts<T>{input<T>(operands, 0), input<T>(operands, 1), starts, starts + batch_,
                          p_.a_row, p_.a_column, p_.b_row, p_.b_column, p_.m, p_.n, p_.k,
                          output<T>(operands, 0), cut_.rounds, epilogue_.of(operands)});
  }

  void run_one(const Operands& operands, size_t number) const {
    const bool depth_a = p_.a_column == 1, column_b = p_.b_column == 1;
    if (depth_a && column_b) return run_as<true, true>(operands, number);
    if (depth_a) return run_as<true, false>(operands, number);
    if (column_b) return run_as<false, true>(operands, number);
    return run_as<false, false>(operands, number);
  }

  template <bool depth_a, bool column_b>
  void run_as(const Operands& operands, size_t number) const {
    const int64_t count = p_.m * p_.n, place = static_cast<int64_t>(number) * count;
    T* const sums = cut_.pieces > 1 ? static_cast<T*>(operands.scratch) : nullptr;
    T* const c = output<T>(operands, 0);
    const Epilogue<T> epilogue = epilogue_.of(operands);
    const Strided<T, depth_a, column_b> source = {input<T>(operands, 0) + p_.a_start[number],
                                                  input<T>(operands, 1) + p_.b_start[number],
                                                  p_.a_row,
                                                  p_.a_column,
                                                  p_.b_row,
                                                  p_.b_column,
                                                  p_.n,
                                                  place,
                                                  c,
                                                  sums,
                                                  count,
                                                  epilogue};
    run_product<T>(queue_, source, {p_.m, p_.n, p_.k}, cut_);
    if (sums == nullptr) return;
    each(queue_, count,
         AddPieces<T, FinishProduct<T>>{sums, cut_.pieces, count,
                                        FinishProduct<T>{c, p_.n, place, epilogue}});
  }

  const Queue queue_;
  const cpu::MatmulProblem p_;
  const EpilogueOperands<T> epilogue_;
  const int64_t batch_;
  ProductCut cut_;
  std::shared_ptr<DeviceMemory> starts_;
};

std::unique_ptr<Step> bind_matmul(Binding& binding) {
  if (binding.outputs().empty()) cpu::refuse_matmul("wants one result.");
  switch (binding.outputs()[0].dtype) {
    case DType::kFloat32: return std::make_unique<MatmulStep<float>>(binding);
    case DType::kFloat64: return std::make_unique<MatmulStep<double>>(binding);
    default: throw Error(ErrorCode::kDtype, "[matmul] float32 or float64 is required.");
  }
}

const KernelEntry entry("matmul", bind_matmul);

}  // namespace
}  // namespace symk::cuda
