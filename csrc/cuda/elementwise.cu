// The interpreter of elementwise programs, and the kernel `elementwise`.
#include <algorithm>
#include <cstring>
#include <string>

#include "cpu/program_text.h"
#include "cuda/loops.h"
#include "cuda/program.h"

namespace symk::cuda {
namespace {

constexpr int kMostOperands = 64;
constexpr int kMostThreads = 256, kFewestThreads = 32;
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
  cpu::OperandLayout layout;
};

struct Store {
  int32_t slot = 0, item = 4, half = 0, unused = 0;
};

struct Pointers {
  const void* in[kMostOperands];
  void* out[kMostOperands];
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

SYMK_HD int64_t offset_of(const cpu::OperandLayout& layout, int64_t index) {
  if (layout.rank == 0) return 0;
  int64_t offset = 0;
  for (int axis = layout.rank - 1; axis > 0; --axis) {
    const int64_t size = layout.size[axis];
    offset += index % size * layout.stride[axis];
    index /= size;
  }
  return offset + index * layout.stride[0];
}

struct Interpret {
  const Instruction* code;
  const Store* stores;
  int instructions, store_count, slot_bytes;
  int64_t count;
  Pointers pointers;

  SYMK_HD void operator()(int64_t block) const {
    char* const registers = shared_memory<char>();
    const int64_t first = block * kPerThread * blockDim.x + threadIdx.x;
    for (int i = 0; i < instructions; ++i) {
      const Instruction& step = code[i];
      if (step.loop < 0) {
        load(step, registers + int64_t{step.out} * slot_bytes, first);
        continue;
      }
      kLoops.entries[step.loop].loop(
          own(registers, step.out, step.out_item), own(registers, step.in[0], step.in_item[0]),
          own(registers, step.in[1], step.in_item[1]), own(registers, step.in[2], step.in_item[2]));
    }
    for (int i = 0; i < store_count; ++i) {
      store(stores[i], registers + int64_t{stores[i].slot} * slot_bytes, pointers.out[i], first);
    }
  }

  /// The first element of this thread in a register.
  SYMK_HD char* own(char* registers, int slot, int item) const {
    return registers + int64_t{slot} * slot_bytes + int64_t{item} * threadIdx.x;
  }

  SYMK_HD void load(const Instruction& step, char* slot, int64_t first) const {
    const char* const memory = static_cast<const char*>(pointers.in[step.input]);
    for (int e = 0, lane = threadIdx.x; e < kPerThread; ++e, lane += blockDim.x) {
      const int64_t index = first + int64_t{e} * blockDim.x;
      if (index >= count) return;
      const char* const from = memory + offset_of(step.layout, index) * step.memory_item;
      if (step.half != 0) {
        reinterpret_cast<float*>(slot)[lane] =
            math::half_to_float(*reinterpret_cast<const uint16_t*>(from));
      } else {
        copy_item(slot + int64_t{lane} * step.memory_item, from, step.memory_item);
      }
    }
  }

  SYMK_HD void store(const Store& step, const char* slot, void* out, int64_t first) const {
    for (int e = 0, lane = threadIdx.x; e < kPerThread; ++e, lane += blockDim.x) {
      const int64_t index = first + int64_t{e} * blockDim.x;
      if (index >= count) return;
      if (step.half != 0) {
        static_cast<uint16_t*>(out)[index] =
            math::float_to_half(reinterpret_cast<const float*>(slot)[lane]);
      } else {
        copy_item(static_cast<char*>(out) + index * step.item, slot + int64_t{lane} * step.item,
                  step.item);
      }
    }
  }
};

/// The item of a dtype in registers.
int item_inside(DType dtype) {
  return static_cast<int>(item_bytes(cpu::dtype_inside(dtype)));
}

}  // namespace

/// Turns the attributes into instructions.
class ProgramBuilder {
 public:
  ProgramBuilder(const Binding& binding, const Type& result) : binding_(binding), result_(result) {}

  std::shared_ptr<const Program> build() {
    if (binding_.inputs().size() > kMostOperands || binding_.outputs().size() > kMostOperands) {
      return nullptr;
    }
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
    for (size_t i = 0; i < binding_.inputs().size(); ++i) {
      Value value;
      value.dtype = binding_.inputs()[i].dtype;
      value.input = static_cast<int>(i);
      layouts_.push_back(cpu::layout_of(binding_.inputs()[i], result_));
      numbers_.push_back(add(value));
    }
  }

  int add(const Value& value) {
    values_.push_back(value);
    return static_cast<int>(values_.size()) - 1;
  }

  void add_instructions() {
    for (const cpu::ProgramOp& op : cpu::read_ops(binding_)) {
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
    program->threads_ = kMostThreads;
    while (program->threads_ * per_thread > kSharedBytes) program->threads_ /= 2;
    if (program->threads_ < kFewestThreads) return nullptr;
    program->slot_bytes_ = kPerThread * item * program->threads_;
    program->shared_bytes_ = int64_t{program->slot_bytes_} * slots;
    program->count_ = result_.count();
    program->inputs_ = static_cast<int>(binding_.inputs().size());
    const std::vector<char> code = encode(*program);
    program->code_ = upload(binding_.device(), code.data(), code.size());
    return program;
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
      made.layout = layouts_[out.input];
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
  std::vector<Value> values_;
  std::vector<cpu::OperandLayout> layouts_;  // per input
  std::vector<Planned> planned_;
  std::vector<int> numbers_;  // of the program's values: inputs, then one per instruction
  std::vector<int> outputs_;
};

std::shared_ptr<const Program> Program::bind(const Binding& binding, const Type& result) {
  if (binding.outputs().empty()) cpu::refuse_program("a program must have an output.");
  return ProgramBuilder(binding, result).build();
}

void Program::run(const Queue& queue, const void* const* in, void* const* out) const {
  Interpret interpret = {};
  interpret.code = reinterpret_cast<const Instruction*>(code_->data());
  interpret.stores = reinterpret_cast<const Store*>(interpret.code + instructions_);
  interpret.instructions = instructions_;
  interpret.store_count = stores_;
  interpret.slot_bytes = slot_bytes_;
  interpret.count = count_;
  std::copy(in, in + inputs_, interpret.pointers.in);
  std::copy(out, out + stores_, interpret.pointers.out);
  const int64_t tile = int64_t{kPerThread} * threads_;
  blocks(queue, (count_ + tile - 1) / tile, threads_, shared_bytes_, interpret);
}

namespace {

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
  return make_step(binding, [program](const Queue& queue, const Operands& operands) {
    program->run(queue, operands.in, operands.out);
  });
}

const KernelEntry entry("elementwise", bind_elementwise);

}  // namespace
}  // namespace symk::cuda
