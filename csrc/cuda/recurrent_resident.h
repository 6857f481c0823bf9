// Sequences of SimpleRNN, LSTM and GRU in one launch: the weights of the states stay in the
// registers of the blocks (resident.h), each of which has some units with all their gates, for some
// rows of the batch. What a step leaves for others to multiply, it leaves where the results are:
// all states forward, the gradients of the gates backward. So nothing is written that another block
// may still read, and blocks meet once per product.
#pragma once

#include <string>

#include "cpu/recurrent_binding.h"
#include "cuda/device.h"
#include "cuda/resident.h"
#include "runtime/memory.h"

namespace symk::cuda {

/// What a launch over all steps knows.
struct ResidentTask {
  static constexpr int kMostOperands = 8;

  cpu::SequenceLayout layout;
  ResidentShape shape;
  Factor factor;
  const float* weights;  // rounded
  unsigned* meetings;    // a number per group of blocks, 0 before the launch
  float* scratch;        // a row of units per sequence
  const void* in[kMostOperands] = {};
  void* out[kMostOperands] = {};

  SYMK_HD const float* input(int number) const { return static_cast<const float*>(in[number]); }
  SYMK_HD float* output(int number) const { return static_cast<float*>(out[number]); }
};

// A walk does one step: `Kind` says what its operands are. Forward, `last` are the states before
// the step.

/// Its output `last` is the last state.
template <class Kind_, int gates, int last>
struct ForwardWalk {
  using Kind = Kind_;
  using Cell = CellStep<float>;
  static constexpr int kGates = gates, kLast = last;
  static constexpr bool kBackward = false, kIsLstm = gates == 4;
};
/// Its input `given` is the gradient of the last state.
template <class Kind_, int gates, int given>
struct BackwardWalk {
  using Kind = Kind_;
  using Cell = CellGradStep<float>;
  static constexpr int kGates = gates, kGiven = given;
  static constexpr bool kBackward = true, kIsLstm = gates == 4;
};

SYMK_HD Rows<const float> read(const Rows<float>& rows) { return {rows.data, rows.step}; }

/// One product of all gates with the states, then the cells.
template <class Unit, class Kind, int gates, int last_number>
struct PlainWalk : ForwardWalk<Kind, gates, last_number> {
  SYMK_HD static void step(ResidentShare& share, const ResidentTask&, const CellStep<float>& cell,
                           const Rows<const float>& last) {
    share.multiply(last, 0, static_cast<int>(cell.units), 0, gates,
                   [&](int64_t row, int64_t u, const GateSums<float>& sums) {
                     Unit::step(cell, row, u, at(last, row)[u], sums);
                   });
    share.meet();
  }
};
using SimpleWalk = PlainWalk<SimpleCell, cpu::SimpleOperands, 1, 1>;
using LstmWalk = PlainWalk<LstmCell, cpu::LstmOperands, 4, 3>;

/// The products have a bias of their own.
struct GruAfterWalk : ForwardWalk<cpu::GruOperands, 3, 3> {
  SYMK_HD static void step(ResidentShare& share, const ResidentTask& task,
                           const CellStep<float>& cell, const Rows<const float>& last) {
    const int64_t n = cell.units;
    share.multiply(last, 0, static_cast<int>(n), 0, 3,
                   [&](int64_t row, int64_t u, const GateSums<float>& sums) {
                     const float* const bias = task.input(3) + u;
                     const float biased[] = {sums[0] + bias[0], sums[1] + bias[n],
                                             sums[2] + bias[2 * n]};
                     GruAfterCell::step(cell, row, u, at(last, row)[u], GateSums<float>{biased, 1});
                   });
    share.meet();
  }
};

struct GruBeforeWalk : ForwardWalk<cpu::GruOperands, 3, 3> {
  SYMK_HD static void step(ResidentShare& share, const ResidentTask&, CellStep<float> cell,
                           const Rows<const float>& last) {
    const int n = static_cast<int>(cell.units);
    cell.reset = cell.inner;
    share.multiply(last, 0, n, 0, 2, [&](int64_t row, int64_t u, const GateSums<float>& sums) {
      GruGatesCell::step(cell, row, u, at(last, row)[u], sums);
    });
    share.meet();
    share.multiply(read(cell.inner), 0, n, 2, 3,
                   [&](int64_t row, int64_t u, const GateSums<float>& sums) {
                     GruStateCell::step(cell, row, u, at(last, row)[u], sums);
                   });
    share.meet();
  }
};

/// Adds products with the transpose of some gates' weights to the gradient of the state.
SYMK_HD void add_products(ResidentShare& share, const CellGradStep<float>& cell,
                          const Rows<float>& d_sums, int gates) {
  share.multiply(read(d_sums), 0, gates * static_cast<int>(cell.units), 0, 1,
                 [&](int64_t row, int64_t u, const GateSums<float>& sums) {
                   float& d_state = at(cell.d_state, row)[u];
                   d_state = d_state + sums[0];
                 });
}

template <class Unit, class Kind, int gates, int given>
struct PlainGradWalk : BackwardWalk<Kind, gates, given> {
  SYMK_HD static void step(ResidentShare& share, const ResidentTask&, CellGradStep<float> cell) {
    cell.d_sums = cell.d_gates;
    share.each([&](int64_t row, int64_t u) { Unit::step(cell, row, u); });
    share.meet();
    add_products(share, cell, cell.d_sums, gates);
  }
};
using SimpleGradWalk = PlainGradWalk<SimpleCellGrad, cpu::SimpleGradOperands, 1, 2>;
using LstmGradWalk = PlainGradWalk<LstmCellGrad, cpu::LstmGradOperands, 4, 4>;

struct GruAfterGradWalk : BackwardWalk<cpu::GruGradOperands, 3, 5> {
  SYMK_HD static void step(ResidentShare& share, const ResidentTask&, CellGradStep<float> cell) {
    cell.d_sums = cell.d_products;
    share.each([&](int64_t row, int64_t u) { GruAfterCellGrad::step(cell, row, u); });
    share.meet();
    add_products(share, cell, cell.d_sums, 3);
  }
};

struct GruBeforeGradWalk : BackwardWalk<cpu::GruGradOperands, 3, 5> {
  SYMK_HD static void step(ResidentShare& share, const ResidentTask& task,
                           CellGradStep<float> cell) {
    const int n = static_cast<int>(cell.units);
    cell.d_sums = cell.d_gates;
    cell.d_inner = {task.scratch, cell.units};
    share.each([&](int64_t row, int64_t u) { GruStateCellGrad::step(cell, row, u); });
    share.meet();
    share.multiply(read(cell.d_sums), 2 * n, 3 * n, 0, 1,
                   [&](int64_t row, int64_t u, const GateSums<float>& sums) {
                     at(cell.d_inner, row)[u] = sums[0];
                     GruGatesCellGrad::step(cell, row, u);
                   });
    share.meet();
    add_products(share, cell, cell.d_sums, 2);
  }
};

/// All steps of a sequence.
template <class Walk>
struct ResidentSequence {
  static constexpr int kThreads = ResidentShape::kThreads;
  static constexpr int64_t kSharedBytes = ResidentShare::kSharedBytes;

  ResidentTask task;

  SYMK_HD void operator()(int64_t block) const {
    if constexpr (kTensorCores) walk(block);  // devices that have them copy while they compute
  }

  /// The weights of the states, (units, gates x units), or their transpose.
  SYMK_HD static ResidentWeights weights_of(const ResidentTask& task) {
    const int64_t n = task.layout.units, all = Walk::kGates * n;
    if (Walk::kBackward) return {task.weights, 1, 0, all};
    return {task.weights, all, n, 1};
  }

 private:
  SYMK_HD void walk(int64_t block) const {
    ResidentShare share(task.shape, weights_of(task), task.factor, block, task.layout.batch,
                        task.meetings);
    typename Walk::Cell cell;
    static_cast<CellRows&>(cell) = task.layout.cell;
    if constexpr (Walk::kBackward) {
      begin_backward(share, cell);
      for (int64_t step = task.layout.time - 1; step >= 0; --step) {
        const int64_t time = place(cell, step, -1);
        if constexpr (std::is_same_v<typename Walk::Kind, cpu::GruGradOperands>)
          cell.d_products = task.layout.at_time(task.output(2), 3 * cell.units, 0, time);
        Walk::step(share, task, cell);
      }
    } else {
      for (int64_t step = 0; step < task.layout.time; ++step) {
        const int64_t time = place(cell, step, 1);
        Walk::step(share, task, cell,
                   task.layout.before(static_cast<const float*>(task.output(0)), task.input(2), 0,
                                      time));
      }
      give_last(share, 0, 2, Walk::kLast);
      if constexpr (Walk::kIsLstm) give_last(share, 1, 3, 4);
    }
  }

  /// The time of a step, at which the cell is from now on.
  SYMK_HD int64_t place(typename Walk::Cell& cell, int64_t step, int64_t direction) const {
    const Operands operands = {task.in, task.out};
    const int64_t time = task.layout.time_of(step);
    task.layout.set_time(cell, operands, 0, time, direction);
    Walk::Kind::place(cpu::TimeOperands<float>{task.layout, operands, 0, time}, cell);
    return time;
  }

  SYMK_HD void begin_backward(const ResidentShare& share, CellGradStep<float>& cell) const {
    cell.d_state = task.layout.states(task.output(1), 0);
    copy(share, task.layout.states(task.input(Walk::kGiven), 0), cell.d_state);
    if constexpr (Walk::kIsLstm) {
      cell.d_carry = task.layout.states(task.output(2), 0);
      copy(share, task.layout.states(task.input(5), 0), cell.d_carry);
    }
  }

  /// Output `to` becomes the last of the states in output `all`, or the initial ones.
  SYMK_HD void give_last(const ResidentShare& share, int all, int initial, int to) const {
    const cpu::SequenceLayout& layout = task.layout;
    const float* const states = task.output(all);
    const Rows<const float> last =
        layout.time > 0 ? layout.at_time(states, layout.units, 0, layout.time_of(layout.time - 1))
                        : layout.states(task.input(initial), 0);
    copy(share, last, layout.states(task.output(to), 0));
  }

  SYMK_HD static void copy(const ResidentShare& share, const Rows<const float>& from,
                           const Rows<float>& to) {
    share.each([&](int64_t row, int64_t u) { at(to, row)[u] = at(from, row)[u]; });
  }
};

/// Meeting places of blocks become 0.
struct ClearMeetings {
  unsigned* places;
  SYMK_HD void operator()(int64_t i) const { places[i] = 0; }
};

struct RoundWeights {
  const float* weights;
  Factor factor;
  float* rounded;
  SYMK_HD void operator()(int64_t i) const { rounded[i] = as_factor(weights[i], factor); }
};

template <class Walk>
class ResidentStep final : public Step {
 public:
  using Sequence = ResidentSequence<Walk>;

  ResidentStep(Binding& binding, const cpu::SequenceLayout& layout, int64_t most)
      : queue_(queue_of(binding)),
        layout_(layout),
        most_(most),
        shape_(*shape_for(layout, most)),
        factor_(factor_of(binding, layout.kernel)),
        inputs_(binding.inputs().size()),
        outputs_(binding.outputs().size()) {
    binding.need_scratch(checked_add(checked_add(places_bytes(), rows_bytes()),
                                     rounds_weights() ? weights_count() * kNumber : 0));
  }

  /// The step, if the weights and the batch are such that one launch is the better way.
  static std::unique_ptr<Step> bind(Binding& binding, const cpu::SequenceLayout& layout) {
    const Queue& queue = queue_of(binding);
    if (layout.dtype != DType::kFloat32 || !queue.tensor_cores) return nullptr;
    const int64_t most = most_together<Sequence>(queue);
    if (!shape_for(layout, most)) return nullptr;
    return std::make_unique<ResidentStep>(binding, layout, most);
  }

  /// Fewer blocks with more rows each, if it can be one of so many; the times are those of
  /// docs/cuda.md.
  Load load(int sharers) const override {
    constexpr int64_t row_ns = 144, step_ns = 1200, meeting_ns = 1000;
    const ResidentShape shape = shape_for(layout_, most_ / sharers).value_or(shape_);
    Load load;
    load.time_ns = step_ns + layout_.time * (shape.rows * row_ns + step_ns +
                                             (shape.unit_blocks > 1 ? meeting_ns : 0));
    load.share = static_cast<int>(shape.blocks() * Load::kWhole / most_);
    load.together = true;
    return load;
  }
  void share_device(int sharers) override {
    shape_ = shape_for(layout_, most_ / sharers).value_or(shape_);
  }

  Status run(const Operands& operands, ThreadPool&) override {
    char* const scratch = static_cast<char*>(operands.scratch);
    const float* weights = input<float>(operands, layout_.weights);
    if (rounds_weights()) {
      auto* const rounded = reinterpret_cast<float*>(scratch + places_bytes() + rows_bytes());
      each(queue_, weights_count(), RoundWeights{weights, factor_, rounded});
      weights = rounded;
    }
    ResidentTask task = {layout_,
                         shape_,
                         factor_,
                         weights,
                         reinterpret_cast<unsigned*>(scratch),
                         reinterpret_cast<float*>(scratch + places_bytes())};
    std::copy(operands.in, operands.in + inputs_, task.in);
    std::copy(operands.out, operands.out + outputs_, task.out);
    if (shape_.unit_blocks > 1) each(queue_, shape_.row_blocks, ClearMeetings{task.meetings});
    blocks_together(queue_, shape_.blocks(), shape_.threads(), Sequence{task});
    return {};
  }

  std::string manner() const override {
    return std::string(layout_.kernel) + ", all steps in one launch of " +
           std::to_string(shape_.unit_blocks) + " x " + std::to_string(shape_.row_blocks) +
           " blocks";
  }

 private:
  static constexpr int64_t kNumber = sizeof(float);

  /// For a device that holds so many blocks; none where products step by step are the better way.
  static std::optional<ResidentShape> shape_for(const cpu::SequenceLayout& layout, int64_t most) {
    // Where a block has more rows than this, multiplying takes longer than starting a product for
    // each step, and products on tensor cores are faster.
    constexpr int most_rows = 128;
    const int64_t all = Walk::kGates * layout.units;
    const auto shape = ResidentShape::of(Walk::kBackward ? all : layout.units, layout.units,
                                         Walk::kBackward ? 1 : Walk::kGates, layout.batch, most);
    return shape && shape->rows <= most_rows ? shape : std::nullopt;
  }

  // What lies in scratch, one behind the other.
  int64_t places_bytes() const {
    return aligned_size(shape_.row_blocks * static_cast<int64_t>(sizeof(unsigned)));
  }
  int64_t rows_bytes() const {
    return aligned_size(checked_multiply(layout_.batch * layout_.units, kNumber));
  }
  /// Below 2^23, or they would not fit into registers.
  int64_t weights_count() const { return layout_.units * layout_.gates * layout_.units; }
  bool rounds_weights() const { return factor_ != Factor::kFloat32; }

  const Queue queue_;
  const cpu::SequenceLayout layout_;
  const int64_t most_;  // blocks that the device holds
  ResidentShape shape_;
  const Factor factor_;
  const size_t inputs_, outputs_;
};

}  // namespace symk::cuda
