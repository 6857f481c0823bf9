// Kernels by name. Entries register themselves while the library is loaded, in no fixed order, so
// the table is made by whoever comes first. Those of users come later, while others may be looking.
#include <map>
#include <mutex>
#include <shared_mutex>

#include "runtime/error.h"
#include "runtime/kernel.h"
#include "runtime/lock.h"

namespace symk {
namespace {

struct Kernel {
  BindFunction bind;
  Empty empty = Empty::kLeftOut;
  Runs runs = Runs::kHere;
  bool of_user = false;
};

std::map<std::string, Kernel>& table() {
  static std::map<std::string, Kernel> kernels;
  return kernels;
}

SharedLock& table_lock() {
  static SharedLock lock;
  return lock;
}

}  // namespace

KernelEntry::KernelEntry(const char* name, Bind bind, Empty empty, Runs runs) {
  table()[name] = {bind, empty, runs, false};
}

void add_user_kernel(const std::string& name, BindFunction bind) {
  const std::lock_guard<SharedLock> locked(table_lock());
  Kernel& kernel = table()[name];
  if (kernel.bind && !kernel.of_user) {
    throw Error(ErrorCode::kArgument, "[load_kernels] the name of a kernel must be its own; \"" +
                                          name + "\" is one of symk's. Choose another.");
  }
  kernel = {std::move(bind), Empty::kLeftOut, Runs::kHere, true};
}

BindFunction find_kernel(const std::string& name) {
  const std::shared_lock<SharedLock> locked(table_lock());
  const auto found = table().find(name);
  return found == table().end() ? nullptr : found->second.bind;
}

bool runs_when_empty(const std::string& name) {
  const std::shared_lock<SharedLock> locked(table_lock());
  const auto found = table().find(name);
  return found != table().end() && found->second.empty != Empty::kLeftOut;
}

bool acts(const std::string& name) {
  const std::shared_lock<SharedLock> locked(table_lock());
  const auto found = table().find(name);
  return found == table().end() || found->second.of_user || found->second.empty == Empty::kActs;
}

bool runs_anywhere(const std::string& name) {
  const std::shared_lock<SharedLock> locked(table_lock());
  const auto found = table().find(name);
  return found != table().end() && found->second.runs == Runs::kAnywhere;
}

std::vector<std::string> kernel_names() {
  const std::shared_lock<SharedLock> locked(table_lock());
  std::vector<std::string> names;
  for (const auto& entry : table()) names.push_back(entry.first);
  return names;
}

}  // namespace symk
