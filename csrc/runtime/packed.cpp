// Finds forms by name, and names them.
#include "runtime/packed.h"

namespace symk {

std::string form_of(const char* kind, std::initializer_list<int64_t> numbers) {
  std::string form = kind;
  for (int64_t number : numbers) form += " " + std::to_string(number);
  return form;
}

std::shared_ptr<Packed> PackedForms::find(const std::string& form, int64_t bytes) {
  const Locked locked(lock_);
  std::weak_ptr<Packed>* place = nullptr;
  for (auto& [name, packed] : forms_) {
    if (name == form) place = &packed;
  }
  if (place == nullptr) place = &forms_.emplace_back(form, std::weak_ptr<Packed>()).second;
  std::shared_ptr<Packed> found = place->lock();
  if (found == nullptr || found->bytes() < bytes) *place = found = std::make_shared<Packed>(bytes);
  return found;
}

int64_t PackedForms::bytes() {
  const Locked locked(lock_);
  int64_t total = 0;
  for (auto& [name, packed] : forms_) {
    if (const std::shared_ptr<Packed> used = packed.lock()) total += used->bytes();
  }
  return total;
}

}  // namespace symk
