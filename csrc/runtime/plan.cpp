// Reads a Plan: first the bytes into data (Decoder), then every reference among the data is checked
// (Checker).
#include "runtime/plan.h"

#include <algorithm>

#include "runtime/crc32.h"
#include "runtime/kernel.h"
#include "runtime/reader.h"
#include "runtime/sizes.h"

namespace symk {
namespace {

constexpr size_t kHeaderBytes = 32;
constexpr uint32_t kVersion = 2;
constexpr int kMaxDepth = 16;  // of Plans within Plans: reading and binding them recurse

/// Part of the blob: offset and bytes.
using Place = std::pair<uint64_t, uint64_t>;

/// Whether a Plan has a blob of its own, or refers to the bytes it is read from.
enum class Blob { kCopied, kReferred };

std::unique_ptr<const Plan> read_sub_plan(const char* bytes, size_t count, int depth);

/// The whole Plan from its bytes, with nothing but the layout checked.
class Decoder {
 public:
  Decoder(const char* bytes, size_t count, int depth, Blob blob)
      : bytes_(bytes), count_(count), depth_(depth), blob_(blob), read_(bytes, count) {}

  void decode(Plan& plan) {
    header();
    plan.metadata = read_.list(8, [&] {
      std::string key = read_.text();
      return std::make_pair(std::move(key), read_.text());
    });
    plan.sizes = read_.list(17, [&] { return size(); });
    const std::vector<Place> constants = places();
    plan.buffers = read_.list(14, [&] { return buffer(); });
    plan.inputs = named_buffers();
    plan.shared = named_buffers();
    plan.outputs = named_buffers();
    plan.steps = read_.list(24, [&] { return step(); });
    plan.updates = read_.list(8, [&] {
      Plan::Update update;
      update.shared = read_.number<uint32_t>();
      update.buffer = read_.number<uint32_t>();
      return update;
    });
    plan.checks = read_.list(12, [&] {
      Plan::Check check;
      check.a = read_.number<uint32_t>();
      check.b = read_.number<uint32_t>();
      check.message = read_.text();
      return check;
    });
    const std::vector<Place> plans = places();
    blob(plan, constants, plans);
  }

 private:
  void header() {
    if (count_ < kHeaderBytes || std::memcmp(read_.take(8), "SYMKPLAN", 8) != 0) {
      refuse_plan({"a Plan must begin with 32 bytes, the first eight of them SYMKPLAN; these ",
                   count_, " bytes do not."});
    }
    const auto version = read_.number<uint32_t>();
    if (version != kVersion) {
      throw Error(ErrorCode::kFormat,
                  joined({"[plan] the version must be ", kVersion, "; this Plan has version ",
                          version, ". Export it again with this release."}));
    }
    const auto flags = read_.number<uint32_t>();
    const auto bytes = read_.number<uint64_t>();
    const auto checksum = read_.number<uint32_t>();
    const auto reserved = read_.number<uint32_t>();
    if (flags != 0 || reserved != 0)
      refuse_plan({"unused fields of the header must be 0; they are not."});
    if (bytes != count_) {
      refuse_plan({"the header says ", bytes, " bytes; ", count_, " were given."});
    }
    if (checksum != crc32(bytes_ + kHeaderBytes, count_ - kHeaderBytes)) {
      refuse_plan({"the checksum must agree with the content; it does not."});
    }
  }

  std::vector<Place> places() {
    return read_.list(16, [&] {
      const auto offset = read_.number<uint64_t>();
      return Place(offset, read_.number<uint64_t>());
    });
  }

  Size size() {
    Size size;
    size.kind = static_cast<Size::Kind>(kind("size", Size::kBroadcast));
    size.a = read_.number<int64_t>();
    size.b = read_.number<int64_t>();
    return size;
  }

  Buffer buffer() {
    Buffer buffer;
    buffer.dtype = static_cast<DType>(kind("dtype", kDTypeCount - 1));
    buffer.kind = static_cast<Buffer::Kind>(kind("buffer", Buffer::kAlias));
    buffer.shape = read_.numbers<uint32_t>();
    if (buffer.shape.size() > kMaxRank) {
      refuse_plan({"a shape must have at most 8 axes; one has ", buffer.shape.size(), "."});
    }
    buffer.reference = read_.number<int64_t>();
    return buffer;
  }

  std::vector<NamedBuffer> named_buffers() {
    return read_.list(8, [&] {
      NamedBuffer named;
      named.name = read_.text();
      named.buffer = read_.number<uint32_t>();
      return named;
    });
  }

  PlanStep step() {
    PlanStep step;
    step.kernel = read_.text();
    step.origin = read_.text();
    step.attributes = read_.list(9, [&] { return attribute(); });
    step.inputs = read_.numbers<uint32_t>();
    step.outputs = read_.numbers<uint32_t>();
    step.in_place = read_.list(8, [&] {
      const auto output = read_.number<uint32_t>();
      return std::make_pair(output, read_.number<uint32_t>());
    });
    return step;
  }

  Attribute attribute() {
    Attribute attribute;
    attribute.key = read_.text();
    attribute.tag = static_cast<Attribute::Tag>(kind("attribute", Attribute::kPlan));
    switch (attribute.tag) {
      case Attribute::kInteger: attribute.integer = read_.number<int64_t>(); break;
      case Attribute::kReal: attribute.real = read_.number<double>(); break;
      case Attribute::kText: attribute.text = read_.text(); break;
      case Attribute::kIntegers: attribute.integers = read_.numbers<int64_t>(); break;
      case Attribute::kReals: attribute.reals = read_.numbers<double>(); break;
      case Attribute::kTexts: attribute.texts = read_.list(4, [&] { return read_.text(); }); break;
      case Attribute::kSize:
      case Attribute::kPlan: attribute.integer = read_.number<uint32_t>(); break;
      case Attribute::kSizes:
        attribute.integers = read_.list(4, [&] { return int64_t{read_.number<uint32_t>()}; });
        break;
    }
    return attribute;
  }

  uint8_t kind(const char* what, uint8_t last) {
    const auto found = read_.number<uint8_t>();
    if (found <= last) return found;
    refuse_plan({"the kind of a ", what, " must be 0 to ", last, "; ", found, " stands at byte ",
                 read_.position() - 1, "."});
  }

  void blob(Plan& plan, const std::vector<Place>& constants, const std::vector<Place>& plans) {
    while (read_.position() % kAlignment != 0) zero_byte();
    const auto bytes = read_.number<uint64_t>();
    for (int i = 0; i < 56; ++i) zero_byte();
    if (bytes != read_.left()) {
      refuse_plan(
          {"the constants must be the last ", bytes, " bytes; ", read_.left(), " are left."});
    }
    const char* data = read_.take(bytes);
    if (blob_ == Blob::kCopied) {
      plan.blob = Block(static_cast<int64_t>(bytes));
      std::memcpy(plan.blob.data(), data, bytes);
      data = plan.blob.data();
    }
    for (const Place& place : constants) {
      require_place("constant", place, bytes);
      plan.constants.push_back({data + place.first, static_cast<int64_t>(place.second)});
    }
    uint64_t end = 0;
    for (const Place& place : plans) {
      require_place("sub-plan", place, bytes);
      // Each has bytes of its own, so that a small file cannot hold many Plans.
      if (place.first < end) refuse_plan({"sub-plans must not overlap; two do."});
      end = place.first + place.second;
      plan.plans.push_back(read_sub_plan(data + place.first, place.second, depth_ + 1));
    }
  }

  static void require_place(const char* what, const Place& place, uint64_t bytes) {
    const auto& [offset, size] = place;
    if (offset % kAlignment == 0 && offset <= bytes && size <= bytes - offset) return;
    refuse_plan({"a ", what, " must lie within the constants, on a multiple of 64; one has ", size,
                 " bytes at ", offset, "."});
  }

  void zero_byte() {
    if (read_.number<uint8_t>() != 0) refuse_plan({"padding must be zero; it is not."});
  }

  const char* bytes_;
  size_t count_;
  int depth_;
  Blob blob_;
  Reader read_;
};

/// Checks every number in a Plan that refers to something.
class Checker {
 public:
  explicit Checker(Plan& plan) : plan_(plan) {}

  void check() {
    buffers();
    sizes();
    sources("input", Buffer::kInput, plan_.inputs);
    sources("shared value", Buffer::kShared, plan_.shared);
    fixed_shapes();
    steps();
    for (const auto& output : plan_.outputs)
      must_be_written(output.buffer, "output " + output.name);
    updates();
    for (const auto& check : plan_.checks) {
      index("size", check.a, plan_.sizes.size());
      index("size", check.b, plan_.sizes.size());
    }
  }

 private:
  static void index(const char* what, uint64_t number, size_t count) {
    if (number >= count) {
      refuse_plan({"the number of a ", what, " must be below ", count, "; it is ", number, "."});
    }
  }

  void buffers() {
    for (size_t i = 0; i < plan_.buffers.size(); ++i) {
      Buffer& buffer = plan_.buffers[i];
      for (uint32_t size : buffer.shape) index("size", size, plan_.sizes.size());
      const auto reference = static_cast<uint64_t>(buffer.reference);
      buffer.root = static_cast<uint32_t>(i);
      switch (buffer.kind) {
        case Buffer::kTemporary: break;
        case Buffer::kInput: index("input", reference, plan_.inputs.size()); break;
        case Buffer::kConstant: index("constant", reference, plan_.constants.size()); break;
        case Buffer::kShared: index("shared value", reference, plan_.shared.size()); break;
        case Buffer::kAlias:
          index("buffer before an alias", reference, i);
          buffer.root = plan_.buffers[reference].root;
          if (plan_.buffers[reference].dtype != buffer.dtype) {
            refuse_plan({"an alias must have the dtype of its buffer; buffer ", i, " has not."});
          }
      }
    }
  }

  void sizes() {
    for (size_t i = 0; i < plan_.sizes.size(); ++i) {
      const Size& size = plan_.sizes[i];
      const auto a = static_cast<uint64_t>(size.a), b = static_cast<uint64_t>(size.b);
      if (size.kind == Size::kConstant) continue;
      if (size.kind == Size::kInput) {
        index("input", a, plan_.inputs.size());
        index("buffer", plan_.inputs[a].buffer, plan_.buffers.size());
        index("axis of an input", b, plan_.buffers[plan_.inputs[a].buffer].shape.size());
      } else {
        index("size before a size", a, i);
        index("size before a size", b, i);
      }
    }
  }

  /// Inputs and shared values name one buffer each, and that buffer names them.
  void sources(const char* what, Buffer::Kind kind, const std::vector<NamedBuffer>& named) {
    for (size_t i = 0; i < named.size(); ++i) {
      index("buffer", named[i].buffer, plan_.buffers.size());
      const Buffer& buffer = plan_.buffers[named[i].buffer];
      if (buffer.kind != kind || buffer.reference != static_cast<int64_t>(i)) {
        refuse_plan({"the buffer of ", what, " ", i, " must refer to it; buffer ", named[i].buffer,
                     " does not."});
      }
    }
    for (size_t i = 0; i < plan_.buffers.size(); ++i) {
      const Buffer& buffer = plan_.buffers[i];
      if (buffer.kind == kind && named[static_cast<size_t>(buffer.reference)].buffer != i) {
        refuse_plan({"each ", what, " must have one buffer; ", what, " ", buffer.reference,
                     " has several."});
      }
    }
  }

  /// Constants and shared values have the same shape for all inputs, and constants have the bytes
  /// for it.
  void fixed_shapes() {
    plan_.known = known_sizes(plan_);
    for (size_t i = 0; i < plan_.buffers.size(); ++i) {
      const Buffer& buffer = plan_.buffers[i];
      if (buffer.kind != Buffer::kConstant && buffer.kind != Buffer::kShared) continue;
      for (uint32_t size : buffer.shape) {
        if (plan_.known[size] < 0) {
          refuse_plan(
              {"a constant or shared value must have a fixed shape; buffer ", i, " has not."});
        }
      }
      const int64_t bytes = bound_type(plan_, static_cast<uint32_t>(i), plan_.known).bytes();
      if (buffer.kind == Buffer::kConstant && plan_.constants[buffer.reference].bytes != bytes) {
        refuse_plan({"constant ", buffer.reference, " must have ", bytes,
                     " bytes for its shape; it has ", plan_.constants[buffer.reference].bytes,
                     "."});
      }
    }
  }

  void steps() {
    written_.assign(plan_.buffers.size(), false);
    for (size_t i = 0; i < plan_.buffers.size(); ++i) {
      written_[i] = plan_.buffers[i].kind != Buffer::kTemporary;
    }
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      const PlanStep& step = plan_.steps[i];
      const std::string where = joined({"step ", i, " (", step.kernel, ")"});
      for (uint32_t buffer : step.inputs) must_be_written(buffer, where);
      for (uint32_t buffer : step.outputs) write(buffer, where);
      for (const auto& [output, input] : step.in_place) {
        index("output in in_place", output, step.outputs.size());
        index("input in in_place", input, step.inputs.size());
      }
      for (const Attribute& attribute : step.attributes) attribute_numbers(attribute);
    }
  }

  void attribute_numbers(const Attribute& attribute) {
    const auto number = static_cast<uint64_t>(attribute.integer);
    if (attribute.tag == Attribute::kSize) index("size", number, plan_.sizes.size());
    if (attribute.tag == Attribute::kPlan) index("sub-plan", number, plan_.plans.size());
    if (attribute.tag != Attribute::kSizes) return;
    for (int64_t size : attribute.integers)
      index("size", static_cast<uint64_t>(size), plan_.sizes.size());
  }

  void must_be_written(uint32_t buffer, const std::string& where) {
    index("buffer", buffer, plan_.buffers.size());
    if (!written_[plan_.buffers[buffer].root]) {
      refuse_plan({where, " must read what an earlier step has written; nothing writes buffer ",
                   buffer, " before it."});
    }
  }

  /// A step writes a temporary that nothing else writes, or a shared value.
  void write(uint32_t buffer, const std::string& where) {
    index("buffer", buffer, plan_.buffers.size());
    const Buffer& target = plan_.buffers[buffer];
    const bool fresh = target.kind == Buffer::kTemporary && !written_[buffer];
    if (!fresh && target.kind != Buffer::kShared) {
      refuse_plan({where, " must write a fresh temporary or a shared value; buffer ", buffer,
                   " is neither."});
    }
    written_[buffer] = true;
  }

  void updates() {
    std::vector<bool> updated(plan_.shared.size(), false);
    for (const auto& [shared, buffer] : plan_.updates) {
      index("shared value", shared, plan_.shared.size());
      const std::string where = "the update of " + plan_.shared[shared].name;
      must_be_written(buffer, where);
      if (updated[shared]) refuse_plan({where, " must be the only one; there are several."});
      updated[shared] = true;
      if (plan_.buffers[buffer].dtype != plan_.buffers[plan_.shared[shared].buffer].dtype) {
        refuse_plan({where, " must have its dtype; it has another."});
      }
    }
  }

  Plan& plan_;
  std::vector<bool> written_;
};

std::unique_ptr<const Plan> read_sub_plan(const char* bytes, size_t count, int depth) {
  if (depth > kMaxDepth) {
    refuse_plan({"Plans within Plans must not go deeper than ", kMaxDepth, "."});
  }
  auto plan = std::make_unique<Plan>();
  Decoder(bytes, count, depth, Blob::kReferred).decode(*plan);
  Checker(*plan).check();
  if (!plan->shared.empty()) {
    refuse_plan({"a sub-plan must have no shared values; one has ", plan->shared.size(), "."});
  }
  return plan;
}

}  // namespace

std::vector<int64_t> Plan::known_shape(uint32_t buffer) const {
  std::vector<int64_t> shape;
  for (uint32_t size : buffers[buffer].shape) shape.push_back(known[size]);
  return shape;
}

std::vector<bool> Plan::changed_shared() const {
  std::vector<bool> changed(shared.size(), false);
  for (const Update& update : updates) changed[update.shared] = true;
  for (const PlanStep& step : steps) {
    for (uint32_t output : step.outputs) {
      const Buffer& buffer = buffers[output];
      if (buffer.kind == Buffer::kShared) changed[static_cast<size_t>(buffer.reference)] = true;
    }
  }
  return changed;
}

bool Plan::acts() const {
  return std::any_of(steps.begin(), steps.end(),
                     [](const PlanStep& step) { return symk::acts(step.kernel); }) ||
         std::any_of(plans.begin(), plans.end(), [](const auto& body) { return body->acts(); });
}

std::shared_ptr<const Plan> read_plan(const void* bytes, size_t count) {
  auto plan = std::make_shared<Plan>();
  Decoder(static_cast<const char*>(bytes), count, 0, Blob::kCopied).decode(*plan);
  Checker(*plan).check();
  return plan;
}

std::unique_ptr<Plan> read_plan_in_place(const void* bytes, size_t count) {
  auto plan = std::make_unique<Plan>();
  Decoder(static_cast<const char*>(bytes), count, 0, Blob::kReferred).decode(*plan);
  Checker(*plan).check();
  return plan;
}

Error with_origin(const Error& error, const PlanStep& step) {
  if (step.origin.empty()) return error;
  return Error(error.code(), "in " + step.origin + ": " + error.what());
}

std::string type_text(const std::vector<int64_t>& shape, const char* dtype) {
  std::string text = "(";
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (axis > 0) text += ", ";
    text += shape[axis] < 0 ? "None" : std::to_string(shape[axis]);
  }
  return text + (shape.size() == 1 ? ",) " : ") ") + dtype;
}

std::string type_text(const Type& type) {
  return type_text(std::vector<int64_t>(type.shape, type.shape + type.rank),
                   dtype_name(type.dtype));
}

}  // namespace symk
