// Contexts and locks around the bindings of a Plan.
#include "runtime/program.h"

#include <algorithm>
#include <mutex>

#include "runtime/error.h"
#include "runtime/sizes.h"
#include "runtime/text.h"

namespace symk {
namespace {

// A training loop needs two (the last batch is short), and batches of sequences come in a few dozen
// lengths.
constexpr size_t kKeptBindings = 32;

[[gnu::cold]] void require_tensor(const NamedBuffer& named, const Type& wanted, const Type& given) {
  const bool shape_fits =
      given.rank == wanted.rank && std::equal(given.shape, given.shape + given.rank, wanted.shape);
  if (given.dtype == wanted.dtype && shape_fits) return;
  throw Error(given.dtype == wanted.dtype ? ErrorCode::kShape : ErrorCode::kDtype,
              joined({"[shared ", named.name, "] the value must be ", type_text(wanted), "; ",
                      type_text(given), " was given."}));
}

const Shape* shapes_for(const Program& program, const Batch& batch) {
  batch.require_owner(&program);
  return batch.shapes().data();
}

/// What is packed from the constants of a Plan and of its bodies.
[[gnu::cold]] int64_t packed_bytes(const Plan& plan) {
  int64_t total = plan.packed->bytes();
  for (const auto& body : plan.plans) total += packed_bytes(*body);
  return total;
}

}  // namespace

Bound& Context::bound(const Plan& plan, const std::vector<std::shared_ptr<Tensor>>& shared,
                      KeptResults& kept, const Shape* inputs) {
  for (auto found = bounds_.begin(); found != bounds_.end(); ++found) {
    if (!(*found)->fits(inputs)) continue;
    std::rotate(bounds_.begin(), found, found + 1);
    grow(bounds_.front()->arena_bytes());
    return *bounds_.front();
  }
  auto made = std::make_unique<Bound>(
      plan, shared, std::vector<Shape>(inputs, inputs + plan.inputs.size()), device_, &kept);
  if (bounds_.size() == kKeptBindings) bounds_.pop_back();
  grow(made->arena_bytes());
  made->set_arena(arena_.data());
  bounds_.insert(bounds_.begin(), std::move(made));
  return *bounds_.front();
}

void Context::grow(int64_t bytes) {
  if (arena_.data() != nullptr && bytes <= arena_.bytes()) return;
  // First, since a large arena need not fit twice; should the next line fail, the next call tries
  // again.
  arena_ = DeviceMemory();
  arena_ = DeviceMemory(device_, bytes, Use::kArena);
  for (auto& bound : bounds_) bound->set_arena(arena_.data());
}

Staging::Staging(const Bound& bound) : offsets(bound.inputs().size() + bound.outputs().size()) {
  size_t number = 0;
  const auto add = [&](int64_t size) {
    offsets[number++] = bytes;
    bytes = checked_add(bytes, aligned_size(size));
  };
  for (size_t i = 0; i < bound.inputs().size(); ++i) add(bound.input_bytes(i));
  input_bytes = bytes;
  for (const Type& type : bound.outputs()) add(type.bytes());
}

char* Context::stage(int64_t bytes) {
  if (staged_.data() == nullptr || bytes > staged_.bytes()) {
    staged_ = DeviceMemory();
    staged_ = DeviceMemory(device_, bytes, Use::kBatches);
  }
  return staged_.data();
}

void Context::pin(Device& device, int64_t bytes) {
  pinned_ = PinnedMemory();
  pinned_ = pinned_memory(device, bytes);
}

char* Context::stage_for(Device& device, int64_t bytes) {
  if (pinned_.data() == nullptr || bytes > pinned_.bytes()) pin(device, bytes);
  return pinned_.data();
}

void Context::bring_inputs(const Bound& bound, const Staging& staging, const void* const* inputs) {
  const size_t count = bound.inputs().size();
  if (pinned_.data() == nullptr) {
    for (size_t i = 0; i < count; ++i)
      device_.copy_in(staged_.data() + staging.offsets[i], inputs[i], bound.input_bytes(i));
    return;
  }
  for (size_t i = 0; i < count; ++i)
    host_device().copy(pinned_.data() + staging.offsets[i], inputs[i], bound.input_bytes(i));
  device_.copy_in_pinned(staged_.data(), pinned_.data(), staging.input_bytes);
}

/// Waits for them.
void Context::fetch_outputs(const Bound& bound, const Staging& staging, void* const* outputs) {
  const size_t first = bound.inputs().size(), count = bound.outputs().size();
  const int64_t begin = staging.input_bytes;
  if (pinned_.data() != nullptr) {
    device_.copy_out_pinned(pinned_.data() + begin, staged_.data() + begin, staging.bytes - begin);
  }
  device_.synchronize();
  for (size_t i = 0; i < count; ++i) {
    const int64_t offset = staging.offsets[first + i], bytes = bound.outputs()[i].bytes();
    if (pinned_.data() != nullptr) {
      host_device().copy(outputs[i], pinned_.data() + offset, bytes);
    } else {
      device_.copy_out(outputs[i], staged_.data() + offset, bytes);
    }
  }
}

void Context::run_staged(Bound& bound, const void* const* inputs, const Parcel* sent,
                         void* const* outputs, const Watch& watch) {
  const Staging staging(bound);
  const int64_t staged_before = staged_.bytes();
  stage(staging.bytes);
  if (staged_.bytes() != staged_before) pin(device_, staging.bytes);
  const size_t input_count = bound.inputs().size(), output_count = bound.outputs().size();
  Few<const void*> in(input_count);
  Few<void*> out(output_count);
  for (size_t i = 0; i < input_count; ++i) in[i] = staged_.data() + staging.offsets[i];
  for (size_t i = 0; i < output_count; ++i)
    out[i] = staged_.data() + staging.offsets[input_count + i];
  if (sent == nullptr) {
    bring_inputs(bound, staging, inputs);
  } else {
    sent->hand_over(staged_.data());
  }
  try {
    bound.run(in.data(), out.data(), nullptr, watch);
  } catch (...) {
    settle();  // nothing of this call shall still run when the next one writes where it reads
    throw;
  }
  fetch_outputs(bound, staging, outputs);
}

/// Waits for the device; what has failed there was or will be said elsewhere.
void Context::settle() noexcept {
  try {
    device_.synchronize();
  } catch (const Error&) {
  }
}

ProgramBatch::ProgramBatch(const Program& owner)
    : Batch(&owner), plan_(owner.plan()), parcel_(owner.device()) {}

void ProgramBatch::fill(const Shape* shapes, const void* const* inputs) {
  const size_t count = plan_.inputs.size();
  shapes_.assign(shapes, shapes + count);
  Few<int64_t> sizes(count);
  int64_t bytes = 0;
  for (size_t i = 0; i < count; ++i) {
    sizes[i] = array_type(plan_, i, shapes[i]).bytes();
    bytes = checked_add(bytes, aligned_size(sizes[i]));
  }
  char* place = parcel_.open(bytes);
  for (size_t i = 0; i < count; ++i) {
    host_device().copy(place, inputs[i], sizes[i]);
    place += aligned_size(sizes[i]);
  }
  parcel_.send();
}

[[gnu::cold]] Program::Program(std::shared_ptr<const Plan> plan,
                               std::vector<std::shared_ptr<Tensor>> shared, Device& device)
    : plan_(std::move(plan)), shared_(std::move(shared)), device_(device), kept_(*plan_, device) {
  if (shared_.size() != plan_->shared.size()) {
    throw Error(ErrorCode::kArgument,
                joined({"[program] ", plan_->shared.size(), " shared values are required; ",
                        shared_.size(), " were given."}));
  }
  const std::vector<bool> changed = plan_->changed_shared();
  for (size_t i = 0; i < shared_.size(); ++i) {
    const NamedBuffer& named = plan_->shared[i];
    require_tensor(named, bound_type(*plan_, named.buffer, plan_->known), shared_[i]->type());
    if (!locks_.add(*shared_[i], changed[i])) {
      throw Error(ErrorCode::kArgument,
                  "[program] the shared values must be different tensors; one is given twice.");
    }
  }
  times_ns_ = std::make_unique<std::atomic<int64_t>[]>(plan_->steps.size());
}

[[gnu::cold]] std::vector<int64_t> Program::times_ns() const {
  std::vector<int64_t> times;
  for (size_t i = 0; i < plan_->steps.size(); ++i) times.push_back(times_ns_[i].load());
  return times;
}

[[gnu::cold]] MemoryUse Program::memory_use() {
  MemoryUse use;
  use.constant_bytes = plan_->blob.bytes();
  use.packed_bytes = packed_bytes(*plan_) + kept_.packed().bytes();
  use.kept_bytes = kept_.bytes();
  for (const auto& tensor : shared_) {
    use.shared_bytes += tensor->type().bytes();
    use.packed_bytes += tensor->packed().bytes();
  }
  std::unique_ptr<Context> context = borrow();
  if (const Bound* bound = context->latest()) {
    use.arena_bytes = bound->arena_bytes();
    use.unshared_bytes = bound->unshared_bytes();
    use.map = bound->memory_map();
    use.inputs = bound->inputs();
  }
  give_back(std::move(context));
  return use;
}

std::unique_ptr<Batch> Program::prefetch(const Shape* shapes, const void* const* inputs) {
  if (device_.is_host()) {
    throw Error(ErrorCode::kArgument,
                "[function] a device other than the host is required to prefetch for; this "
                "function runs on the host, which reads arrays where they are. Call it with the "
                "arrays.");
  }
  std::unique_ptr<Batch> batch = spare_.take();
  if (batch == nullptr) batch = std::make_unique<ProgramBatch>(*this);
  static_cast<ProgramBatch&>(*batch).fill(shapes, inputs);
  return batch;
}

[[gnu::cold]] std::vector<PartRow> Program::parts() {
  std::unique_ptr<Context> context = borrow();
  const Bound* const bound = context->latest();
  std::vector<PartRow> rows = bound != nullptr ? bound->parts() : std::vector<PartRow>();
  give_back(std::move(context));
  return rows;
}

std::unique_ptr<Context> Program::borrow() {
  std::unique_ptr<Context> context;
  contexts_lock_.lock();
  if (!idle_.empty()) {
    context = std::move(idle_.back());
    idle_.pop_back();
  }
  contexts_lock_.unlock();
  return context ? std::move(context) : std::make_unique<Context>(device_);
}

void Program::give_back(std::unique_ptr<Context> context) {
  contexts_lock_.lock();
  try {
    idle_.push_back(std::move(context));
  } catch (const std::bad_alloc&) {
    // It is freed instead: the next call makes another.
  }
  contexts_lock_.unlock();
}

Watch Program::watch() {
  Watch watch;
  watch.check_finite = check_finite_.load();
  watch.replay = !device_.is_host() && replay_.load();
  if (profile_.load()) {
    watch.times_ns = times_ns_.get();
    timed_calls_.fetch_add(1);
  }
  return watch;
}

Call::Call(Program& program, const Shape* inputs)
    : program_(program), borrowed_(program.borrow()), context_(borrowed_.get()) {
  try {
    bound_ = &borrowed_->bound(program.plan(), program.shared_, program.kept_, inputs);
  } catch (...) {
    program_.give_back(std::move(borrowed_));
    throw;
  }
}

Call::Call(Program& program, const Batch& batch) : Call(program, shapes_for(program, batch)) {
  sent_ = &static_cast<const ProgramBatch&>(batch).parcel();
}

Call::Call(Program& program, const Shape* inputs, Context& context)
    : program_(program), context_(&context),
      bound_(&context.bound(program.plan(), program.shared_, program.kept_, inputs)) {}

Call::~Call() {
  if (borrowed_) program_.give_back(std::move(borrowed_));
}

void Call::run(const void* const* inputs, void* const* outputs) {
  const std::lock_guard<TensorLocks> held(program_.locks_);
  const Watch watch = program_.watch();
  program_.locks_.bring_to(program_.device_);
  if (program_.device_.is_host()) {
    bound_->run(inputs, outputs, nullptr, watch);
  } else {
    context_->run_staged(*bound_, inputs, sent_, outputs, watch);
  }
}

}  // namespace symk
