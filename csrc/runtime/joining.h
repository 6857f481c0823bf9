// Which steps a device may do at once: steps of one form that touch no memory of each other. A step
// may move up to the first of its group past steps that touch none of its memory either.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "runtime/touched.h"

namespace symk {

struct Joinable {
  std::string form;    // empty for a step that is done alone
  bool fixed = false;  // no step moves past this one
  Touched touched;
};

/// The numbers of all steps in a new order, cut into groups. A group of several is to be done where
/// the first of them stood.
std::vector<std::vector<size_t>> join_steps(const std::vector<Joinable>& steps);

}  // namespace symk
