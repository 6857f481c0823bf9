// Binds the sequences of SimpleRNN, LSTM and GRU. The products with the input are made before, for
// all steps at once; here each part of the work takes some sequences through all their steps, so
// threads never wait for each other. The state's weights are packed once, and stay in the cache of
// the core. How sequences are parted depends on the shapes alone.
#include <algorithm>
#include <string>

#include "cpu/bfloat16.h"
#include "cpu/bfloat16_step.h"
#include "cpu/dispatch.h"
#include "cpu/matmul.h"
#include "cpu/parts.h"
#include "cpu/recurrent_binding.h"
#include "cpu/require.h"
#include "cpu/stored_step.h"
#include "runtime/kernel.h"

namespace symk::cpu {
namespace {

template <class T>
struct Functions {
  const MatmulFunctions<T>& product;
  const RecurrentFunctions<T>& cell;
};

template <class T>
Functions<T> functions(bool pairs) {
  const auto& product = kernels<MatmulKernels>();
  if constexpr (sizeof(T) == 4) {
    return {pairs ? product.bfloat16 : product.float32, cell_functions<T>()};
  } else {
    return {product.float64, cell_functions<T>()};
  }
}

/// Some columns of the state's weights, or their transpose, as panels.
template <class T>
class PackedWeights {
 public:
  /// Rows k, columns n; element (d, j) is at weights[first + d * row + j * column].
  /// `pairs`: of bfloat16, along the rows.
  PackedWeights(int64_t k, int64_t n, int64_t first, int64_t row, int64_t column, bool pairs)
      : k_(k), n_(n), first_(first), row_(row), column_(column), pairs_(pairs) {}

  int64_t count(const MatmulFunctions<T>& f) const { return panels(f) * depth() * f.tile_columns; }

  /// What the panels depend on.
  std::string form(const MatmulFunctions<T>& f) const {
    return form_of(pairs_ ? "bfloat16" : "weights",
                   {f.tile_columns, k_, n_, first_, row_, column_});
  }

  void pack(const MatmulFunctions<T>& f, const T* weights, T* packed, ThreadPool& pool) const {
    if constexpr (sizeof(T) == 4) {
      if (pairs_) return pack_pairs(f, weights, packed);
    }
    const int64_t parts = clamp(k_ * n_ / kPartElements, 1, panels(f));
    run_parts(pool, parts, [&](int64_t part) {
      const int64_t panel = part_begin(panels(f), part, parts), j = panel * f.tile_columns;
      const int64_t end = part_begin(panels(f), part + 1, parts) * f.tile_columns;
      f.pack(weights + first_ + j * column_, row_, column_, k_, std::min(n_, end) - j,
             packed + panel * k_ * f.tile_columns, k_ * f.tile_columns);
    });
  }

  /// Says where the panels are.
  void place(const T* packed) { packed_ = packed; }

  /// c = bias + a x weights, or c += a x weights; `rows` rows. Rows of a have room for their pairs
  /// behind their elements; it begins `room` elements from a.
  void multiply(const MatmulFunctions<T>& f, Rows<T> a, int64_t room, int64_t rows, Rows<T> c,
                const T* bias, bool accumulate) const {
    if constexpr (sizeof(T) == 4) {
      for (int64_t i = 0; pairs_ && i < rows; ++i)
        kernels<BfloatKernels>().pair_up(a.data + i * a.step, k_, a.data + i * a.step + room);
    }
    if (rows == 1 && !pairs_) {
      return f.multiply_row(a.data, k_, packed_, k_ * f.tile_columns, accumulate ? c.data : bias,
                            c.data, n_);
    }
    MatmulJob<T> job{};
    job.a = pairs_ ? a.data + room : a.data;
    job.a_row = a.step;
    job.a_column = 1;
    job.panels = packed_;
    job.panel_step = depth() * f.tile_columns;
    job.c = c.data;
    job.c_row = c.step;
    job.m = rows;
    job.n = n_;
    job.k = depth();
    job.epilogue.bias = bias;
    job.accumulate = accumulate;
    f.run(job);
  }

 private:
  int64_t panels(const MatmulFunctions<T>& f) const { return divide_up(n_, f.tile_columns); }
  int64_t depth() const { return pairs_ ? divide_up(k_, 2) : k_; }

  /// Element by element where rows do not lie next to each other: as many as the weights are.
  void pack_pairs(const MatmulFunctions<float>& f, const float* weights, float* packed) const {
    const auto& pairs = kernels<BfloatKernels>();
    std::fill(packed, packed + count(f), 0.0f);
    for (int64_t j = 0; j < n_; ++j) {
      float* const panel = packed + j / f.tile_columns * depth() * f.tile_columns;
      for (int64_t d = 0; d < depth(); ++d) {
        const float* const from = weights + first_ + 2 * d * row_ + j * column_;
        const float two[] = {from[0], 2 * d + 1 < k_ ? from[row_] : 0.0f};
        pairs.pair_up(two, 2, panel + d * f.tile_columns + j % f.tile_columns);
      }
    }
  }

  int64_t k_, n_, first_, row_, column_;
  bool pairs_;
  const T* packed_ = nullptr;
};

/// What all sequences share: shapes, the mask, the partition, packed weights.
template <class T>
class SequenceStep : public Step {
 public:
  Status run(const Operands& operands, ThreadPool& pool) override {
    pack(operands, pool);
    run_parts(pool, parts_, [&](int64_t part) {
      const int64_t first = part_begin(layout_.batch, part, parts_);
      const int64_t rows = part_begin(layout_.batch, part + 1, parts_) - first;
      run_sequences(operands, first, rows, part_scratch(operands, part));
    });
    return {};
  }

 protected:
  SequenceStep(const Binding& binding, const SequenceLayout& layout)
      : layout_(layout), pairs_(rounds_products(binding, layout.kernel)), f_(functions<T>(pairs_)) {
  }

  virtual void run_sequences(const Operands& operands, int64_t first, int64_t rows,
                             T* scratch) const = 0;

  // --- binding ---
  /// Columns [first, first + count) of the weights, counted in gates, as they are or transposed.
  size_t add_weights(int64_t first, int64_t count, bool transposed) {
    const int64_t row = layout_.gates * layout_.units, offset = first * layout_.units,
                  columns = count * layout_.units;
    packed_.push_back(transposed
                          ? PackedWeights<T>(columns, layout_.units, offset, 1, row, pairs_)
                          : PackedWeights<T>(layout_.units, columns, offset, row, 1, pairs_));
    return packed_.size() - 1;
  }

  /// Chooses the parts and asks for memory; `row_scratch` elements for each sequence.
  void reserve(Binding& binding, int64_t row_scratch) {
    int64_t weights = 0;
    for (const auto& packed : packed_) weights += whole_lines<T>(packed.count(f_.product));
    const int64_t flops =
        2 * checked_multiply(checked_multiply(layout_.batch, layout_.time),
                             checked_multiply(layout_.units, layout_.gates * layout_.units));
    parts_ =
        clamp(parts_of_batch(weights * item()), 1, clamp(flops / kPartFlops, 1, 2 * kMaxParts));
    part_count_ = whole_lines<T>(checked_multiply(row_scratch, divide_up(layout_.batch, parts_)));
    if (binding.lasting(layout_.weights))
      kept_ = binding.packed(layout_.weights, form(), weights * item());
    const int64_t packed = kept_ != nullptr ? 0 : weights;
    parts_offset_ = packed;
    binding.need_scratch(checked_multiply(packed + parts_ * part_count_, item()));
  }

  /// As many as keep a register tile full, and can be dealt to four threads, if the batch has them.
  int64_t parts_of_batch(int64_t weights_bytes) const {
    if (weights_bytes > kNearCache) return layout_.batch / kRowsOfLarge;
    const int64_t rows = f_.product.tile_rows, most = layout_.batch / std::min(rows, kRowsOfSmall);
    return std::min(most, divide_up(divide_up(layout_.batch, rows), 4) * 4);
  }

  // --- running ---
  std::string form() const override {
    std::string text = form_of("panels", {item()});
    for (const auto& packed : packed_) text += "; " + packed.form(f_.product);
    return text;
  }

  void pack(const Operands& operands, ThreadPool& pool) {
    const T* weights = input(operands, layout_.weights);
    const T* from = static_cast<const T*>(operands.scratch);
    if (kept_ != nullptr) {
      from = reinterpret_cast<const T*>(
          kept_->of(operands.versions[layout_.weights],
                    [&](char* memory) { pack_to(reinterpret_cast<T*>(memory), weights, pool); }));
    } else {
      pack_to(static_cast<T*>(operands.scratch), weights, pool);
    }
    for (auto& packed : packed_) {
      packed.place(from);
      from += whole_lines<T>(packed.count(f_.product));
    }
  }

  void pack_to(T* to, const T* weights, ThreadPool& pool) const {
    for (const auto& packed : packed_) {
      packed.pack(f_.product, weights, to, pool);
      to += whole_lines<T>(packed.count(f_.product));
    }
  }

  T* part_scratch(const Operands& operands, int64_t part) const {
    return static_cast<T*>(operands.scratch) + parts_offset_ + part * part_count_;
  }

  static const T* input(const Operands& operands, int number) {
    return static_cast<const T*>(operands.in[number]);
  }
  static T* output(const Operands& operands, int number) {
    return static_cast<T*>(operands.out[number]);
  }

  /// A step of these sequences, but for what changes with time.
  template <class Cell>
  Cell begin(int64_t rows) const {
    Cell cell;
    static_cast<CellRows&>(cell) = layout_.cell;
    cell.rows = rows;
    return cell;
  }
  /// The next time of these sequences; `step` is 1 forward, -1 backward.
  template <class Kind, class Cell>
  void set_time(const Operands& operands, int64_t first, int64_t time, int64_t step,
                Cell& cell) const {
    layout_.set_time(cell, operands, first, time, step);
    Kind::place(TimeOperands<T>{layout_, operands, first, time}, cell);
  }

  void copy_states(Rows<const T> from, Rows<T> to, int64_t rows) const {
    for (int64_t row = 0; row < rows; ++row) {
      std::copy_n(from.data + row * from.step, layout_.units, to.data + row * to.step);
    }
  }
  static Rows<const T> read(Rows<T> rows) { return {rows.data, rows.step}; }

  /// The next rows of scratch.
  Rows<T> take(T*& scratch, int64_t rows, int64_t width) const {
    const Rows<T> taken = {scratch, padded(width)};
    scratch += rows * taken.step;
    return taken;
  }

  /// c = a x weights; with a bias: added.
  void product(size_t weights, Rows<T> a, int64_t rows, Rows<T> c, const T* bias = nullptr,
               int64_t begin = 0) const {
    packed_[weights].multiply(f_.product, a, room(a) - begin, rows, c, bias, false);
  }
  /// c += a x weights
  void add_product(size_t weights, Rows<T> a, int64_t rows, Rows<T> c) const {
    packed_[weights].multiply(f_.product, a, room(a), rows, c, nullptr, true);
  }
  /// Where in rows of scratch the room for their pairs begins (padded): at two thirds.
  static int64_t room(Rows<T> a) { return a.step / 3 * 2; }

  /// A line more than is needed: else rows of a power of two would fight for one set of the cache.
  /// Pairs of bfloat16 need half as much again.
  int64_t padded(int64_t count) const {
    const int64_t own = whole_lines<T>(count) + kAlignment / item();
    return pairs_ ? 3 * whole_lines<T>(divide_up(own, 2)) : own;
  }

  static constexpr int64_t item() { return static_cast<int64_t>(sizeof(T)); }

  // Weights that fit the second-level cache cost nothing to read again for every few sequences;
  // larger ones come from afar, and more sequences have to share them.
  static constexpr int64_t kNearCache = 512 * 1024;
  static constexpr int64_t kRowsOfSmall = 8, kRowsOfLarge = 32;

  const SequenceLayout layout_;
  const bool pairs_;  // products of bfloat16
  const Functions<T> f_;
  std::vector<PackedWeights<T>> packed_;

 private:
  int64_t parts_ = 1, part_count_ = 0, parts_offset_ = 0;
  std::shared_ptr<Packed> kept_;
};

// --- the kernels; `Kind` says what their operands are ---

template <class T>
class SimpleSequence final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  using Kind = SimpleOperands;

  SimpleSequence(Binding& binding, const SequenceLayout& layout) : Base(binding, layout) {
    this->add_weights(0, 1, false);
    this->reserve(binding, 2 * this->padded(layout.units));
  }

 private:
  void run_sequences(const Operands& operands, int64_t first, int64_t rows,
                     T* scratch) const override {
    const SequenceLayout& layout = this->layout_;
    const int64_t n = layout.units;
    CellStep<T> cell = this->template begin<CellStep<T>>(rows);
    cell.running = this->take(scratch, rows, n);
    const Rows<T> sums = this->take(scratch, rows, n);
    cell.sums = this->read(sums);
    this->copy_states(layout.states(this->input(operands, 2), first), cell.running, rows);
    for (int64_t step = 0; step < layout.time; ++step) {
      const int64_t time = layout.time_of(step);
      this->template set_time<Kind>(operands, first, time, 1, cell);
      this->product(0, cell.running, rows, sums);
      this->f_.cell.simple(cell);
    }
    this->copy_states(this->read(cell.running), layout.states(this->output(operands, 1), first),
                      rows);
  }
};

template <class T>
class SimpleSequenceGrad final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  using Kind = SimpleGradOperands;

  SimpleSequenceGrad(Binding& binding, const SequenceLayout& layout) : Base(binding, layout) {
    this->add_weights(0, 1, true);
    this->reserve(binding, this->padded(layout.units));
  }

 private:
  void run_sequences(const Operands& operands, int64_t first, int64_t rows,
                     T* scratch) const override {
    const SequenceLayout& layout = this->layout_;
    const int64_t n = layout.units;
    CellGradStep<T> cell = this->template begin<CellGradStep<T>>(rows);
    cell.d_sums = this->take(scratch, rows, n);
    cell.d_state = layout.states(this->output(operands, 1), first);
    this->copy_states(layout.states(this->input(operands, 2), first), cell.d_state, rows);
    for (int64_t step = layout.time - 1; step >= 0; --step) {
      const int64_t time = layout.time_of(step);
      this->template set_time<Kind>(operands, first, time, -1, cell);
      this->f_.cell.simple_grad(cell);
      this->add_product(0, cell.d_sums, rows, cell.d_state);
    }
  }
};

template <class T>
class LstmSequence final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  using Kind = LstmOperands;

  LstmSequence(Binding& binding, const SequenceLayout& layout) : Base(binding, layout) {
    this->add_weights(0, 4, false);
    this->reserve(binding, this->padded(layout.units) + this->padded(4 * layout.units));
  }

 private:
  void run_sequences(const Operands& operands, int64_t first, int64_t rows,
                     T* scratch) const override {
    const SequenceLayout& layout = this->layout_;
    const int64_t n = layout.units;
    CellStep<T> cell = this->template begin<CellStep<T>>(rows);
    cell.running = this->take(scratch, rows, n);
    const Rows<T> sums = this->take(scratch, rows, 4 * n);
    cell.sums = this->read(sums);
    const T* const c = this->output(operands, 1);
    this->copy_states(layout.states(this->input(operands, 2), first), cell.running, rows);
    for (int64_t step = 0; step < layout.time; ++step) {
      const int64_t time = layout.time_of(step);
      this->template set_time<Kind>(operands, first, time, 1, cell);
      this->product(0, cell.running, rows, sums);
      this->f_.cell.lstm(cell);
    }
    this->copy_states(this->read(cell.running), layout.states(this->output(operands, 3), first),
                      rows);
    const int64_t last = layout.time_of(layout.time - 1);
    const Rows<const T> last_c = layout.time > 0 ? layout.at_time(c, n, first, last)
                                                 : layout.states(this->input(operands, 3), first);
    this->copy_states(last_c, layout.states(this->output(operands, 4), first), rows);
  }
};

template <class T>
class LstmSequenceGrad final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  using Kind = LstmGradOperands;

  LstmSequenceGrad(Binding& binding, const SequenceLayout& layout) : Base(binding, layout) {
    this->add_weights(0, 4, true);
    this->reserve(binding, this->padded(4 * layout.units));
  }

 private:
  void run_sequences(const Operands& operands, int64_t first, int64_t rows,
                     T* scratch) const override {
    const SequenceLayout& layout = this->layout_;
    const int64_t n = layout.units;
    CellGradStep<T> cell = this->template begin<CellGradStep<T>>(rows);
    cell.d_sums = this->take(scratch, rows, 4 * n);
    cell.d_state = layout.states(this->output(operands, 1), first);
    cell.d_carry = layout.states(this->output(operands, 2), first);
    this->copy_states(layout.states(this->input(operands, 4), first), cell.d_state, rows);
    this->copy_states(layout.states(this->input(operands, 5), first), cell.d_carry, rows);
    for (int64_t step = layout.time - 1; step >= 0; --step) {
      const int64_t time = layout.time_of(step);
      this->template set_time<Kind>(operands, first, time, -1, cell);
      this->f_.cell.lstm_grad(cell);
      this->add_product(0, cell.d_sums, rows, cell.d_state);
    }
  }
};

template <class T>
class GruSequence final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  using Kind = GruOperands;

  GruSequence(Binding& binding, const SequenceLayout& layout)
      : Base(binding, layout), after_(resets_after(binding)) {
    this->add_weights(0, after_ ? 3 : 2, false);
    if (!after_) this->add_weights(2, 1, false);
    this->reserve(binding, 2 * this->padded(layout.units) + this->padded(3 * layout.units));
  }

 private:
  void run_sequences(const Operands& operands, int64_t first, int64_t rows,
                     T* scratch) const override {
    const SequenceLayout& layout = this->layout_;
    const int64_t n = layout.units;
    CellStep<T> cell = this->template begin<CellStep<T>>(rows);
    cell.running = this->take(scratch, rows, n);
    cell.reset = this->take(scratch, rows, n);
    const Rows<T> sums = this->take(scratch, rows, 3 * n);
    cell.sums = this->read(sums);
    this->copy_states(layout.states(this->input(operands, 2), first), cell.running, rows);
    for (int64_t step = 0; step < layout.time; ++step) {
      const int64_t time = layout.time_of(step);
      this->template set_time<Kind>(operands, first, time, 1, cell);
      if (after_) {
        this->product(0, cell.running, rows, sums, this->input(operands, 3));
        this->f_.cell.gru_after(cell);
      } else {
        this->product(0, cell.running, rows, sums);
        this->f_.cell.gru_gates(cell);
        this->product(1, cell.reset, rows, {sums.data + 2 * n, sums.step});
        this->f_.cell.gru_state(cell);
      }
    }
    this->copy_states(this->read(cell.running), layout.states(this->output(operands, 3), first),
                      rows);
  }

  const bool after_;
};

template <class T>
class GruSequenceGrad final : public SequenceStep<T> {
  using Base = SequenceStep<T>;

 public:
  using Kind = GruGradOperands;

  GruSequenceGrad(Binding& binding, const SequenceLayout& layout)
      : Base(binding, layout), after_(resets_after(binding)) {
    this->add_weights(0, after_ ? 3 : 2, true);
    if (!after_) this->add_weights(2, 1, true);
    this->reserve(binding, this->padded(layout.units) + this->padded(3 * layout.units));
  }

 private:
  void run_sequences(const Operands& operands, int64_t first, int64_t rows,
                     T* scratch) const override {
    const SequenceLayout& layout = this->layout_;
    const int64_t n = layout.units;
    CellGradStep<T> cell = this->template begin<CellGradStep<T>>(rows);
    cell.d_inner = this->take(scratch, rows, n);
    cell.d_sums = this->take(scratch, rows, 3 * n);
    cell.d_state = layout.states(this->output(operands, 1), first);
    this->copy_states(layout.states(this->input(operands, 5), first), cell.d_state, rows);
    for (int64_t step = layout.time - 1; step >= 0; --step) {
      const int64_t time = layout.time_of(step);
      this->template set_time<Kind>(operands, first, time, -1, cell);
      if (after_) {
        cell.d_products = layout.at_time(this->output(operands, 2), 3 * n, first, time);
        this->f_.cell.gru_after_grad(cell);
      } else {
        this->f_.cell.gru_state_grad(cell);
        const Rows<T> d_value = {cell.d_sums.data + 2 * n, cell.d_sums.step};
        this->product(1, d_value, rows, cell.d_inner, nullptr, 2 * n);
        this->f_.cell.gru_gates_grad(cell);
      }
      this->add_product(0, cell.d_sums, rows, cell.d_state);
    }
  }

  const bool after_;
};

/// Forward, weights may be stored in less.
template <template <class> class Sequence>
std::unique_ptr<Step> bind_forward(Binding& binding) {
  constexpr const char* name = Sequence<float>::Kind::name;
  if (has_stored_weights(binding, 1)) return bind_stored(binding, name, 1, bind_sequence<Sequence>);
  return bind_sequence<Sequence>(binding);
}

const KernelEntry entries[] = {
    {"rnn_sequence", bind_forward<SimpleSequence>},
    {"rnn_sequence_grad", bind_sequence<SimpleSequenceGrad>},
    {"lstm_sequence", bind_forward<LstmSequence>},
    {"lstm_sequence_grad", bind_sequence<LstmSequenceGrad>},
    {"gru_sequence", bind_forward<GruSequence>},
    {"gru_sequence_grad", bind_sequence<GruSequenceGrad>},
};

}  // namespace
}  // namespace symk::cpu
