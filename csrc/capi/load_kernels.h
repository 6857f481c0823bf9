// Loads a user's shared object of kernels; both doors offer it.
#pragma once

namespace symk::door {

/// Opens the shared object at `path` and adds its kernels. It stays open until the process ends.
/// Throws Error(kFile) when it cannot be opened, or lacks symk_register_kernels; what `add`
/// refuses.
void load_kernels(const char* path);

}  // namespace symk::door
