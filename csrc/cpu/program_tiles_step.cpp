// Runs the tiles of elementwise programs, as program.h says: what happens at each call, and is
// compiled for speed. program_step.cpp makes the programs.
#include "cpu/program_tiles.h"

#include <algorithm>
#include <cstring>

namespace symk::cpu {
namespace {

constexpr int64_t kCacheLine = 64;

}  // namespace

void TileProgram::begin(const Operands& operands, char* region) const {
  const void** at = reinterpret_cast<const void**>(region);  // where each value stands
  for (size_t v = 0; v < values_.size(); ++v) {
    const ProgramValue& value = values_[v];
    char* const own = value.slot < 0 ? nullptr : registers(region) + value.slot * slot_bytes_;
    at[v] = own;
    if (value.place != ProgramValue::kRepeated) continue;
    const int64_t filled = std::min(tile_, count_);
    if (value.layout.period() == 1) {
      kernels_->fill(own, operands.in[value.operand], value.item, filled);
    } else {
      gather(value, operands.in[value.operand], own, 0, filled);
    }
  }
  for (int v : outputs_) {
    const ProgramValue& value = values_[v];
    withheld(region)[value.operand] =
        value.place == ProgramValue::kOutput && overlaps_input(operands, value);
  }
}

void TileProgram::run(const Operands& operands, char* region, void* const* staged, int64_t start,
                      int64_t n) const {
  place_tile(operands, region, staged, start, n);
  const void** at = reinterpret_cast<const void**>(region);
  const bool fetches = fetches_ && start + 2 * n <= count_;
  const int64_t steps = static_cast<int64_t>(instructions_.size());
  const int64_t share = steps > 0 ? (n + steps - 1) / steps : 0;
  int64_t fetched = 0;
  for (const Instruction& i : instructions_) {
    if (fetches) fetch(at, n + fetched, share);
    fetched += share;
    const void* in[kMostOperands] = {at[i.in[0]], at[i.in[1]], at[i.in[2]], at[i.in[3]]};
    i.loop(in, const_cast<void*>(at[i.out]), n);
  }
  for (size_t o = 0; o < outputs_.size(); ++o) {
    if (!withheld(region)[o]) continue;
    const int v = outputs_[o];
    const ProgramValue& value = values_[v];
    std::memcpy(static_cast<char*>(operands.out[value.operand]) + start * value.item, at[v],
                n * value.item);
  }
}

void TileProgram::place_tile(const Operands& operands, char* region, void* const* staged,
                             int64_t start, int64_t n) const {
  const void** at = reinterpret_cast<const void**>(region);
  for (int v : moving_) {
    const ProgramValue& value = values_[v];
    switch (value.place) {
      case ProgramValue::kStaged: at[v] = staged[value.operand]; break;
      case ProgramValue::kOutput:
        if (!withheld(region)[value.operand])
          at[v] = static_cast<char*>(operands.out[value.operand]) + start * value.item;
        break;
      case ProgramValue::kInput:
        at[v] = static_cast<const char*>(operands.in[value.operand]) + start * value.item;
        break;
      default:
        at[v] = gathered(value, operands.in[value.operand],
                         registers(region) + value.slot * slot_bytes_, start, n);
    }
  }
}

/// Asks for the memory of n elements, `ahead` of the present tile. Each instruction does so for
/// its share of the next tile.
void TileProgram::fetch(const void* const* at, int64_t ahead, int64_t n) const {
  for (int v : moving_) {
    const ProgramValue& value = values_[v];
    if (value.place != ProgramValue::kInput && value.place != ProgramValue::kOutput) continue;
    const char* from = static_cast<const char*>(at[v]) + ahead * value.item;
    for (int64_t k = 0; k < n * value.item; k += kCacheLine) __builtin_prefetch(from + k);
  }
}

/// True if an output lies over an input that a later instruction still reads.
bool TileProgram::overlaps_input(const Operands& operands, const ProgramValue& output) const {
  for (const ProgramValue& value : values_) {
    if (value.place == ProgramValue::kInput && value.last_use > output.made &&
        operands.in[value.operand] == operands.out[output.operand]) {
      return true;
    }
  }
  return false;
}

/// The operand's elements for [start, start + n) of the result, in memory if they lie there in
/// one run.
const void* TileProgram::gathered(const ProgramValue& value, const void* memory, char* to,
                                  int64_t start, int64_t n) const {
  const OperandLayout& layout = value.layout;
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

void TileProgram::gather(const ProgramValue& value, const void* memory, char* to, int64_t start,
                         int64_t n) const {
  const OperandLayout& layout = value.layout;
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

}  // namespace symk::cpu
