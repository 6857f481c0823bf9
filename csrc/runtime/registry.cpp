// Kernels by name. Entries register themselves while the library is loaded, in no fixed order, so
// the table is made by whoever comes first.
#include <map>

#include "runtime/kernel.h"

namespace symk {
namespace {

std::map<std::string, BindFunction>& table() {
  static std::map<std::string, BindFunction> kernels;
  return kernels;
}

}  // namespace

KernelEntry::KernelEntry(const char* name, BindFunction bind) { table()[name] = bind; }

BindFunction find_kernel(const std::string& name) {
  const auto found = table().find(name);
  return found == table().end() ? nullptr : found->second;
}

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (const auto& entry : table()) names.push_back(entry.first);
  return names;
}

}  // namespace symk
