// A Plan as data: what `docs/plan_format.md` describes, read and checked. A Plan that `read_plan`
// returns is sound: every number in it points to something that exists, and every temporary is
// written before it is read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/constants.h"
#include "runtime/error.h"
#include "runtime/memory.h"
#include "runtime/packed.h"
#include "runtime/view.h"

namespace symk {

/// One integer expression; `a` and `b` mean what the kind says.
struct Size {
  enum Kind : uint8_t { kConstant, kInput, kAdd, kMultiply, kFloorDivide, kMax, kBroadcast };
  Kind kind = kConstant;
  int64_t a = 0, b = 0;
};

struct Attribute {
  enum Tag : uint8_t {
    kInteger,
    kReal,
    kText,
    kIntegers,
    kReals,
    kTexts,
    kSize,
    kSizes,
    kPlan,
  };
  std::string key;
  Tag tag = kInteger;
  int64_t integer = 0;  // also the number of a size or of a sub-plan
  double real = 0;
  std::string text;
  std::vector<int64_t> integers;  // also the numbers of sizes
  std::vector<double> reals;
  std::vector<std::string> texts;
};

struct Buffer {
  enum Kind : uint8_t { kTemporary, kInput, kConstant, kShared, kAlias };
  DType dtype = DType::kFloat32;
  Kind kind = kTemporary;
  std::vector<uint32_t> shape;  // numbers of sizes
  int64_t reference = 0;
  uint32_t root = 0;  // the buffer whose memory this is: itself, or where a chain of aliases ends
};

struct PlanStep {
  std::string kernel, origin;
  std::vector<Attribute> attributes;
  std::vector<uint32_t> inputs, outputs;
  std::vector<std::pair<uint32_t, uint32_t>> in_place;  // (output position, input position)
};

struct NamedBuffer {
  std::string name;
  uint32_t buffer = 0;
};

struct Plan {
  struct Constant {
    const char* data = nullptr;
    int64_t bytes = 0;
  };
  struct Update {
    uint32_t shared = 0, buffer = 0;
  };
  struct Check {
    uint32_t a = 0, b = 0;
    std::string message;
  };

  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<Size> sizes;
  std::vector<Constant> constants;
  std::vector<Buffer> buffers;
  std::vector<NamedBuffer> inputs, shared, outputs;
  std::vector<PlanStep> steps;
  std::vector<Update> updates;
  std::vector<Check> checks;
  std::vector<std::unique_ptr<const Plan>> plans;  // the bodies of loops and branches
  // The constants in the forms that kernels read them in, all under "constant <number> ...".
  std::unique_ptr<PackedForms> packed = std::make_unique<PackedForms>();
  std::unique_ptr<ConstantCopies> copies = std::make_unique<ConstantCopies>();
  std::vector<int64_t> known;  // per size: what it is for all inputs, or -1; found by the reader
  Block
      blob;  // where the constants lie, those of sub-plans included; empty where they lie elsewhere

  /// The shape of a buffer as far as it is the same for all inputs: -1 for a size that is not.
  std::vector<int64_t> known_shape(uint32_t buffer) const;
  /// Per shared value, whether calls change it: by an update, or by a step that writes into it.
  std::vector<bool> changed_shared() const;
  /// Whether a step of it or of its bodies may do more than to make results (symk::acts).
  bool acts() const;
};

/// Reads a Plan. Throws Error(kFormat) saying what is wrong and where.
std::shared_ptr<const Plan> read_plan(const void* bytes, size_t count);
/// The same without a copy of the constants: the bytes, which begin on a multiple of kAlignment,
/// must stay as long as the Plan.
std::unique_ptr<Plan> read_plan_in_place(const void* bytes, size_t count);

/// The same error, which also says who made the step.
Error with_origin(const Error& error, const PlanStep& step);

/// As in messages: "(None, 28, 28, 1) float32"; a negative size is None.
std::string type_text(const std::vector<int64_t>& shape, const char* dtype);
std::string type_text(const Type& type);

}  // namespace symk
