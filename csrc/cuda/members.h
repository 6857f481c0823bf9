// What an elementwise launch works on: one program over one result, or over those of several steps.
// The result of a member is cut into tiles; a block takes one. Operands are numbered: the inputs,
// then the outputs. Compiled by NVRTC too.
#pragma once

#include "cuda/launch.h"
#include "cuda/row_sums.h"

namespace symk::cuda {

/// Elements of one thread: enough that reading an instruction costs little beside doing it.
constexpr int kPerThread = 4;
constexpr int kProgramThreads = 256;  // of a block, at most
constexpr int kMostOperands = 64;     // inputs, and as many outputs
constexpr int kMostAxes = 8;

/// How an operand lies over a result: axes from the outermost; a repeated one has stride 0.
struct Layout {
  int32_t rank = 0;
  int32_t small = 0;  // whether all positions of the result have 31 bits
  int64_t size[kMostAxes] = {}, stride[kMostAxes] = {};  // in elements

  SYMK_HD int64_t offset(int64_t index) const {
    return rank == 0 ? 0 : rank == 1 ? index * stride[0] : offset_by_axes(index);
  }

 private:
  /// Once in a kernel, not once per operand: divisions take many instructions.
  SYMK_APART int64_t offset_by_axes(int64_t index) const {
    return small != 0 ? offset_by<uint32_t>(static_cast<uint32_t>(index))
                      : offset_by<int64_t>(index);
  }

  /// A division of 32 bits takes a fraction of one of 64.
  template <class Index>
  SYMK_HD int64_t offset_by(Index index) const {
    int64_t offset = 0;
    SYMK_ROLLED
    for (int axis = rank - 1; axis > 0; --axis) {
      const auto length = static_cast<Index>(size[axis]);
      offset += static_cast<int64_t>(index % length) * stride[axis];
      index /= length;
    }
    return offset + static_cast<int64_t>(index) * stride[0];
  }
};

/// One step.
struct OneMember {
  const Layout* layouts;  // per input, in the memory of the device
  int64_t count;
  void* operands[2 * kMostOperands];

  SYMK_HD int member_of(int64_t) const { return 0; }
  SYMK_HD int64_t first_tile(int) const { return 0; }
  SYMK_HD int64_t count_of(int) const { return count; }
  SYMK_HD const Layout& layout(int, int input) const { return layouts[input]; }
  SYMK_HD char* operand(int, int number) const { return static_cast<char*>(operands[number]); }
};

/// One step, one of whose inputs is not in memory: sums of rows, of T.
template <class T>
struct ScatterMember : OneMember {
  using Number = T;

  int32_t place;  // the number of that input
  RowSums sums;

  /// Element `index` of it.
  SYMK_HD T sum_at(int64_t index) const { return sums.at<T>(index); }
};

/// Reads that input as InputReader reads others.
template <class T>
struct SumReader {
  const RowSums& sums;

  template <class Members>
  SYMK_HD SumReader(const Members& members, int, int) : sums(members.sums) {}
  SYMK_HD T at(int64_t index) const { return sums.at<T>(index); }
};

/// Several steps. All of it is handed to the kernel by value, for which there are 4 KB: so a
/// recording holds it, and nothing has to be copied when an address changes.
struct ManyMembers {
  static constexpr int kMost = 120;       // members
  static constexpr int kAddresses = 400;  // of operands
  static constexpr int kOperands = 32;    // of a member

  /// The address of an operand of member m is number first + m * step.
  struct Place {
    int16_t first, step;
  };

  const Layout* layouts;  // per member and input, in the memory of the device
  const int64_t* counts;  // per member, there too
  int32_t members, inputs;
  int32_t first_tiles[kMost];
  Place places[kOperands];
  void* addresses[kAddresses];

  SYMK_HD int member_of(int64_t tile) const {
    int first = 0, last = members - 1;
    while (first < last) {
      const int middle = (first + last + 1) / 2;
      if (first_tiles[middle] <= tile) {
        first = middle;
      } else {
        last = middle - 1;
      }
    }
    return first;
  }
  SYMK_HD int64_t first_tile(int member) const { return first_tiles[member]; }
  SYMK_HD int64_t count_of(int member) const { return counts[member]; }
  SYMK_HD const Layout& layout(int member, int input) const {
    return layouts[member * inputs + input];
  }
  SYMK_HD char* operand(int member, int number) const {
    const Place place = places[number];
    return static_cast<char*>(addresses[place.first + member * place.step]);
  }
};
/// Reads an input of a member; one that is a single number, or lies as the result does, without a
/// look at its axes for each element.
template <class T>
struct InputReader {
  const T* data;
  const Layout* layout;
  int64_t step;  // from one element to the next, -1 where the axes say it

  template <class Members>
  SYMK_HD InputReader(const Members& members, int member, int input)
      : data(reinterpret_cast<const T*>(members.operand(member, input))),
        layout(&members.layout(member, input)), step(step_of(*layout)) {}

  SYMK_HD static int64_t step_of(const Layout& layout) {
    if (layout.rank > 1) return -1;
    return layout.rank == 0 ? 0 : layout.stride[0];
  }

  SYMK_HD T at(int64_t index) const {
    return data[step >= 0 ? index * step : layout->offset(index)];
  }
};

static_assert(sizeof(ManyMembers) + 64 <= 4096, "a launch takes 4 KB of arguments");

}  // namespace symk::cuda
