// Makes a Bound: types, memory, kernels, addresses, in this order. Everything that can fail for a
// set of input shapes fails here and not in the steady state.
#include <algorithm>

#include "runtime/bound.h"
#include "runtime/error.h"
#include "runtime/hosted.h"
#include "runtime/joining.h"
#include "runtime/step_binding.h"
#include "runtime/text.h"

namespace symk {
namespace {

// Of a step that does not say what it takes of a device: with what follows it, in thousandths.
constexpr int64_t kShortStep_ns = 2500;
constexpr int kShortStepShare = 100;

}  // namespace

class Binder {
 public:
  Binder(Bound& bound, const std::vector<std::shared_ptr<Tensor>>& shared)
      : bound_(bound), plan_(bound.plan_), shared_(shared),
        end_(static_cast<int>(plan_.steps.size())) {}

  void bind() {
    check_inputs();
    evaluate_types();
    for (const NamedBuffer& output : plan_.outputs)
      bound_.output_types_.push_back(types_[output.buffer]);
    find_lifetimes();
    choose_outputs();
    join_in_place();
    bind_steps();
    lay_out();
    join_steps_of_one_form();
    cut_parts();
    branch_out();
    settle_layout();
    address_steps();
    address_copies();
    bound_.types_ = std::move(types_);
  }

 private:
  // --- types ---
  void check_inputs() {
    for (size_t i = 0; i < plan_.inputs.size(); ++i) {
      require_input(plan_, i, bound_.inputs_[i],
                    dtype_name(plan_.buffers[plan_.inputs[i].buffer].dtype));
    }
    sizes_ = evaluate_sizes(plan_, bound_.inputs_);
    for (size_t i = 0; i < plan_.inputs.size(); ++i) check_input_sizes(i);
    for (const Plan::Check& check : plan_.checks) {
      if (sizes_[check.a] != sizes_[check.b]) {
        throw Error(ErrorCode::kShape, joined({check.message, " The sizes are ", sizes_[check.a],
                                               " and ", sizes_[check.b], "."}));
      }
    }
  }

  /// Sizes that several inputs share must agree.
  void check_input_sizes(size_t input) const {
    const NamedBuffer& named = plan_.inputs[input];
    const Buffer& buffer = plan_.buffers[named.buffer];
    const Shape& given = bound_.inputs_[input];
    std::vector<int64_t> wanted;
    for (uint32_t size : buffer.shape) wanted.push_back(sizes_[size]);
    const std::vector<int64_t> shape(given.size, given.size + given.rank);
    if (wanted == shape) return;
    throw Error(ErrorCode::kShape,
                joined({"[input ", named.name, "] the shape must be ",
                        type_text(wanted, dtype_name(buffer.dtype)),
                        " to agree with the other inputs; an array of shape ",
                        type_text(shape, dtype_name(buffer.dtype)), " was given."}));
  }

  void evaluate_types() {
    types_.reserve(plan_.buffers.size());
    for (uint32_t i = 0; i < plan_.buffers.size(); ++i) {
      types_.push_back(bound_type(plan_, i, sizes_));
      const Buffer& buffer = plan_.buffers[i];
      if (buffer.kind == Buffer::kAlias && types_[i].count() != types_[buffer.reference].count()) {
        throw Error(ErrorCode::kShape,
                    joined({"[reshape] the number of elements must stay the same; ",
                            type_text(types_[buffer.reference]), " cannot become ",
                            type_text(types_[i]), "."}));
      }
    }
    for (const Plan::Update& update : plan_.updates) check_update(update);
  }

  void check_update(const Plan::Update& update) const {
    const Type& wanted = shared_[update.shared]->type();
    if (types_[update.buffer].bytes() != wanted.bytes()) {
      throw Error(ErrorCode::kShape, joined({"[update of ", plan_.shared[update.shared].name,
                                             "] the new value must be ", type_text(wanted),
                                             "; it is ", type_text(types_[update.buffer]), "."}));
    }
  }

  // --- memory ---
  uint32_t root(uint32_t buffer) const { return plan_.buffers[buffer].root; }
  /// Whether a buffer lies in the arena, or in the memory of an output.
  bool is_temporary(uint32_t buffer) const {
    return plan_.buffers[buffer].kind == Buffer::kTemporary && !keeps(buffer);
  }
  bool keeps(uint32_t buffer) const {
    return bound_.kept_ != nullptr && bound_.kept_->keeps(buffer);
  }

  /// The first and the last step that touch each root; `end_` when it is wanted after the last
  /// step.
  void find_lifetimes() {
    first_.assign(types_.size(), 0);
    last_.assign(types_.size(), -1);
    for (int i = 0; i < end_; ++i) {
      for (uint32_t buffer : plan_.steps[i].inputs) last_[root(buffer)] = i;
      for (uint32_t buffer : plan_.steps[i].outputs) {
        first_[buffer] = i;
        last_[buffer] = std::max(last_[buffer], i);
      }
    }
    for (const NamedBuffer& output : plan_.outputs) last_[root(output.buffer)] = end_;
    for (const Plan::Update& update : plan_.updates) last_[root(update.buffer)] = end_;
  }

  /// A temporary that is an output is written straight into the caller's memory, by the first
  /// output that it is.
  void choose_outputs() {
    output_of_.assign(types_.size(), -1);
    for (size_t i = 0; i < plan_.outputs.size(); ++i) {
      const uint32_t buffer = root(plan_.outputs[i].buffer);
      if (is_temporary(buffer) && output_of_[buffer] < 0) output_of_[buffer] = static_cast<int>(i);
    }
  }

  /// Buffers that take over the memory of an input of their step form a group; its head is the
  /// first of them.
  void join_in_place() {
    head_.resize(types_.size());
    tail_.resize(types_.size());
    for (uint32_t i = 0; i < head_.size(); ++i) head_[i] = tail_[i] = i;
    for (int i = 0; i < end_; ++i) {
      for (const auto& [output, input] : plan_.steps[i].in_place) join(i, output, input);
    }
  }

  void join(int step_number, uint32_t output, uint32_t input) {
    const PlanStep& step = plan_.steps[step_number];
    const uint32_t to = step.outputs[output], from = root(step.inputs[input]);
    if (!is_temporary(to) || !is_temporary(from) || head_[to] != to || tail_[head_[from]] != from)
      return;
    if (last_[from] != step_number || types_[to].bytes() != types_[from].bytes()) return;
    for (uint32_t other :
         step.inputs) {  // read once more, in another shape: the order of reading would matter
      if (root(other) == from && !same_shape(types_[other], types_[step.inputs[input]])) return;
    }
    head_[to] = head_[from];
    tail_[head_[from]] = to;
  }

  static bool same_shape(const Type& a, const Type& b) {
    return a.rank == b.rank && std::equal(a.shape, a.shape + a.rank, b.shape);
  }

  /// The output whose memory a temporary lies in, or -1: that of the last buffer of its group.
  int output_memory(uint32_t temporary) const { return output_of_[tail_[head_[temporary]]]; }

  /// Until the layout is settled, offsets are the numbers of pieces.
  void lay_out() {
    piece_of_.assign(types_.size(), -1);
    for (uint32_t i = 0; i < types_.size(); ++i) {
      if (!is_temporary(i) || head_[i] != i || output_memory(i) >= 0 || last_[i] < 0) continue;
      piece_of_[i] =
          static_cast<int>(add_piece({types_[i].bytes(), first_[i], last_[tail_[i]], 0},
                                     "buffer " + std::to_string(i) + ", " + type_text(types_[i])));
    }
    for (size_t i = 0; i < bound_.steps_.size(); ++i) {
      if (scratch_[i] == 0) continue;
      const int number = static_cast<int>(bound_.steps_[i].number);
      bound_.steps_[i].scratch_offset =
          add_piece({scratch_[i], number, number, 0}, "scratch of step " + std::to_string(number) +
                                                          ", " + plan_.steps[number].kernel);
    }
    stage_updates();
    if (bound_.fault_count_ > 0) {
      bound_.faults_.resize(bound_.fault_count_);
      bound_.faults_offset_ =
          add_piece({static_cast<int64_t>(bound_.fault_count_ * sizeof(Fault)), 0, end_, 0},
                    "what steps refuse");
    }
    bound_.arena_bytes_ = place(pieces_);
  }

  int64_t add_piece(const Piece& piece, std::string name) {
    pieces_.push_back(piece);
    names_.push_back(std::move(name));
    return static_cast<int64_t>(pieces_.size()) - 1;
  }

  /// All updates read old values: a source that is itself updated is copied aside first.
  void stage_updates() {
    std::vector<bool> updated(shared_.size(), false);
    for (const Plan::Update& update : plan_.updates) updated[update.shared] = true;
    for (const Plan::Update& update : plan_.updates) {
      const Buffer& source = plan_.buffers[root(update.buffer)];
      const bool from_shared = source.kind == Buffer::kShared;
      if (from_shared && source.reference == static_cast<int64_t>(update.shared)) continue;
      Bound::UpdateCopy copy;
      copy.tensor = shared_[update.shared].get();
      copy.target = copy.tensor->data_on(bound_.device_);
      copy.bytes = types_[update.buffer].bytes();
      if (from_shared && updated[source.reference]) {
        copy.staged_offset = add_piece({copy.bytes, end_, end_, 0},
                                       "new value of " + plan_.shared[update.shared].name);
      }
      bound_.updates_.push_back(copy);
      update_sources_.push_back(update.buffer);
    }
  }

  void settle_layout() {
    const auto settle = [this](int64_t& offset) {
      if (offset >= 0) offset = pieces_[static_cast<size_t>(offset)].offset;
    };
    settle(bound_.faults_offset_);
    for (auto& step : bound_.steps_) settle(step.scratch_offset);
    for (auto& update : bound_.updates_) settle(update.staged_offset);
    for (size_t i = 0; i < pieces_.size(); ++i) {
      bound_.map_.push_back({std::move(names_[i]), pieces_[i]});
      bound_.unshared_bytes_ = checked_add(bound_.unshared_bytes_, aligned_size(pieces_[i].bytes));
    }
  }

  // --- kernels ---
  void bind_steps() {
    const std::vector<bool> changed = plan_.changed_shared();
    if (bound_.kept_ != nullptr) {
      for (const uint32_t step : bound_.kept_->steps()) bind_step(step, changed);
      bound_.kept_count_ = bound_.steps_.size();
    }
    for (uint32_t i = 0; i < plan_.steps.size(); ++i) {
      if (bound_.kept_ == nullptr || !bound_.kept_->keeps_step(i)) bind_step(i, changed);
    }
  }

  void bind_step(uint32_t number, const std::vector<bool>& changed) {
    const PlanStep& step = plan_.steps[number];
    if (writes_nothing(step) && !runs_when_empty(step.kernel)) return;
    StepBinding binding(plan_, step, sizes_, types_of(step.inputs), types_of(step.outputs),
                        lasting_inputs(step, changed), bound_.device_);
    Bound::BoundStep made;
    made.number = number;
    made.step = bind_kernel(step, binding);
    if (made.step->may_fail()) made.fault = static_cast<int>(bound_.fault_count_++);
    bound_.steps_.push_back(std::move(made));
    scratch_.push_back(binding.scratch());
  }

  std::vector<Lasting> lasting_inputs(const PlanStep& step,
                                      const std::vector<bool>& changed) const {
    std::vector<Lasting> inputs;
    for (uint32_t input : step.inputs) {
      const uint32_t source = root(input);
      const Buffer& buffer = plan_.buffers[source];
      const auto number = static_cast<size_t>(buffer.reference);
      Lasting lasting;
      if (buffer.kind == Buffer::kConstant) {
        lasting = {true, plan_.packed.get(), "constant " + std::to_string(number) + " "};
      } else if (keeps(source)) {
        lasting = {true, &bound_.kept_->packed(), "buffer " + std::to_string(source) + " "};
      } else if (buffer.kind == Buffer::kShared && !changed[number]) {
        lasting = {true, &shared_[number]->packed(), ""};
      } else if (buffer.kind == Buffer::kInput) {
        lasting.lasts = input_lasts(number);
      }
      inputs.push_back(lasting);
    }
    return inputs;
  }

  bool input_lasts(size_t number) const {
    return !bound_.lasting_.empty() && bound_.lasting_[number];
  }

  bool writes_nothing(const PlanStep& step) const {
    return std::all_of(step.outputs.begin(), step.outputs.end(),
                       [&](uint32_t buffer) { return types_[buffer].count() == 0; });
  }

  std::vector<Type> types_of(const std::vector<uint32_t>& buffers) const {
    std::vector<Type> types;
    for (uint32_t buffer : buffers) types.push_back(types_[buffer]);
    return types;
  }

  static std::unique_ptr<Step> bind_kernel(const PlanStep& step, StepBinding& binding) {
    const bool here = binding.device().is_host() || runs_anywhere(step.kernel);
    BindFunction bind = here ? find_kernel(step.kernel) : binding.device().find_kernel(step.kernel);
    const bool there = !here && bind != nullptr;
    if (bind == nullptr && !here) bind = bind_on_host(step.kernel, "");
    if (bind == nullptr) {
      throw Error(ErrorCode::kDevice,
                  joined({"[", step.kernel,
                          "] this build has no kernel of that name. Build symk again, "
                          "or export the Plan with this release."}));
    }
    try {
      return there ? bind_there(bind, step.kernel, binding) : bind(binding);
    } catch (const Error& error) {
      throw with_origin(error, step);
    }
  }

  /// By a kernel of another device than the host; by the host where it does not take these
  /// operands, such as weights that are stored in less than they stand for.
  static std::unique_ptr<Step> bind_there(const BindFunction& bind, const std::string& kernel,
                                          StepBinding& binding) {
    std::string reason = "[" + kernel + "] the device has no room for the step.";
    try {
      if (std::unique_ptr<Step> made = bind(binding)) return made;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kMemory || error.code() == ErrorCode::kDevice) throw;
      reason = error.what();
    }
    try {
      return bind_on_host(kernel, reason)(binding);
    } catch (const Error& error) {
      if (reason == error.what()) throw;
      throw Error(error.code(),
                  joined({reason, " The host does not do it either: ", error.what()}));
    }
  }

  // --- steps that a device does at once ---

  /// Puts steps that can be done at once one behind the other, and makes the steps that do so.
  /// Kept steps stay alone.
  void join_steps_of_one_form() {
    if (bound_.device_.is_host()) return;
    std::vector<Joinable> joinable;
    for (size_t i = bound_.kept_count_; i < bound_.steps_.size(); ++i) {
      joinable.push_back(joinable_of(i));
    }
    std::vector<Bound::BoundStep> ordered;
    for (const std::vector<size_t>& group : join_steps(joinable)) {
      const size_t first = ordered.size();
      std::vector<const Step*> members;
      for (size_t member : group) {
        ordered.push_back(std::move(bound_.steps_[bound_.kept_count_ + member]));
        members.push_back(ordered.back().step.get());
      }
      if (members.size() == 1) continue;
      ordered[first].joined = members[0]->join(members);
      if (ordered[first].joined != nullptr) ordered[first].joined_count = members.size();
    }
    std::move(ordered.begin(), ordered.end(),
              bound_.steps_.begin() + static_cast<std::ptrdiff_t>(bound_.kept_count_));
  }

  Joinable joinable_of(size_t number) const {
    const Bound::BoundStep& step = bound_.steps_[number];
    Joinable made;
    made.form = step.step->form();
    made.fixed = step.fault >= 0 || !step.step->recordable();
    const PlanStep& described = plan_.steps[step.number];
    for (uint32_t buffer : described.inputs) made.touched.read.push_back(span_of(buffer));
    for (uint32_t buffer : described.outputs) made.touched.written.push_back(span_of(buffer));
    if (step.scratch_offset < 0) return made;
    const Piece& scratch = pieces_[static_cast<size_t>(step.scratch_offset)];
    made.touched.written.push_back({&arena_space_, scratch.offset, scratch.offset + scratch.bytes});
    return made;
  }

  /// Where a buffer lies, as far as it matters which others lie there too. Those of the caller of a
  /// body may lie in one place.
  Span span_of(uint32_t buffer) const {
    const uint32_t source = root(buffer);
    const Buffer& described = plan_.buffers[source];
    const int64_t bytes = types_[source].bytes();
    const int output = is_temporary(source) ? output_memory(source) : -1;
    if (is_body() && (described.kind == Buffer::kInput || output >= 0)) return {&plan_, 0, 1};
    if (described.kind == Buffer::kInput) return {&plan_.inputs[described.reference], 0, 1};
    if (described.kind == Buffer::kConstant) return {&plan_.constants[described.reference], 0, 1};
    if (described.kind == Buffer::kShared) return {shared_[described.reference].get(), 0, 1};
    if (keeps(source)) return {&types_[source], 0, 1};
    if (output >= 0) return {&plan_.outputs[output], 0, 1};
    const int64_t offset = piece_at(source).offset;
    return {&arena_space_, offset, offset + bytes};
  }

  const Piece& piece_at(uint32_t temporary) const { return pieces_[piece_of_[head_[temporary]]]; }
  bool is_body() const { return bound_.kept_ == nullptr; }

  // --- branches of a recording ---

  /// Asks the device which steps of a recording it does beside each other, and where the arena's
  /// pieces lie then.
  void branch_out() {
    if (bound_.device_.is_host()) return;
    if (is_body()) return find_load();
    Launches launches = {{}, pieces_, bound_.arena_bytes_, end_};
    if (bound_.faults_offset_ >= 0) launches.always = static_cast<size_t>(bound_.faults_offset_);
    for (const Part& part : bound_.parts_) {
      for (size_t i = part.first; i < part.last; i = launch_end(i)) {
        launches.all.push_back(launch_at(i));
        launches.all.back().fence = i == part.first || part.state == Part::kHosted;
      }
    }
    const Arrangement found = bound_.device_.arrange(launches);
    if (found.turns.empty()) return;
    bound_.arena_bytes_ = found.bytes;
    for (size_t i = 0; i < pieces_.size(); ++i) pieces_[i].offset = found.offsets[i];
    for (auto& step : bound_.steps_) {
      if (found.sharers > 1) step.step->share_device(found.sharers);
    }
    size_t first = 0;
    for (Part& part : bound_.parts_) first = hand_out(found.turns, first, part);
  }

  /// That of a body, whose steps follow each other: as much of the device as any of them takes.
  void find_load() {
    bound_.load_.share = kShortStepShare;
    for (size_t i = 0; i < bound_.steps_.size(); ++i) {
      const Load load = bound_.steps_[i].step->load(1);
      bound_.load_.time_ns += std::max(load.time_ns, kShortStep_ns);
      if (load.time_ns > 0) bound_.load_.share = std::max(bound_.load_.share, load.share);
      bound_.load_.together = bound_.load_.together || load.together;
    }
  }

  /// The step behind those that are done at once with this one.
  size_t launch_end(size_t step) const { return step + bound_.steps_[step].joined_count; }

  Launch launch_at(size_t first) const {
    Launch launch;
    const Bound::BoundStep& step = bound_.steps_[first];
    if (step.joined == nullptr) {
      launch.load = step.step->load(1);
      launch.halved = step.step->load(2);
    }
    for (size_t i = first; i < launch_end(first); ++i) {
      const PlanStep& described = plan_.steps[bound_.steps_[i].number];
      for (uint32_t buffer : described.inputs) touch(buffer, launch.touched.read, launch.bytes);
      for (uint32_t buffer : described.outputs) touch(buffer, launch.touched.written, launch.bytes);
      if (bound_.steps_[i].scratch_offset < 0) continue;
      const auto scratch = static_cast<size_t>(bound_.steps_[i].scratch_offset);
      launch.touched.written.push_back({&pieces_[scratch], 0, 1});
    }
    return launch;
  }

  void touch(uint32_t buffer, std::vector<Span>& spans, int64_t& bytes) const {
    Span span = span_of(buffer);
    if (span.space == &arena_space_) span = {&piece_at(root(buffer)), 0, 1};
    spans.push_back(span);
    bytes += types_[buffer].bytes();
  }

  /// Gives a part its turns, numbered within it; its launches begin with `first`. Returns where
  /// those of the next part begin.
  size_t hand_out(const std::vector<Turn>& turns, size_t first, Part& part) const {
    std::vector<size_t> ends(1, 0);  // per branch
    for (size_t i = part.first; i < part.last; i = launch_end(i)) {
      const size_t number = part.turns.size();
      part.turns.push_back(turns[first + number]);
      Turn& turn = part.turns.back();
      for (size_t& after : turn.after) after -= first;
      ends.resize(std::max(ends.size(), static_cast<size_t>(turn.branch) + 1));
      ends[static_cast<size_t>(turn.branch)] = number;
    }
    const size_t last = first + part.turns.size();
    part.branches = static_cast<int>(ends.size());
    part.ends.assign(ends.begin() + 1, ends.end());
    for (const size_t end : part.ends) part.turns[end].awaited = true;
    return last;
  }

  // --- addresses ---
  bool writes_shared(const PlanStep& step) const {
    return std::any_of(step.outputs.begin(), step.outputs.end(), [&](uint32_t buffer) {
      return plan_.buffers[buffer].kind == Buffer::kShared;
    });
  }

  void address_steps() {
    std::vector<bool> rewritten(shared_.size(), false);
    for (size_t i = 0; i < bound_.steps_.size(); ++i) {
      Bound::BoundStep& bound = bound_.steps_[i];
      const PlanStep& step = plan_.steps[bound.number];
      bound.first_in = bound_.in_.size();
      bound.first_out = bound_.out_.size();
      for (uint32_t buffer : step.inputs) address_input(buffer, &rewritten);
      for (uint32_t buffer : step.outputs) address_output(buffer, rewritten);
      if (i < bound_.kept_count_) bound_.made_of_.resize(bound_.in_.size());
    }
  }

  /// Adds a slot for reading. A shared value that a step of this call has written has no version of
  /// its own yet.
  void address_input(uint32_t buffer, const std::vector<bool>* rewritten) {
    const uint32_t source = root(buffer);
    const Buffer& described = plan_.buffers[source];
    const auto number = static_cast<uint32_t>(described.reference);
    const size_t slot = bound_.in_.size();
    const void* address = nullptr;
    uint64_t version = 0;
    switch (described.kind) {
      case Buffer::kInput:
        bound_.in_from_inputs_.push_back({slot, number});
        if (input_lasts(number)) bound_.versions_from_inputs_.push_back({slot, number});
        break;
      case Buffer::kConstant:
        address =
            bound_.constants_ ? bound_.constants_->data(number) : plan_.constants[number].data;
        version = 1;
        break;
      case Buffer::kShared:
        address = shared_[number]->data_on(bound_.device_);
        if (rewritten != nullptr && !(*rewritten)[number]) {
          bound_.version_patches_.push_back({slot, shared_[number].get()});
        }
        break;
      default:
        if (keeps(source)) {
          address = bound_.kept_->data(source);
          bound_.kept_patches_.push_back({slot, source});
        } else if (const int output = output_memory(source); output >= 0) {
          bound_.in_from_outputs_.push_back({slot, static_cast<uint32_t>(output)});
        } else {
          bound_.in_from_arena_.push_back({slot, pieces_[piece_of_[head_[source]]].offset});
        }
    }
    bound_.in_.push_back(address);
    bound_.versions_.push_back(version);
  }

  void address_output(uint32_t buffer, std::vector<bool>& rewritten) {
    const size_t slot = bound_.out_.size();
    void* address = nullptr;
    if (plan_.buffers[buffer].kind == Buffer::kShared) {
      const auto number = static_cast<size_t>(plan_.buffers[buffer].reference);
      address = shared_[number]->data_on(bound_.device_);
      if (!rewritten[number]) bound_.written_by_steps_.push_back(shared_[number].get());
      rewritten[number] = true;
    } else if (keeps(buffer)) {
      address = bound_.kept_->data(buffer);
    } else if (const int output = output_memory(buffer); output >= 0) {
      bound_.out_from_outputs_.push_back({slot, static_cast<uint32_t>(output)});
    } else {
      bound_.out_from_arena_.push_back({slot, pieces_[piece_of_[head_[buffer]]].offset});
    }
    bound_.out_.push_back(address);
  }

  void address_copies() {
    for (size_t i = 0; i < plan_.outputs.size(); ++i) {
      const uint32_t buffer = plan_.outputs[i].buffer;
      if (output_of_[root(buffer)] == static_cast<int>(i) || types_[buffer].count() == 0) continue;
      bound_.output_copies_.push_back(
          {bound_.in_.size(), static_cast<uint32_t>(i), types_[buffer].bytes()});
      address_input(buffer, nullptr);
    }
    for (size_t i = 0; i < bound_.updates_.size(); ++i) {
      bound_.updates_[i].slot = bound_.in_.size();
      address_input(update_sources_[i], nullptr);
    }
  }

  // --- parts ---

  /// The first step that writes a shared value; what is done at once begins together.
  size_t find_first_writer() const {
    size_t begin = 0;
    for (size_t i = 0; i < bound_.steps_.size(); ++i) {
      if (i == launch_end(begin)) begin = i;
      if (writes_shared(plan_.steps[bound_.steps_[i].number])) return begin;
    }
    return bound_.steps_.size();
  }

  /// A part ends where Faults are looked at, and on a device before and after what needs the host.
  /// Kept steps belong to none.
  void cut_parts() {
    const size_t count = bound_.steps_.size();
    const std::vector<bool> looks = find_looks();
    Part part;
    part.first = bound_.kept_count_;
    for (size_t i = bound_.kept_count_; i < count; ++i) {
      const bool turn = i > part.first && is_hosted(i) != is_hosted(i - 1);
      if (looks[i] || turn) bound_.parts_.push_back(take_part(part, i, looks[i]));
      if (is_hosted(i)) part.state = Part::kHosted;
    }
    if (looks[count]) bound_.parts_.push_back(take_part(part, count, true));
    bound_.parts_.push_back(take_part(part, count, false));
    if (!bound_.device_.is_host()) {
      bound_.recorded_at_.resize(bound_.inputs_.size() + bound_.output_types_.size());
    }
  }

  /// Per step, and for the end: whether Faults are looked at before it. That is once before shared
  /// values are written, and again if a step that writes them may itself fail: it then has written
  /// nothing.
  std::vector<bool> find_looks() const {
    std::vector<bool> looks(bound_.steps_.size() + 1, false);
    const size_t first_writer = find_first_writer();
    for (size_t i = bound_.kept_count_; i < bound_.steps_.size(); ++i) {
      if (bound_.steps_[i].fault >= 0) looks[i < first_writer ? first_writer : i + 1] = true;
    }
    return looks;
  }

  bool is_hosted(size_t step) const {
    return !bound_.device_.is_host() && !bound_.steps_[step].step->recordable();
  }

  /// What has been gathered up to `last`; the next part looks at Faults before it begins, or not.
  static Part take_part(Part& part, size_t last, bool looks) {
    Part taken = std::move(part);
    taken.last = last;
    part = Part();
    part.first = last;
    part.looks = looks;
    return taken;
  }

  Bound& bound_;
  const Plan& plan_;
  const std::vector<std::shared_ptr<Tensor>>& shared_;
  const int end_;  // the number of steps: the time after the last one
  std::vector<int64_t> sizes_;
  std::vector<Type> types_;  // per buffer, as all that follow
  std::vector<int> first_, last_;
  std::vector<int> output_of_;         // the output that a temporary is, or -1
  std::vector<uint32_t> head_, tail_;  // of the group that shares memory; tail_ only at heads
  std::vector<int> piece_of_;          // at heads: its piece, or -1
  std::vector<Piece> pieces_;
  std::vector<std::string> names_;        // of pieces
  std::vector<int64_t> scratch_;          // per bound step, in the order of the Plan
  std::vector<uint32_t> update_sources_;  // per copying update
  const char arena_space_ = 0;            // its address stands for it
};

Bound::Bound(const Plan& plan, const std::vector<std::shared_ptr<Tensor>>& shared,
             std::vector<Shape> inputs, Device& device, KeptResults* kept,
             std::vector<bool> lasting)
    : plan_(plan), device_(device), constants_(plan.copies->find(plan, device)),
      inputs_(std::move(inputs)), lasting_(std::move(lasting)), kept_(kept) {
  Binder(*this, shared).bind();
}

void require_input(const Plan& plan, size_t input, const Shape& shape, const char* dtype) {
  const NamedBuffer& named = plan.inputs[input];
  const std::vector<int64_t> wanted = plan.known_shape(named.buffer);
  bool fits = shape.rank == static_cast<int>(wanted.size());
  for (int axis = 0; fits && axis < shape.rank; ++axis) {
    fits = wanted[axis] < 0 || wanted[axis] == shape.size[axis];
  }
  if (fits) return;
  const std::vector<int64_t> given(shape.size, shape.size + shape.rank);
  throw Error(ErrorCode::kShape,
              joined({"[input ", named.name, "] the shape must be ",
                      type_text(wanted, dtype_name(plan.buffers[named.buffer].dtype)),
                      "; an array of shape ", type_text(given, dtype), " was given."}));
}

}  // namespace symk
