// Binds elementwise programs; what they are is said in program.h, and program_tiles_step.cpp runs
// them.
#include "cpu/program.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "cpu/dispatch.h"
#include "cpu/loops.h"
#include "runtime/error.h"
#include "runtime/memory.h"

namespace symk::cpu {
namespace {

// A register is short, so that loads from memory and arithmetic alternate often enough to overlap,
// and all of them together take a third of a first-level cache: the rest is for what is fetched
// ahead.
constexpr int64_t kRegisterBytes = 1536, kAllRegistersBytes = 16 * 1024;
// A program of one instruction has only registers that repeat a number. They are long: each tile
// costs as much as a dozen vectors.
constexpr int64_t kRepeatedBytes = 8 * 1024;
constexpr int64_t kSmallestTile = 64;
constexpr int64_t kFetchedBytes =
    1024 * 1024;  // from here on memory is fetched ahead: no longer in a second-level cache

int64_t round_up(int64_t x, int64_t multiple) { return (x + multiple - 1) / multiple * multiple; }

}  // namespace

/// Turns the attributes into a program.
class TileProgramBuilder {
 public:
  TileProgramBuilder(const Binding& binding, const TileProgramForm& form)
      : binding_(binding), form_(form) {
    program_.kernels_ = &kernels<ElementwiseKernels>();
    program_.count_ = form.result.count();
  }

  TileProgram build() {
    add_inputs();
    add_instructions();
    add_outputs();
    join_instructions();
    find_last_uses();
    choose_tile();
    lay_out();
    return std::move(program_);
  }

 private:
  const ProgramValue& value(int v) const { return program_.values_[v]; }

  int add_value(DType dtype, ProgramValue::Place place, int item) {
    ProgramValue value;
    value.place = place;
    value.dtype = dtype;
    value.item = item;
    program_.values_.push_back(value);
    return static_cast<int>(program_.values_.size()) - 1;
  }
  /// The item of a dtype as instructions see it.
  static int item_inside(DType dtype) { return static_cast<int>(item_bytes(dtype_inside(dtype))); }

  /// An instruction that makes a new value.
  int emit(Loop loop, const std::vector<int>& operands, DType dtype, const char* name = nullptr) {
    TileProgram::Instruction instruction{};
    instruction.loop = loop;
    instruction.name = name;
    set_operands(instruction, operands);
    instruction.out = add_value(dtype, ProgramValue::kRegister, item_inside(dtype));
    program_.values_[instruction.out].made = static_cast<int>(program_.instructions_.size());
    program_.instructions_.push_back(instruction);
    return instruction.out;
  }

  /// Operands that an op does not have repeat the first, so that a tile need not ask.
  static void set_operands(TileProgram::Instruction& instruction,
                           const std::vector<int>& operands) {
    instruction.arity = static_cast<int>(operands.size());
    for (size_t i = 0; i < kMostOperands; ++i) {
      instruction.in[i] = operands[i < operands.size() ? i : 0];
    }
  }

  void add_inputs() {
    for (size_t i = 0; i < binding_.inputs().size(); ++i) {
      const Type& type = binding_.inputs()[i];
      const int v =
          add_value(type.dtype, ProgramValue::kInput, static_cast<int>(item_bytes(type.dtype)));
      ProgramValue& added = program_.values_[v];
      added.operand = static_cast<int>(i);
      added.layout = layout_of(type, form_.result);
      if (!added.layout.dense()) added.place = ProgramValue::kGathered;
      if (static_cast<int>(i) == form_.given) {
        added.place = ProgramValue::kGiven;
        program_.given_ = v;
      }
      numbers_.push_back(v);
    }
    // Values of the program are numbered from the inputs on; what stands for a float16 input is its
    // widened form.
    for (int& v : numbers_) {
      if (value(v).dtype == DType::kFloat16)
        v = emit(program_.kernels_->widen_half, {v}, DType::kFloat16);
    }
  }

  void add_instructions() {
    for (const ProgramOp& op : read_ops(binding_, binding_.inputs().size())) {
      std::vector<int> operands;
      for (int number : op.operands) operands.push_back(numbers_[number]);
      numbers_.push_back(add_instruction(op.name, operands, op.dtype));
    }
  }

  int add_instruction(const std::string& op, const std::vector<int>& operands, DType dtype) {
    if (op == "cast") {
      if (operands.size() != 1) refuse_program("cast must have one operand.");
      return emit(find_cast(value(operands[0]).dtype, dtype), operands, dtype);
    }
    const LoopEntry& entry = loop_of(op, operands, dtype);
    const int made = emit(entry.loop, operands, dtype, loop_name(entry));
    if (dtype != DType::kFloat16 || keeps_half(op)) return made;
    return emit(program_.kernels_->round_half, {made}, dtype);
  }

  const LoopEntry& loop_of(const std::string& op, const std::vector<int>& operands,
                           DType dtype) const {
    std::vector<DType> dtypes;
    for (int v : operands) dtypes.push_back(value(v).dtype);
    require_one_dtype(op, dtypes);
    const DType operand = dtypes.back();
    if (operand == dtype || dtype == DType::kBool) {
      const int arity = static_cast<int>(operands.size());
      const LoopEntry* const entry =
          find_loop(op.c_str(), arity, dtype_inside(operand), dtype_inside(dtype));
      if (entry != nullptr) return *entry;
    }
    throw no_loop("the CPU", op, operands.size(), operand, dtype);
  }

  void add_outputs() {
    const std::vector<int> outs = read_outputs(binding_, numbers_.size());
    for (size_t i = 0; i < outs.size(); ++i) {
      const Type& type = binding_.outputs()[i];
      int v = numbers_[outs[i]];
      const bool staged = i < form_.staged.size() && form_.staged[i];
      if (!staged) check_output(type, value(v));
      if (value(v).dtype == DType::kFloat16) {
        v = emit(program_.kernels_->narrow_half, {v}, DType::kFloat16);
        program_.values_[v].item = 2;
      } else if (value(v).place != ProgramValue::kRegister) {
        const DType dtype = value(v).dtype;
        v = emit(find_cast(dtype, dtype), {v}, dtype);  // an input, or what is an output already
      }
      program_.values_[v].place = staged ? ProgramValue::kStaged : ProgramValue::kOutput;
      program_.values_[v].operand = static_cast<int>(i);
      program_.outputs_.push_back(v);
    }
  }

  void check_output(const Type& type, const ProgramValue& value) const {
    if (type.dtype != value.dtype) {
      refuse_program(std::string("an output must have the dtype of its value; got ") +
                     dtype_name(type.dtype) + " for " + dtype_name(value.dtype) + ".");
    }
    const Type& result = form_.result;
    if (type.rank != result.rank || !std::equal(type.shape, type.shape + type.rank, result.shape)) {
      refuse_program("the outputs must have one shape.");
    }
  }

  /// Makes instructions parts of those that read their values, where these are read once.
  void join_instructions() {
    std::vector<int> readers(program_.values_.size(), 0);
    for (const TileProgram::Instruction& i : program_.instructions_) {
      for (int k = 0; k < i.arity; ++k) ++readers[i.in[k]];
    }
    std::vector<TileProgram::Instruction> kept;
    for (TileProgram::Instruction& i : program_.instructions_) {
      while (join_an_operand(i, kept, readers)) {
      }
      kept.push_back(i);
    }
    program_.instructions_.clear();
    for (const TileProgram::Instruction& i : kept) {
      if (i.loop == nullptr) continue;
      program_.values_[i.out].made = static_cast<int>(program_.instructions_.size());
      program_.instructions_.push_back(i);
    }
  }

  /// Whether one of the instructions before, which then loses its loop, could join `outer`.
  bool join_an_operand(TileProgram::Instruction& outer, std::vector<TileProgram::Instruction>& kept,
                       const std::vector<int>& readers) {
    for (int place = 0; place < outer.arity; ++place) {
      const ProgramValue& read = value(outer.in[place]);
      if (read.made < 0 || read.place != ProgramValue::kRegister || readers[outer.in[place]] > 1) {
        continue;
      }
      TileProgram::Instruction& inner = kept[read.made];
      const JoinedLoop* joined = find_joined(outer, inner, place);
      if (joined == nullptr) continue;
      std::vector<int> operands(outer.in, outer.in + place);
      operands.insert(operands.end(), inner.in, inner.in + inner.arity);
      operands.insert(operands.end(), outer.in + place + 1, outer.in + outer.arity);
      set_operands(outer, operands);
      outer.loop = joined->loop;
      outer.name = joined->name;
      inner.loop = nullptr;
      return true;
    }
    return false;
  }

  const JoinedLoop* find_joined(const TileProgram::Instruction& outer,
                                const TileProgram::Instruction& inner, int place) const {
    if (outer.name == nullptr || inner.name == nullptr) return nullptr;
    if (value(outer.out).dtype != DType::kFloat32 || value(inner.in[0]).dtype != DType::kFloat32) {
      return nullptr;
    }
    const JoinedLoops& all = kernels<JoinedLoops>();
    for (int i = 0; i < all.count; ++i) {
      const JoinedLoop& loop = all.loops[i];
      if (loop.place == place && std::strcmp(loop.outer, outer.name) == 0 &&
          std::strcmp(loop.inner, inner.name) == 0) {
        return &loop;
      }
    }
    return nullptr;
  }

  void find_last_uses() {
    for (size_t i = 0; i < program_.instructions_.size(); ++i) {
      for (int v : program_.instructions_[i].in) program_.values_[v].last_use = static_cast<int>(i);
    }
  }

  /// As long as the registers stay in the cache, and a multiple of the periods of repeated inputs,
  /// so that such an input stands in its register once for all tiles.
  void choose_tile() {
    int64_t item = 1;
    for (const ProgramValue& v : program_.values_) item = std::max<int64_t>(item, v.item);
    const int64_t slots = std::max<int64_t>(1, assign_registers());
    const int64_t longest = repeats_numbers() ? kRepeatedBytes : kRegisterBytes;
    int64_t tile = std::min(longest, kAllRegistersBytes / slots) / item;
    tile = std::max(tile / kSmallestTile * kSmallestTile, kSmallestTile);
    if (is_straight()) tile = kSmallestPart;
    if (tile >= program_.count_) {
      program_.tile_ = std::max<int64_t>(1, program_.count_);
    } else {
      const int64_t common = common_period(tile);
      program_.tile_ = tile / common * common;
    }
    for (ProgramValue& v : program_.values_) {
      if (v.place == ProgramValue::kGathered && stays(v.layout.period())) {
        v.place = ProgramValue::kRepeated;
      }
    }
    program_.slot_bytes_ = is_straight() ? 0 : round_up(program_.tile_ * item, kAlignment);
  }

  /// Whether what repeats after `period` elements is the same in every tile. A period of 0 is that
  /// of a program without elements.
  bool stays(int64_t period) const {
    const int64_t tile = program_.tile_, unit = form_.unit > 0 ? form_.unit : tile;
    if (tile >= program_.count_ && form_.unit == 0) return true;
    return period > 0 && tile % period == 0 && unit % period == 0;
  }

  /// One instruction from memory to memory: it needs neither registers nor tiles.
  bool is_straight() const {
    auto in_memory = [](const ProgramValue& v) {
      return v.place == ProgramValue::kInput || v.place == ProgramValue::kOutput;
    };
    return program_.instructions_.size() == 1 &&
           std::all_of(program_.values_.begin(), program_.values_.end(), in_memory);
  }

  /// One instruction, some of whose operands are one number.
  bool repeats_numbers() const {
    auto in_memory_or_number = [](const ProgramValue& v) {
      return v.place == ProgramValue::kInput || v.place == ProgramValue::kOutput ||
             (v.place == ProgramValue::kGathered && v.layout.period() == 1);
    };
    return program_.instructions_.size() == 1 &&
           std::all_of(program_.values_.begin(), program_.values_.end(), in_memory_or_number);
  }

  /// The least common multiple of the periods that a tile can hold.
  int64_t common_period(int64_t tile) const {
    int64_t common = form_.unit > 0 && form_.unit <= tile ? form_.unit : 1;
    for (const ProgramValue& v : program_.values_) {
      if (v.place != ProgramValue::kGathered) continue;
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
    for (ProgramValue& v : program_.values_) {
      if (v.made < 0 && v.place != ProgramValue::kInput) v.slot = take();
    }
    for (size_t i = 0; i < program_.instructions_.size(); ++i) {
      ProgramValue& made = program_.values_[program_.instructions_[i].out];
      // Before its operands' registers are free again: loops over items of different sizes may not
      // overlap.
      // What the last one makes for memory is never withheld.
      const bool last = i + 1 == program_.instructions_.size();
      if (made.place != ProgramValue::kStaged && !(last && made.place == ProgramValue::kOutput))
        made.slot = take();
      for (int v : program_.instructions_[i].in) {
        ProgramValue& read = program_.values_[v];
        if (read.place == ProgramValue::kRegister && read.last_use == static_cast<int>(i) &&
            read.made >= 0) {
          if (std::find(free.begin(), free.end(), read.slot) == free.end())
            free.push_back(read.slot);
        }
      }
    }
    return used;
  }

  /// What lies where in the region of a part, and what moves from tile to tile.
  void lay_out() {
    int64_t item_total = 0;
    for (size_t v = 0; v < program_.values_.size(); ++v) {
      const ProgramValue& value = program_.values_[v];
      if (value.place == ProgramValue::kRepeated || value.place == ProgramValue::kRegister ||
          value.place == ProgramValue::kGiven)
        continue;
      program_.moving_.push_back(static_cast<int>(v));
      if (value.place != ProgramValue::kStaged) item_total += value.item;
    }
    program_.fetches_ = form_.in_order && program_.instructions_.size() > 1 &&
                        item_total * program_.count_ > kFetchedBytes;
    program_.registers_offset_ = round_up(
        static_cast<int64_t>(program_.values_.size() * sizeof(void*) + program_.outputs_.size()),
        kAlignment);
    program_.region_bytes_ = program_.registers_offset_ + assign_registers() * program_.slot_bytes_;
  }

  const Binding& binding_;
  const TileProgramForm& form_;
  TileProgram program_;
  std::vector<int> numbers_;  // of the program's values: inputs, then one per instruction
};

TileProgram TileProgram::bind(const Binding& binding, const TileProgramForm& form) {
  if (binding.outputs().empty()) refuse_program("a program must have an output.");
  return TileProgramBuilder(binding, form).build();
}

ProgramParts parts_of(const TileProgram& program) {
  const int64_t count = program.count(), tile = program.tile();
  const int64_t least = std::max(kSmallestPart, ceil_div(count, kMostParts));
  const int64_t size = ceil_div(least, tile) * tile, region_bytes = program.region_bytes();
  return {size, region_bytes, std::max<int64_t>(1, ceil_div(count, size)) * region_bytes};
}

}  // namespace symk::cpu
