// In what order steps must be done, from the memory that they touch.
#pragma once

#include <cstddef>
#include <vector>

#include "runtime/touched.h"

namespace symk::cuda {

/// Per step the earlier ones that must have ended before it begins, in ascending order: those that
/// write what it touches, and those that read what it writes. One that follows from others is left
/// out.
std::vector<std::vector<size_t>> dependencies(const std::vector<const Touched*>& steps);

}  // namespace symk::cuda
