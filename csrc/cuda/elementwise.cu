// The interpreter of elementwise programs, and the kernel `elementwise`.
#include <algorithm>
#include <cstring>
#include <string>

#include "cpu/program_text.h"
#include "cuda/loops.h"
#include "cuda/program.h"
#include "cuda/program_source.h"

namespace symk::cuda {
namespace {

constexpr int kFewestThreads = 32;
// Elements times instructions from which a program is compiled, which takes some 0.1 s: below, the
// interpreter takes a few microseconds.
constexpr int64_t kWorthCompiling = int64_t{1} << 16;
constexpr int64_t kSharedBytes = 40 * 1024;  // of the 48 KB that every device gives to a block

SYMK_DEVICE_TABLE constexpr LoopTable kLoops = loops::make_table();
constexpr LoopTable kLoopNames = loops::make_table();

/// A load of an input into a register, or a loop of the table over registers.
struct Instruction {
  int32_t loop = -1;                             // -1 for a load
  int32_t out = 0, in[3] = {};                   // registers
  int32_t out_item = 4, in_item[3] = {4, 4, 4};  // bytes of their elements
  int32_t input = 0, memory_item = 4;            // of a load, as are these:
  int32_t half = 0;                              // whether memory holds float16, registers float32
};

struct Store {
  int32_t slot = 0, item = 4, half = 0, unused = 0;
};

template <class T>
SYMK_HD void move_item(void* to, const void* from) {
  *static_cast<T*>(to) = *static_cast<const T*>(from);
}

SYMK_HD void copy_item(void* to, const void* from, int item) {
  switch (item) {
    case 1: return move_item<uint8_t>(to, from);
    case 2: return move_item<uint16_t>(to, from);
    case 4: return move_item<uint32_t>(to, from);
    default: return move_item<uint64_t>(to, from);
  }
}

/// Whether an input of the members is sums of rows.
template <class Members>
constexpr bool kAreSums = false;
template <class T>
constexpr bool kAreSums<ScatterMember<T>> = true;

template <class Members>
struct Interpret {
  static constexpr bool kHasSums = kAreSums<Members>;

  const Instruction* code;
  const Store* stores;
  int instructions, store_count, inputs, slot_bytes;
  Members members;

  /// What a thread works on: elements `first`, and every blockDim-th behind it.
  struct Part {
    int member;
    int64_t first, count;
  };

  SYMK_HD void operator()(int64_t tile) const {
    if constexpr (kHasSums) {
      if (*members.sums.refused != 0) return;
    }
    char* const registers = shared_memory<char>();
    const int member = members.member_of(tile);
    const int64_t turn = tile - members.first_tile(member);
    const Part part = {member, turn * kPerThread * blockDim.x + threadIdx.x,
                       members.count_of(member)};
    for (int i = 0; i < instructions; ++i) {
      const Instruction& step = code[i];
      if (step.loop < 0) {
        load(step, registers + int64_t{step.out} * slot_bytes, part);
        continue;
      }
      kLoops.entries[step.loop].loop(
          own(registers, step.out, step.out_item), own(registers, step.in[0], step.in_item[0]),
          own(registers, step.in[1], step.in_item[1]), own(registers, step.in[2], step.in_item[2]));
    }
    for (int i = 0; i < store_count; ++i) {
      store(stores[i], registers + int64_t{stores[i].slot} * slot_bytes,
            members.operand(member, inputs + i), part);
    }
  }

  /// The first element of this thread in a register.
  SYMK_HD char* own(char* registers, int slot, int item) const {
    return registers + int64_t{slot} * slot_bytes + int64_t{item} * threadIdx.x;
  }

  SYMK_HD void load(const Instruction& step, char* slot, const Part& part) const {
    if constexpr (kHasSums) {
      if (step.input == members.place) return add_rows(slot, part);
    }
    const char* const memory = members.operand(part.member, step.input);
    const Layout& layout = members.layout(part.member, step.input);
    for (int e = 0, lane = threadIdx.x; e < kPerThread; ++e, lane += blockDim.x) {
      const int64_t index = part.first + int64_t{e} * blockDim.x;
      if (index >= part.count) return;
      const char* const from = memory + layout.offset(index) * step.memory_item;
      if (step.half != 0) {
        reinterpret_cast<float*>(slot)[lane] =
            math::half_to_float(*reinterpret_cast<const uint16_t*>(from));
      } else {
        copy_item(slot + int64_t{lane} * step.memory_item, from, step.memory_item);
      }
    }
  }

  SYMK_HD void add_rows(char* slot, const Part& part) const {
    using T = typename Members::Number;
    for (int e = 0, lane = threadIdx.x; e < kPerThread; ++e, lane += blockDim.x) {
      const int64_t index = part.first + int64_t{e} * blockDim.x;
      if (index >= part.count) return;
      reinterpret_cast<T*>(slot)[lane] = members.sum_at(index);
    }
  }

  SYMK_HD void store(const Store& step, const char* slot, char* out, const Part& part) const {
    for (int e = 0, lane = threadIdx.x; e < kPerThread; ++e, lane += blockDim.x) {
      const int64_t index = part.first + int64_t{e} * blockDim.x;
      if (index >= part.count) return;
      if (step.half != 0) {
        reinterpret_cast<uint16_t*>(out)[index] =
            math::float_to_half(reinterpret_cast<const float*>(slot)[lane]);
      } else {
        copy_item(out + index * step.item, slot + int64_t{lane} * step.item, step.item);
      }
    }
  }
};

/// The item of a dtype in registers.
int item_inside(DType dtype) { return static_cast<int>(item_bytes(cpu::dtype_inside(dtype))); }

}  // namespace

/// Turns the attributes into instructions.
class ProgramBuilder {
 public:
  ProgramBuilder(const Binding& binding, const Type& result, std::vector<Type> inputs, int sums)
      : binding_(binding), result_(result), inputs_(std::move(inputs)), sums_(sums) {}

  std::shared_ptr<const Program> build() {
    if (inputs_.size() > kMostOperands || binding_.outputs().size() > kMostOperands) return nullptr;
    add_inputs();
    add_instructions();
    add_outputs();
    const int slots = assign_slots();
    return finish(slots);
  }

 private:
  struct Value {
    DType dtype = DType::kFloat32;
    int input = -1;
    int last_use = -1;  // position in the code; its end for an output
    int slot = -1;
  };
  struct Planned {  // an instruction over values
    int loop = -1;
    int out = 0;
    std::vector<int> in;
  };

  void add_inputs() {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      Value value;
      value.dtype = inputs_[i].dtype;
      value.input = static_cast<int>(i);
      layouts_.push_back(layout_of(inputs_[i]));
      numbers_.push_back(add(value));
    }
  }

  Layout layout_of(const Type& input) const {
    static_assert(kMostAxes == kMaxRank, "a layout has room for every shape");
    const cpu::OperandLayout over = cpu::layout_of(input, result_);
    Layout layout;
    layout.rank = over.rank;
    layout.small = result_.count() < int64_t{1} << 31;
    std::copy_n(over.size, over.rank, layout.size);
    std::copy_n(over.stride, over.rank, layout.stride);
    return layout;
  }

  int add(const Value& value) {
    values_.push_back(value);
    return static_cast<int>(values_.size()) - 1;
  }

  void add_instructions() {
    for (const cpu::ProgramOp& op : cpu::read_ops(binding_, inputs_.size())) {
      std::vector<int> operands;
      for (int number : op.operands) operands.push_back(numbers_[number]);
      numbers_.push_back(add_instruction(op.name, operands, op.dtype));
    }
  }

  int emit(int loop, const std::vector<int>& operands, DType dtype) {
    Value value;
    value.dtype = dtype;
    planned_.push_back({loop, add(value), operands});
    return planned_.back().out;
  }

  int add_instruction(const std::string& op, const std::vector<int>& operands, DType dtype) {
    const int made = emit(find_loop(op, operands, dtype), operands, dtype);
    const bool rounded = op == "cast" || cpu::keeps_half(op);
    if (dtype != DType::kFloat16 || rounded) return made;
    return emit(entry_named("cast", DType::kFloat32, DType::kFloat16, 1), {made}, DType::kFloat16);
  }

  int find_loop(const std::string& op, const std::vector<int>& operands, DType dtype) const {
    std::vector<DType> dtypes;
    for (int v : operands) dtypes.push_back(values_[v].dtype);
    cpu::require_one_dtype(op, dtypes);
    const DType operand = dtypes.back();
    const DType result = op == "cast" ? dtype : cpu::dtype_inside(dtype);
    const bool fits = op == "cast" || operand == dtype || dtype == DType::kBool;
    const int found =
        fits ? entry_named(op, cpu::dtype_inside(operand), result, operands.size()) : -1;
    if (found >= 0) return found;
    throw cpu::no_loop("the device", op, operands.size(), operand, dtype);
  }

  static int entry_named(const std::string& op, DType operand, DType result, size_t arity) {
    for (int i = 0; i < kLoopNames.count; ++i) {
      const LoopEntry& entry = kLoopNames.entries[i];
      if (entry.operand == operand && entry.result == result &&
          entry.arity == static_cast<int>(arity) && op == entry.name) {
        return i;
      }
    }
    return -1;
  }

  void add_outputs() {
    for (int number : cpu::read_outputs(binding_, numbers_.size()))
      outputs_.push_back(numbers_[number]);
  }

  /// Gives registers to values, in program order; loads stand before the first use. Returns how
  /// many registers there are.
  int assign_slots() {
    std::vector<Planned> code;
    std::vector<bool> loaded(values_.size(), false);
    const auto need = [&](int v) {
      if (values_[v].input < 0 || loaded[v]) return;
      loaded[v] = true;
      code.push_back({-1, v, {}});
    };
    for (const Planned& planned : planned_) {
      for (int v : planned.in) need(v);
      code.push_back(planned);
    }
    for (int v : outputs_) need(v);
    planned_ = std::move(code);
    for (size_t i = 0; i < planned_.size(); ++i) {
      values_[planned_[i].out].last_use =
          std::max(values_[planned_[i].out].last_use, static_cast<int>(i));
      for (int v : planned_[i].in) values_[v].last_use = static_cast<int>(i);
    }
    for (int v : outputs_) values_[v].last_use = static_cast<int>(planned_.size());
    return color();
  }

  int color() {
    std::vector<int> free;
    int used = 0;
    for (size_t i = 0; i < planned_.size(); ++i) {
      // Before its operands' registers are free again: items of different sizes would overlap.
      Value& made = values_[planned_[i].out];
      if (free.empty()) {
        made.slot = used++;
      } else {
        made.slot = free.back();
        free.pop_back();
      }
      for (int v : planned_[i].in) release(v, i, free);
      release(planned_[i].out, i, free);
    }
    return std::max(1, used);
  }

  void release(int v, size_t position, std::vector<int>& free) const {
    const Value& value = values_[v];
    if (value.last_use != static_cast<int>(position)) return;
    if (std::find(free.begin(), free.end(), value.slot) == free.end()) free.push_back(value.slot);
  }

  std::shared_ptr<const Program> finish(int slots) {
    auto program = std::make_shared<Program>();
    int item = 4;
    for (const Value& value : values_) item = std::max(item, item_inside(value.dtype));
    const int64_t per_thread = int64_t{kPerThread} * item * slots;
    program->threads_ = kProgramThreads;
    while (program->threads_ * per_thread > kSharedBytes) program->threads_ /= 2;
    if (program->threads_ < kFewestThreads) return nullptr;
    program->slot_bytes_ = kPerThread * item * program->threads_;
    program->shared_bytes_ = int64_t{program->slot_bytes_} * slots;
    program->count_ = result_.count();
    program->inputs_ = static_cast<int>(inputs_.size());
    program->device_ = static_cast<QueuedDevice*>(&binding_.device());
    program->layouts_ = layouts_;
    program->layouts_on_device_ = upload(binding_.device(), layouts_.data(), layouts_.size());
    const std::vector<char> code = encode(*program);
    program->code_ = upload(binding_.device(), code.data(), code.size());
    if (sums_ < 0 && program->inputs_ + program->stores_ <= ManyMembers::kOperands) {
      program->form_ = "elementwise " + std::to_string(program->inputs_) + " inputs " +
                       std::to_string(program->stores_) + " outputs ";
      program->form_.append(code.begin(), code.end());
    }
    program->source_ = source(*program);
    program->compiled_ = program->compile(program->work());
    return program;
  }

  std::string source(const Program& program) const {
    SourceProgram source;
    for (const Type& type : inputs_) source.inputs.push_back(type.dtype);
    for (const Planned& planned : planned_) {
      if (planned.loop < 0) continue;
      const LoopEntry& entry = kLoopNames.entries[planned.loop];
      source.statements.push_back(
          {entry.name, entry.operand, entry.result, planned.out, planned.in});
    }
    source.outputs = outputs_;
    source.output_dtypes = program.output_dtypes_;
    source.joins = !program.form_.empty();
    source.sums = sums_;
    return source_of(source);
  }

  std::vector<char> encode(Program& program) {
    std::vector<char> code;
    const auto append = [&](const auto& part) {
      const char* const bytes = reinterpret_cast<const char*>(&part);
      code.insert(code.end(), bytes, bytes + sizeof part);
    };
    for (const Planned& planned : planned_) append(instruction(planned));
    for (int v : outputs_) {
      const DType dtype = values_[v].dtype;
      Store store;
      store.slot = values_[v].slot;
      store.item = static_cast<int>(item_bytes(dtype));
      store.half = dtype == DType::kFloat16;
      append(store);
      program.output_dtypes_.push_back(dtype);
    }
    program.instructions_ = static_cast<int>(planned_.size());
    program.stores_ = static_cast<int>(outputs_.size());
    return code;
  }

  Instruction instruction(const Planned& planned) const {
    Instruction made;
    made.loop = planned.loop;
    made.out = values_[planned.out].slot;
    const Value& out = values_[planned.out];
    if (planned.loop < 0) {
      made.input = out.input;
      made.memory_item = static_cast<int>(item_bytes(out.dtype));
      made.half = out.dtype == DType::kFloat16;
      return made;
    }
    for (int k = 0; k < 3; ++k) {
      const Value& in = values_[planned.in[std::min<size_t>(k, planned.in.size() - 1)]];
      made.in[k] = in.slot;
      made.in_item[k] = item_inside(in.dtype);
    }
    made.out_item = item_inside(out.dtype);
    return made;
  }

  const Binding& binding_;
  const Type result_;
  const std::vector<Type> inputs_;
  const int sums_;  // the input that is sums of rows, or -1
  std::vector<Value> values_;
  std::vector<Layout> layouts_;  // per input
  std::vector<Planned> planned_;
  std::vector<int> numbers_;  // of the program's values: inputs, then one per instruction
  std::vector<int> outputs_;
};

std::shared_ptr<const Program> Program::bind(const Binding& binding, const Type& result) {
  if (binding.outputs().empty()) cpu::refuse_program("a program must have an output.");
  return ProgramBuilder(binding, result, binding.inputs(), -1).build();
}

std::shared_ptr<const Program> Program::bind_on_sums(const Binding& binding,
                                                     const std::vector<Type>& inputs, int place) {
  return ProgramBuilder(binding, inputs[static_cast<size_t>(place)], inputs, place).build();
}

Compiler::Outcome Program::compile(int64_t work) const {
  if (work < kWorthCompiling) return {nullptr, "too little work to compile it"};
  return device_->compiler().compile(device_->queue(), source_);
}

/// The interpreter's threads share the memory for their values, so they may be few.
int Program::threads(const CompiledProgram* compiled) const {
  return compiled != nullptr ? kProgramThreads : threads_;
}

int64_t Program::tiles(const CompiledProgram* compiled) const {
  const int64_t size = int64_t{kPerThread} * threads(compiled);
  return (count_ + size - 1) / size;
}

static std::string manner_of(const Compiler::Outcome& compiled) {
  return compiled.program != nullptr ? "compiled" : "interpreted: " + compiled.reason;
}

std::string Program::manner() const { return manner_of(compiled_); }

template <class Members>
void Program::launch(const Queue& queue, int64_t tiles, const Members& members,
                     const CompiledProgram* compiled) const {
  if (compiled != nullptr) return compiled->launch(queue, tiles, threads(compiled), members);
  Interpret<Members> interpret = {};
  interpret.code = reinterpret_cast<const Instruction*>(code_->data());
  interpret.stores = reinterpret_cast<const Store*>(interpret.code + instructions_);
  interpret.instructions = instructions_;
  interpret.store_count = stores_;
  interpret.inputs = inputs_;
  interpret.slot_bytes = slot_bytes_;
  interpret.members = members;
  blocks(queue, tiles, threads_, shared_bytes_, interpret);
}

void Program::place(const void* const* in, void* const* out, OneMember& member) const {
  member.layouts = reinterpret_cast<const Layout*>(layouts_on_device_->data());
  member.count = count_;
  for (int i = 0; i < inputs_; ++i) member.operands[i] = const_cast<void*>(in[i]);
  std::copy(out, out + stores_, member.operands + inputs_);
}

void Program::run(const Queue& queue, const void* const* in, void* const* out) const {
  OneMember member = {};
  place(in, out, member);
  const CompiledProgram* const compiled = compiled_.program.get();
  launch(queue, tiles(compiled), member, compiled);
}

template <class T>
void Program::run_on_sums(const Queue& queue, const void* const* in, void* const* out,
                          int sums_place, const RowSums& sums) const {
  ScatterMember<T> member = {};
  place(in, out, member);
  member.place = sums_place;
  member.sums = sums;
  const CompiledProgram* const compiled = compiled_.program.get();
  launch(queue, tiles(compiled), member, compiled);
}
template void Program::run_on_sums<float>(const Queue&, const void* const*, void* const*, int,
                                          const RowSums&) const;
template void Program::run_on_sums<double>(const Queue&, const void* const*, void* const*, int,
                                           const RowSums&) const;

// --- several programs at once ---

JoinedPrograms::JoinedPrograms(std::vector<std::shared_ptr<const Program>> programs)
    : programs_(std::move(programs)) {
  std::vector<Layout> layouts;
  std::vector<int64_t> counts;
  int64_t work = 0;
  for (const auto& program : programs_) {
    work += program->work();
    layouts.insert(layouts.end(), program->layouts_.begin(), program->layouts_.end());
    counts.push_back(program->count_);
  }
  Device& device = *programs_[0]->device_;
  layouts_ = upload(device, layouts.data(), layouts.size());
  counts_ = upload(device, counts.data(), counts.size());
  compiled_ = programs_[0]->compile(work);
}

const void* JoinedPrograms::address(const void* const* in, void* const* out, size_t member,
                                    int operand) const {
  const auto inputs = static_cast<size_t>(programs_[0]->inputs_);
  const auto outputs = static_cast<size_t>(programs_[0]->stores_);
  const auto number = static_cast<size_t>(operand);
  return number < inputs ? in[member * inputs + number] : out[member * outputs + number - inputs];
}

/// An address that all members have stands once, and one that a member has twice, because it writes
/// where it reads, stands once for the member.
JoinedPrograms::Places JoinedPrograms::places_of(const void* const* in, void* const* out) const {
  const int operands = programs_[0]->inputs_ + programs_[0]->stores_;
  const auto all_equal = [&](auto one, auto other) {
    for (size_t member = 0; member < programs_.size(); ++member) {
      if (one(member) != other(member)) return false;
    }
    return true;
  };
  Places places;
  for (int k = 0; k < operands; ++k) {
    const auto own = [&](size_t member) { return address(in, out, member, k); };
    ManyMembers::Place place = {-1, 0};
    for (int before = 0; before < k && place.first < 0; ++before) {
      if (all_equal(own, [&](size_t member) { return address(in, out, member, before); }))
        place = places.of[static_cast<size_t>(before)];
    }
    if (place.first < 0) {
      const bool shared = all_equal(own, [&](size_t) { return own(0); });
      place.step = shared ? 0 : 1;
      place.first = static_cast<int16_t>(shared ? places.shared++ : places.own++);
    }
    places.of.push_back(place);
  }
  return places;
}

/// Shared addresses stand first, then those of each member.
ManyMembers JoinedPrograms::members_of(size_t first, size_t count, const Places& places,
                                       const void* const* in, void* const* out) const {
  ManyMembers made = {};
  const auto inputs = static_cast<size_t>(programs_[0]->inputs_);
  made.layouts = reinterpret_cast<const Layout*>(layouts_->data()) + first * inputs;
  made.counts = reinterpret_cast<const int64_t*>(counts_->data()) + first;
  made.members = static_cast<int32_t>(count);
  made.inputs = static_cast<int32_t>(inputs);
  int64_t tile = 0;
  for (size_t member = 0; member < count; ++member) {
    made.first_tiles[member] = static_cast<int32_t>(tile);
    tile += programs_[first + member]->tiles(compiled_.program.get());
  }
  for (size_t k = 0; k < places.of.size(); ++k) {
    ManyMembers::Place place = places.of[k];
    if (place.step != 0) {
      place.first = static_cast<int16_t>(place.first + places.shared);
      place.step = static_cast<int16_t>(places.own);
    }
    made.places[k] = place;
    for (size_t member = 0; member < count; ++member) {
      made.addresses[place.first + static_cast<int>(member) * place.step] =
          const_cast<void*>(address(in, out, first + member, static_cast<int>(k)));
    }
  }
  return made;
}

std::string JoinedPrograms::manner() const {
  return std::to_string(programs_.size()) + " steps of one program at once, " +
         manner_of(compiled_);
}

void JoinedPrograms::run(const Queue& queue, const void* const* in, void* const* out) const {
  constexpr int64_t most_tiles = int64_t{1} << 31;
  const CompiledProgram* const compiled = compiled_.program.get();
  const Places places = places_of(in, out);
  const int room = (ManyMembers::kAddresses - places.shared) / std::max(1, places.own);
  const auto most = static_cast<size_t>(std::min(room, ManyMembers::kMost));
  for (size_t first = 0; first < programs_.size();) {
    size_t last = first;
    int64_t tiles = 0;
    while (last < programs_.size() && last - first < most &&
           (last == first || tiles + programs_[last]->tiles(compiled) < most_tiles)) {
      tiles += programs_[last++]->tiles(compiled);
    }
    programs_[0]->launch(queue, tiles, members_of(first, last - first, places, in, out), compiled);
    first = last;
  }
}

namespace {

class JoinedSteps final : public Step {
 public:
  JoinedSteps(const Queue& queue, std::vector<std::shared_ptr<const Program>> programs)
      : queue_(queue), programs_(std::move(programs)) {}

  Status run(const Operands& operands, ThreadPool&) override {
    programs_.run(queue_, operands.in, operands.out);
    return Status();
  }
  std::string manner() const override { return "elementwise, " + programs_.manner(); }

 private:
  const Queue queue_;
  const JoinedPrograms programs_;
};

class ElementwiseStep final : public Step {
 public:
  ElementwiseStep(const Queue& queue, std::shared_ptr<const Program> program)
      : queue_(queue), program_(std::move(program)) {}

  Status run(const Operands& operands, ThreadPool&) override {
    program_->run(queue_, operands.in, operands.out);
    return Status();
  }
  std::string manner() const override { return "elementwise, " + program_->manner(); }
  std::string form() const override { return program_->form(); }
  std::unique_ptr<Step> join(const std::vector<const Step*>& steps) const override {
    std::vector<std::shared_ptr<const Program>> programs;
    for (const Step* step : steps) {
      programs.push_back(static_cast<const ElementwiseStep*>(step)->program_);
    }
    return std::make_unique<JoinedSteps>(queue_, std::move(programs));
  }

 private:
  const Queue queue_;
  const std::shared_ptr<const Program> program_;
};

std::unique_ptr<Step> bind_elementwise(Binding& binding) {
  if (binding.outputs().empty()) cpu::refuse_program("a program must have an output.");
  const Type& result = binding.outputs()[0];
  const auto program = Program::bind(binding, result);
  if (program == nullptr) return nullptr;
  for (size_t i = 0; i < binding.outputs().size(); ++i) {
    const Type& type = binding.outputs()[i];
    if (type.rank != result.rank || !std::equal(type.shape, type.shape + type.rank, result.shape) ||
        type.dtype != program->output_dtype(i)) {
      cpu::refuse_program("the outputs must have one shape and the dtypes of their values.");
    }
  }
  return std::make_unique<ElementwiseStep>(queue_of(binding), program);
}

const KernelEntry entry("elementwise", bind_elementwise);

}  // namespace
}  // namespace symk::cuda
