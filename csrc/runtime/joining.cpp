// Groups are found greedily: a step takes in all later ones that fit, in order.
#include "runtime/joining.h"

#include <algorithm>

namespace symk {
namespace {

// How many steps in a row may stand between two of a group. Programs of a few kinds alternate, one
// of each for every layer; looking further takes time at each step and finds nothing.
constexpr int kReach = 8;

bool overlap(const std::vector<Span>& some, const std::vector<Span>& others) {
  return std::any_of(some.begin(), some.end(), [&](const Span& a) {
    return std::any_of(others.begin(), others.end(), [&](const Span& b) {
      return a.space == b.space && a.begin < b.end && b.begin < a.end;
    });
  });
}

/// Whether the order of two matters.
bool depend(const Touched& a, const Touched& b) {
  return overlap(a.written, b.written) || overlap(a.written, b.read) || overlap(a.read, b.written);
}

void add(Touched& all, const Touched& more) {
  all.read.insert(all.read.end(), more.read.begin(), more.read.end());
  all.written.insert(all.written.end(), more.written.begin(), more.written.end());
}

/// The group of the step at `first`, without those that are taken.
std::vector<size_t> group_of(const std::vector<Joinable>& steps, size_t first,
                             const std::vector<bool>& taken) {
  std::vector<size_t> group = {first};
  if (steps[first].form.empty() || steps[first].fixed) return group;
  Touched own = steps[first].touched, passed;
  int between = 0;
  for (size_t i = first + 1; i < steps.size() && between < kReach; ++i) {
    const Joinable& step = steps[i];
    if (step.fixed) break;
    if (taken[i]) continue;
    if (step.form == steps[first].form && !depend(step.touched, own) &&
        !depend(step.touched, passed)) {
      group.push_back(i);
      add(own, step.touched);
      between = 0;
    } else {
      add(passed, step.touched);
      ++between;
    }
  }
  return group;
}

}  // namespace

std::vector<std::vector<size_t>> join_steps(const std::vector<Joinable>& steps) {
  std::vector<std::vector<size_t>> groups;
  std::vector<bool> taken(steps.size(), false);
  for (size_t i = 0; i < steps.size(); ++i) {
    if (taken[i]) continue;
    groups.push_back(group_of(steps, i, taken));
    for (size_t member : groups.back()) taken[member] = true;
  }
  return groups;
}

}  // namespace symk
