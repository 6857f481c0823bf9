// Kernels by name. Entries register themselves while the library is loaded, in no fixed order, so
// the table is made by whoever comes first.
#include <map>

#include "runtime/kernel.h"

namespace symk {
namespace {

struct Kernel {
  BindFunction bind;
  Empty empty;
};

std::map<std::string, Kernel>& table() {
  static std::map<std::string, Kernel> kernels;
  return kernels;
}

}  // namespace

KernelEntry::KernelEntry(const char* name, BindFunction bind, Empty empty) {
  table()[name] = {bind, empty};
}

BindFunction find_kernel(const std::string& name) {
  const auto found = table().find(name);
  return found == table().end() ? nullptr : found->second.bind;
}

bool runs_when_empty(const std::string& name) {
  const auto found = table().find(name);
  return found != table().end() && found->second.empty == Empty::kRuns;
}

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (const auto& entry : table()) names.push_back(entry.first);
  return names;
}

}  // namespace symk
