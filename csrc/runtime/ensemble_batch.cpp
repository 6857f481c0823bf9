// A batch is laid out first, so that sections write where their results are sent from.
#include "runtime/ensemble_batch.h"

#include <algorithm>

#include "runtime/few.h"

namespace symk {

EnsembleBatch::EnsembleBatch(const Ensemble& owner)
    : Batch(&owner), owner_(owner), kept_(host_device()) {
  for (const Ensemble::Member& member : owner.sections_)
    parcels_.emplace_back(owner.device_of(member));
}

void EnsembleBatch::fill(const Shape* shapes, const void* const* arrays, bool stay) {
  const size_t array_count = owner_.arrays();
  shapes_.assign(shapes, shapes + array_count);
  const Calls calls = bind_sections();
  const std::vector<Wish> wishes = open_parcels(stay ? arrays : nullptr);
  for (size_t i = 0; i < calls.size(); ++i) {
    if (calls[i] != nullptr) run_section(owner_.sections_[i], *calls[i], arrays);
  }
  for (const Wish& wish : wishes) {
    const void* const source =
        wish.value < array_count ? arrays[wish.value] : addresses_[wish.value];
    if (source != wish.place) host_device().copy(wish.place, source, types_[wish.value].bytes());
  }
  for (size_t i = 0; i < parcels_.size(); ++i) {
    if (owner_.sections_[i].early_count > 0) parcels_[i].send();
  }
}

/// Per section the call that it does now, or null; also finds the types.
EnsembleBatch::Calls EnsembleBatch::bind_sections() {
  Calls calls(owner_.sections_.size());
  types_.assign(owner_.homes_.size(), Type());
  for (size_t i = 0; i < owner_.arrays(); ++i)
    types_[i] = array_type(owner_.first().plan(), i, shapes_[i]);
  for (size_t i = 0; i < calls.size(); ++i) {
    const Ensemble::Member& member = owner_.sections_[i];
    if (!member.runs_ahead) continue;
    const std::vector<Shape> inputs = Ensemble::input_shapes(member, types_);
    calls[i] = std::make_unique<Call>(*member.program, inputs.data());
    std::copy(calls[i]->outputs().begin(), calls[i]->outputs().end(),
              types_.begin() + member.first_output);
  }
  return calls;
}

/// All places that values are wanted at; finds the address of each value, the first of its places,
/// or where an array stays.
std::vector<EnsembleBatch::Wish> EnsembleBatch::open_parcels(const void* const* staying) {
  std::vector<Wish> wishes;
  addresses_.assign(owner_.homes_.size(), nullptr);
  for (size_t i = 0; i < parcels_.size(); ++i) {
    const Ensemble::Member& member = owner_.sections_[i];
    if (member.early_count == 0) continue;
    open(parcels_[i], member.arrivals.data(), member.early_count, wishes);
  }
  std::vector<uint32_t> kept = owner_.kept_;
  if (staying != nullptr) {
    kept.erase(kept.begin(), std::lower_bound(kept.begin(), kept.end(), owner_.arrays()));
    for (size_t i = 0; i < owner_.arrays(); ++i)
      addresses_[i] = static_cast<char*>(const_cast<void*>(staying[i]));  // is only read
  }
  open(kept_, kept.data(), kept.size(), wishes);
  return wishes;
}

/// Lays values out in a parcel, as a call does where they arrive.
void EnsembleBatch::open(Parcel& parcel, const uint32_t* values, size_t count,
                         std::vector<Wish>& wishes) {
  int64_t bytes = 0;
  for (size_t i = 0; i < count; ++i)
    bytes = checked_add(bytes, aligned_size(types_[values[i]].bytes()));
  char* place = parcel.open(bytes);
  for (size_t i = 0; i < count; ++i) {
    wishes.push_back({values[i], place});
    if (addresses_[values[i]] == nullptr) addresses_[values[i]] = place;
    place += aligned_size(types_[values[i]].bytes());
  }
}

void EnsembleBatch::run_section(const Ensemble::Member& member, Call& call,
                                const void* const* arrays) const {
  const size_t count = member.sources.size();
  Few<const void*> in(count);
  Few<void*> out(member.output_count);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t value = member.sources[i].value;
    if (member.sources[i].is_read)
      in[i] = value < owner_.arrays() ? arrays[value] : addresses_[value];
  }
  for (size_t i = 0; i < member.output_count; ++i) out[i] = addresses_[member.first_output + i];
  call.run(in.data(), out.data());
}

}  // namespace symk
