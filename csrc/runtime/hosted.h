// Steps of another device that run on the host: what the device has no kernel for, such as the ops
// of users and `print`. Their operands are copied to the host and back.
#pragma once

#include <string>

#include "runtime/kernel.h"

namespace symk {

/// Binds the host's kernel of a name for a step whose operands lie on the binding's device; empty
/// if the host has none either. `reason` is why the device's own kernel does not do it, or empty
/// where there is none.
BindFunction bind_on_host(const std::string& kernel, const std::string& reason);

}  // namespace symk
