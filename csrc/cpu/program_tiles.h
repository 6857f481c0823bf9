// A bound elementwise program (program.h), and what it does at each call: program_tiles_step.cpp.
#pragma once

#include <vector>

#include "cpu/elementwise.h"
#include "cpu/joined_loops.h"
#include "cpu/program_text.h"
#include "runtime/kernel.h"

namespace symk::cpu {

/// What stands for a value while a tile is computed.
struct ProgramValue {
  enum Place {
    kInput,     // an input's memory
    kRepeated,  // a register that holds the same for every tile, filled at the start
    kGathered,  // a register filled for every tile, or the input's memory where the tile is one run
                // of it
    kRegister,  // a register that an instruction writes
    kOutput,  // an output's memory, or a register when that memory is still to be read as an input
    kStaged,  // memory that the caller gives with every stretch
    kGiven,   // an input's register, which the caller fills before every stretch
  } place = kRegister;
  DType dtype = DType::kFloat32;
  int item = 4;       // bytes of an element
  int operand = 0;    // number of the input or output
  int slot = -1;      // its register
  int made = -1;      // the instruction that writes it
  int last_use = -1;  // the last instruction that reads it
  OperandLayout layout;
};

/// What a step decides about its program.
struct TileProgramForm {
  Type result;               // the shape over which the program runs; its dtype is not looked at
  std::vector<bool> staged;  // per output: goes to memory that the caller gives, tile by tile
  int64_t unit = 0;      // stretches begin at multiples of it, and tiles are multiples of it if it
                         // fits into one; 0: they begin at multiples of the tile
  bool in_order = true;  // one stretch begins where the last has ended
  int given = -1;        // the input that the caller makes, of the shape of the result
};

class TileProgram {
 public:
  /// Throws Error when the attributes of the binding are no program, or its operands do not fit.
  static TileProgram bind(const Binding& binding, const TileProgramForm& form);

  int64_t count() const { return count_; }
  int64_t tile() const { return tile_; }                  // elements of a stretch at most
  int64_t region_bytes() const { return region_bytes_; }  // scratch of one part
  const ProgramValue& output(size_t i) const { return values_[static_cast<size_t>(outputs_[i])]; }

  /// Readies a part's region, aligned to kAlignment. Once per part and run, before its stretches.
  void begin(const Operands& operands, char* region) const;

  /// Where the input that the caller makes is to stand.
  void* given(char* region) const {
    return registers(region) + values_[static_cast<size_t>(given_)].slot * slot_bytes_;
  }

  /// Computes elements [start, start + n) of the result, n being tile() at most. staged[i] is where
  /// output i goes if it is staged.
  void run(const Operands& operands, char* region, void* const* staged, int64_t start,
           int64_t n) const;

 private:
  friend class TileProgramBuilder;

  struct Instruction {
    Loop loop;
    const char* name;  // by which others may join it (joined_loops.h), or null
    int arity;
    int in[kMostOperands];
    int out;
  };

  // A region: where each value stands, a flag per output, and registers.
  char* registers(char* region) const { return region + registers_offset_; }
  /// Whether an output stands in a register until its tile is done, since it lies over an input.
  bool* withheld(char* region) const {
    return reinterpret_cast<bool*>(region + values_.size() * sizeof(void*));
  }
  void place_tile(const Operands& operands, char* region, void* const* staged, int64_t start,
                  int64_t n) const;
  void fetch(const void* const* at, int64_t ahead, int64_t n) const;
  bool overlaps_input(const Operands& operands, const ProgramValue& output) const;
  const void* gathered(const ProgramValue& value, const void* memory, char* to, int64_t start,
                       int64_t n) const;
  void gather(const ProgramValue& value, const void* memory, char* to, int64_t start,
              int64_t n) const;

  const ElementwiseKernels* kernels_ = nullptr;
  std::vector<ProgramValue> values_;
  std::vector<Instruction> instructions_;
  std::vector<int> moving_;   // values whose place changes from tile to tile
  std::vector<int> outputs_;  // one value per output
  int64_t count_ = 0, tile_ = 0;
  int64_t slot_bytes_ = 0, registers_offset_ = 0, region_bytes_ = 0;
  bool fetches_ = false;
  int given_ = -1;  // the value that the caller makes
};

}  // namespace symk::cpu
