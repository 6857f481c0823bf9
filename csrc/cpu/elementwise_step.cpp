// The kernel `elementwise`: a program of elementwise ops, run over tiles that stay in the first
// cache. Each instruction is one pass of a loop of elementwise.h over a tile. Inputs as large as
// the result are read where they lie, outputs are written where they shall lie; the rest stands in
// registers, which are pieces of scratch memory, one tile long.
//
// float16 values are float32 inside a program, rounded to float16 after every instruction that
// makes one.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "cpu/dispatch.h"
#include "cpu/elementwise.h"
#include "runtime/error.h"
#include "runtime/kernel.h"

namespace symk::cpu {
namespace {

// A register is short, so that loads from memory and arithmetic alternate often enough to overlap,
// and all of them together take a third of a first-level cache: the rest is for what is fetched
// ahead.
constexpr int64_t kRegisterBytes = 1536, kAllRegistersBytes = 16 * 1024;
constexpr int64_t kSmallestTile = 64;
constexpr int64_t kFetchedBytes =
    1024 * 1024;  // from here on memory is fetched ahead: no longer in a second-level cache
constexpr int64_t kCacheLine = 64;
constexpr int64_t kSmallestPart =
    16 * 1024;  // elements: some microseconds, far above the cost of waking a thread
constexpr int64_t kMostParts = 64;  // each part has registers of its own
constexpr int64_t kAlignment = 64;

int64_t round_up(int64_t x, int64_t multiple) { return (x + multiple - 1) / multiple * multiple; }

[[noreturn]] void refuse(const std::string& text) {
  throw Error(ErrorCode::kFormat, "[elementwise] " + text);
}

const char* const kDTypeNames[kDTypeCount] = {"float32", "float64", "float16", "int8", "int16",
                                              "int32",   "int64",   "uint8",   "bool"};

DType dtype_named(const std::string& name) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (name == kDTypeNames[i]) return static_cast<DType>(i);
  }
  refuse("a dtype must be one of float32, ..., bool; the program says \"" + name + "\".");
}
std::string name_of(DType dtype) { return kDTypeNames[static_cast<int>(dtype)]; }

/// How an operand is laid over the result: axes from the outermost, neighbours joined where
/// possible.
struct Layout {
  int rank = 0;
  int64_t size[kMaxRank], stride[kMaxRank];  // in elements; a repeated axis has stride 0

  bool dense() const { return rank == 0 || (rank == 1 && stride[0] == 1); }

  /// The least number of elements after which the operand repeats.
  int64_t period() const {
    int64_t n = 1;
    for (int i = rank > 0 && stride[0] == 0 ? 1 : 0; i < rank; ++i) n *= size[i];
    return n;
  }
};

Layout layout_of(const Type& operand, const Type& result) {
  if (operand.rank > result.rank) refuse("inputs must broadcast to the shape of the outputs.");
  int64_t stride[kMaxRank], step = 1;
  for (int i = result.rank - 1; i >= 0; --i) {
    const int axis = i - (result.rank - operand.rank);
    const int64_t size = axis < 0 ? 1 : operand.shape[axis];
    if (size != 1 && size != result.shape[i])
      refuse("inputs must broadcast to the shape of the outputs.");
    stride[i] = size == 1 ? 0 : step;
    step *= size;
  }
  Layout layout;
  for (int i = 0; i < result.rank; ++i) {
    if (result.shape[i] == 1) continue;
    const int last = layout.rank - 1;
    if (last >= 0 && layout.stride[last] == stride[i] * result.shape[i]) {
      layout.size[last] *= result.shape[i];
      layout.stride[last] = stride[i];
    } else {
      layout.size[layout.rank] = result.shape[i];
      layout.stride[layout.rank++] = stride[i];
    }
  }
  return layout;
}

/// What stands for a value while a tile is computed.
struct Value {
  enum Place {
    kInput,     // an input's memory
    kRepeated,  // a register that holds the same for every tile, filled at the start
    kGathered,  // a register filled for every tile, or the input's memory where the tile is one run
                // of it
    kRegister,  // a register that an instruction writes
    kOutput,  // an output's memory, or a register when that memory is still to be read as an input
  } place = kRegister;
  DType dtype = DType::kFloat32;
  int item = 4;       // bytes of an element
  int operand = 0;    // number of the input or output
  int slot = -1;      // its register
  int made = -1;      // the instruction that writes it
  int last_use = -1;  // the last instruction that reads it
  Layout layout;
};

struct Instruction {
  Loop loop;
  int arity;
  int in[3];
  int out;
};

/// A program bound to shapes.
class ElementwiseStep : public Step {
 public:
  Status run(const Operands& operands, ThreadPool& pool) override {
    if (count_ == 0) return {};
    if (parts_ == 1) {
      run_part(operands, 0);
    } else {
      pool.parallel(parts_, [&](int64_t part) { run_part(operands, part); });
    }
    return {};
  }

 private:
  friend class Program;

  void run_part(const Operands& operands, int64_t part) const {
    char* region = static_cast<char*>(operands.scratch) + part * region_bytes_;
    const void** at = reinterpret_cast<const void**>(region);  // where each value stands
    char* registers = region + registers_offset_;
    place_values(operands, registers, at);
    const int64_t end = std::min(count_, (part + 1) * part_size_);
    for (int64_t start = part * part_size_; start < end; start += tile_) {
      run_tile(operands, registers, at, start, std::min(tile_, end - start));
    }
  }

  /// What does not change from tile to tile.
  void place_values(const Operands& operands, char* registers, const void** at) const {
    for (size_t v = 0; v < values_.size(); ++v) {
      const Value& value = values_[v];
      at[v] = value.slot < 0 ? nullptr : registers + value.slot * slot_bytes_;
      if (value.place == Value::kRepeated) {
        const int64_t period = value.layout.period(), filled = std::min(tile_, count_);
        char* to = registers + value.slot * slot_bytes_;
        if (period == 1) {
          kernels_->fill(to, operands.in[value.operand], value.item, filled);
        } else {
          gather(value, operands.in[value.operand], to, 0, filled);
        }
      }
    }
  }

  void run_tile(const Operands& operands, char* registers, const void** at, int64_t start,
                int64_t n) const {
    for (int v : moving_) {
      const Value& value = values_[v];
      if (value.place == Value::kOutput) {
        if (!is_staged(operands, value))
          at[v] = static_cast<char*>(operands.out[value.operand]) + start * value.item;
      } else if (value.place == Value::kInput) {
        at[v] = static_cast<const char*>(operands.in[value.operand]) + start * value.item;
      } else {
        at[v] = gathered(value, operands.in[value.operand], registers + value.slot * slot_bytes_,
                         start, n);
      }
    }
    const bool fetches = fetches_ && start + 2 * n <= count_;
    const int64_t share =
        (n + static_cast<int64_t>(program_.size()) - 1) / static_cast<int64_t>(program_.size());
    int64_t fetched = 0;
    for (const Instruction& i : program_) {
      if (fetches) fetch(at, n + fetched, share);
      fetched += share;
      const void* in[3] = {at[i.in[0]], at[i.in[1]], at[i.in[2]]};
      i.loop(in, const_cast<void*>(at[i.out]), n);
    }
    for (int v : outputs_) {
      const Value& value = values_[v];
      if (!is_staged(operands, value)) continue;
      std::memcpy(static_cast<char*>(operands.out[value.operand]) + start * value.item, at[v],
                  n * value.item);
    }
  }

  /// Asks for the memory of n elements, `ahead` of the present tile. Each instruction does so for
  /// its share of the next tile.
  void fetch(const void* const* at, int64_t ahead, int64_t n) const {
    for (int v : moving_) {
      const Value& value = values_[v];
      if (value.place == Value::kGathered) continue;
      const char* from = static_cast<const char*>(at[v]) + ahead * value.item;
      for (int64_t k = 0; k < n * value.item; k += kCacheLine) __builtin_prefetch(from + k);
    }
  }

  /// True if an output lies over an input that a later instruction still reads.
  bool is_staged(const Operands& operands, const Value& output) const {
    for (const Value& value : values_) {
      if (value.place == Value::kInput && value.last_use > output.made &&
          operands.in[value.operand] == operands.out[output.operand]) {
        return true;
      }
    }
    return false;
  }

  /// The operand's elements for [start, start + n) of the result, in memory if they lie there in
  /// one run.
  const void* gathered(const Value& value, const void* memory, char* to, int64_t start,
                       int64_t n) const {
    const Layout& layout = value.layout;
    const int inner = layout.rank - 1;
    const int64_t column = start % layout.size[inner];
    if (layout.stride[inner] == 1 && column + n <= layout.size[inner]) {
      int64_t offset = column, rest = start / layout.size[inner];
      for (int i = inner - 1; i >= 0; --i) {
        offset += rest % layout.size[i] * layout.stride[i];
        rest /= layout.size[i];
      }
      return static_cast<const char*>(memory) + offset * value.item;
    }
    gather(value, memory, to, start, n);
    return to;
  }

  void gather(const Value& value, const void* memory, char* to, int64_t start, int64_t n) const {
    const Layout& layout = value.layout;
    const int inner = layout.rank - 1;
    int64_t index[kMaxRank], offset = 0, rest = start;
    for (int i = inner; i >= 0; --i) {
      index[i] = rest % layout.size[i];
      rest /= layout.size[i];
      offset += index[i] * layout.stride[i];
    }
    while (n > 0) {
      const int64_t run = std::min(n, layout.size[inner] - index[inner]);
      const char* from = static_cast<const char*>(memory) + offset * value.item;
      if (layout.stride[inner] == 1) {
        std::memcpy(to, from, run * value.item);
      } else {
        kernels_->fill(to, from, value.item, run);
      }
      to += run * value.item;
      n -= run;
      offset -= index[inner] * layout.stride[inner];
      index[inner] = 0;
      for (int i = inner - 1; i >= 0; --i) {
        offset += layout.stride[i];
        if (++index[i] < layout.size[i]) break;
        offset -= layout.size[i] * layout.stride[i];
        index[i] = 0;
      }
    }
  }

  const ElementwiseKernels* kernels_ = nullptr;
  std::vector<Value> values_;
  std::vector<Instruction> program_;
  std::vector<int> moving_;   // values whose place changes from tile to tile
  std::vector<int> outputs_;  // one value per output
  int64_t count_ = 0, tile_ = 0, part_size_ = 0, parts_ = 1;
  int64_t slot_bytes_ = 0, registers_offset_ = 0, region_bytes_ = 0;
  bool fetches_ = false;
};

/// Turns the attributes into a step.
class Program {
 public:
  explicit Program(Binding& binding)
      : binding_(binding), step_(std::make_unique<ElementwiseStep>()) {
    step_->kernels_ = &kernels<ElementwiseKernels>();
    result_ = binding.outputs().at(0);
    step_->count_ = result_.count();
  }

  std::unique_ptr<Step> build() {
    add_inputs();
    add_instructions();
    add_outputs();
    find_last_uses();
    choose_tile();
    assign_registers();
    choose_parts();
    return std::move(step_);
  }

 private:
  const Value& value(int v) const { return step_->values_[v]; }

  int add_value(DType dtype, Value::Place place, int item) {
    Value value;
    value.place = place;
    value.dtype = dtype;
    value.item = item;
    step_->values_.push_back(value);
    return static_cast<int>(step_->values_.size()) - 1;
  }
  /// The item of a dtype as instructions see it.
  static int item_inside(DType dtype) {
    return static_cast<int>(item_bytes(dtype == DType::kFloat16 ? DType::kFloat32 : dtype));
  }

  /// An instruction that makes a new value.
  int emit(Loop loop, const std::vector<int>& operands, DType dtype) {
    Instruction instruction{loop, static_cast<int>(operands.size()), {}, 0};
    // Operands that an op does not have repeat the first, so that a tile need not ask.
    for (size_t i = 0; i < 3; ++i) instruction.in[i] = operands[i < operands.size() ? i : 0];
    instruction.out = add_value(dtype, Value::kRegister, item_inside(dtype));
    step_->values_[instruction.out].made = static_cast<int>(step_->program_.size());
    step_->program_.push_back(instruction);
    return instruction.out;
  }

  void add_inputs() {
    for (size_t i = 0; i < binding_.inputs().size(); ++i) {
      const Type& type = binding_.inputs()[i];
      const int v = add_value(type.dtype, Value::kInput, static_cast<int>(item_bytes(type.dtype)));
      Value& added = step_->values_[v];
      added.operand = static_cast<int>(i);
      added.layout = layout_of(type, result_);
      if (!added.layout.dense()) added.place = Value::kGathered;
      numbers_.push_back(v);
    }
    // Values of the program are numbered from the inputs on; what stands for a float16 input is its
    // widened form.
    for (int& v : numbers_) {
      if (value(v).dtype == DType::kFloat16)
        v = emit(step_->kernels_->widen_half, {v}, DType::kFloat16);
    }
  }

  void add_instructions() {
    const std::vector<std::string> ops = binding_.texts("ops"), dtypes = binding_.texts("dtypes");
    const std::vector<int64_t> arity = binding_.integers("arity"), args = binding_.integers("args");
    if (dtypes.size() != ops.size() || arity.size() != ops.size())
      refuse("`ops`, `dtypes` and `arity` must be equally long.");
    size_t next = 0;
    for (size_t i = 0; i < ops.size(); ++i) {
      if (arity[i] < 1 || arity[i] > 3)
        refuse("an op must have 1 to 3 operands; \"" + ops[i] + "\" has others.");
      std::vector<int> operands;
      for (int64_t k = 0; k < arity[i]; ++k, ++next) operands.push_back(number(args, next));
      numbers_.push_back(add_instruction(ops[i], operands, dtype_named(dtypes[i])));
    }
    if (next != args.size()) refuse("`args` must hold as many numbers as `arity` says.");
  }

  /// The value that a number of the program stands for.
  int number(const std::vector<int64_t>& list, size_t position) const {
    if (position >= list.size()) refuse("`args` must hold as many numbers as `arity` says.");
    const int64_t number = list[position];
    if (number < 0 || number >= static_cast<int64_t>(numbers_.size())) {
      refuse("a value must be made before it is used; there is none of number " +
             std::to_string(number) + " yet.");
    }
    return numbers_[number];
  }

  int add_instruction(const std::string& op, const std::vector<int>& operands, DType dtype) {
    const ElementwiseKernels& table = *step_->kernels_;
    if (op == "cast") {
      if (operands.size() != 1) refuse("cast must have one operand.");
      return emit(table.casts[static_cast<int>(value(operands[0]).dtype)][static_cast<int>(dtype)],
                  operands, dtype);
    }
    const int made = emit(find_loop(op, operands, dtype), operands, dtype);
    // What copies numbers that float16 has needs no rounding.
    const bool exact = op == "where" || op == "neg" || op == "abs" || op == "maximum" ||
                       op == "minimum" || op == "relu";
    if (dtype != DType::kFloat16 || exact) return made;
    return emit(table.round_half, {made}, dtype);
  }

  Loop find_loop(const std::string& op, const std::vector<int>& operands, DType dtype) const {
    const ElementwiseKernels& table = *step_->kernels_;
    const DType operand = value(operands.back()).dtype;
    for (size_t i = 0; i < operands.size(); ++i) {
      const DType wanted = op == "where" && i == 0 ? DType::kBool : operand;
      if (value(operands[i]).dtype != wanted) {
        refuse("operands of " + op + " must have one dtype; got " +
               name_of(value(operands[i]).dtype) + " and " + name_of(wanted) + ".");
      }
    }
    const DType inside = operand == DType::kFloat16 ? DType::kFloat32 : operand;
    const DType result = dtype == DType::kFloat16 ? DType::kFloat32 : dtype;
    for (int i = 0; i < table.loop_count; ++i) {
      const LoopEntry& entry = table.loops[i];
      if (entry.operand == inside && entry.result == result &&
          entry.arity == static_cast<int>(operands.size()) && op == entry.name &&
          (operand == dtype || dtype == DType::kBool)) {
        return entry.loop;
      }
    }
    throw Error(ErrorCode::kDevice, "[elementwise] the CPU has no loop for " + op + " of " +
                                        std::to_string(operands.size()) + " operands from " +
                                        name_of(operand) + " to " + name_of(dtype) + ".");
  }

  void add_outputs() {
    const std::vector<int64_t> outs = binding_.integers("outs");
    if (outs.size() != binding_.outputs().size()) refuse("`outs` must name one value per output.");
    for (size_t i = 0; i < outs.size(); ++i) {
      const Type& type = binding_.outputs()[i];
      int v = number(outs, i);
      if (type.dtype != value(v).dtype) {
        refuse("an output must have the dtype of its value; got " + name_of(type.dtype) + " for " +
               name_of(value(v).dtype) + ".");
      }
      if (type.rank != result_.rank ||
          !std::equal(type.shape, type.shape + type.rank, result_.shape)) {
        refuse("the outputs must have one shape.");
      }
      if (type.dtype == DType::kFloat16) {
        v = emit(step_->kernels_->narrow_half, {v}, type.dtype);
        step_->values_[v].item = 2;
      } else if (value(v).place != Value::kRegister) {
        v = emit(copy_loop(type.dtype), {v}, type.dtype);  // an input, or what is an output already
      }
      step_->values_[v].place = Value::kOutput;
      step_->values_[v].operand = static_cast<int>(i);
      step_->outputs_.push_back(v);
    }
  }

  Loop copy_loop(DType dtype) const {
    return step_->kernels_->casts[static_cast<int>(dtype)][static_cast<int>(dtype)];
  }

  void find_last_uses() {
    for (size_t i = 0; i < step_->program_.size(); ++i) {
      for (int v : step_->program_[i].in) step_->values_[v].last_use = static_cast<int>(i);
    }
  }

  /// As long as the registers stay in the cache, and a multiple of the periods of repeated inputs,
  /// so that such an input stands in its register once for all tiles.
  void choose_tile() {
    int64_t item = 1;
    for (const Value& v : step_->values_) item = std::max<int64_t>(item, v.item);
    const int64_t slots = std::max<int64_t>(1, assign_registers());
    int64_t tile = std::min(kRegisterBytes, kAllRegistersBytes / slots) / item;
    tile = std::max(tile / kSmallestTile * kSmallestTile, kSmallestTile);
    if (is_straight()) tile = kSmallestPart;
    if (tile >= step_->count_) {
      step_->tile_ = std::max<int64_t>(1, step_->count_);
    } else {
      step_->tile_ = tile / common_period(tile) * common_period(tile);
    }
    for (Value& v : step_->values_) {
      if (v.place == Value::kGathered &&
          (step_->tile_ >= step_->count_ || step_->tile_ % v.layout.period() == 0)) {
        v.place = Value::kRepeated;
      }
    }
    step_->slot_bytes_ = is_straight() ? 0 : round_up(step_->tile_ * item, kAlignment);
  }

  /// One instruction from memory to memory: it needs neither registers nor tiles.
  bool is_straight() const {
    auto in_memory = [](const Value& v) {
      return v.place == Value::kInput || v.place == Value::kOutput;
    };
    return step_->program_.size() == 1 &&
           std::all_of(step_->values_.begin(), step_->values_.end(), in_memory);
  }

  /// The least common multiple of the periods that a tile can hold.
  int64_t common_period(int64_t tile) const {
    int64_t common = 1;
    for (const Value& v : step_->values_) {
      if (v.place != Value::kGathered) continue;
      const int64_t period = v.layout.period(),
                    joined = period > tile ? 0 : std::lcm(common, period);
      if (joined > 0 && joined <= tile) common = joined;
    }
    return common;
  }

  /// Gives each value that needs a register a free one, in program order; returns how many there
  /// are.
  int64_t assign_registers() {
    std::vector<int> free;
    int64_t used = 0;
    auto take = [&] {
      if (free.empty()) return static_cast<int>(used++);
      const int slot = free.back();
      free.pop_back();
      return slot;
    };
    for (Value& v : step_->values_) {
      if (v.made < 0 && v.place != Value::kInput) v.slot = take();
    }
    for (size_t i = 0; i < step_->program_.size(); ++i) {
      Value& made = step_->values_[step_->program_[i].out];
      // Before its operands' registers are free again: loops over items of different sizes may not
      // overlap.
      made.slot = take();
      for (int v : step_->program_[i].in) {
        Value& read = step_->values_[v];
        if (read.place == Value::kRegister && read.last_use == static_cast<int>(i) &&
            read.made >= 0) {
          if (std::find(free.begin(), free.end(), read.slot) == free.end())
            free.push_back(read.slot);
        }
      }
    }
    return used;
  }

  void choose_parts() {
    ElementwiseStep& step = *step_;
    int64_t item_total = 0;
    for (size_t v = 0; v < step.values_.size(); ++v) {
      const Value::Place place = step.values_[v].place;
      if (place != Value::kInput && place != Value::kGathered && place != Value::kOutput) continue;
      step.moving_.push_back(static_cast<int>(v));
      item_total += step.values_[v].item;
    }
    step.fetches_ = step.program_.size() > 1 && item_total * step.count_ > kFetchedBytes;
    const int64_t size = std::max(kSmallestPart, (step.count_ + kMostParts - 1) / kMostParts);
    step.part_size_ = round_up(size, step.tile_);
    step.parts_ = std::max<int64_t>(1, (step.count_ + step.part_size_ - 1) / step.part_size_);
    step.registers_offset_ =
        round_up(static_cast<int64_t>(step.values_.size() * sizeof(void*)), kAlignment);
    step.region_bytes_ = step.registers_offset_ + assign_registers() * step.slot_bytes_;
    binding_.need_scratch(step.parts_ * step.region_bytes_);
  }

  Binding& binding_;
  std::unique_ptr<ElementwiseStep> step_;
  Type result_;
  std::vector<int> numbers_;  // of the program's values: inputs, then one per instruction
};

std::unique_ptr<Step> bind(Binding& binding) {
  if (binding.outputs().empty()) refuse("a program must have an output.");
  return Program(binding).build();
}

const KernelEntry entry("elementwise", &bind);

}  // namespace
}  // namespace symk::cpu
