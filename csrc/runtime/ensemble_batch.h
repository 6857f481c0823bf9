// The arrays of a call of an Ensemble. The sections of the host that need nothing else run when the
// batch is filled (multi_gpu_model cuts batches so); what devices read of the arrays and of those
// results goes to each section in a Parcel of its own, and the rest stays on the host.
#pragma once

#include <memory>
#include <vector>

#include "runtime/batch.h"
#include "runtime/ensemble.h"

namespace symk {

class EnsembleBatch final : public Batch {
 public:
  explicit EnsembleBatch(const Ensemble& owner);

  /// Begins to send. The arrays may change once this has returned, unless they are said to `stay`;
  /// a batch that was filled before must have been run.
  void fill(const Shape* shapes, const void* const* arrays, bool stay);

  /// Per value: those of the arrays, and of what was made ahead.
  const std::vector<Type>& types() const { return types_; }
  /// Where the host has such a value; null for an array that nobody reads there any more.
  char* address(size_t value) const { return addresses_[value]; }
  /// What arrives early at a section.
  const Parcel& parcel(size_t section) const { return parcels_[section]; }

 private:
  /// A place that a value is wanted at.
  struct Wish {
    uint32_t value = 0;
    char* place = nullptr;
  };
  using Calls = std::vector<std::unique_ptr<Call>>;

  Calls bind_sections();
  std::vector<Wish> open_parcels(const void* const* staying);
  void open(Parcel& parcel, const uint32_t* values, size_t count, std::vector<Wish>& wishes);
  void run_section(const Ensemble::Member& member, Call& call, const void* const* arrays) const;

  const Ensemble& owner_;
  std::vector<Type> types_;       // per value
  std::vector<char*> addresses_;  // per value
  std::vector<Parcel> parcels_;   // per section
  Parcel kept_;                   // of the host: what goes to no device
};

}  // namespace symk
