// Sections in order: bring what was sent ahead and what arrives from other devices, run, say when
// it is done.
#include "runtime/ensemble.h"

#include <algorithm>
#include <mutex>

#include "runtime/ensemble_batch.h"
#include "runtime/error.h"
#include "runtime/few.h"

namespace symk {
namespace {

const EnsembleBatch& batch_of(const Ensemble& ensemble, const Batch& batch) {
  batch.require_owner(&ensemble);
  return static_cast<const EnsembleBatch&>(batch);
}

}  // namespace

Ensemble::Ensemble(std::vector<Section> sections, size_t arrays, std::vector<uint32_t> outputs)
    : arrays_(arrays), homes_(arrays), outputs_(std::move(outputs)) {
  for (size_t i = 0; i < arrays; ++i) homes_[i].number = i;
  for (Section& section : sections) {
    require(section, static_cast<uint32_t>(homes_.size()));
    Member member;
    member.program = section.program;
    member.sources = std::move(section.inputs);
    member.output_count = member.program->plan().outputs.size();
    member.first_output = static_cast<uint32_t>(homes_.size());
    member.runs_ahead = can_run_ahead(member);
    find_places(member);
    for (size_t i = 0; i < member.output_count; ++i)
      homes_.push_back({static_cast<int>(sections_.size()), member.arrivals.size() + i});
    const std::vector<bool> changed = member.program->plan().changed_shared();
    for (size_t i = 0; i < changed.size(); ++i)
      locks_.add(*member.program->shared()[i], changed[i]);
    Device& device = device_of(member);
    if (!device.is_host() && std::count(devices_.begin(), devices_.end(), &device) == 0)
      devices_.push_back(&device);
    sections_.push_back(std::move(member));
  }
  for (const uint32_t output : outputs_) {
    if (output < arrays || output >= homes_.size())
      throw Error(ErrorCode::kArgument, "[ensemble] outputs must be values that sections make.");
  }
  find_kept();
}

void Ensemble::require(const Section& section, uint32_t known) const {
  const bool in_order = std::all_of(section.inputs.begin(), section.inputs.end(),
                                    [&](const Source& source) { return source.value < known; });
  if (in_order && section.inputs.size() == section.program->plan().inputs.size() &&
      section.inputs.size() >= arrays_) {
    return;
  }
  throw Error(ErrorCode::kArgument,
              "[ensemble] each input of a section must be an array or a value that an earlier "
              "section makes, and the arrays come first.");
}

/// Whether a section may run when the arrays are known, before the calls that come first have: on
/// the host, of them alone, and so that nobody sees when. Random numbers read shared values.
bool Ensemble::can_run_ahead(const Member& member) const {
  const Plan& plan = member.program->plan();
  return device_of(member).is_host() && plan.shared.empty() && !plan.acts() &&
         std::all_of(member.sources.begin(), member.sources.end(), [&](const Source& source) {
           return !source.is_read || is_known_ahead(source.value);
         });
}

bool Ensemble::is_known_ahead(uint32_t value) const {
  const Place& home = homes_[value];
  return home.section < 0 || sections_[static_cast<size_t>(home.section)].runs_ahead;
}

/// Whether a value arrives before another one: what is known ahead comes first.
bool Ensemble::comes_before(uint32_t one, uint32_t other) const {
  const bool is_early = is_known_ahead(one);
  return is_early == is_known_ahead(other) ? one < other : is_early;
}

/// Values arrive in the order in which they were made: those that lie beside each other there do so
/// here, and are one copy.
void Ensemble::find_places(Member& member) {
  Device& device = device_of(member);
  for (const Source& source : member.sources) {
    if (source.is_read && find_on(device, source.value).section == kNowhere)
      member.arrivals.push_back(source.value);
  }
  std::sort(member.arrivals.begin(), member.arrivals.end(),
            [&](uint32_t one, uint32_t other) { return comes_before(one, other); });
  member.arrivals.erase(std::unique(member.arrivals.begin(), member.arrivals.end()),
                        member.arrivals.end());
  for (const uint32_t value : member.arrivals) {
    const Place& home = homes_[value];
    if (is_known_ahead(value)) ++member.early_count;
    if (home.section >= 0) sections_[static_cast<size_t>(home.section)].is_awaited = true;
  }
  for (const Source& source : member.sources) {
    Place place = source.is_read ? find_on(device, source.value) : Place();
    if (place.section == kNowhere)
      place = {static_cast<int>(sections_.size()), position_of(member, source.value)};
    member.places.push_back(place);
  }
}

/// Where earlier sections have a value on a device: where it was made, or where it was brought to.
Ensemble::Place Ensemble::find_on(Device& device, uint32_t value) const {
  const Place home = homes_[value];
  if (home.section < 0 ? device.is_host()
                       : &device_of(sections_[static_cast<size_t>(home.section)]) == &device) {
    return home;
  }
  for (size_t i = 0; i < sections_.size(); ++i) {
    if (&device_of(sections_[i]) != &device) continue;
    const size_t found = position_of(sections_[i], value);
    if (found < sections_[i].arrivals.size()) return {static_cast<int>(i), found};
  }
  return {kNowhere, 0};
}

/// The number of a value among what arrives at a section, or how many arrive.
size_t Ensemble::position_of(const Member& member, uint32_t value) const {
  const auto& arrivals = member.arrivals;
  const auto place =
      std::lower_bound(arrivals.begin(), arrivals.end(), value,
                       [&](uint32_t one, uint32_t other) { return comes_before(one, other); });
  const bool is_there = place != arrivals.end() && *place == value;
  return static_cast<size_t>((is_there ? place : arrivals.end()) - arrivals.begin());
}

/// Of what goes to no device: the arrays that sections of the host will read, and all that is made
/// ahead.
void Ensemble::find_kept() {
  std::vector<bool> sent(homes_.size(), false), wanted(homes_.size(), false);
  for (const Member& member : sections_) {
    for (size_t i = 0; i < member.early_count; ++i) sent[member.arrivals[i]] = true;
    for (size_t i = 0; i < member.output_count; ++i)
      wanted[member.first_output + i] = member.runs_ahead;
    if (!device_of(member).is_host() || member.runs_ahead) continue;
    for (const Source& source : member.sources) {
      if (source.is_read && source.value < arrays_) wanted[source.value] = true;
    }
  }
  for (size_t i = 0; i < homes_.size(); ++i) {
    if (wanted[i] && !sent[i]) kept_.push_back(static_cast<uint32_t>(i));
  }
}

bool Ensemble::moves_ahead() const {
  return std::any_of(sections_.begin(), sections_.end(),
                     [](const Member& member) { return member.early_count > 0; });
}

[[gnu::cold]] std::vector<bool> Ensemble::ahead() const {
  std::vector<bool> ahead;
  for (const Member& member : sections_) ahead.push_back(member.runs_ahead);
  return ahead;
}

std::unique_ptr<Batch> Ensemble::prefetch(const Shape* shapes, const void* const* arrays,
                                          bool stay) {
  std::unique_ptr<Batch> batch = spare_.take();
  if (batch == nullptr) batch = std::make_unique<EnsembleBatch>(*this);
  static_cast<EnsembleBatch&>(*batch).fill(shapes, arrays, stay);
  return batch;
}

/// The shapes of what a section is bound to.
std::vector<Shape> Ensemble::input_shapes(const Member& member, const std::vector<Type>& types) {
  std::vector<Shape> shapes;
  for (const Source& source : member.sources) shapes.push_back(shape_of(types[source.value]));
  return shapes;
}

EnsembleCall::EnsembleCall(Ensemble& ensemble, const Batch& batch)
    : ensemble_(ensemble), batch_(batch_of(ensemble, batch)), parts_(ensemble.sections_.size()),
      types_(batch_.types()) {
  for (size_t i = 0; i < parts_.size(); ++i) {
    parts_[i].program = ensemble.sections_[i].program;
    if (ensemble.sections_[i].runs_ahead) continue;
    bind(i);
    stage(i);
  }
  for (const uint32_t output : ensemble.outputs_) output_types_.push_back(types_[output]);
}

/// Binds a section to the types of the values that are known, and finds those of its outputs.
void EnsembleCall::bind(size_t section) {
  const Ensemble::Member& member = ensemble_.sections_[section];
  Part& part = parts_[section];
  const std::vector<Shape> inputs = Ensemble::input_shapes(member, types_);
  part.context = member.program->borrow();
  part.bound = &part.context->bound(member.program->plan(), member.program->shared(),
                                    member.program->kept_, inputs.data());
  std::copy(part.bound->outputs().begin(), part.bound->outputs().end(),
            types_.begin() + member.first_output);
}

/// Memory for what arrives at a section and for its outputs, one behind the other.
void EnsembleCall::stage(size_t section) {
  const Ensemble::Member& member = ensemble_.sections_[section];
  Part& part = parts_[section];
  int64_t bytes = 0;
  const auto add = [&](int64_t size) {
    part.offsets.push_back(bytes);
    bytes = checked_add(bytes, aligned_size(size));
  };
  for (const uint32_t arrival : member.arrivals) add(types_[arrival].bytes());
  for (const Type& type : part.bound->outputs()) add(type.bytes());
  if (part.program->device().is_host() && !ensemble_.devices_.empty())
    part.staged = part.context->stage_for(*ensemble_.devices_.front(), bytes);
  part.is_pinned = part.staged != nullptr;
  if (!part.is_pinned) part.staged = part.context->stage(bytes);
}

void EnsembleCall::run(void* const* outputs) {
  const std::lock_guard<TensorLocks> held(ensemble_.locks_);
  try {
    run_sections(outputs);
  } catch (...) {
    settle();  // nothing of this call shall still run when the next one writes where it reads
    throw;
  }
}

void EnsembleCall::run_sections(void* const* outputs) {
  for (const Part& part : parts_) part.program->locks_.bring_to(part.program->device());
  for (size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i].bound != nullptr) run_section(i);
  }
  look_at_all();
  fetch_outputs(outputs);
  for (Device* device : ensemble_.devices_) device->synchronize();
}

/// Before the first section that changes shared values, all that the others refuse is known: then
/// no update has happened.
void EnsembleCall::run_section(size_t section) {
  const Ensemble::Member& member = ensemble_.sections_[section];
  Part& part = parts_[section];
  Device& device = part.program->device();
  Watch watch = part.program->watch();
  watch.look = part.bound->writes();
  if (watch.look) look_at_all();
  part.is_looked_at = watch.look;
  bring_arrivals(section);
  const size_t count = member.places.size();
  Few<const void*> in(count);
  Few<void*> out(member.output_count);
  for (size_t i = 0; i < count; ++i) {
    if (member.sources[i].is_read) in[i] = address_of(member.places[i]);
  }
  for (size_t i = 0; i < member.output_count; ++i)
    out[i] = part.staged + part.offsets[member.arrivals.size() + i];
  part.bound->run(in.data(), out.data(), nullptr, watch);
  if (member.is_awaited) part.done = device.mark();
}

void EnsembleCall::bring_arrivals(size_t section) {
  const Ensemble::Member& member = ensemble_.sections_[section];
  const Part& part = parts_[section];
  Device& device = part.program->device();
  std::vector<bool> awaited(parts_.size(), false);
  if (member.early_count > 0) batch_.parcel(section).hand_over(part.staged);
  for (size_t i = member.early_count; i < member.arrivals.size(); ++i) {
    const Ensemble::Place& home = ensemble_.homes_[member.arrivals[i]];
    char* const target = part.staged + part.offsets[i];
    const auto source = static_cast<size_t>(home.section);
    const Part& from = parts_[source];
    if (!awaited[source] && device.is_peer(from.program->device())) device.after(*from.done);
    awaited[source] = true;
    while (i + 1 < member.arrivals.size() && lies_behind(section, i)) ++i;
    const int64_t end = part.offsets[i] + types_[member.arrivals[i]].bytes();
    move(part, target, from, address_of(home), end - (target - part.staged));
  }
  if (!part.is_pinned) return;
  for (size_t i = 0; i < parts_.size(); ++i) {
    if (awaited[i]) parts_[i].program->device().synchronize();
  }
}

/// Whether the arrival after this one lies as far behind it where it comes from.
bool EnsembleCall::lies_behind(size_t section, size_t arrival) const {
  const std::vector<uint32_t>& arrivals = ensemble_.sections_[section].arrivals;
  const Ensemble::Place& home = ensemble_.homes_[arrivals[arrival]];
  const Ensemble::Place& next = ensemble_.homes_[arrivals[arrival + 1]];
  if (home.section != next.section) return false;
  const std::vector<int64_t>& offsets = parts_[section].offsets;
  return address_of(next) - address_of(home) == offsets[arrival + 1] - offsets[arrival];
}

/// Values from the memory of one device to that of another. Between peers, and from and to pinned
/// memory, queues do it later.
void EnsembleCall::move(const Part& to, void* target, const Part& from, const void* source,
                        int64_t bytes) {
  Device& device = to.program->device();
  Device& maker = from.program->device();
  if (from.is_pinned) {
    device.copy_in_pinned(target, source, bytes);
  } else if (maker.is_host()) {
    device.copy_in(target, source, bytes);
  } else if (to.is_pinned) {
    maker.copy_out_pinned(target, source, bytes);
  } else if (device.is_host()) {
    maker.copy_out(target, source, bytes);
  } else if (device.is_peer(maker)) {
    device.copy_from(maker, target, source, bytes);
  } else {
    Block between(bytes);
    maker.copy_out(between.data(), source, bytes);
    device.copy_in(target, between.data(), bytes);
  }
}

/// Waits for the devices of sections that may have refused something.
void EnsembleCall::look_at_all() {
  for (Part& part : parts_) {
    if (!part.is_looked_at) part.bound->look();
    part.is_looked_at = true;
  }
}

void EnsembleCall::fetch_outputs(void* const* outputs) {
  for (size_t i = 0; i < ensemble_.outputs_.size(); ++i) {
    const Ensemble::Place& home = ensemble_.homes_[ensemble_.outputs_[i]];
    Device& device = parts_[static_cast<size_t>(home.section)].program->device();
    device.copy_out(outputs[i], address_of(home), output_types_[i].bytes());
  }
}

/// Waits for all devices; what has failed there was or will be said elsewhere.
void EnsembleCall::settle() noexcept {
  for (Device* device : ensemble_.devices_) {
    try {
      device->synchronize();
    } catch (const Error&) {
    }
  }
}

/// Where a value is in this call: what is known ahead, in the batch.
char* EnsembleCall::address_of(const Ensemble::Place& place) const {
  if (place.section < 0) return batch_.address(place.number);
  const auto section = static_cast<size_t>(place.section);
  const Part& part = parts_[section];
  if (part.bound == nullptr)
    return batch_.address(ensemble_.sections_[section].first_output + place.number);
  return part.staged + part.offsets[place.number];
}

}  // namespace symk
