// The kernels `scan` and `cond`: steps that run Plans of their own. A body is bound once, to the
// shapes of one step; its arena is part of the scratch of the outer step. So a loop allocates
// nothing, takes no lock, and its steps differ by a few addresses alone.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/bound.h"
#include "runtime/device.h"
#include "runtime/error.h"
#include "runtime/kernel.h"
#include "runtime/memory.h"
#include "runtime/text.h"

namespace symk {
namespace {

[[gnu::cold]] void require(bool holds, const char* kernel,
                           std::initializer_list<TextPiece> wanted) {
  if (holds) return;
  throw Error(ErrorCode::kShape, joined({"[", kernel, "] ", joined(wanted),
                                         "; this step does not fit. The Plan is damaged."}));
}

bool same_type(const Type& a, const Type& b) {
  if (a.dtype != b.dtype || a.rank != b.rank) return false;
  for (int axis = 0; axis < a.rank; ++axis) {
    if (a.shape[axis] != b.shape[axis]) return false;
  }
  return true;
}

/// The type of one row: axis 0 removed.
Type row_of(const Type& type) {
  Type row;
  row.dtype = type.dtype;
  row.rank = type.rank - 1;
  for (int axis = 0; axis < row.rank; ++axis) row.shape[axis] = type.shape[axis + 1];
  return row;
}

/// A Plan within a step: bound to the types that the step gives to it.
class Body {
 public:
  [[gnu::cold]] Body(const char* kernel, const Plan& plan, const std::vector<Type>& inputs,
                     const std::vector<Type>& outputs, Device& device, std::vector<bool> lasting)
      : bound_(plan, {}, shapes_of(kernel, plan, inputs), device, nullptr, std::move(lasting)) {
    require(plan.outputs.size() == outputs.size(), kernel, {"the body must have as many outputs"});
    for (size_t i = 0; i < outputs.size(); ++i) {
      require(same_type(bound_.outputs()[i], outputs[i]), kernel,
              {"the body must give ", type_text(outputs[i]), " as output ", i});
    }
  }

  /// Never 0, so that an arena has an address.
  int64_t arena_bytes() const { return aligned_size(bound_.arena_bytes() + 1); }
  bool recordable() const { return bound_.recordable(); }
  const Load& load() const { return bound_.load(); }

  void run(char* arena, const void* const* inputs, void* const* outputs, const uint64_t* versions,
           bool check_finite) {
    if (arena != arena_) bound_.set_arena(arena_ = arena);
    Watch watch;
    watch.check_finite = check_finite;
    bound_.run(inputs, outputs, versions, watch);
  }

 private:
  static std::vector<Shape> shapes_of(const char* kernel, const Plan& plan,
                                      const std::vector<Type>& inputs) {
    require(plan.inputs.size() == inputs.size(), kernel, {"the body must have as many inputs"});
    std::vector<Shape> shapes(inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Buffer& buffer = plan.buffers[plan.inputs[i].buffer];
      require(buffer.dtype == inputs[i].dtype, kernel,
              {"the body must take ", type_text(inputs[i]), " as input ", i});
      shapes[i].rank = inputs[i].rank;
      for (int axis = 0; axis < inputs[i].rank; ++axis)
        shapes[i].size[axis] = inputs[i].shape[axis];
    }
    return shapes;
  }

  Bound bound_;
  char* arena_ = nullptr;
};

// --- scan ---

/// A sequence or an output of all steps: rows one behind the other.
struct Rows {
  size_t operand = 0;
  int64_t bytes = 0;  // of a row
};

/// A state: read where the step before has left it. With memory of its own it goes to and fro
/// between that and the final state, so that the last step writes the final state; a state that is
/// an output too lies in the rows of that output.
struct State {
  int64_t bytes = 0;
  int64_t spare = -1;  // offset in the scratch, or -1
  int row = -1;        // which of the outputs it is too, or -1
};

class ScanStep final : public Step {
 public:
  [[gnu::cold]] explicit ScanStep(Binding& binding)
      : device_(binding.device()), sequence_count_(count(binding, "sequences")),
        state_count_(count(binding, "states")), output_count_(count(binding, "outputs")),
        reverse_(binding.integer("reverse") != 0) {
    const std::vector<Type>&in = binding.inputs(), &out = binding.outputs();
    require(sequence_count_ <= in.size() && state_count_ <= in.size() - sequence_count_, "scan",
            {"the sequences and states must be inputs"});
    require(out.size() == state_count_ + output_count_, "scan",
            {"the outputs must be the states and the outputs of the steps"});
    find_length(binding);
    bind_body(binding);
    place_states(binding);
    inputs_.resize(in.size());
    versions_.resize(in.size());
    outputs_.resize(out.size());
  }

  bool recordable() const override { return body_->recordable(); }
  Load load(int) const override {
    Load load = body_->load();
    load.time_ns *= length_;
    return load;
  }

  Status run(const Operands& operands, ThreadPool&) override {
    start(operands);
    for (int64_t step = 0; step < length_; ++step) {
      const int64_t row = reverse_ ? length_ - 1 - step : step;
      address(operands, step, row);
      run_body(operands, row);
      for (size_t i = 0; i < state_count_; ++i) inputs_[sequence_count_ + i] = outputs_[i];
    }
    finish(operands);
    return {};
  }

 private:
  [[gnu::cold]] static size_t count(const Binding& binding, const char* key) {
    const int64_t number = binding.integer(key);
    require(number >= 0, "scan", {"the number of ", key, " must not be negative"});
    return static_cast<size_t>(number);
  }

  void find_length(const Binding& binding) {
    length_ = sequence_count_ > 0 ? leading(binding.inputs()[0]) : binding.integer("length");
    require(length_ >= 0, "scan", {"the number of steps must not be negative"});
    for (size_t i = 0; i < sequence_count_; ++i) add_rows(binding.inputs()[i], i, sequences_);
    for (size_t i = state_count_; i < binding.outputs().size(); ++i) {
      add_rows(binding.outputs()[i], i, rows_);
    }
  }

  static int64_t leading(const Type& type) { return type.rank > 0 ? type.shape[0] : -1; }

  [[gnu::cold]] void add_rows(const Type& type, size_t operand, std::vector<Rows>& rows) const {
    require(leading(type) == length_, "scan", {"sequences and outputs must have one row per step"});
    rows.push_back({operand, row_of(type).bytes()});
  }

  void bind_body(const Binding& binding) {
    std::vector<Type> inputs = binding.inputs(), outputs = binding.outputs();
    for (const Rows& rows : sequences_) inputs[rows.operand] = row_of(inputs[rows.operand]);
    for (const Rows& rows : rows_) outputs[rows.operand] = row_of(outputs[rows.operand]);
    std::vector<bool> lasting(inputs.size(), true);
    for (size_t i = 0; i < sequence_count_ + state_count_; ++i) lasting[i] = false;
    body_ = std::make_unique<Body>("scan", binding.plan("body"), inputs, outputs, device_, lasting);
  }

  void place_states(Binding& binding) {
    int64_t scratch = body_->arena_bytes();
    const Plan& body = binding.plan("body");
    for (size_t i = 0; i < state_count_; ++i) {
      const Type& initial = binding.inputs()[sequence_count_ + i];
      require(same_type(initial, binding.outputs()[i]), "scan", {"a state must keep its type"});
      State state;
      state.bytes = initial.bytes();
      state.row = same_output(body, i);
      if (state.row < 0) {
        state.spare = scratch;
        scratch = checked_add(scratch, aligned_size(state.bytes));
      }
      states_.push_back(state);
    }
    binding.need_scratch(scratch);
  }

  /// The output of the steps that is the same memory as the new state, or -1.
  int same_output(const Plan& body, size_t state) const {
    const uint32_t root = body.buffers[body.outputs[state].buffer].root;
    if (body.buffers[root].kind != Buffer::kTemporary) return -1;
    for (size_t i = 0; i < output_count_; ++i) {
      if (body.buffers[body.outputs[state_count_ + i].buffer].root == root) {
        return static_cast<int>(i);
      }
    }
    return -1;
  }

  // --- the steady state ---

  /// What is the same for all steps, and the initial states. What does not last outside of the
  /// loop gets a version that no other call has.
  void start(const Operands& operands) {
    const uint64_t call = uint64_t{1} << 63 | ++calls_;
    for (size_t i = sequence_count_; i < inputs_.size(); ++i) {
      inputs_[i] = operands.in[i];
      versions_[i] = operands.versions[i] != 0 ? operands.versions[i] : call;
    }
  }

  void address(const Operands& operands, int64_t step, int64_t row) {
    for (const Rows& rows : sequences_) {
      inputs_[rows.operand] =
          static_cast<const char*>(operands.in[rows.operand]) + row * rows.bytes;
    }
    for (const Rows& rows : rows_) {
      outputs_[rows.operand] = static_cast<char*>(operands.out[rows.operand]) + row * rows.bytes;
    }
    const bool into_final = (length_ - 1 - step) % 2 == 0;
    for (size_t i = 0; i < state_count_; ++i) {
      const State& state = states_[i];
      outputs_[i] = state.row >= 0 ? outputs_[state_count_ + static_cast<size_t>(state.row)]
                    : into_final   ? operands.out[i]
                                   : static_cast<char*>(operands.scratch) + state.spare;
    }
  }

  void run_body(const Operands& operands, int64_t row) {
    try {
      body_->run(static_cast<char*>(operands.scratch), inputs_.data(), outputs_.data(),
                 versions_.data(), operands.check_finite);
    } catch (const Error& error) {
      throw Error(error.code(), joined({"in step ", row, " of the loop: ", error.what()}));
    }
  }

  /// Final states that were not written where they belong.
  void finish(const Operands& operands) const {
    for (size_t i = 0; i < state_count_; ++i) {
      const void* const last = inputs_[sequence_count_ + i];
      if (last == operands.out[i] || states_[i].bytes == 0) continue;
      device_.copy(operands.out[i], last, states_[i].bytes);
    }
  }

  Device& device_;
  const size_t sequence_count_, state_count_, output_count_;
  const bool reverse_;
  int64_t length_ = 0;
  std::vector<Rows> sequences_, rows_;
  std::vector<State> states_;
  std::unique_ptr<Body> body_;
  std::vector<const void*> inputs_;
  std::vector<uint64_t> versions_;
  std::vector<void*> outputs_;
  uint64_t calls_ = 0;
};

std::unique_ptr<Step> bind_scan(Binding& binding) { return std::make_unique<ScanStep>(binding); }

const KernelEntry scan_entry("scan", bind_scan, Empty::kLeftOut, Runs::kAnywhere);

// --- cond ---

class CondStep final : public Step {
 public:
  [[gnu::cold]] explicit CondStep(Binding& binding)
      : device_(binding.device()), then_(side(binding, "then")), otherwise_(side(binding, "else")) {
    binding.need_scratch(std::max(then_.arena_bytes(), otherwise_.arena_bytes()));
  }

  bool recordable() const override { return false; }  // the host looks at the predicate

  Status run(const Operands& operands, ThreadPool&) override {
    unsigned char holds = 0;
    device_.copy_out(&holds, operands.in[0], 1);
    Body& chosen = holds != 0 ? then_ : otherwise_;
    chosen.run(static_cast<char*>(operands.scratch), operands.in + 1, operands.out,
               operands.versions + 1, operands.check_finite);
    return {};
  }

 private:
  [[gnu::cold]] static Body side(const Binding& binding, const char* key) {
    const std::vector<Type>& in = binding.inputs();
    require(!in.empty() && in[0].dtype == DType::kBool && in[0].count() == 1, "cond",
            {"the predicate must be one bool"});
    std::vector<bool> lasting;
    for (size_t i = 1; i < in.size(); ++i) lasting.push_back(binding.lasting(static_cast<int>(i)));
    return Body("cond", binding.plan(key), {in.begin() + 1, in.end()}, binding.outputs(),
                binding.device(), lasting);
  }

  Device& device_;
  Body then_, otherwise_;
};

std::unique_ptr<Step> bind_cond(Binding& binding) { return std::make_unique<CondStep>(binding); }

const KernelEntry cond_entry("cond", bind_cond, Empty::kLeftOut, Runs::kAnywhere);

}  // namespace
}  // namespace symk
